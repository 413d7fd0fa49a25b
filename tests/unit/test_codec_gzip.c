#include "harness/codec_test.h"

#define MAX ((size_t)8 * 1024 * 1024)

static unsigned char data[1000003];

static void
compress(int level, size_t len, size_t in_step, size_t out_step, struct buf *out)
{
        struct err err;

        buf_clear(out);
        CHECK_OK(
            codec_test_run(codec_gzip_new(level, &err), data, len, in_step, out_step, out, &err),
            err);
}

TEST(gzip_reads_what_every_level_writes)
{
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (int level = 1; level <= 3; level++) {
                compress(level, sizeof(data), 0, STREAM_CHUNK, &packed);
                CHECK(packed.len < sizeof(data) * 2 / 3);
                buf_clear(&plain);
                CHECK_INT(codec_test_tool("gzip -t", packed.data, packed.len, &plain), 0);
                CHECK_INT(codec_test_tool("gunzip", packed.data, packed.len, &plain), 0);
                CHECK_INT(plain.len, sizeof(data));
                CHECK(memcmp(plain.data, data, sizeof(data)) == 0);
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(the_sizes_of_reads_do_not_matter)
{
        static const size_t sizes[] = { 0, 1, 7, 100, 65536 };
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (int level = 1; level <= 3; level++) {
                for (size_t len = 0; len < 60000; len = len * 7 + 1) {
                        for (size_t idx = 0; idx < 5; idx++) {
                                compress(level, len, sizes[idx], sizes[idx] != 0 ? sizes[idx] : 3,
                                    &packed);
                                buf_clear(&plain);
                                CHECK_INT(
                                    codec_test_tool("gunzip", packed.data, packed.len, &plain), 0);
                                CHECK_INT(plain.len, len);
                                CHECK(len == 0 || memcmp(plain.data, data, len) == 0);
                        }
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(equal_input_is_equal_output_without_name_and_time)
{
        struct buf one, two;

        codec_test_fill(data, sizeof(data));
        buf_init(&one, MAX);
        buf_init(&two, MAX);
        compress(1, sizeof(data), 0, STREAM_CHUNK, &one);
        compress(1, sizeof(data), 0, STREAM_CHUNK, &two);
        CHECK_INT(one.len, two.len);
        CHECK(memcmp(one.data, two.data, one.len) == 0);
        CHECK(memcmp(one.data, "\x1f\x8b\x08\0\0\0\0\0", 8) == 0);
        buf_free(&one);
        buf_free(&two);
}

TEST(other_levels_are_refused)
{
        struct err err;

        CHECK_ERR(codec_gzip_new(0, &err) == NULL, err, ERR_INVALID, "not 0");
        CHECK_ERR(codec_gzip_new(4, &err) == NULL, err, ERR_INVALID, "not 4");
}

static int
run_once(void *arg, struct err *err)
{
        struct buf out;

        (void)arg;
        buf_init(&out, MAX);
        int rc = codec_test_run(codec_gzip_new(3, err), "abc", 3, 0, 500, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
