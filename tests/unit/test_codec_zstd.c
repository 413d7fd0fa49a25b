#include "harness/codec_test.h"

#define MAX ((size_t)8 * 1024 * 1024)

static unsigned char data[1000003];

static void
compress(int level, size_t len, size_t in_step, size_t out_step, struct buf *out)
{
        struct err err;

        buf_clear(out);
        CHECK_OK(
            codec_test_run(codec_zstd_new(level, &err), data, len, in_step, out_step, out, &err),
            err);
}

TEST(zstd_reads_what_every_level_writes)
{
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        if (codec_test_tool("zstd --version", "", 0, &plain) != 0)
                SKIP("needs the command zstd");
        codec_test_fill(data, sizeof(data));
        for (int level = 1; level <= 19; level += 6) {
                compress(level, sizeof(data), 0, STREAM_CHUNK, &packed);
                buf_clear(&plain);
                CHECK_INT(codec_test_tool("zstd -dcq", packed.data, packed.len, &plain), 0);
                CHECK_INT(plain.len, sizeof(data));
                CHECK(memcmp(plain.data, data, sizeof(data)) == 0);
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(what_it_writes_is_read_back_whatever_the_sizes_of_reads)
{
        static const size_t sizes[] = { 0, 1, 7, 100, 65536 };
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t len = 0; len < 300000; len = len * 7 + 1) {
                for (size_t idx = 0; idx < 5; idx++) {
                        compress(3, len, sizes[idx], sizes[idx] != 0 ? sizes[idx] : 3, &packed);
                        buf_clear(&plain);
                        CHECK_OK(codec_test_run(codec_unzstd_new(&err), packed.data, packed.len,
                                     sizes[idx], sizes[idx] != 0 ? sizes[idx] : 3, &plain, &err),
                            err);
                        CHECK_INT(plain.len, len);
                        CHECK(len == 0 || memcmp(plain.data, data, len) == 0);
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(frames_carry_a_checksum)
{
        struct buf packed;

        codec_test_fill(data, 100);
        buf_init(&packed, MAX);
        compress(1, 100, 0, STREAM_CHUNK, &packed);
        /* RFC 8878, 3.1.1.1.1: bit 2 of the frame header descriptor. */
        CHECK((packed.data[4] & 4) != 0);
        buf_free(&packed);
}

TEST(what_compresses_well_does_not_come_in_crumbs)
{
        struct err err;
        char *zeros = calloc(1, MAX);
        static char got[STREAM_CHUNK];
        struct source *src =
            codec_source(mem_source(zeros, MAX, &err), codec_zstd_new(1, &err), &err);
        int reads = 0;

        CHECK_PTR(src, err);
        while (source_read(src, got, sizeof(got), &err) > 0)
                reads++;
        CHECK_INT(reads, 1);
        source_free(src);
        free(zeros);
}

TEST(other_levels_are_refused)
{
        struct err err;

        CHECK_ERR(codec_zstd_new(0, &err) == NULL, err, ERR_INVALID, "not 0");
        CHECK_ERR(codec_zstd_new(20, &err) == NULL, err, ERR_INVALID, "not 20");
}

static int
run_once(void *arg, struct err *err)
{
        struct buf out;

        (void)arg;
        buf_init(&out, MAX);
        int rc = codec_test_run(codec_zstd_new(3, err), "abc", 3, 0, 500, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
