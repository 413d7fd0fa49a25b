#include "moonkeep/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_full.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/rand.h"
#include "moonkeep/stream_driver.h"

/* Data goes to the disk in windows of this size while more is written, so that the last sync is
 * short. */
#define WINDOW ((uint64_t)8 * 1024 * 1024)

#define RANDOM_LEN 12

struct file_sink {
        struct sink sink;
        struct cancel *cancel;
        char *path;
        const char *name; /* the last component, in path */
        struct file_sink_opts opts;
        int dir;       /* the directory that holds both names */
        int fd;        /* -1 once closed */
        bool has_temp; /* temp exists */
        uint64_t written;
        uint64_t flushed; /* up to here the kernel was told to start writing */
        char temp[NAME_MAX + 1];
};

/* Say that writing failed because of errno. */
static int
cannot_write(struct file_sink *it, struct err *err)
{
        int saved = errno;

        err_sys(err, "cannot write \"%s\"", it->path);
        return file_full_hint(it->dir, saved, err);
}

static int
file_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct file_sink *it = (struct file_sink *)sink;
        const unsigned char *at = data;

        if (cancel_check(it->cancel, err) < 0)
                return -1;
        while (len > 0) {
                ssize_t put = write(it->fd, at, len);
                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0)
                        return cannot_write(it, err);
                at += put;
                len -= (size_t)put;
                it->written += (uint64_t)put;
        }
        for (; it->written - it->flushed >= WINDOW; it->flushed += WINDOW) {
                /* Only a start: what goes wrong is found by the fsync. */
                (void)sync_file_range(
                    it->fd, (off_t)it->flushed, (off_t)WINDOW, SYNC_FILE_RANGE_WRITE);
        }
        return 0;
}

/* All bytes and the mode are there, and on the disk, under the temporary name. */
static int
settle(struct file_sink *it, struct err *err)
{
        mode_t mode = it->opts.mode != 0 ? it->opts.mode : 0600;

        /* Only now: nobody else reads half a file. */
        if (fchmod(it->fd, mode) < 0)
                return err_sys(err, "cannot set the mode of \"%s\"", it->path);
        if (!it->opts.unsynced && fsync(it->fd) < 0)
                return cannot_write(it, err);
        int fd = it->fd;
        it->fd = -1;
        /* Network file systems say here that the space was used up. */
        if (close(fd) < 0 && errno != EINTR)
                return cannot_write(it, err);
        return 0;
}

/*
 * Give the file its name unless that is taken.  renameat2 is tried first: a
 * crash between link and unlink would leave the temporary name behind.
 */
static int
rename_exclusive(struct file_sink *it, struct err *err)
{
        if (renameat2(it->dir, it->temp, it->dir, it->name, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
                return err_sys(err, "cannot create \"%s\"", it->path);
        if (linkat(it->dir, it->temp, it->dir, it->name, 0) == 0) {
                /* The file is there; a second name that stays is litter, no failure. */
                (void)unlinkat(it->dir, it->temp, 0);
                return 0;
        }
        if (errno == EPERM || errno == ENOSYS || errno == EOPNOTSUPP)
                return err_set(err, ERR_UNSUPPORTED,
                    "cannot create \"%s\": the file system has no way to not replace a file",
                    it->path);
        return err_sys(err, "cannot create \"%s\"", it->path);
}

static int
file_sink_commit(struct sink *sink, struct err *err)
{
        struct file_sink *it = (struct file_sink *)sink;

        if (cancel_check(it->cancel, err) < 0)
                return -1;
        if (settle(it, err) < 0)
                return -1;
        if (it->opts.exclusive) {
                if (rename_exclusive(it, err) < 0)
                        return -1;
        } else if (renameat(it->dir, it->temp, it->dir, it->name) < 0) {
                return err_sys(err, "cannot create \"%s\"", it->path);
        }
        it->has_temp = false;
        /* EINVAL: a file system that cannot sync directories. */
        if (!it->opts.unsynced && fsync(it->dir) < 0 && errno != EINVAL)
                return err_sys(err, "cannot make the name \"%s\" durable", it->path);
        return 0;
}

static void
file_sink_free(struct sink *sink)
{
        struct file_sink *it = (struct file_sink *)sink;

        if (it->fd >= 0)
                close(it->fd);
        if (it->has_temp)
                (void)unlinkat(it->dir, it->temp, 0);
        if (it->dir >= 0)
                close(it->dir);
        cancel_unref(it->cancel);
        mem_free(it->path);
        mem_free(it);
}

static const struct sink_ops file_sink_ops = { "file", file_sink_write, file_sink_commit,
        file_sink_free };

static int
open_dir(struct file_sink *it, struct err *err)
{
        char *parent = path_parent(it->path, err);

        if (parent == NULL)
                return -1;
        if (it->opts.make_dirs && path_make_dirs(parent, 0700, err) < 0)
                goto fail;
        it->dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (it->dir < 0) {
                err_sys(err, "cannot open the directory \"%s\"", parent);
                goto fail;
        }
        mem_free(parent);
        return 0;

fail:
        mem_free(parent);
        return err_prefix(err, "cannot create \"%s\"", it->path);
}

/* The rename would put a file in the place of a device: root may do that to /dev/null. */
static int
check_replaced(struct file_sink *it, struct err *err)
{
        struct stat st;

        if (fstatat(it->dir, it->name, &st, 0) < 0 || S_ISREG(st.st_mode))
                return 0;
        if (S_ISDIR(st.st_mode)) {
                errno = EISDIR;
                return err_sys(err, "cannot create \"%s\"", it->path);
        }
        return err_set(err, ERR_INVALID,
            "cannot create \"%s\": a device, a pipe or a socket is there, which is not replaced",
            it->path);
}

static int
open_temp(struct file_sink *it, struct err *err)
{
        char random[RANDOM_LEN + 1];
        /* A long name is cut: the random end tells temporary names apart. */
        int room = NAME_MAX - (int)strlen(FILE_TEMP_PREFIX) - 1 - RANDOM_LEN;

        if (rand_id(random, RANDOM_LEN, err) < 0)
                return -1;
        snprintf(it->temp, sizeof(it->temp), "%s%.*s-%s", FILE_TEMP_PREFIX, room, it->name, random);
        it->fd =
            openat(it->dir, it->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (it->fd < 0) {
                int saved = errno;
                err_sys(err, "cannot create \"%s\"", it->path);
                return file_full_hint(it->dir, saved, err);
        }
        it->has_temp = true;
        return 0;
}

struct sink *
file_sink(
    const char *path, const struct file_sink_opts *opts, struct cancel *cancel, struct err *err)
{
        struct file_sink *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        sink_init(&it->sink, &file_sink_ops);
        it->fd = -1;
        it->dir = -1;
        if (opts != NULL)
                it->opts = *opts;
        it->cancel = cancel_ref(cancel);
        it->path = mem_strdup(path, err);
        if (it->path == NULL)
                goto fail;
        const char *slash = strrchr(it->path, '/');
        it->name = slash != NULL ? slash + 1 : it->path;
        if (it->name[0] == '\0' || strcmp(it->name, ".") == 0 || strcmp(it->name, "..") == 0) {
                err_set(err, ERR_INVALID, "cannot create \"%s\": this is no name of a file", path);
                goto fail;
        }
        if (open_dir(it, err) < 0 || check_replaced(it, err) < 0 || open_temp(it, err) < 0)
                goto fail;
        return &it->sink;

fail:
        file_sink_free(&it->sink);
        return NULL;
}
