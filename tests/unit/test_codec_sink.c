#include "harness/codec_test.h"

#define MAX ((size_t)8 * 1024 * 1024)

static unsigned char data[300001];

static int
pack(size_t len, size_t step, struct buf *packed, struct err *err)
{
        struct sink *sink = codec_sink(mem_sink(packed, MAX, err), codec_gzip_new(1, err), err);
        int rc = 0;

        if (sink == NULL)
                return -1;
        for (size_t at = 0; rc == 0 && at < len; at += step)
                rc = sink_write(sink, data + at, len - at < step ? len - at : step, err);
        if (rc == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

TEST(what_is_written_goes_through_the_codec_whatever_the_sizes)
{
        static const size_t steps[] = { 1, 7, 1000, 65536, sizeof(data) };
        static const size_t lengths[] = { 0, 1, 1000, sizeof(data) };
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t step = 0; step < 5; step++) {
                for (size_t len = 0; len < 4; len++) {
                        buf_clear(&packed);
                        buf_clear(&plain);
                        CHECK_OK(pack(lengths[len], steps[step], &packed, &err), err);
                        CHECK_OK(codec_test_run(codec_gunzip_new(&err), packed.data, packed.len, 0,
                                     STREAM_CHUNK, &plain, &err),
                            err);
                        CHECK_INT(plain.len, lengths[len]);
                        CHECK(plain.len == 0 || memcmp(plain.data, data, plain.len) == 0);
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(without_a_commit_nothing_arrives)
{
        struct err err;
        struct buf packed;

        buf_init(&packed, MAX);
        struct sink *sink = codec_sink(mem_sink(&packed, MAX, &err), codec_gzip_new(1, &err), &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, data, sizeof(data), &err), err);
        sink_free(sink);
        CHECK_INT(packed.len, 0);
        buf_free(&packed);
}

TEST(an_error_of_the_inner_sink_is_told)
{
        struct err err;
        struct buf packed;

        buf_init(&packed, MAX);
        struct sink *sink = codec_sink(mem_sink(&packed, 5, &err), codec_gzip_new(1, &err), &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, data, 10, &err), err);
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_TOO_BIG, "");
        sink_free(sink);
        buf_free(&packed);
}

TEST(constructors_nest_and_take_what_they_are_given_on_failure_too)
{
        struct err err;
        struct buf packed;

        buf_init(&packed, MAX);
        err_set(&err, ERR_NOT_FOUND, "the inner one");
        CHECK_ERR(codec_sink(NULL, codec_gzip_new(1, NULL), &err) == NULL, err, ERR_NOT_FOUND,
            "the inner one");
        CHECK_ERR(codec_sink(mem_sink(&packed, MAX, NULL), NULL, &err) == NULL, err, ERR_NOT_FOUND,
            "the inner one");
}

static int
run_once(void *arg, struct err *err)
{
        struct buf packed;

        (void)arg;
        buf_init(&packed, MAX);
        int rc = pack(100, 10, &packed, err);
        buf_free(&packed);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
