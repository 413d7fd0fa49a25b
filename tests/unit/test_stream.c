#include "harness/test.h"

#include <stdlib.h>

#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/stream_driver.h"

/* A source that gives `left` bytes, at most `step` at once, and then its last result. */
struct scripted {
        struct source source;
        size_t left;
        size_t step;
        int last;
        int calls;
        int *freed;
};

static ssize_t
scripted_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct scripted *it = (struct scripted *)src;
        size_t len = it->left < it->step ? it->left : it->step;

        it->calls++;
        if (len == 0) {
                if (it->last < 0) {
                        err_set(err, ERR_NETWORK, "cannot go on");
                        err_hint(err, "try harder");
                }
                return it->last;
        }
        if (len > cap)
                len = cap;
        memset(buf, 'a', len);
        it->left -= len;
        return (ssize_t)len;
}

static void
scripted_free(struct source *src)
{
        struct scripted *it = (struct scripted *)src;

        (*it->freed)++;
        mem_free(it);
}

static const struct source_ops scripted_ops = { "scripted", scripted_read, scripted_free };

static struct scripted *
scripted_new(size_t len, size_t step, int last, int *freed)
{
        struct scripted *it = mem_zalloc(sizeof(*it), NULL);

        CHECK(it != NULL);
        source_init(&it->source, &scripted_ops);
        it->left = len;
        it->step = step;
        it->last = last;
        it->freed = freed;
        return it;
}

/* A sink that takes `room` bytes and fails then; the commit fails on demand. */
struct narrow {
        struct sink sink;
        size_t room;
        bool commit_fails;
        int writes;
        int commits;
};

static int
narrow_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct narrow *it = (struct narrow *)sink;

        (void)data;
        it->writes++;
        if (len > it->room)
                return err_set(err, ERR_FULL, "no room");
        it->room -= len;
        return 0;
}

static int
narrow_commit(struct sink *sink, struct err *err)
{
        struct narrow *it = (struct narrow *)sink;

        it->commits++;
        return it->commit_fails ? err_set(err, ERR_IO, "cannot commit") : 0;
}

static void
narrow_free(struct sink *sink)
{
        (void)sink;
}

static const struct sink_ops narrow_ops = { "narrow", narrow_write, narrow_commit, narrow_free };

TEST(the_end_sticks_and_the_driver_is_called_no_more)
{
        struct err err;
        int freed = 0;
        char buf[8];
        struct scripted *it = scripted_new(5, 3, 0, &freed);

        CHECK_INT(source_read(&it->source, buf, 8, &err), 3);
        CHECK_INT(source_read(&it->source, buf, 8, &err), 2);
        CHECK_INT(source_read(&it->source, buf, 8, &err), 0);
        CHECK_INT(source_read(&it->source, buf, 8, &err), 0);
        CHECK_INT(it->calls, 3);
        CHECK_INT(source_bytes(&it->source), 5);
        source_free(&it->source);
        CHECK_INT(freed, 1);
}

TEST(a_failure_sticks_with_code_message_and_hint)
{
        struct err err;
        int freed = 0;
        char buf[8];
        struct scripted *it = scripted_new(0, 1, -1, &freed);

        /* The first caller did not want to know. */
        CHECK_INT(source_read(&it->source, buf, 8, NULL), -1);
        for (int again = 0; again < 2; again++) {
                err_init(&err);
                CHECK_ERR(
                    source_read(&it->source, buf, 8, &err) < 0, err, ERR_NETWORK, "cannot go on");
                CHECK_STR(err.hint, "try harder");
                /* What a caller adds to its copy does not grow the kept one. */
                err_prefix(&err, "once");
        }
        CHECK(strstr(err.msg, "once: once") == NULL);
        CHECK_INT(it->calls, 1);
        source_free(&it->source);
}

TEST(a_failed_write_sticks_and_forbids_the_commit)
{
        struct err err;
        struct narrow it = { .room = 4 };

        sink_init(&it.sink, &narrow_ops);
        CHECK_OK(sink_write(&it.sink, "123", 3, &err), err);
        CHECK_ERR(sink_write(&it.sink, "456", 3, &err) < 0, err, ERR_FULL, "no room");
        CHECK_ERR(sink_write(&it.sink, "4", 1, &err) < 0, err, ERR_FULL, "no room");
        CHECK_ERR(sink_commit(&it.sink, &err) < 0, err, ERR_FULL, "no room");
        CHECK_INT(it.writes, 2);
        CHECK_INT(it.commits, 0);
        CHECK_INT(sink_bytes(&it.sink), 3);
        sink_free(&it.sink);
}

