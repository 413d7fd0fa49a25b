/*
 * Each read does one step: bytes that libarchive's writer made wait in a small
 * buffer; the data of files is read into the caller's buffer and handed to the
 * writer from there, which passes it on as it is, so that it is not copied.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"
#include "moonkeep/tar.h"
#include "tar_links.h"
#include "tar_name.h"
#include "tar_walk.h"

/* Headers of one entry: two blocks, two names in pax records, and the end blocks. */
#define PENDING_MAX ((size_t)64 * 1024)

struct dir_source {
        struct source source;
        char *root;
        char **names;
        bool follow_names;
        _Atomic uint64_t *total;
        struct cancel *cancel;
        struct tar_walk *walk; /* NULL before the first read */
        struct tar_links links;
        struct archive *archive;
        struct archive_entry *entry;
        struct buf pending;
        size_t pending_pos;
        const char *direct; /* data that is in the caller's buffer already */
        size_t direct_len;
        int file_fd;
        uint64_t file_left;
        char *file_path;
        bool has_other_bytes; /* the names of the current entry are not ASCII */
        bool closed;
        bool dropped;
        struct err failure; /* of the write callback */
        char shown[TAR_SHOWN_SIZE];
};

/* libarchive's write callback. */
static ssize_t
take_output(struct archive *archive, void *arg, const void *data, size_t len)
{
        struct dir_source *it = arg;

        (void)archive;
        if (it->direct_len > 0 && data == it->direct && len <= it->direct_len) {
                it->direct += len;
                it->direct_len -= len;
                return (ssize_t)len;
        }
        if (it->dropped)
                return -1;
        /* Not told to libarchive: after such a failure it does not free all that it has. */
        if (it->failure.code == ERR_NONE)
                buf_add(&it->pending, data, len, &it->failure);
        return (ssize_t)len;
}

static const char *
show(struct dir_source *it, const char *path)
{
        return tar_name_show(path, strlen(path), it->shown);
}

/*
 * What a call of the writer means for the entry path.  It warns when a name is
 * not UTF-8, and has stored the bytes as they are then, with the pax record
 * that says so.  (Its option for that would put the record into every entry,
 * of which GNU tar complains.)
 */
static int
check_writer(struct dir_source *it, const char *path, int result, struct err *err)
{
        const char *why = archive_error_string(it->archive);

        if (it->failure.code != ERR_NONE) {
                if (err != NULL)
                        *err = it->failure;
                return err_prefix(err, "cannot store \"%s/%s\" in a tar", it->root, show(it, path));
        }
        if (result == ARCHIVE_OK || (result == ARCHIVE_WARN && it->has_other_bytes))
                return 0;
        return err_set(err, archive_errno(it->archive) == ENOMEM ? ERR_NOMEM : ERR_UNSUPPORTED,
            "cannot store \"%s/%s\" in a tar: %s", it->root, show(it, path),
            why != NULL ? why : "unknown error");
}

static int
fail_changed(struct dir_source *it, const char *path, struct err *err)
{
        return err_set(
            err, ERR_IO, "\"%s/%s\" changed while it was read", it->root, show(it, path));
}

static int
open_archive(struct dir_source *it, struct err *err)
{
        it->archive = archive_write_new();
        it->entry = archive_entry_new();
        if (it->archive == NULL || it->entry == NULL)
                return err_set(err, ERR_NOMEM, "cannot allocate a tar writer");
        /* No blocks: what is written comes out at once. */
        if (archive_write_set_format_pax_restricted(it->archive) != ARCHIVE_OK ||
            archive_write_set_bytes_per_block(it->archive, 0) != ARCHIVE_OK ||
            archive_write_open(it->archive, it, NULL, take_output, NULL) != ARCHIVE_OK)
                return err_set(err, ERR_INTERNAL, "cannot set up the tar writer: %s",
                    archive_error_string(it->archive));
        return 0;
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

static bool
is_ascii(const char *text)
{
        while (*text != '\0' && (unsigned char)*text < 0x80)
                text++;
        return *text == '\0';
}

/* link: the target of a symbolic or hard link, or NULL. */
static int
write_header(struct dir_source *it, const char *path, const char *link, const struct stat *st,
    struct err *err)
{
        struct archive_entry *entry = it->entry;

        archive_entry_copy_pathname(entry, path);
        archive_entry_set_mode(entry, st->st_mode);
        archive_entry_set_uid(entry, st->st_uid);
        archive_entry_set_gid(entry, st->st_gid);
        archive_entry_set_mtime(entry, st->st_mtim.tv_sec, 0);
        if (link != NULL && S_ISLNK(st->st_mode))
                archive_entry_copy_symlink(entry, link);
        else if (link != NULL)
                archive_entry_copy_hardlink(entry, link);
        it->has_other_bytes = !is_ascii(path) || (link != NULL && !is_ascii(link));
        return check_writer(it, path, archive_write_header(it->archive, entry), err);
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

        archive_entry_set_size(it->entry, st.st_size);
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
                return check_writer(it, "", archive_write_close(it->archive), err);
        }
        archive_entry_clear(it->entry);
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

        it->direct = buf;
        it->direct_len = (size_t)got;
        la_ssize_t put = archive_write_data(it->archive, buf, (size_t)got);
        if (put < 0)
                return check_writer(it, it->file_path, ARCHIVE_FATAL, err);
        if (put != got || it->direct_len != 0 || it->pending.len != 0)
                return err_set(err, ERR_INTERNAL, "the tar writer did not pass its data on");
        it->file_left -= (uint64_t)got;
        if (it->file_left == 0) {
                int result = archive_write_finish_entry(it->archive);
                if (check_writer(it, it->file_path, result, err) < 0)
                        return -1;
                end_file(it);
        }
        return got;
}

static int
begin(struct dir_source *it, struct err *err)
{
        if (it->total != NULL && measure(it, err) < 0)
                return -1;
        if (open_archive(it, err) < 0)
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
                size_t ready = it->pending.len - it->pending_pos;
                if (ready > 0) {
                        size_t len = ready < cap ? ready : cap;
                        memcpy(buf, it->pending.data + it->pending_pos, len);
                        it->pending_pos += len;
                        return (ssize_t)len;
                }
                buf_clear(&it->pending);
                it->pending_pos = 0;
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

        /* It tries to write the rest of the entry and the end: the callback says no. */
        it->dropped = true;
        archive_write_free(it->archive);
        archive_entry_free(it->entry);
        end_file(it);
        tar_walk_free(it->walk);
        tar_links_free(&it->links);
        buf_free(&it->pending);
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
        buf_init(&it->pending, PENDING_MAX);
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
