#include "harness/codec_test.h"

#define MAX ((size_t)8 * 1024 * 1024)

static unsigned char data[500003];
static const size_t steps[] = { 0, 1, 2, 3, 9, 1000 };
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static int
unpack(const struct buf *packed, size_t step, struct buf *plain, struct err *err)
{
        buf_clear(plain);
        err_init(err);
        return codec_test_run(codec_unzstd_new(err), packed->data, packed->len, step,
            step != 0 ? step : STREAM_CHUNK, plain, err);
}

static void
pack(const void *bytes, size_t len, struct buf *packed)
{
        struct err err;

        CHECK_OK(codec_test_run(codec_zstd_new(1, &err), bytes, len, 0, 1000, packed, &err), err);
}

TEST(reads_what_zstd_writes_in_any_steps)
{
        static const char *const commands[] = { "zstd -qc -1", "zstd -qc -19 --long=27",
                "zstd -qc --no-check" };
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        if (codec_test_tool("zstd --version", "", 0, &plain) != 0)
                SKIP("needs the command zstd");
        for (size_t command = 0; command < 3; command++) {
                buf_clear(&packed);
                CHECK_INT(codec_test_tool(commands[command], data, sizeof(data), &packed), 0);
                for (size_t idx = 0; idx < STEPS; idx++) {
                        CHECK_OK(unpack(&packed, steps[idx], &plain, &err), err);
                        CHECK_INT(plain.len, sizeof(data));
                        CHECK(memcmp(plain.data, data, sizeof(data)) == 0);
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

/* A skippable frame with three bytes, and one with none (RFC 8878, 3.1.2). */
static const char skip_three[] = "\x5a\x2a\x4d\x18\x03\0\0\0abc";
static const char skip_none[] = "\x50\x2a\x4d\x18\0\0\0\0";

TEST(reads_several_frames_as_one_stream_and_skips_skippable_ones)
{
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        CHECK_OK(buf_add(&packed, skip_three, sizeof(skip_three) - 1, &err), err);
        pack("one ", 4, &packed);
        pack("", 0, &packed);
        CHECK_OK(buf_add(&packed, skip_none, sizeof(skip_none) - 1, &err), err);
        pack("two", 3, &packed);
        CHECK_OK(buf_add(&packed, skip_three, sizeof(skip_three) - 1, &err), err);
        for (size_t idx = 0; idx < STEPS; idx++) {
                CHECK_OK(unpack(&packed, steps[idx], &plain, &err), err);
                CHECK_STR(plain.data, "one two");
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(every_cut_is_truncated)
{
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack(data, 3000, &packed);
        size_t first = packed.len;
        pack("two", 3, &packed);
        for (size_t len = 0; len < packed.len; len++) {
                struct buf cut = { .data = packed.data, .len = len };
                if (len == first)
                        continue;
                for (size_t idx = 0; idx < STEPS; idx++)
                        CHECK_ERR(unpack(&cut, steps[idx], &plain, &err) < 0, err, ERR_TRUNCATED,
                            "too early");
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(a_cut_skippable_frame_is_truncated)
{
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        CHECK_OK(buf_add(&packed, skip_three, sizeof(skip_three) - 2, &err), err);
        CHECK_ERR(unpack(&packed, 0, &plain, &err) < 0, err, ERR_TRUNCATED, "too early");
        buf_free(&packed);
        buf_free(&plain);
}

TEST(every_flipped_bit_is_found)
{
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack(data, 2000, &packed);
        for (size_t bit = 0; bit < packed.len * 8; bit++) {
                packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ (1 << bit % 8));
                /* The window size and unused bits of the header may differ without harm. */
                if (unpack(&packed, 0, &plain, &err) == 0)
                        CHECK(plain.len == 2000 && memcmp(plain.data, data, 2000) == 0);
                packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ (1 << bit % 8));
        }
        packed.data[packed.len - 1] ^= 1;
        CHECK_ERR(unpack(&packed, 0, &plain, &err) < 0, err, ERR_CORRUPT, "checksum");
        buf_free(&packed);
        buf_free(&plain);
}

TEST(bytes_behind_the_end_are_corrupt)
{
        static const char *const tails[] = { "x", "\x28\xb5x", "\x50\x2ax", "longer garbage" };
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t tail = 0; tail < 4; tail++) {
                buf_clear(&packed);
                pack("one", 3, &packed);
                CHECK_OK(buf_addstr(&packed, tails[tail], &err), err);
                for (size_t idx = 0; idx < STEPS; idx++)
                        CHECK_ERR(unpack(&packed, steps[idx], &plain, &err) < 0, err, ERR_CORRUPT,
                            "behind its end");
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(other_data_and_the_formats_of_old_are_no_zstd_data)
{
        static const char *const others[] = { "plain text", "\x25\xb5\x2f\xfd old",
                "\x27\xb5\x2f\xfd" };
        struct err err;
        struct buf plain;

        buf_init(&plain, MAX);
        for (size_t idx = 0; idx < 3; idx++) {
                char copy[16];
                snprintf(copy, sizeof(copy), "%s", others[idx]);
                struct buf other = { .data = copy, .len = strlen(copy) };
                CHECK_ERR(
                    unpack(&other, 0, &plain, &err) < 0, err, ERR_CORRUPT, "this is not zstd data");
        }
        buf_free(&plain);
}

/* A frame header alone: no single segment, window descriptor 2^exponent (RFC 8878, 3.1.1.1.2). */
static int
read_window(int exponent, struct err *err)
{
        char frame[] = "\x28\xb5\x2f\xfd\0w\x01\0\0";
        struct buf packed = { .data = frame, .len = 9 };
        struct buf plain;

        buf_init(&plain, MAX);
        frame[5] = (char)((exponent - 10) << 3);
        int rc = unpack(&packed, 0, &plain, err);
        buf_free(&plain);
        return rc;
}

TEST(windows_above_128_mib_are_refused)
{
        struct err err;

        CHECK_OK(read_window(27, &err), err);
        CHECK_ERR(read_window(28, &err) < 0, err, ERR_TOO_BIG, "more than 128 MiB");
}

static int
run_once(void *arg, struct err *err)
{
        struct buf out;

        buf_init(&out, MAX);
        int rc = unpack(arg, 0, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        struct buf packed;

        buf_init(&packed, MAX);
        pack("one", 3, &packed);
        test_each_allocation(run_once, &packed);
        buf_free(&packed);
}
