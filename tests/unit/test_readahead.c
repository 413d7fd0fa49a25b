#include "harness/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "moonkeep/mem_io.h"
#include "moonkeep/stream_driver.h"
#include "moonkeep/time.h"

/*
 * Gives `total` bytes that count up, in reads of changing size; then, by
 * `last`, its end, a failure, or a wait that only its token ends.
 */
struct counter {
        struct source source;
        struct cancel *cancel;
        uint64_t total;
        uint64_t at;
        enum {
                ENDS,
                FAILS,
                WAITS
        } last;
        _Atomic uint64_t given;
        _Atomic int freed;
};

static unsigned char
byte_at(uint64_t at)
{
        return (unsigned char)(at * 31 + (at >> 8) + (at >> 16));
}

static ssize_t
counter_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct counter *it = (struct counter *)src;
        unsigned char *bytes = buf;
        size_t len = (size_t)(it->at * 7919 % 300000) + 1;

        if (len > it->total - it->at)
                len = (size_t)(it->total - it->at);
        if (len > cap)
                len = cap;
        for (size_t idx = 0; idx < len; idx++)
                bytes[idx] = byte_at(it->at + idx);
        it->at += len;
        atomic_fetch_add(&it->given, len);
        if (len != 0 || it->last == ENDS)
                return (ssize_t)len;
        if (it->last == FAILS)
                return err_set(err, ERR_NETWORK, "the line broke");
        return cancel_wait_fd(it->cancel, -1, POLLIN, -1, err);
}

static void
counter_free(struct source *src)
{
        atomic_fetch_add(&((struct counter *)src)->freed, 1);
}

static const struct source_ops counter_ops = { "counter", counter_read, counter_free };

static void
counter_init(struct counter *it, uint64_t total, int last)
{
        *it = (struct counter){ .total = total };
        it->last = last == ENDS ? ENDS : last == FAILS ? FAILS : WAITS;
        source_init(&it->source, &counter_ops);
}

/* Read src to its end and compare; how many bytes, or -1. */
static long long
read_all(struct source *src, size_t cap, struct err *err)
{
        static unsigned char got[STREAM_CHUNK];
        uint64_t at = 0;

        for (;;) {
                ssize_t len = source_read(src, got, cap, err);
                if (len <= 0)
                        return len < 0 ? -1 : (long long)at;
                for (ssize_t idx = 0; idx < len; idx++)
                        CHECK(got[idx] == byte_at(at + (uint64_t)idx));
                at += (uint64_t)len;
        }
}

TEST(gives_the_same_bytes_and_the_end)
{
        static const size_t caps[] = { 999, 65536, STREAM_CHUNK };
        struct err err;

        for (size_t idx = 0; idx < 3; idx++) {
                for (unsigned chunks = 1; chunks < 6; chunks += 2) {
                        struct counter it;
                        counter_init(&it, 5000001, ENDS);
                        struct source *src = readahead_source(&it.source, chunks, NULL, &err);
                        CHECK_PTR(src, err);
                        CHECK_INT(read_all(src, caps[idx], &err), 5000001);
                        CHECK_INT(source_read(src, &err, 1, &err), 0);
                        source_free(src);
                        CHECK_INT(it.freed, 1);
                }
        }
}

