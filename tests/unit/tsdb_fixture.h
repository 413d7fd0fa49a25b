/*
 * Blocks for the tests of the TSDB check: the small real one in tests/data,
 * and made ones whose checksums are right whatever else is wrong with them.
 */
#ifndef TESTS_UNIT_TSDB_FIXTURE_H
#define TESTS_UNIT_TSDB_FIXTURE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/tsdb/tsdb_internal.h"
#include "harness/test.h"
#include "moonkeep/crc32c.h"

#define FIXTURE __attribute__((unused)) static

#define REAL_ULID "01M7YDCNYMQ489CF0G2KP02PDK"
#define REAL_DIR "tests/data/tsdb/" REAL_ULID
#define MADE_ULID "01HZZZZZZZZZZZZZZZZZZZZZZZ"

struct bytes {
        unsigned char data[16384];
        size_t len;
};

FIXTURE void
put(struct bytes *out, const void *data, size_t len)
{
        CHECK(out->len + len <= sizeof(out->data));
        memcpy(out->data + out->len, data, len);
        out->len += len;
}

FIXTURE void
put8(struct bytes *out, unsigned value)
{
        unsigned char byte = (unsigned char)value;

        put(out, &byte, 1);
}

FIXTURE void
put32(struct bytes *out, uint64_t value)
{
        for (int shift = 24; shift >= 0; shift -= 8)
                put8(out, (unsigned)(value >> shift & 0xff));
}

FIXTURE void
put64(struct bytes *out, uint64_t value)
{
        put32(out, value >> 32);
        put32(out, value);
}

FIXTURE void
put_uvarint(struct bytes *out, uint64_t value)
{
        for (; value >= 0x80; value >>= 7)
                put8(out, (unsigned)(value & 0x7f) | 0x80);
        put8(out, (unsigned)value);
}

FIXTURE void
put_varint(struct bytes *out, int64_t value)
{
        put_uvarint(out, value < 0 ? ~(uint64_t)value << 1 | 1 : (uint64_t)value << 1);
}

FIXTURE void
put_text(struct bytes *out, const char *text)
{
        put_uvarint(out, strlen(text));
        put(out, text, strlen(text));
}

FIXTURE void
put_align(struct bytes *out, size_t to)
{
        while (out->len % to != 0)
                put8(out, 0);
}

FIXTURE void
put_with_crc(struct bytes *out, const struct bytes *body)
{
        put(out, body->data, body->len);
        put32(out, crc32c(0, body->data, body->len));
}

FIXTURE void
put_section(struct bytes *out, const struct bytes *body)
{
        put32(out, body->len);
        put_with_crc(out, body);
}

FIXTURE void
put_chunk(struct bytes *out, unsigned encoding, unsigned samples, size_t data_len)
{
        struct bytes body = { .len = 0 };

        put8(&body, encoding);
        put8(&body, samples >> 8);
        put8(&body, samples & 0xff);
        for (size_t idx = 2; idx < data_len; idx++)
                put8(&body, (unsigned)(idx * 31 + samples) & 0xff);
        if (data_len < 2)
                body.len = 1 + data_len;
        put_uvarint(out, data_len);
        put_with_crc(out, &body);
}

FIXTURE void
put_segment_header(struct bytes *out)
{
        put32(out, 0x85bd40dd);
        put32(out, 0x01000000);
}

FIXTURE void
load(const char *path, struct bytes *out)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0);
        ssize_t got = read(fd, out->data, sizeof(out->data));
        CHECK(got >= 0 && (size_t)got < sizeof(out->data));
        out->len = (size_t)got;
        close(fd);
}

FIXTURE void
store(const char *path, const void *data, size_t len)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK(write(fd, data, len) == (ssize_t)len);
        close(fd);
}

/* A whole block in memory. */
struct fixture {
        const char *ulid;
        struct bytes meta;
        struct bytes index;
        struct bytes tombstones;
        struct bytes segments[3];
        size_t segment_count;
        bool no_tombstones;
};

