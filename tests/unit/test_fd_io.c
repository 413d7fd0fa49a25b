#include "harness/test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/cancel.h"
#include "moonkeep/fd_io.h"
#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"

#define MANY ((size_t)3 * 1024 * 1024 + 17)

static unsigned char
byte_at(size_t at)
{
        return (unsigned char)(at * 31 + (at >> 8) + (at >> 16));
}

static unsigned char *
many(void)
{
        struct err err;
        unsigned char *bytes = mem_alloc(MANY, &err);

        CHECK_PTR(bytes, err);
        for (size_t idx = 0; idx < MANY; idx++)
                bytes[idx] = byte_at(idx);
        return bytes;
}

/* What comes through a pipe. */
struct reader {
        int fd;
        struct buf got;
        int result;
        struct err err;
};

static void *
read_all(void *arg)
{
        struct reader *it = arg;
        struct source *src = fd_source(it->fd, "the pipe", NULL, &it->err);
        struct sink *sink = mem_sink(&it->got, MANY, &it->err);

        it->result = src != NULL && sink != NULL &&
                             stream_copy(src, sink, NULL, NULL, NULL, &it->err) == 0 &&
                             sink_commit(sink, &it->err) == 0
                         ? 0
                         : -1;
        source_free(src);
        sink_free(sink);
        return NULL;
}

TEST(what_goes_into_a_pipe_comes_out_of_it)
{
        struct reader reader = { .result = -1 };
        struct err err;
        pthread_t thread;
        int fds[2];

        CHECK(pipe2(fds, O_CLOEXEC) == 0);
        reader.fd = fds[0];
        buf_init(&reader.got, MANY);
        err_init(&err);
        err_init(&reader.err);
        struct sink *sink = fd_sink(fds[1], "the pipe", NULL, &err);
        CHECK_PTR(sink, err);
        CHECK(pthread_create(&thread, NULL, read_all, &reader) == 0);
        unsigned char *bytes = many();
        CHECK_OK(sink_write(sink, bytes, MANY, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        CHECK_INT(sink_bytes(sink), MANY);
        sink_free(sink);
        /* The flags of a pipe are everybody's who has it. */
        CHECK_INT(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
        close(fds[1]);
        pthread_join(thread, NULL);
        CHECK_OK(reader.result, reader.err);
        CHECK(reader.got.len == MANY && memcmp(reader.got.data, bytes, MANY) == 0);
        mem_free(bytes);
        buf_free(&reader.got);
        close(fds[0]);
}

TEST(a_file_is_read_and_written_at_its_offset)
{
        struct err err;
        char text[16];

        err_init(&err);
        int fd = open(test_path("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0 && write(fd, "before ", 7) == 7);
        struct sink *sink = fd_sink(fd, "the file", NULL, &err);
        CHECK_OK(sink_write(sink, "after", 5, &err), err);
        sink_free(sink);
        CHECK(lseek(fd, 3, SEEK_SET) == 3);
        struct source *src = fd_source(fd, "the file", NULL, &err);
        CHECK_INT(source_read(src, text, sizeof(text), &err), 9);
        CHECK(memcmp(text, "ore after", 9) == 0);
        CHECK_INT(source_read(src, text, sizeof(text), &err), 0);
        source_free(src);
        close(fd);
}

TEST(a_reader_that_went_away_and_a_closed_descriptor_are_errors)
{
        struct err err;
        int fds[2];
        char byte = 'x';

        signal(SIGPIPE, SIG_IGN);
        err_init(&err);
        CHECK(pipe2(fds, O_CLOEXEC) == 0);
        struct sink *sink = fd_sink(fds[1], "standard output", NULL, &err);
        close(fds[0]);
        CHECK_ERR(
            sink_write(sink, &byte, 1, &err) < 0, err, ERR_IO, "cannot write to standard output: ");
        sink_free(sink);
        struct source *src = fd_source(fds[1], "standard input", NULL, &err);
        CHECK_ERR(
            source_read(src, &byte, 1, &err) < 0, err, ERR_IO, "cannot read standard input: ");
        source_free(src);
        close(fds[1]);
}

/* Cancel as soon as there is something in the pipe. */
struct canceller {
        int fd;
        struct cancel *token;
};

static void *
cancel_when_filled(void *arg)
{
        struct canceller *it = arg;
        struct pollfd pfd = { .fd = it->fd, .events = POLLIN };

        while (poll(&pfd, 1, -1) != 1)
                continue;
        cancel_trigger(it->token);
        return NULL;
}

TEST(a_cancel_ends_what_waits_for_a_pipe)
{
        struct err err;
        pthread_t thread;
        int fds[2];
        char byte;

        err_init(&err);
        CHECK(pipe2(fds, O_CLOEXEC) == 0);
        struct cancel *token = cancel_new(NULL, &err);
        struct source *src = fd_source(fds[0], "the pipe", token, &err);
        struct sink *sink = fd_sink(fds[1], "the pipe", token, &err);
        unsigned char *bytes = many();
        /* It does not fit, and nobody reads. */
        struct canceller canceller = { fds[0], token };
        CHECK(pthread_create(&thread, NULL, cancel_when_filled, &canceller) == 0);
        CHECK_ERR(sink_write(sink, bytes, MANY, &err) < 0, err, ERR_CANCELLED, "");
        CHECK_ERR(source_read(src, &byte, 1, &err) < 0, err, ERR_CANCELLED, "");
        pthread_join(thread, NULL);
        mem_free(bytes);
        sink_free(sink);
        source_free(src);
        cancel_unref(token);
        close(fds[0]);
        close(fds[1]);
}

static int
make_both(void *arg, struct err *err)
{
        const int *fds = arg;
        struct source *src = fd_source(fds[0], "a pipe", NULL, err);
        struct sink *sink = src != NULL ? fd_sink(fds[1], "a pipe", NULL, err) : NULL;
        int result = sink != NULL ? 0 : -1;

        source_free(src);
        sink_free(sink);
        return result;
}

TEST(survives_each_failing_allocation)
{
        int fds[2];

        CHECK(pipe2(fds, O_CLOEXEC) == 0);
        test_each_allocation(make_both, fds);
        close(fds[0]);
        close(fds[1]);
}