TEST(a_committed_sink_refuses_writes_and_a_second_commit)
{
        struct err err;
        struct narrow it = { .room = 4 };

        sink_init(&it.sink, &narrow_ops);
        CHECK_OK(sink_commit(&it.sink, &err), err);
        CHECK_ERR(sink_write(&it.sink, "1", 1, &err) < 0, err, ERR_INTERNAL, "narrow");
        CHECK_ERR(sink_commit(&it.sink, &err) < 0, err, ERR_INTERNAL, "committed");
        CHECK_INT(it.commits, 1);
}

TEST(a_failed_commit_sticks)
{
        struct err err;
        struct narrow it = { .room = 4, .commit_fails = true };

        sink_init(&it.sink, &narrow_ops);
        CHECK_ERR(sink_commit(&it.sink, &err) < 0, err, ERR_IO, "cannot commit");
        CHECK_ERR(sink_commit(&it.sink, &err) < 0, err, ERR_IO, "cannot commit");
        CHECK_INT(it.commits, 1);
}

TEST(copy_moves_all_bytes_and_says_how_many)
{
        struct err err;
        int freed = 0;
        uint64_t bytes = 0;
        struct progress progress = { 0 };
        struct narrow it = { .room = SIZE_MAX };
        struct scripted *src = scripted_new(1000001, 70000, 0, &freed);

        sink_init(&it.sink, &narrow_ops);
        CHECK_OK(stream_copy(&src->source, &it.sink, &progress, NULL, &bytes, &err), err);
        CHECK_INT(bytes, 1000001);
        CHECK_INT(sink_bytes(&it.sink), 1000001);
        CHECK_INT(progress.bytes_out, 1000001);
        CHECK_INT(it.commits, 0);
        source_free(&src->source);
}

TEST(copy_ends_with_the_failure_of_either_side_and_leaves_bytes_alone)
{
        struct err err;
        int freed = 0;
        uint64_t bytes = 7;
        struct narrow it = { .room = SIZE_MAX };
        struct scripted *src = scripted_new(100, 10, -1, &freed);

        sink_init(&it.sink, &narrow_ops);
        CHECK_ERR(stream_copy(&src->source, &it.sink, NULL, NULL, &bytes, &err) < 0, err,
            ERR_NETWORK, "cannot go on");
        source_free(&src->source);

        src = scripted_new(100, 10, 0, &freed);
        it.room = 55;
        CHECK_ERR(stream_copy(&src->source, &it.sink, NULL, NULL, &bytes, &err) < 0, err, ERR_FULL,
            "no room");
        source_free(&src->source);
        CHECK_INT(bytes, 7);
        CHECK_INT(freed, 2);
}

TEST(copy_and_drain_stop_when_they_are_cancelled)
{
        struct err err;
        int freed = 0;
        struct scripted *src = scripted_new(SIZE_MAX, 10, 0, &freed);
        struct narrow it = { .room = SIZE_MAX };
        struct cancel *cancel = cancel_new(NULL, &err);

        CHECK_PTR(cancel, err);
        sink_init(&it.sink, &narrow_ops);
        cancel_trigger(cancel);
        CHECK_ERR(stream_copy(&src->source, &it.sink, NULL, cancel, NULL, &err) < 0, err,
            ERR_CANCELLED, NULL);
        CHECK_ERR(stream_drain(&src->source, NULL, cancel, &err) < 0, err, ERR_CANCELLED, NULL);
        source_free(&src->source);
        cancel_unref(cancel);
}

TEST(drain_reads_to_the_verified_end)
{
        struct err err;
        int freed = 0;
        struct progress progress = { 0 };
        struct scripted *src = scripted_new(1000, 300, 0, &freed);

        CHECK_OK(stream_drain(&src->source, &progress, NULL, &err), err);
        CHECK_INT(progress.bytes_out, 1000);
        source_free(&src->source);

        src = scripted_new(1000, 300, -1, &freed);
        CHECK_ERR(stream_drain(&src->source, NULL, NULL, &err) < 0, err, ERR_NETWORK, NULL);
        source_free(&src->source);
}

TEST(freeing_nothing_is_fine)
{
        source_free(NULL);
        sink_free(NULL);
}

static int
drain_once(void *arg, struct err *err)
{
        int freed = 0;
        struct scripted *src = calloc(1, sizeof(*src));

        (void)arg;
        CHECK(src != NULL);
        source_init(&src->source, &scripted_ops);
        src->left = 1000;
        src->step = 300;
        src->freed = &freed;
        int result = stream_drain(&src->source, NULL, NULL, err);
        source_free(&src->source);
        return result;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(drain_once, NULL);
}
