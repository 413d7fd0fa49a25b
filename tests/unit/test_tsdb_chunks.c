#include "unit/tsdb_fixture.h"

static struct bytes file;
static struct tsdb_segment seg;

static int
push(size_t slice, struct err *err)
{
        err_init(err);
        tsdb_segment_begin(&seg, 1, file.len);
        for (size_t at = 0; at < file.len; at += slice) {
                size_t len = file.len - at < slice ? file.len - at : slice;
                if (tsdb_segment_push(&seg, file.data + at, len, err) != 0)
                        return -1;
        }
        return tsdb_segment_end(&seg, err);
}

static void
make_file(void)
{
        file.len = 0;
        put_segment_header(&file);
        put_chunk(&file, 1, 120, 500);
        put_chunk(&file, 2, 1, 2);
        put_chunk(&file, 3, 65535, 127);
        put_chunk(&file, 4, 0, 128);
        put_chunk(&file, 1, 2, 3000);
        put_chunk(&file, 1, 3, 40);
}

TEST(counts_chunks_and_samples_of_every_encoding)
{
        struct err err;

        make_file();
        CHECK_OK(push(sizeof(file.data), &err), err);
        CHECK_INT(seg.chunks.count, 6);
        CHECK_INT(seg.samples, 120 + 1 + 65535 + 0 + 2 + 3);
}

TEST(slices_make_no_difference)
{
        struct err err;

        make_file();
        CHECK_OK(push(sizeof(file.data), &err), err);
        struct tsdb_segment whole = seg;
        for (size_t slice = 1; slice < 700; slice++) {
                CHECK_OK(push(slice, &err), err);
                CHECK(tsdb_bag_equal(&seg.chunks, &whole.chunks));
                CHECK_INT(seg.samples, whole.samples);
        }
}

TEST(damage_is_told_alike_whatever_the_slices)
{
        struct err whole, err;

        make_file();
        for (size_t at = 0; at < file.len; at += 3) {
                file.data[at] ^= 0x41;
                CHECK(push(sizeof(file.data), &whole) != 0);
                for (size_t slice = 1; slice < 40; slice += 6) {
                        CHECK(push(slice, &err) != 0);
                        CHECK_STR(err.msg, whole.msg);
                }
                file.data[at] ^= 0x41;
        }
}

TEST(a_segment_without_chunks_is_sound)
{
        struct err err;

        file.len = 0;
        put_segment_header(&file);
        CHECK_OK(push(1, &err), err);
        CHECK_INT(seg.chunks.count, 0);
}

TEST(zeros_behind_the_last_chunk_are_padding_and_nothing_else_is)
{
        struct err err;

        make_file();
        size_t end = file.len;
        for (int idx = 0; idx < 5000; idx++)
                put8(&file, 0);
        for (size_t slice = 1; slice < 9000; slice = slice * 3 + 1)
                CHECK_OK(push(slice, &err), err);
        CHECK_INT(seg.chunks.count, 6);
        file.data[end + 4321] = 1;
        for (size_t slice = 1; slice < 9000; slice = slice * 3 + 1)
                CHECK_ERR(push(slice, &err) != 0, err, ERR_CORRUPT, "in the padding that began at");
}

TEST(an_encoding_that_is_not_known_is_not_called_damage)
{
        struct err err;

        file.len = 0;
        put_segment_header(&file);
        put_chunk(&file, 5, 1, 30);
        CHECK_ERR(push(1, &err) != 0, err, ERR_UNSUPPORTED, "chunk at byte 8: its encoding 5");
        file.data[10] ^= 1;
        CHECK_ERR(push(1, &err) != 0, err, ERR_CORRUPT, "chunk at byte 8: checksum mismatch");
}

TEST(refuses_other_versions_magics_and_header_padding)
{
        struct err err;

        make_file();
        file.data[4] = 2;
        CHECK_ERR(push(1, &err) != 0, err, ERR_UNSUPPORTED, "chunk format version 2");
        file.data[4] = 1;
        file.data[7] = 1;
        CHECK_ERR(push(1, &err) != 0, err, ERR_CORRUPT, "header's padding");
        file.data[7] = 0;
        file.data[0] = 0;
        CHECK_ERR(push(1, &err) != 0, err, ERR_CORRUPT, "magic number");
}

TEST(refuses_lengths_that_cannot_be)
{
        static const struct {
                unsigned char bytes[5];
                const char *message;
        } cases[] = {
                { { 0x80, 0x80, 0x80, 0x80, 0x80 }, "its length is malformed" },
                { { 0x82, 0x00, 0x01, 0x00, 0x00 }, "its length is malformed" },
                { { 0xff, 0xff, 0xff, 0xff, 0x1f }, "its length is malformed" },
                { { 0xff, 0xff, 0xff, 0xff, 0x0f }, "do not fit into" },
                { { 0x10, 0x01, 0x00, 0x01, 0x00 }, "do not fit into" },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(cases[0]); idx++) {
                for (size_t slice = 1; slice < 40; slice += 19) {
                        file.len = 0;
                        put_segment_header(&file);
                        put(&file, cases[idx].bytes, 5);
                        put64(&file, 0);
                        CHECK_ERR(push(slice, &err) != 0, err, ERR_CORRUPT, cases[idx].message);
                        CHECK(strstr(err.msg, "chunk at byte 8: ") != NULL);
                }
        }
}

TEST(refuses_a_chunk_without_room_for_its_sample_count)
{
        struct err err;

        file.len = 0;
        put_segment_header(&file);
        put_chunk(&file, 1, 1, 1);
        put_chunk(&file, 1, 1, 10);
        CHECK_ERR(push(1, &err) != 0, err, ERR_CORRUPT, "1 bytes of data are too few");
}

TEST(refuses_more_bytes_than_announced)
{
        struct err err;

        make_file();
        err_init(&err);
        tsdb_segment_begin(&seg, 1, 100);
        CHECK_ERR(tsdb_segment_push(&seg, file.data, 101, &err) != 0, err, ERR_CORRUPT, "longer");
}

TEST(a_reference_is_made_of_number_and_offset)
{
        struct tsdb_bag want = { .count = 0 };
        struct err err;

        file.len = 0;
        put_segment_header(&file);
        put_chunk(&file, 1, 1, 10);
        err_init(&err);
        tsdb_segment_begin(&seg, 3, file.len);
        CHECK_OK(tsdb_segment_push(&seg, file.data, file.len, &err), err);
        tsdb_bag_add(&want, UINT64_C(2) << 32 | 8, 1);
        CHECK(tsdb_bag_equal(&seg.chunks, &want));
}