FIXTURE void
load_real(struct fixture *fix)
{
        fix->ulid = REAL_ULID;
        load(REAL_DIR "/meta.json", &fix->meta);
        load(REAL_DIR "/index", &fix->index);
        load(REAL_DIR "/tombstones", &fix->tombstones);
        load(REAL_DIR "/chunks/000001", &fix->segments[0]);
        fix->segment_count = 1;
        fix->no_tombstones = false;
}

/* What is wrong with a made block; all checksums are right. */
enum wrong {
        NOTHING,
        WITH_LABEL_SECTIONS, /* not wrong: as versions before 3 wrote it */
        TOC_WITHOUT_LABELS,  /* not wrong: 0 in the table of contents */
        SYMBOL_ORDER,
        SYMBOL_MISSING, /* a label refers past the table */
        LABEL_ORDER,
        SERIES_TOO_LONG,
        CHUNK_PLACE, /* refers into the middle of a chunk */
        CHUNK_TWICE, /* one chunk is referred to twice, another never */
        CHUNK_SEGMENT,
        TIME_EARLY,
        TIME_LATE,
        TIME_OVERFLOW,
        POSTINGS_ORDER,
        POSTINGS_PLACE,
        POSTINGS_FEWER,
        POSTINGS_COUNT,
        TABLE_PLACE,
        TABLE_ORDER,
        TABLE_KEYS,
        TABLE_FEWER,
        LABEL_INDEX_SYMBOL,
        LABEL_TABLE_PLACE,
        TOC_ORDER,
        TOC_OUTSIDE,
        TOC_WITHOUT_SERIES,
        VERSION_1,
        VERSION_3
};

#define MADE_MIN 1000
#define MADE_MAX 2000
#define MADE_SAMPLES 106

FIXTURE void
make_meta(struct fixture *fix, unsigned samples, unsigned series, unsigned chunks)
{
        fix->meta.len = (size_t)snprintf((char *)fix->meta.data, sizeof(fix->meta.data),
            "{\"ulid\":\"%s\",\"minTime\":%d,\"maxTime\":%d,\"stats\":{\"numSamples\":%u,"
            "\"numSeries\":%u,\"numChunks\":%u},\"compaction\":{\"level\":2,\"sources\":[\"%s\"]},"
            "\"version\":1}",
            fix->ulid, MADE_MIN, MADE_MAX, samples, series, chunks, fix->ulid);
}

static void
make_symbols(struct bytes *out, enum wrong wrong)
{
        struct bytes body = { .len = 0 };

        put32(&body, 5);
        put_text(&body, "__name__");
        put_text(&body, wrong == SYMBOL_ORDER ? "zz" : "a");
        put_text(&body, "b");
        put_text(&body, "x");
        put_text(&body, "y");
        put_section(out, &body);
}

/* Two series {__name__="a",x="y"} and {__name__="b",x="y"} with two chunks each. */
static void
make_series(struct bytes *out, unsigned number, const uint64_t refs[2], enum wrong wrong)
{
        struct bytes body = { .len = 0 };
        bool second = number == 1;

        put_uvarint(&body, 2);
        put_uvarint(&body, wrong == LABEL_ORDER && second ? 3 : 0);
        put_uvarint(&body, 1 + number);
        put_uvarint(&body, wrong == LABEL_ORDER && second ? 0 : 3);
        put_uvarint(&body, wrong == SYMBOL_MISSING && second ? 5 : 4);
        put_uvarint(&body, 2);
        put_varint(&body, wrong == TIME_EARLY && second ? MADE_MIN - 1 : MADE_MIN);
        put_uvarint(&body, wrong == TIME_OVERFLOW ? UINT64_MAX - 5 : 499);
        put_uvarint(&body, refs[0]);
        put_uvarint(&body, 1);
        put_uvarint(&body, wrong == TIME_LATE && second ? 502 : 499);
        put_varint(&body, (int64_t)(refs[1] - refs[0]));
        if (wrong == SERIES_TOO_LONG && second)
                put8(&body, 0);

        put_align(out, 16);
        put_uvarint(out, body.len);
        put_with_crc(out, &body);
}

