#include "moonkeep/fd_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/cancel.h"
#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

/* What a pipe is asked to hold: fewer turns of its two ends. */
#define PIPE_SIZE (1024 * 1024)

struct fd_source {
        struct source source;
        struct cancel *cancel;
        char *name;
        int fd;
};

static ssize_t
fd_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct fd_source *it = (struct fd_source *)src;

        for (;;) {
                if (cancel_wait_fd(it->cancel, it->fd, POLLIN, -1, err) < 0)
                        return -1;
                ssize_t got = read(it->fd, buf, cap);
                if (got >= 0)
                        return got;
                if (errno != EINTR && errno != EAGAIN)
                        return err_sys(err, "cannot read %s", it->name);
        }
}

static void
fd_source_free(struct source *src)
{
        struct fd_source *it = (struct fd_source *)src;

        cancel_unref(it->cancel);
        mem_free(it->name);
        mem_free(it);
}

static const struct source_ops fd_source_ops = { "descriptor", fd_source_read, fd_source_free };

static bool
is_pipe(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

struct source *
fd_source(int fd, const char *name, struct cancel *cancel, struct err *err)
{
        struct fd_source *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->name = mem_strdup(name, err);
        if (it->name == NULL) {
                mem_free(it);
                return NULL;
        }
        source_init(&it->source, &fd_source_ops);
        it->cancel = cancel_ref(cancel);
        it->fd = fd;
        /* As large as the system lets it be; a smaller one does as well. */
        if (is_pipe(fd))
                (void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
        return &it->source;
}

struct fd_sink {
        struct sink sink;
        struct cancel *cancel;
        char *name;
        int fd;
        int own;     /* the same pipe opened again, so that writing does not block; or -1 */
        size_t most; /* bytes of one write */
};

static int
fd_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct fd_sink *it = (struct fd_sink *)sink;
        const char *at = data;
        int fd = it->own >= 0 ? it->own : it->fd;

        while (len > 0) {
                if (cancel_wait_fd(it->cancel, fd, POLLOUT, -1, err) < 0)
                        return -1;
                ssize_t put = write(fd, at, len < it->most ? len : it->most);
                if (put >= 0) {
                        at += put;
                        len -= (size_t)put;
                } else if (errno != EINTR && errno != EAGAIN) {
                        return err_sys(err, "cannot write to %s", it->name);
                }
        }
        return 0;
}

static int
fd_sink_commit(struct sink *sink, struct err *err)
{
        (void)sink;
        (void)err;
        return 0;
}

static void
fd_sink_free(struct sink *sink)
{
        struct fd_sink *it = (struct fd_sink *)sink;

        if (it->own >= 0)
                close(it->own);
        cancel_unref(it->cancel);
        mem_free(it->name);
        mem_free(it);
}

static const struct sink_ops fd_sink_ops = { "descriptor", fd_sink_write, fd_sink_commit,
        fd_sink_free };

/*
 * A write to a pipe blocks until all of it is in, however long its reader
 * takes, and the flag against that would be everybody's who has the pipe: so
 * it is opened again.  Where that cannot be, a writable pipe takes PIPE_BUF.
 */
static void
not_block(struct fd_sink *it)
{
        char path[64];

        it->own = -1;
        it->most = SSIZE_MAX;
        struct stat st;
        if (fstat(it->fd, &st) < 0 || S_ISREG(st.st_mode))
                return;
        it->most = PIPE_BUF;
        if (!S_ISFIFO(st.st_mode))
                return;
        (void)fcntl(it->fd, F_SETPIPE_SZ, PIPE_SIZE);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", it->fd);
        it->own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (it->own >= 0)
                it->most = SSIZE_MAX;
}

struct sink *
fd_sink(int fd, const char *name, struct cancel *cancel, struct err *err)
{
        struct fd_sink *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->name = mem_strdup(name, err);
        if (it->name == NULL) {
                mem_free(it);
                return NULL;
        }
        sink_init(&it->sink, &fd_sink_ops);
        it->cancel = cancel_ref(cancel);
        it->fd = fd;
        not_block(it);
        return &it->sink;
}
