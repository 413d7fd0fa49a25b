/*
 * Each read does one step: what the writer has made goes out first; the data
 * of files is read into the caller's buffer and shown to the writer there, so
 * that it is not copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"
#include "moonkeep/tar.h"
#include "tar_links.h"
#include "tar_name.h"
#include "tar_walk.h"
#include "tar_writer.h"

struct dir_source {
        struct source source;
        char *root;
        char **names;
        bool follow_names;
        _Atomic uint64_t *total;
        struct cancel *cancel;
        struct tar_walk *walk; /* NULL before the first read */
        struct tar_links links;
        struct tar_writer writer;
        int file_fd;
        uint64_t file_left;
        char *file_path;
        bool closed;
        char shown[TAR_SHOWN_SIZE];
};

static const char *
show(struct dir_source *it, const char *path)
{
        return tar_name_show(path, strlen(path), it->shown);
}

static int
fail_writer(struct dir_source *it, const char *path, struct err *err)
{
        return err_prefix(err, "cannot store \"%s/%s\" in a tar", it->root, show(it, path));
}

static int
fail_changed(struct dir_source *it, const char *path, struct err *err)
{
        return err_set(
            err, ERR_IO, "\"%s/%s\" changed while it was read", it->root, show(it, path));
}

/* The sum of the sizes of what will be stored. */
static int
measure(struct dir_source *it, struct err *err)
{
        struct tar_links links = { 0 };
        struct tar_walk_entry found;
        uint64_t sum = 0;
        int more = -1;

        struct tar_walk *walk =
            tar_walk_new(it->root, (const char *const *)it->names, it->follow_names, err);
        while (walk != NULL && (more = tar_walk_next(walk, &found, err)) > 0) {
                const struct stat *st = &found.st;
                more = cancel_check(it->cancel, err);
                if (more < 0)
                        break;
                if (!S_ISREG(st->st_mode))
                        continue;
                if (st->st_nlink > 1) {
                        if (tar_links_find(&links, st->st_dev, st->st_ino) != NULL)
                                continue;
                        more = tar_links_add(&links, st->st_dev, st->st_ino, "", err);
                        if (more < 0)
                                break;
                }
                sum += (uint64_t)st->st_size;
        }
        tar_walk_free(walk);
        tar_links_free(&links);
        if (more < 0)
                return -1;
        atomic_store(it->total, sum);
        return 0;
}

/* link: the target of a symbolic or hard link, or NULL. */
static int
write_header(struct dir_source *it, const char *path, const char *link, const struct stat *st,
    struct err *err)
{
        if (tar_writer_header(&it->writer, path, link, st, err) < 0)
                return fail_writer(it, path, err);
        return 0;
}

static int
write_symlink(struct dir_source *it, const struct tar_walk_entry *found, struct err *err)
{
        char target[TAR_NAME_MAX + 1];
        ssize_t len = readlinkat(found->dir_fd, found->name, target, sizeof(target));

        if (len < 0 && (errno == ENOENT || errno == EINVAL))
                return fail_changed(it, found->path, err);
        if (len < 0)
                return err_sys(
                    err, "cannot read the link \"%s/%s\"", it->root, show(it, found->path));
        if ((size_t)len > TAR_NAME_MAX)
                return err_set(err, ERR_TOO_BIG, "the target of the link \"%s/%s\" is too long",
                    it->root, show(it, found->path));
        target[len] = '\0';
        return write_header(it, found->path, target, &found->st, err);
}

/* A further name of a file that was stored, or 0 when it was not. */
static int
write_hard_link(struct dir_source *it, const struct tar_walk_entry *found, struct err *err)
{
        const struct stat *st = &found->st;
        const char *first = tar_links_find(&it->links, st->st_dev, st->st_ino);

        if (first == NULL)
                return tar_links_add(&it->links, st->st_dev, st->st_ino, found->path, err);
        return write_header(it, found->path, first, st, err) < 0 ? -1 : 1;
}

static int
begin_file(struct dir_source *it, const struct tar_walk_entry *found, struct err *err)
{
        struct stat st;

        if (found->st.st_nlink > 1) {
                int linked = write_hard_link(it, found, err);
                if (linked != 0)
                        return linked < 0 ? -1 : 0;
        }
        /* O_NONBLOCK: it may have become a FIFO since. */
        int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | (found->follow ? 0 : O_NOFOLLOW);
        int fd = openat(found->dir_fd, found->name, flags);
        if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
                return fail_changed(it, found->path, err);
        if (fd < 0)
                return err_sys(err, "cannot open \"%s/%s\"", it->root, show(it, found->path));
        if (fstat(fd, &st) < 0 || st.st_dev != found->st.st_dev || st.st_ino != found->st.st_ino ||
            !S_ISREG(st.st_mode)) {
                fail_changed(it, found->path, err);
                goto fail;
        }

        if (write_header(it, found->path, NULL, &st, err) < 0)
                goto fail;
        if (st.st_size == 0) {
                close(fd);
                return 0;
        }
        it->file_path = mem_strdup(found->path, err);
        if (it->file_path == NULL)
                goto fail;
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        it->file_fd = fd;
        it->file_left = (uint64_t)st.st_size;
        return 0;

fail:
        close(fd);
        return -1;
}

