#include "tar_judge.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "tar_name.h"
#include "tar_place.h"

/* Names of a million files and more; a tar with more than that is refused, not half judged. */
#define NAMES_MAX ((size_t)1024 * 1024 * 1024)
#define FIRST_SIZE 256

/* A slot with type 0 is free. */
struct tar_judge_name {
        size_t at; /* in names */
        uint32_t len;
        char type; /* 'f', 'd' or 'l' */
};

int
tar_judge_fail_target(const struct tar_entry *entry, const char *why, struct err *err)
{
        char shown[TAR_SHOWN_SIZE];

        return err_set(err, ERR_CORRUPT, "its target \"%s\" %s",
            tar_name_show(entry->link, entry->link_len, shown), why);
}

int
tar_judge_entry(const struct tar_entry *entry, char *name, struct err *err)
{
        size_t len;

        if (tar_place_clean(entry->name, entry->name_len, name, &len, err) < 0)
                return -1;
        if (entry->type == TAR_OTHER)
                return err_set(err, ERR_CORRUPT, "it is a device, FIFO or socket");
        if (entry->sparse) {
                err_set(err, ERR_UNSUPPORTED, "it is stored with holes");
                return err_hint(err, "make the tar without --sparse");
        }
        if (len == 0 && entry->type != TAR_DIR)
                return err_set(err, ERR_CORRUPT, "it would replace the directory itself");
        if (entry->type == TAR_SYMLINK && !tar_place_link_stays_inside(name, entry->link))
                return tar_judge_fail_target(entry, "leads out of the directory", err);
        return 0;
}

int
tar_judge_target(const struct tar_entry *entry, char *target, struct err *err)
{
        size_t len;

        if (tar_place_clean(entry->link, entry->link_len, target, &len, err) < 0 || len == 0)
                return tar_judge_fail_target(entry, "is not inside the directory", err);
        return 0;
}

void
tar_judge_init(struct tar_judge *judge)
{
        *judge = (struct tar_judge){ 0 };
        buf_init(&judge->names, NAMES_MAX);
}

void
tar_judge_free(struct tar_judge *judge)
{
        mem_free(judge->slots);
        buf_free(&judge->names);
        *judge = (struct tar_judge){ 0 };
}

/* Where the name is, or where it would be put. */
static struct tar_judge_name *
slot_of(const struct tar_judge *judge, const char *name, size_t len)
{
        uint64_t hash = 0xcbf29ce484222325U;

        for (size_t pos = 0; pos < len; pos++)
                hash = (hash ^ (unsigned char)name[pos]) * 0x100000001b3U;
        size_t at = (size_t)(hash ^ hash >> 32) & (judge->size - 1);
        for (;; at = (at + 1) & (judge->size - 1)) {
                struct tar_judge_name *slot = &judge->slots[at];
                if (slot->type == 0 ||
                    (slot->len == len && memcmp(judge->names.data + slot->at, name, len) == 0))
                        return slot;
        }
}

static char
type_of(const struct tar_judge *judge, const char *name, size_t len)
{
        return judge->size > 0 ? slot_of(judge, name, len)->type : 0;
}

static int
grow(struct tar_judge *judge, struct err *err)
{
        struct tar_judge old = *judge;
        size_t size = old.size > 0 ? 2 * old.size : FIRST_SIZE;
        struct tar_judge_name *slots = mem_zalloc(size * sizeof(*slots), err);

        if (slots == NULL)
                return -1;
        judge->slots = slots;
        judge->size = size;
        for (size_t idx = 0; idx < old.size; idx++) {
                const struct tar_judge_name *from = &old.slots[idx];
                if (from->type != 0)
                        *slot_of(judge, judge->names.data + from->at, from->len) = *from;
        }
        mem_free(old.slots);
        return 0;
}

static int
add(struct tar_judge *judge, const char *name, size_t len, char type, struct err *err)
{
        size_t at = judge->names.len;

        if (2 * (judge->used + 1) > judge->size && grow(judge, err) < 0)
                return -1;
        if (buf_add(&judge->names, name, len, err) < 0)
                return err_prefix(err, "too many names");
        *slot_of(judge, name, len) = (struct tar_judge_name){ at, (uint32_t)len, type };
        judge->used++;
        return 0;
}

/* The directories on the way: those that are missing are made, as by an extraction. */
static int
judge_way(struct tar_judge *judge, const char *name, struct err *err)
{
        for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
                size_t len = (size_t)(slash - name);
                char type = type_of(judge, name, len);
                if (type == 'd')
                        continue;
                if (type == 0) {
                        if (add(judge, name, len, 'd', err) < 0)
                                return -1;
                        continue;
                }
                return err_set(err, ERR_CORRUPT, "its name passes through the %s \"%.*s\"",
                    type == 'l' ? "symbolic link" : "file", (int)(len < 400 ? len : 400), name);
        }
        return 0;
}

static int
judge_next(struct tar_judge *judge, const struct tar_entry *entry, struct err *err)
{
        char name[TAR_NAME_MAX + 1];
        char target[TAR_NAME_MAX + 1];

        if (tar_judge_entry(entry, name, err) < 0)
                return -1;
        if (name[0] == '\0')
                return 0;
        if (entry->type == TAR_HARDLINK) {
                if (tar_judge_target(entry, target, err) < 0)
                        return -1;
                if (type_of(judge, target, strlen(target)) != 'f')
                        return tar_judge_fail_target(entry, "was not extracted before", err);
        }
        if (judge_way(judge, name, err) < 0)
                return -1;
        char type = type_of(judge, name, strlen(name));
        if (type == 'd' && entry->type == TAR_DIR)
                return 0;
        if (type != 0)
                return err_set(err, ERR_EXISTS, "it is in the tar twice");
        char made = entry->type == TAR_DIR ? 'd' : entry->type == TAR_SYMLINK ? 'l' : 'f';
        return add(judge, name, strlen(name), made, err);
}

int
tar_judge_next(struct tar_judge *judge, const struct tar_entry *entry, struct err *err)
{
        char shown[TAR_SHOWN_SIZE];

        if (judge_next(judge, entry, err) == 0)
                return 0;
        return err_prefix(
            err, "cannot extract \"%s\"", tar_name_show(entry->name, entry->name_len, shown));
}
