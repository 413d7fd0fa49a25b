#include "moonkeep/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "file_open.h"
#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

struct file_source {
        struct source source;
        struct cancel *cancel;
        char *path;
        int fd;
        bool to_eof; /* the length is not known */
        uint64_t at;
        uint64_t left; /* bytes that must still come; unless to_eof */
};

static ssize_t
file_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct file_source *it = (struct file_source *)src;
        ssize_t got;

        if (cancel_check(it->cancel, err) < 0)
                return -1;
        if (!it->to_eof && cap > it->left)
                cap = (size_t)it->left;
        if (cap == 0)
                return 0;
        do
                got = pread(it->fd, buf, cap, (off_t)it->at);
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return err_sys(err, "cannot read \"%s\"", it->path);
        if (it->to_eof) {
                it->at += (uint64_t)got;
                return got;
        }
        if (got == 0)
                return err_set(err, ERR_TRUNCATED,
                    "cannot read \"%s\": it ends at byte %" PRIu64 ", %" PRIu64 " bytes too early",
                    it->path, it->at, it->left);
        it->at += (uint64_t)got;
        it->left -= (uint64_t)got;
        return got;
}

static void
file_source_free(struct source *src)
{
        struct file_source *it = (struct file_source *)src;

        close(it->fd);
        cancel_unref(it->cancel);
        mem_free(it->path);
        mem_free(it);
}

static const struct source_ops file_source_ops = { "file", file_source_read, file_source_free };

struct source *
file_source(
    const char *path, uint64_t offset, uint64_t length, struct cancel *cancel, struct err *err)
{
        struct stat st;

        struct file_source *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                return NULL;
        it->path = mem_strdup(path, err);
        if (it->path == NULL)
                goto fail_it;
        it->fd = file_open(path, false, &st, err);
        if (it->fd < 0)
                goto fail_path;

        uint64_t size = (uint64_t)st.st_size;
        /* The kernel's own files (/proc) have no size, and are as long as they are. */
        it->to_eof = length == UINT64_MAX && offset == 0 && size == 0;
        if (length == UINT64_MAX && offset <= size)
                length = size - offset;
        if (offset > size || length > size - offset) {
                err_set(err, ERR_TRUNCATED,
                    "cannot read \"%s\" from byte %" PRIu64 ": it has only %" PRIu64 " bytes", path,
                    offset, size);
                goto fail_fd;
        }
        it->at = offset;
        it->left = length;
        it->cancel = cancel_ref(cancel);
        source_init(&it->source, &file_source_ops);
        if (!it->to_eof)
                it->source.expected = length;
        /* Advice; a file system that does not take it reads well enough. */
        (void)posix_fadvise(it->fd, (off_t)offset, (off_t)length, POSIX_FADV_SEQUENTIAL);
        return &it->source;

fail_fd:
        close(it->fd);
fail_path:
        mem_free(it->path);
fail_it:
        mem_free(it);
        return NULL;
}