static void
end_file(struct dir_source *it)
{
        if (it->file_fd >= 0)
                close(it->file_fd);
        it->file_fd = -1;
        mem_free(it->file_path);
        it->file_path = NULL;
}

static int
next_entry(struct dir_source *it, struct err *err)
{
        struct tar_walk_entry found;
        int more = tar_walk_next(it->walk, &found, err);

        if (more < 0)
                return -1;
        if (more == 0) {
                it->closed = true;
                return tar_writer_close(&it->writer, err) < 0 ? fail_writer(it, "", err) : 0;
        }
        switch (found.st.st_mode & S_IFMT) {
        case S_IFREG:
                return begin_file(it, &found, err);
        case S_IFDIR:
                return write_header(it, found.path, NULL, &found.st, err);
        case S_IFLNK:
                return write_symlink(it, &found, err);
        default:
                return err_set(err, ERR_UNSUPPORTED,
                    "\"%s/%s\" is a socket, FIFO or device, which is not stored", it->root,
                    show(it, found.path));
        }
}

/* Data of the open file, straight into the caller's buffer. */
static ssize_t
read_file(struct dir_source *it, void *buf, size_t cap, struct err *err)
{
        size_t want = cap < it->file_left ? cap : (size_t)it->file_left;
        ssize_t got;

        do
                got = read(it->file_fd, buf, want);
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return err_sys(err, "cannot read \"%s/%s\"", it->root, show(it, it->file_path));
        if (got == 0)
                return fail_changed(it, it->file_path, err);

        if (tar_writer_data(&it->writer, buf, (size_t)got, err) < 0)
                return fail_writer(it, it->file_path, err);
        it->file_left -= (uint64_t)got;
        if (it->file_left == 0) {
                if (tar_writer_end_data(&it->writer, err) < 0)
                        return fail_writer(it, it->file_path, err);
                end_file(it);
        }
        return got;
}

static int
begin(struct dir_source *it, struct err *err)
{
        if (it->total != NULL && measure(it, err) < 0)
                return -1;
        if (tar_writer_open(&it->writer, err) < 0)
                return -1;
        it->walk = tar_walk_new(it->root, (const char *const *)it->names, it->follow_names, err);
        return it->walk != NULL ? 0 : -1;
}

static ssize_t
dir_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct dir_source *it = (struct dir_source *)src;

        if (it->walk == NULL && begin(it, err) < 0)
                return -1;
        for (;;) {
                if (cancel_check(it->cancel, err) < 0)
                        return -1;
                size_t len = tar_writer_take(&it->writer, buf, cap);
                if (len > 0)
                        return (ssize_t)len;
                if (it->closed)
                        return 0;
                if (it->file_fd >= 0)
                        return read_file(it, buf, cap, err);
                if (next_entry(it, err) < 0)
                        return -1;
        }
}

static void
free_names(char **names)
{
        for (size_t idx = 0; names != NULL && names[idx] != NULL; idx++)
                mem_free(names[idx]);
        mem_free(names);
}

static void
dir_source_free(struct source *src)
{
        struct dir_source *it = (struct dir_source *)src;

        tar_writer_free(&it->writer);
        end_file(it);
        tar_walk_free(it->walk);
        tar_links_free(&it->links);
        cancel_unref(it->cancel);
        free_names(it->names);
        mem_free(it->root);
        mem_free(it);
}

static char **
copy_names(const char *const *names, struct err *err)
{
        size_t count = 0;

        while (names[count] != NULL)
                count++;
        char **copy = mem_zalloc((count + 1) * sizeof(*copy), err);
        for (size_t idx = 0; copy != NULL && idx < count; idx++) {
                copy[idx] = mem_strdup(names[idx], err);
                if (copy[idx] == NULL) {
                        free_names(copy);
                        return NULL;
                }
        }
        return copy;
}

static const struct source_ops dir_source_ops = {
        .name = "tar",
        .read = dir_source_read,
        .free = dir_source_free,
};

struct source *
tar_dir_source(const struct tar_dir_opts *opts, struct cancel *cancel, struct err *err)
{
        struct dir_source *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        source_init(&it->source, &dir_source_ops);
        it->cancel = cancel_ref(cancel);
        it->follow_names = opts->follow_names;
        it->total = opts->total;
        it->file_fd = -1;
        tar_writer_init(&it->writer);
        it->root = mem_strdup(opts->root, err);
        if (it->root == NULL)
                goto fail;
        if (opts->names != NULL) {
                it->names = copy_names(opts->names, err);
                if (it->names == NULL)
                        goto fail;
        }
        return &it->source;

fail:
        dir_source_free(&it->source);
        return NULL;
}
