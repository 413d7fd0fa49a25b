#include "unit/tsdb_fixture.h"

static struct bytes file;
static struct tsdb_tombstones tombs;

static int
push(size_t slice, struct err *err)
{
        err_init(err);
        if (tsdb_tombstones_begin(&tombs, file.len, err) != 0)
                return -1;
        for (size_t at = 0; at < file.len; at += slice) {
                size_t len = file.len - at < slice ? file.len - at : slice;
                if (tsdb_tombstones_push(&tombs, file.data + at, len, err) != 0)
                        return -1;
        }
        return tsdb_tombstones_end(&tombs, err);
}

static void
make_file(const struct bytes *records)
{
        file.len = 0;
        put32(&file, 0x0130ba30);
        put8(&file, 1);
        put_with_crc(&file, records);
}

static void
put_record(struct bytes *out, uint64_t series, int64_t min, int64_t max)
{
        put_uvarint(out, series);
        put_varint(out, min);
        put_varint(out, max);
}

TEST(counts_the_records)
{
        struct bytes records = { .len = 0 };
        struct err err;

        make_file(&records);
        CHECK_OK(push(1, &err), err);
        CHECK_INT(tombs.count, 0);
        put_record(&records, 6, 1000, 2000);
        put_record(&records, UINT64_MAX, INT64_MIN, INT64_MAX);
        make_file(&records);
        for (size_t slice = 1; slice < 60; slice++) {
                CHECK_OK(push(slice, &err), err);
                CHECK_INT(tombs.count, 2);
        }
}

TEST(refuses_records_that_are_not_whole_though_the_checksum_fits)
{
        struct bytes records = { .len = 0 };
        struct err err;

        put_record(&records, 6, 1000, 2000);
        put_uvarint(&records, 7);
        make_file(&records);
        CHECK_ERR(push(3, &err) != 0, err, ERR_CORRUPT, "record at byte 10: it is not complete");
        records.len = 0;
        for (int idx = 0; idx < 11; idx++)
                put8(&records, 0xff);
        put8(&records, 0);
        make_file(&records);
        CHECK_ERR(push(3, &err) != 0, err, ERR_CORRUPT, "byte 15: a number that is too long");
}

TEST(tells_damage_from_another_version)
{
        struct bytes records = { .len = 0 };
        struct err err;

        make_file(&records);
        file.data[4] = 2;
        CHECK_ERR(push(1, &err) != 0, err, ERR_UNSUPPORTED, "tombstones format version 2");
        file.data[4] = 1;
        file.data[3] = 2;
        CHECK_ERR(push(1, &err) != 0, err, ERR_CORRUPT, "magic number");
        file.len = 8;
        CHECK_ERR(push(1, &err) != 0, err, ERR_CORRUPT, "8 bytes are too few");
}
