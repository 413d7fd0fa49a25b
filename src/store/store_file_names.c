#include "store_file_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"

/* Bound on the names in one directory, in bytes with their ends. */
#define NAMES_MAX ((size_t)64 * 1024 * 1024)

/* The keys below a folder have a slash behind its name, and so it is sorted. */
static int
by_key(const void *left, const void *right)
{
        const struct dir_name *one = left, *other = right;
        const unsigned char *a = (const unsigned char *)one->name;
        const unsigned char *b = (const unsigned char *)other->name;

        while (*a != '\0' && *a == *b) {
                a++;
                b++;
        }
        int end_a = one->is_dir ? '/' : '\0';
        int end_b = other->is_dir ? '/' : '\0';
        return (*a != '\0' ? *a : end_a) - (*b != '\0' ? *b : end_b);
}

static int
make_room(struct dir_names *names, struct err *err)
{
        if (names->count < names->cap)
                return 0;
        size_t cap = names->cap != 0 ? names->cap * 2 : 64;
        struct dir_name *all = mem_realloc(names->all, cap * sizeof(*all), err);
        if (all == NULL)
                return -1;
        names->all = all;
        names->cap = cap;
        return 0;
}

/* 1: a file or folder to be taken, 0: to be left out, -1: an error. */
static int
classify(const struct store_file *it, int fd, const char *at, const struct dirent *entry,
    struct dir_name *out, struct err *err)
{
        unsigned char type = entry->d_type;
        struct stat st;
        char path[STORE_KEY_MAX + NAME_MAX + 2];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                return 0;
        if (type == DT_UNKNOWN) {
                if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        if (errno == ENOENT)
                                return 0;
                        return err_sys(err, "cannot look at \"%s\" in \"%s/%s\"", entry->d_name,
                            it->store.url, at);
                }
                type = S_ISREG(st.st_mode)   ? DT_REG
                       : S_ISDIR(st.st_mode) ? DT_DIR
                       : S_ISLNK(st.st_mode) ? DT_LNK
                                             : DT_UNKNOWN;
        }
        if (type != DT_REG && type != DT_DIR) {
                snprintf(path, sizeof(path), "%s%s", at, entry->d_name);
                return store_file_strange(it, path, type == DT_LNK, err);
        }
        if (*at == '\0' && type == DT_DIR && strcmp(entry->d_name, STORE_FILE_FOREIGN) == 0)
                return 0;
        out->is_dir = type == DT_DIR;
        out->is_temp = strncmp(entry->d_name, FILE_TEMP_PREFIX, strlen(FILE_TEMP_PREFIX)) == 0;
        return 1;
}

static int
read_all(const struct store_file *it, DIR *dir, const char *at, struct dir_names *names,
    struct buf *bytes, struct err *err)
{
        for (;;) {
                struct dir_name found;
                errno = 0;
                const struct dirent *entry = readdir(dir);
                if (entry == NULL && errno != 0)
                        return err_sys(err, "cannot list \"%s/%s\"", it->store.url, at);
                if (entry == NULL)
                        return 0;
                int take = classify(it, dirfd(dir), at, entry, &found, err);
                if (take < 0)
                        return -1;
                if (take == 0)
                        continue;
                if (make_room(names, err) < 0 ||
                    buf_add(bytes, entry->d_name, strlen(entry->d_name) + 1, err) < 0)
                        return err_prefix(err, "cannot list \"%s/%s\"", it->store.url, at);
                names->all[names->count++] = found;
        }
}

int
dir_names_read(
    const struct store_file *it, int fd, const char *at, struct dir_names *out, struct err *err)
{
        struct dir_names names = { 0 };
        struct buf bytes;

        buf_init(&bytes, NAMES_MAX);
        /* A description of its own: reading moves its position. */
        int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = own >= 0 ? fdopendir(own) : NULL;
        if (dir == NULL) {
                err_sys(err, "cannot list \"%s/%s\"", it->store.url, at);
                if (own >= 0)
                        close(own);
                return -1;
        }
        int rc = read_all(it, dir, at, &names, &bytes, err);
        closedir(dir);
        if (rc < 0)
                goto fail;
        if (names.count > 0) {
                names.bytes = buf_detach(&bytes, err);
                if (names.bytes == NULL)
                        goto fail;
        }
        /* Only now: the bytes do not move any more. */
        const char *name = names.bytes;
        for (size_t idx = 0; idx < names.count; idx++) {
                names.all[idx].name = name;
                name += strlen(name) + 1;
        }
        if (names.count > 1)
                qsort(names.all, names.count, sizeof(*names.all), by_key);
        *out = names;
        return 0;

fail:
        buf_free(&bytes);
        dir_names_free(&names);
        return -1;
}

void
dir_names_free(struct dir_names *names)
{
        mem_free(names->all);
        mem_free(names->bytes);
        memset(names, 0, sizeof(*names));
}