TEST(an_empty_stream_ends)
{
        struct err err;
        struct counter it;

        counter_init(&it, 0, ENDS);
        struct source *src = readahead_source(&it.source, 2, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_INT(read_all(src, 100, &err), 0);
        source_free(src);
}

TEST(what_came_before_a_failure_is_given_before_it)
{
        struct err err;
        struct counter it;
        char got[1000];
        size_t len = 0;
        ssize_t n;

        counter_init(&it, 700, FAILS);
        struct source *src = readahead_source(&it.source, 2, NULL, &err);
        CHECK_PTR(src, err);
        while ((n = source_read(src, got, sizeof(got), &err)) > 0)
                len += (size_t)n;
        CHECK_INT(len, 700);
        CHECK_ERR(n < 0, err, ERR_NETWORK, "the line broke");
        source_free(src);
}

/* Wait until it has given that many bytes; 10 s at most. */
static void
wait_given(struct counter *it, uint64_t bytes)
{
        int64_t limit = time_mono_ms() + 10000;

        while (atomic_load(&it->given) < bytes) {
                CHECK(time_mono_ms() < limit);
                poll(NULL, 0, 1);
        }
}

TEST(reads_ahead_no_further_than_its_ring)
{
        struct err err;
        struct counter it;

        counter_init(&it, UINT64_MAX / 2, ENDS);
        struct source *src = readahead_source(&it.source, 4, NULL, &err);
        CHECK_PTR(src, err);
        wait_given(&it, 3 * STREAM_CHUNK + 1);
        poll(NULL, 0, 50);
        CHECK(atomic_load(&it.given) <= 4 * STREAM_CHUNK);
        /* The thread waits for room: it ends nevertheless. */
        source_free(src);
        CHECK_INT(it.freed, 1);
}

TEST(freed_unread_it_ends_at_any_moment)
{
        struct err err;
        char got[100];

        for (int round = 0; round < 200; round++) {
                struct counter it;
                counter_init(&it, round % 3 == 0 ? 1000 : UINT64_MAX / 2, ENDS);
                struct source *src = readahead_source(&it.source, 2, NULL, &err);
                CHECK_PTR(src, err);
                for (int reads = 0; reads < round % 7; reads++)
                        CHECK(source_read(src, got, sizeof(got), &err) >= 0);
                source_free(src);
                CHECK_INT(it.freed, 1);
        }
}

TEST(once_its_token_is_set_it_is_freed_promptly_though_upstream_waits)
{
        struct err err;
        struct counter it;
        char got[1000];
        struct cancel *cancel = cancel_new(NULL, &err);

        CHECK_PTR(cancel, err);
        counter_init(&it, 10, WAITS);
        it.cancel = cancel;
        struct source *src = readahead_source(&it.source, 2, cancel, &err);
        CHECK_PTR(src, err);
        size_t len = 0;
        while (len < 10) {
                ssize_t n = source_read(src, got, sizeof(got), &err);
                CHECK(n > 0);
                len += (size_t)n;
        }
        int64_t before = time_mono_ms();
        cancel_trigger(cancel);
        source_free(src);
        CHECK(time_mono_ms() - before < 5000);
        cancel_unref(cancel);
}

static void *
trigger_soon(void *arg)
{
        poll(NULL, 0, 30);
        cancel_trigger(arg);
        return NULL;
}

TEST(a_reader_that_waits_is_woken_by_the_token)
{
        struct err err;
        struct counter it;
        char got[10];
        pthread_t thread;
        struct cancel *cancel = cancel_new(NULL, &err);

        CHECK_PTR(cancel, err);
        counter_init(&it, 0, WAITS);
        it.cancel = cancel;
        struct source *src = readahead_source(&it.source, 2, cancel, &err);
        CHECK_PTR(src, err);
        CHECK(pthread_create(&thread, NULL, trigger_soon, cancel) == 0);
        CHECK_ERR(source_read(src, got, 10, &err) < 0, err, ERR_CANCELLED, NULL);
        pthread_join(thread, NULL);
        source_free(src);
        cancel_unref(cancel);
}

TEST(two_in_a_row_work)
{
        struct err err;
        struct counter it;

        counter_init(&it, 3000000, ENDS);
        struct source *src =
            readahead_source(readahead_source(&it.source, 2, NULL, &err), 3, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_INT(read_all(src, 100000, &err), 3000000);
        source_free(src);
        CHECK_INT(it.freed, 1);
}

TEST(a_missing_source_keeps_its_error)
{
        struct err err;

        err_set(&err, ERR_NOT_FOUND, "the inner one");
        CHECK_ERR(
            readahead_source(NULL, 2, NULL, &err) == NULL, err, ERR_NOT_FOUND, "the inner one");
}

static int
run_once(void *arg, struct err *err)
{
        struct counter it;

        (void)arg;
        counter_init(&it, 1000, ENDS);
        struct source *src = readahead_source(&it.source, 2, NULL, err);
        int rc = src != NULL ? stream_drain(src, NULL, NULL, err) : -1;
        source_free(src);
        CHECK_INT(it.freed, 1);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
