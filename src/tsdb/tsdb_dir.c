#include "tsdb_check_state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/dir_list.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/stream.h"

static int
list_names(const char *path, struct dir_list *out, struct err *err)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return err_sys(err, "cannot open the directory \"%s\"", path);
        /* Sorted, so that the first defect is the same one each time. */
        int rc = dir_list_read(fd, out, err);
        close(fd);
        return rc == 0 ? 0 : err_prefix(err, "cannot list the directory \"%s\"", path);
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
        struct dir_list list;
        int rc = 0;

        if (list_names(path, &list, err) != 0)
                return -1;
        for (size_t idx = 0; rc == 0 && idx < list.count; idx++) {
                char *child = path_join(path, list.names[idx], err);
                char *relative = prefix != NULL ? path_join(prefix, list.names[idx], err)
                                                : mem_strdup(list.names[idx], err);
                rc = -1;
                if (child != NULL && relative != NULL)
                        rc = feed_name(check, relative, child, err);
                mem_free(relative);
                mem_free(child);
        }
        dir_list_free(&list);
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
