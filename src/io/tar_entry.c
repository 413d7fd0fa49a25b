#include "tar_entry.h"

#include <string.h>

bool
tar_entry_knows(char type)
{
        return type != '\0' && strchr("0123456S", type) != NULL;
}

static enum tar_type
type_of(const struct tar_header *header, const struct tar_entry *entry)
{
        switch (header->type) {
        case '1':
                return TAR_HARDLINK;
        case '2':
                return TAR_SYMLINK;
        case '5':
                return TAR_DIR;
        case '0':
        case 'S':
                /* A slash at the end is how old writers marked a directory. */
                return entry->name[entry->name_len - 1] == '/' ? TAR_DIR : TAR_FILE;
        default:
                return TAR_OTHER;
        }
}

/*
 * "./name" and "link/./name" are how tar writes what it was asked to find below
 * "." and "link/.": without the dots and doubled slashes, in place.  What is nothing
 * else stays "."; a slash at the end stays one.
 */
static size_t
clean_dots(char *name, size_t len)
{
        size_t used = len > 0 && name[0] == '/' ? 1 : 0;
        bool has_slash = len > 0 && name[len - 1] == '/';
        size_t first = used;

        for (size_t start = used; start < len;) {
                const char *slash = memchr(name + start, '/', len - start);
                size_t part = (slash != NULL ? (size_t)(slash - name) : len) - start;
                if (part > 0 && (part != 1 || name[start] != '.')) {
                        if (used > first)
                                name[used++] = '/';
                        memmove(name + used, name + start, part);
                        used += part;
                }
                start += part + 1;
        }
        if (used == 0)
                name[used++] = '.';
        else if (has_slash && used > first)
                name[used++] = '/';
        name[used] = '\0';
        return used;
}

static const char *
impossible(const struct tar_entry *entry)
{
        if (entry->type == TAR_FILE)
                return NULL;
        if (entry->sparse)
                return "a map of holes in an entry that has none";
        /* Some readers skip that many bytes, others none. */
        if (entry->size != 0)
                return "data in a link, directory or device";
        if (entry->link != NULL && entry->link_len == 0)
                return "a link without a target";
        return NULL;
}

int
tar_entry_make(const struct tar_header *header, const struct tar_pax *pax, char *name,
    struct tar_entry *entry, const char **why)
{
        struct tar_entry made = {
                .name = name,
                .name_len = pax->has_name ? pax->name_len : header->name_len,
                .size = pax->has_size ? pax->size : header->size,
                .sparse = pax->sparse || header->type == 'S',
                .mode = header->mode,
                .mtime_s = pax->has_mtime ? pax->mtime_s : header->mtime_s,
                .uid = pax->has_uid ? pax->uid : header->uid,
                .gid = pax->has_gid ? pax->gid : header->gid,
        };

        if (made.name_len == 0) {
                *why = "an entry without a name";
                return -1;
        }
        memcpy(name, pax->has_name ? pax->name : header->name, made.name_len);
        made.name_len = clean_dots(name, made.name_len);
        made.type = type_of(header, &made);
        if (made.type == TAR_SYMLINK || made.type == TAR_HARDLINK) {
                made.link = pax->has_link ? pax->link : header->link;
                made.link_len = pax->has_link ? pax->link_len : header->link_len;
                for (; made.type == TAR_HARDLINK && made.link_len > 2 &&
                       memcmp(made.link, "./", 2) == 0;
                     made.link_len -= 2)
                        made.link += 2;
        }
        *why = impossible(&made);
        if (*why != NULL)
                return -1;

        if (header->type == 'S')
                made.size = header->real_size;
        else if (pax->has_real_size)
                made.size = pax->real_size;
        while (made.type == TAR_DIR && made.name_len > 1 && name[made.name_len - 1] == '/')
                name[--made.name_len] = '\0';
        *entry = made;
        return 0;
}
