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
        return codec_test_run(codec_gunzip_new(err), packed->data, packed->len, step,
            step != 0 ? step : STREAM_CHUNK, plain, err);
}

static void
pack(const void *bytes, size_t len, struct buf *packed)
{
        struct err err;

        CHECK_OK(codec_test_run(codec_gzip_new(1, &err), bytes, len, 0, 1000, packed, &err), err);
}

TEST(reads_what_gzip_writes_in_any_steps)
{
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (int level = 1; level <= 9; level += 4) {
                char command[20];
                snprintf(command, sizeof(command), "gzip -%dc", level);
                buf_clear(&packed);
                CHECK_INT(codec_test_tool(command, data, sizeof(data), &packed), 0);
                for (size_t idx = 0; idx < STEPS; idx++) {
                        CHECK_OK(unpack(&packed, steps[idx], &plain, &err), err);
                        CHECK_INT(plain.len, sizeof(data));
                        CHECK(memcmp(plain.data, data, sizeof(data)) == 0);
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(reads_several_members_as_one_stream)
{
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack("one ", 4, &packed);
        pack("", 0, &packed);
        pack("two", 3, &packed);
        for (size_t idx = 0; idx < STEPS; idx++) {
                CHECK_OK(unpack(&packed, steps[idx], &plain, &err), err);
                CHECK_STR(plain.data, "one two");
        }
        buf_free(&packed);
        buf_free(&plain);
}

/* "hi" behind a header with all fields that there are, made by hand (RFC 1952). */
TEST(reads_a_header_with_every_field_in_any_steps)
{
        static const char header[] = "\x1f\x8b\x08\x1f\x01\x02\x03\x04\0\x03"
                                     "\x04\0xtra"
                                     "name\0"
                                     "comment\0";
        struct err err;
        struct buf packed, plain, body;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        buf_init(&body, MAX);
        pack("hi", 2, &body);
        CHECK_OK(buf_add(&packed, header, sizeof(header) - 1, &err), err);
        /* FHCRC: the low half of the CRC-32 of the header, which gzip's trailer gives, too. */
        struct buf crc;
        buf_init(&crc, MAX);
        pack(header, sizeof(header) - 1, &crc);
        CHECK_OK(buf_add(&packed, crc.data + crc.len - 8, 2, &err), err);
        CHECK_OK(buf_add(&packed, body.data + 10, body.len - 10, &err), err);
        for (size_t idx = 0; idx < STEPS; idx++) {
                CHECK_OK(unpack(&packed, steps[idx], &plain, &err), err);
                CHECK_STR(plain.data, "hi");
        }

        /* A wrong checksum of the header is found. */
        packed.data[sizeof(header) - 1] ^= 1;
        for (size_t idx = 0; idx < STEPS; idx++)
                CHECK_ERR(
                    unpack(&packed, steps[idx], &plain, &err) < 0, err, ERR_CORRUPT, "checksum");
        buf_free(&crc);
        buf_free(&body);
        buf_free(&packed);
        buf_free(&plain);
}

TEST(every_cut_is_truncated)
{
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack("one two three four five", 23, &packed);
        size_t first = packed.len;
        pack("six", 3, &packed);
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

TEST(every_flipped_bit_of_the_trailer_is_found)
{
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack("one two three", 13, &packed);
        for (size_t bit = 0; bit < 64; bit++) {
                size_t at = packed.len - 8 + bit / 8;
                packed.data[at] = (char)(packed.data[at] ^ (1 << bit % 8));
                for (size_t idx = 0; idx < STEPS; idx++)
                        CHECK_ERR(unpack(&packed, steps[idx], &plain, &err) < 0, err, ERR_CORRUPT,
                            "do not match");
                packed.data[at] = (char)(packed.data[at] ^ (1 << bit % 8));
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(no_flipped_bit_gives_other_bytes)
{
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack(data, 2000, &packed);
        for (size_t at = 0; at < packed.len; at++) {
                packed.data[at] ^= 0x10;
                if (unpack(&packed, 0, &plain, &err) == 0)
                        CHECK(plain.len == 2000 && memcmp(plain.data, data, 2000) == 0);
                packed.data[at] ^= 0x10;
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(bytes_behind_the_end_are_corrupt)
{
        static const char *const tails[] = { "x", "garbage", "longer garbage than a header" };
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t tail = 0; tail < 3; tail++) {
                buf_clear(&packed);
                pack("one", 3, &packed);
                CHECK_OK(buf_addstr(&packed, tails[tail], &err), err);
                for (size_t idx = 0; idx < STEPS; idx++)
                        CHECK_ERR(unpack(&packed, steps[idx], &plain, &err) < 0, err, ERR_CORRUPT,
                            "behind its end");
        }
        buf_clear(&packed);
        pack("one", 3, &packed);
        CHECK_OK(buf_add(&packed, "\0", 1, &err), err);
        CHECK_ERR(unpack(&packed, 0, &plain, &err) < 0, err, ERR_CORRUPT, "behind its end");
        buf_free(&packed);
        buf_free(&plain);
}

TEST(other_data_is_no_gzip_data)
{
        struct err err;
        struct buf other, plain;

        buf_init(&other, MAX);
        buf_init(&plain, MAX);
        CHECK_OK(buf_addstr(&other, "plain text that is long enough", &err), err);
        CHECK_ERR(unpack(&other, 0, &plain, &err) < 0, err, ERR_CORRUPT, "not gzip data");
        buf_free(&other);
        buf_free(&plain);
}

TEST(a_length_that_needs_more_than_one_chunk_of_zeros_is_right)
{
        struct err err;
        struct buf packed, plain;
        char *zeros = calloc(1, MAX - 10);

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        pack(zeros, MAX - 300000, &packed);
        CHECK(packed.len < 100000);
        CHECK_OK(unpack(&packed, 0, &plain, &err), err);
        CHECK_INT(plain.len, MAX - 300000);
        free(zeros);
        buf_free(&packed);
        buf_free(&plain);
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