static void
make_postings(struct bytes *out, const uint32_t *series, size_t count, enum wrong wrong)
{
        struct bytes body = { .len = 0 };

        put32(&body, wrong == POSTINGS_COUNT ? count + 1 : count);
        for (size_t idx = 0; idx < count; idx++)
                put32(&body, series[idx]);
        put_align(out, 4);
        put_section(out, &body);
}

static void
put_entry(struct bytes *out, const char *name, const char *value, uint64_t at)
{
        put_uvarint(out, 2);
        put_text(out, name);
        put_text(out, value);
        put_uvarint(out, at);
}

static void
make_index(struct bytes *out, const uint64_t refs[4], enum wrong wrong)
{
        bool labels = wrong == WITH_LABEL_SECTIONS || wrong == LABEL_INDEX_SYMBOL ||
                      wrong == LABEL_TABLE_PLACE;
        uint64_t toc[6], lists[4], label_at = 0;
        uint32_t ids[2];
        struct bytes body = { .len = 0 };

        out->len = 0;
        put32(out, 0xbaaad700);
        put8(out, wrong == VERSION_1 ? 1 : wrong == VERSION_3 ? 3 : 2);
        toc[0] = out->len;
        make_symbols(out, wrong);
        toc[1] = out->len;
        for (unsigned number = 0; number < 2; number++) {
                put_align(out, 16);
                ids[number] = (uint32_t)(out->len / 16);
                make_series(out, number, refs + 2 * number, wrong);
        }
        toc[2] = out->len;
        if (labels) {
                put_align(out, 4);
                label_at = out->len;
                put32(&body, 1);
                put32(&body, 2);
                put32(&body, 1);
                put32(&body, wrong == LABEL_INDEX_SYMBOL ? 5 : 2);
                put_section(out, &body);
        }

        toc[4] = out->len;
        uint32_t swapped[2] = { ids[1], ids[0] };
        uint32_t between[2] = { ids[0], ids[0] + 1 };
        const uint32_t *all = wrong == POSTINGS_ORDER   ? swapped
                              : wrong == POSTINGS_PLACE ? between
                                                        : ids;
        for (unsigned number = 0; number < 4; number++) {
                put_align(out, 4);
                lists[number] = out->len;
                if (number == 0)
                        make_postings(out, all, 2, wrong);
                else if (number == 3)
                        make_postings(out, ids, wrong == POSTINGS_FEWER ? 1 : 2, NOTHING);
                else
                        make_postings(out, ids + number - 1, 1, NOTHING);
        }

        toc[3] = out->len;
        if (labels) {
                body.len = 0;
                put32(&body, 1);
                put_uvarint(&body, 1);
                put_text(&body, "__name__");
                put_uvarint(&body, wrong == LABEL_TABLE_PLACE ? label_at + 4 : label_at);
                put_section(out, &body);
        }
        toc[5] = out->len;
        body.len = 0;
        put32(&body, wrong == TABLE_FEWER ? 3 : 4);
        put_entry(&body, "", "", lists[0]);
        put_entry(&body, "__name__", wrong == TABLE_ORDER ? "c" : "a", lists[1]);
        put_entry(&body, "__name__", "b", wrong == TABLE_PLACE ? lists[2] + 4 : lists[2]);
        if (wrong != TABLE_FEWER)
                put_entry(&body, "x", "y", lists[3]);
        if (wrong == TABLE_KEYS)
                body.data[4] = 3;
        put_section(out, &body);

        if (wrong == TOC_WITHOUT_LABELS)
                toc[2] = toc[3] = 0;
        if (wrong == TOC_ORDER)
                toc[4] = toc[1];
        if (wrong == TOC_OUTSIDE)
                toc[5] = out->len + 1000;
        if (wrong == TOC_WITHOUT_SERIES)
                toc[1] = 0;
        body.len = 0;
        for (unsigned entry = 0; entry < 6; entry++)
                put64(&body, toc[entry]);
        put_with_crc(out, &body);
}

