#include "tsdb_check_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/stream.h"

/* More names than this in one directory are no directory of blocks. */
#define NAMES_MAX 2000000

struct names {
        char **list;
        size_t count;
        size_t cap;
};

static void
names_free(struct names *names)
{
        for (size_t idx = 0; idx < names->count; idx++)
                mem_free(names->list[idx]);
        mem_free(names->list);
}

static int
names_add(struct names *names, const char *name, struct err *err)
{
        if (names->count == NAMES_MAX)
                return err_set(err, ERR_TOO_BIG, "more than %d names", NAMES_MAX);
        if (names->count == names->cap) {
                size_t cap = names->cap != 0 ? names->cap * 2 : 16;
                char **list = mem_realloc(names->list, cap * sizeof(*list), err);
                if (list == NULL)
                        return -1;
                names->list = list;
                names->cap = cap;
        }
        names->list[names->count] = mem_strdup(name, err);
        if (names->list[names->count] == NULL)
                return -1;
        names->count++;
        return 0;
}

static int
compare_names(const void *left, const void *right)
{
        return strcmp(*(char *const *)left, *(char *const *)right);
}

static int
read_names(DIR *dir, struct names *out, struct err *err)
{
        for (;;) {
                errno = 0;
                struct dirent *entry = readdir(dir);
                if (entry == NULL)
                        break;
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (names_add(out, entry->d_name, err) != 0)
                        return -1;
        }
        if (errno != 0)
                return err_sys(err, "cannot list it");
        /* Sorted, so that the first defect is the same one each time. */
        if (out->count > 1)
                qsort(out->list, out->count, sizeof(*out->list), compare_names);
        return 0;
}

static int
list_names(const char *path, struct names *out, struct err *err)
{
        DIR *dir = opendir(path);

        *out = (struct names){ .list = NULL };
        if (dir == NULL)
                return err_sys(err, "cannot open directory \"%s\"", path);
        int rc = read_names(dir, out, err);
        closedir(dir);
        if (rc != 0) {
                names_free(out);
                err_prefix(err, "directory \"%s\"", path);
        }
        return rc;
}

/* The bytes of an open file, as many as it had. */
static int
feed_bytes(struct tsdb_check *check, int fd, uint64_t size, unsigned char *buf, struct err *err)
{
        uint64_t left = size;

        while (left > 0) {
                size_t want = left < STREAM_CHUNK ? (size_t)left : STREAM_CHUNK;
                ssize_t got = read(fd, buf, want);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0) {
                        err_sys(err, "cannot read it");
                        return tsdb_feed_fail(check, &check->name, err);
                }
                if (got == 0) {
                        err_set(err, ERR_TRUNCATED, "it became shorter while it was read");
                        return tsdb_feed_fail(check, &check->name, err);
                }
                if (tsdb_feed_push(check, buf, (size_t)got, err) != 0)
                        return -1;
                left -= (uint64_t)got;
        }
        return 0;
}

static int
feed_open_file(struct tsdb_check *check, const struct tsdb_name *name, int fd, struct err *err)
{
        struct stat st;

        if (fstat(fd, &st) != 0) {
                err_sys(err, "cannot read it");
                return tsdb_feed_fail(check, name, err);
        }
        if (!S_ISREG(st.st_mode)) {
                err_set(err, ERR_UNSUPPORTED, "it is no regular file");
                return tsdb_feed_fail(check, name, err);
        }
        if (name->kind == TSDB_INDEX)
                return tsdb_feed_index(check, name, fd, (uint64_t)st.st_size, err);

        unsigned char *buf = mem_alloc(STREAM_CHUNK, err);
        if (buf == NULL)
                return -1;
        int rc = tsdb_feed_begin(check, name, (uint64_t)st.st_size, err);
        if (rc == 0)
                rc = feed_bytes(check, fd, (uint64_t)st.st_size, buf, err);
        if (rc == 0)
                rc = tsdb_feed_end(check, err);
        mem_free(buf);
        return rc;
}

static int
feed_file(struct tsdb_check *check, const struct tsdb_name *name, const char *path, struct err *err)
{
        /* A FIFO must not make us wait, and a link not lead out of the block. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

        if (fd < 0 && errno == ELOOP) {
                err_set(err, ERR_UNSUPPORTED, "it is a link");
                return tsdb_feed_fail(check, name, err);
        }
        if (fd < 0) {
                err_sys(err, "cannot open it");
                return tsdb_feed_fail(check, name, err);
        }
        int rc = feed_open_file(check, name, fd, err);
        close(fd);
        return rc;
}

static int feed_dir(
    struct tsdb_check *check, const char *path, const char *prefix, struct err *err);

static bool
is_dir(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* One name, relative to the root and as a path. */
static int
feed_name(struct tsdb_check *check, const char *relative, const char *path, struct err *err)
{
        struct tsdb_name name;

        tsdb_name_parse(relative, strlen(relative), &name);
        switch (name.kind) {
        case TSDB_BLOCK:
                if (!is_dir(path))
                        break;
                if (tsdb_check_block(check, name.ulid, err) == NULL)
                        return -1;
                return feed_dir(check, path, relative, err);
        case TSDB_PLAIN_DIR:
                if (!is_dir(path))
                        break;
                return feed_dir(check, path, relative, err);
        case TSDB_FOREIGN:
                break;
        default:
                return feed_file(check, &name, path, err);
        }
        check->ignored++;
        return 0;
}

/* At most three levels: the root, ULID, chunks. */
static int
feed_dir(struct tsdb_check *check, const char *path, const char *prefix, struct err *err)
{
        struct names names;
        int rc = 0;

        if (list_names(path, &names, err) != 0)
                return -1;
        for (size_t idx = 0; rc == 0 && idx < names.count; idx++) {
                char *child = path_join(path, names.list[idx], err);
                char *relative = prefix != NULL ? path_join(prefix, names.list[idx], err)
                                                : mem_strdup(names.list[idx], err);
                rc = -1;
                if (child != NULL && relative != NULL)
                        rc = feed_name(check, relative, child, err);
                mem_free(relative);
                mem_free(child);
        }
        names_free(&names);
        return rc;
}

int
tsdb_check_dir(struct tsdb_check *check, const char *dir, struct err *err)
{
        struct err scratch;

        if (err == NULL)
                err = &scratch;
        if (feed_dir(check, dir, NULL, err) == 0)
                return 0;
        if (check->defect.code == ERR_NONE)
                check->defect = *err;
        return -1;
}
