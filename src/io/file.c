#include "moonkeep/file.h"

#include <errno.h>
#include <unistd.h>

#include "file_open.h"

/* Read in pieces of at least this size where the file does not say how long it is. */
#define PIECE ((size_t)4096)

static int
too_big(const char *path, size_t max, struct err *err)
{
        return err_set(
            err, ERR_TOO_BIG, "cannot read \"%s\": it has more than %zu bytes", path, max);
}

/* Append fd's bytes up to its end; one byte beyond out's maximum is tried for. */
static int
read_all(int fd, const char *path, size_t piece, struct buf *out, struct err *err)
{
        for (;;) {
                size_t room = out->max - out->len;
                char extra, *at = &extra;
                if (piece < room)
                        room = piece;
                if (room != 0) {
                        at = buf_reserve(out, room, err);
                        if (at == NULL)
                                return -1;
                }

                ssize_t got = read(fd, at, room != 0 ? room : 1);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_sys(err, "cannot read \"%s\"", path);
                if (got == 0)
                        return 0;
                if (room == 0)
                        return too_big(path, out->max, err);
                buf_commit(out, (size_t)got);
                piece = PIECE;
        }
}

int
file_read(const char *path, struct buf *out, struct err *err)
{
        struct stat st;
        size_t before = out->len;

        int fd = file_open(path, true, &st, err);
        if (fd < 0)
                return -1;
        if (st.st_size > 0 && (uint64_t)st.st_size > out->max - out->len) {
                too_big(path, out->max, err);
                goto fail;
        }
        if (read_all(fd, path, st.st_size > 0 ? (size_t)st.st_size : PIECE, out, err) < 0)
                goto fail;
        close(fd);
        return 0;

fail:
        close(fd);
        if (out->len != before) {
                out->len = before;
                out->data[before] = '\0';
        }
        return -1;
}

int
file_write(const char *path, const void *data, size_t len, const struct file_sink_opts *opts,
    struct err *err)
{
        struct sink *sink = file_sink(path, opts, NULL, err);

        if (sink == NULL)
                return -1;
        if (sink_write(sink, data, len, err) < 0 || sink_commit(sink, err) < 0)
                goto fail;
        sink_free(sink);
        return 0;

fail:
        sink_free(sink);
        return -1;
}