/* Four chunks of the four encodings in two segments, 106 samples. */
FIXTURE void
make_block(struct fixture *fix, enum wrong wrong)
{
        uint64_t refs[4];

        memset(fix, 0, sizeof(*fix));
        fix->ulid = MADE_ULID;
        fix->segment_count = 2;
        for (unsigned number = 0; number < 4; number++) {
                struct bytes *segment = &fix->segments[number / 2];
                if (segment->len == 0)
                        put_segment_header(segment);
                refs[number] = (uint64_t)(number / 2) << 32 | segment->len;
                put_chunk(segment, number + 1, number == 3 ? 100 : number + 1, 20 + 90 * number);
        }
        if (wrong == CHUNK_PLACE)
                refs[1]++;
        if (wrong == CHUNK_TWICE)
                refs[3] = refs[2];
        if (wrong == CHUNK_SEGMENT)
                refs[3] = UINT64_C(7) << 32 | 8;
        make_index(&fix->index, refs, wrong);
        make_meta(fix, MADE_SAMPLES, 2, 4);
        put32(&fix->tombstones, 0x0130ba30);
        put8(&fix->tombstones, 1);
        put32(&fix->tombstones, 0);
}

/* The block's files below the test's directory. */
FIXTURE void
write_block(const struct fixture *fix)
{
        char dir[512], path[640];

        snprintf(dir, sizeof(dir), "%s/%s", test_dir(), fix->ulid);
        mkdir(dir, 0700);
        snprintf(path, sizeof(path), "%s/chunks", dir);
        mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/meta.json", dir);
        store(path, fix->meta.data, fix->meta.len);
        snprintf(path, sizeof(path), "%s/index", dir);
        store(path, fix->index.data, fix->index.len);
        snprintf(path, sizeof(path), "%s/tombstones", dir);
        if (fix->no_tombstones)
                unlink(path);
        else
                store(path, fix->tombstones.data, fix->tombstones.len);
        for (size_t idx = 0; idx < fix->segment_count; idx++) {
                snprintf(path, sizeof(path), "%s/chunks/%06zu", dir, idx + 1);
                store(path, fix->segments[idx].data, fix->segments[idx].len);
        }
}

/* Check all blocks below the test's directory, in place. */
FIXTURE int
check_test_dir(struct err *err)
{
        err_init(err);
        struct tsdb_check *check = tsdb_check_new(NULL, NULL, err);
        CHECK_PTR(check, *err);
        int rc = tsdb_check_dir(check, test_dir(), err);
        if (rc == 0)
                rc = tsdb_check_finish(check, err);
        tsdb_check_free(check);
        return rc;
}

FIXTURE int
check_block(const struct fixture *fix, struct err *err)
{
        write_block(fix);
        return check_test_dir(err);
}

/* Give one file of a block to a watcher, in slices of that size. */
FIXTURE int
watch_file(const struct tar_watcher *watcher, const char *name, const struct bytes *file,
    size_t slice, struct err *err)
{
        struct tar_entry entry = {
                .name = name, .name_len = strlen(name), .type = TAR_FILE, .size = file->len
        };

        if (watcher->entry(watcher->arg, &entry, err) != 0)
                return -1;
        for (size_t at = 0; at < file->len; at += slice) {
                size_t len = file->len - at < slice ? file->len - at : slice;
                if (watcher->data(watcher->arg, file->data + at, len, err) != 0)
                        return -1;
        }
        return watcher->entry_end(watcher->arg, crc32c(0, file->data, file->len), err);
}

FIXTURE int
watch_name(const struct tar_watcher *watcher, const char *name, enum tar_type type, struct err *err)
{
        struct tar_entry entry = { .name = name, .name_len = strlen(name), .type = type };

        if (watcher->entry(watcher->arg, &entry, err) != 0)
                return -1;
        return type == TAR_FILE ? watcher->entry_end(watcher->arg, 0, err) : 0;
}

#endif
