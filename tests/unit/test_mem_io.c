#include "harness/test.h"

#include "moonkeep/mem_io.h"

TEST(a_source_gives_a_copy_of_its_bytes_and_then_the_end)
{
        struct err err;
        char data[] = "hello";
        char got[16];

        struct source *src = mem_source(data, 5, &err);
        CHECK_PTR(src, err);
        memset(data, 'x', 5);
        CHECK_INT(source_read(src, got, 3, &err), 3);
        CHECK_INT(source_read(src, got + 3, 10, &err), 2);
        CHECK(memcmp(got, "hello", 5) == 0);
        CHECK_INT(source_read(src, got, 1, &err), 0);
        CHECK_INT(source_read(src, got, 1, &err), 0);
        CHECK_INT(source_bytes(src), 5);
        source_free(src);
}

TEST(an_empty_source_ends_at_once)
{
        struct err err;
        char got[1];

        struct source *src = mem_source(NULL, 0, &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 1, &err), 0);
        source_free(src);
}

TEST(a_sink_gives_nothing_before_the_commit)
{
        struct err err;
        struct buf out;

        buf_init(&out, 100);
        CHECK_OK(buf_addstr(&out, "old ", &err), err);
        struct sink *sink = mem_sink(&out, 10, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "ne", 2, &err), err);
        CHECK_OK(sink_write(sink, "w", 1, &err), err);
        CHECK_STR(out.data, "old ");
        CHECK_OK(sink_commit(sink, &err), err);
        CHECK_STR(out.data, "old new");
        CHECK_INT(sink_bytes(sink), 3);
        sink_free(sink);
        buf_free(&out);
}

TEST(a_dropped_sink_leaves_nothing)
{
        struct err err;
        struct buf out;

        buf_init(&out, 100);
        struct sink *sink = mem_sink(&out, 10, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "new", 3, &err), err);
        sink_free(sink);
        CHECK_INT(out.len, 0);
        buf_free(&out);
}

TEST(an_empty_commit_is_fine)
{
        struct err err;
        struct buf out;

        buf_init(&out, 100);
        struct sink *sink = mem_sink(&out, 10, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_commit(sink, &err), err);
        CHECK_INT(out.len, 0);
        sink_free(sink);
        buf_free(&out);
}

TEST(a_sink_refuses_more_than_its_maximum_and_stays_failed)
{
        struct err err;
        struct buf out;

        buf_init(&out, 100);
        struct sink *sink = mem_sink(&out, 4, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "1234", 4, &err), err);
        CHECK_ERR(sink_write(sink, "5", 1, &err) < 0, err, ERR_TOO_BIG, "4 bytes");
        err_init(&err);
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_TOO_BIG, "4 bytes");
        CHECK_INT(out.len, 0);
        sink_free(sink);
        buf_free(&out);
}

TEST(the_commit_respects_the_maximum_of_its_destination)
{
        struct err err;
        struct buf out;

        buf_init(&out, 2);
        struct sink *sink = mem_sink(&out, 10, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "123", 3, &err), err);
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_TOO_BIG, "2 bytes");
        CHECK_INT(out.len, 0);
        sink_free(sink);
        buf_free(&out);
}

static int
copy_once(void *arg, struct err *err)
{
        struct buf out;
        int result = -1;

        (void)arg;
        buf_init(&out, 1000);
        struct source *src = mem_source("some bytes", 10, err);
        struct sink *sink = src != NULL ? mem_sink(&out, 1000, err) : NULL;
        if (sink != NULL && stream_copy(src, sink, NULL, NULL, NULL, err) == 0 &&
            sink_commit(sink, err) == 0)
                result = 0;
        sink_free(sink);
        source_free(src);
        if (result == 0)
                CHECK_STR(out.data, "some bytes");
        else
                CHECK_INT(out.len, 0);
        buf_free(&out);
        return result;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(copy_once, NULL);
}
