#include "unit/tsdb_fixture.h"

static struct fixture fix;

static int
check_index(enum wrong wrong, struct tsdb_index *out, struct err *err)
{
        int fd = memfd_create("index", MFD_CLOEXEC);

        err_init(err);
        make_block(&fix, wrong);
        CHECK(fd >= 0);
        CHECK(write(fd, fix.index.data, fix.index.len) == (ssize_t)fix.index.len);
        int rc = tsdb_index_check(fd, fix.index.len, NULL, out, err);
        close(fd);
        return rc;
}

TEST(says_what_it_holds)
{
        struct tsdb_index index;
        struct err err;

        CHECK_OK(check_index(NOTHING, &index, &err), err);
        CHECK_INT(index.series, 2);
        CHECK_INT(index.chunks.count, 4);
        CHECK_INT(index.last_segment, 2);
        CHECK_INT(index.min_time_ms, MADE_MIN);
        CHECK_INT(index.max_time_ms, MADE_MIN + 499 + 1 + 499);
}

TEST(label_sections_may_be_there_or_not)
{
        struct tsdb_index index;
        struct err err;

        CHECK_OK(check_index(WITH_LABEL_SECTIONS, &index, &err), err);
        CHECK_OK(check_index(TOC_WITHOUT_LABELS, &index, &err), err);
}

/* All checksums are right; only what the parts say of each other is not. */
TEST(refuses_what_no_checksum_shows)
{
        static const struct {
                enum wrong wrong;
                enum err_code code;
                const char *message;
        } cases[] = {
                { SYMBOL_ORDER, ERR_CORRUPT, "it is not behind the one before it" },
                { SYMBOL_MISSING, ERR_CORRUPT, "it refers to symbol 5 of 5" },
                { LABEL_ORDER, ERR_CORRUPT, "its labels are not sorted" },
                { SERIES_TOO_LONG, ERR_CORRUPT, "1 bytes too many" },
                { TIME_OVERFLOW, ERR_CORRUPT, "time is out of range" },
                { POSTINGS_ORDER, ERR_CORRUPT, "out of order or range" },
                { POSTINGS_PLACE, ERR_CORRUPT, "postings lists hold 6 series" },
                { POSTINGS_FEWER, ERR_CORRUPT, "postings lists hold 5 series" },
                { POSTINGS_COUNT, ERR_CORRUPT, "reach past its end" },
                { TABLE_PLACE, ERR_CORRUPT, "postings offset table has 4 entries for 4" },
                { TABLE_ORDER, ERR_CORRUPT, "it is not behind the one before it" },
                { TABLE_KEYS, ERR_CORRUPT, "it has 3 keys, not 2" },
                { TABLE_FEWER, ERR_CORRUPT, "postings offset table has 3 entries for 4" },
                { LABEL_INDEX_SYMBOL, ERR_CORRUPT, "it refers to symbol 5 of 5" },
                { LABEL_TABLE_PLACE, ERR_CORRUPT, "label offset table has 1 entries for 1" },
                { TOC_ORDER, ERR_CORRUPT, "table of contents" },
                { TOC_OUTSIDE, ERR_CORRUPT, "table of contents" },
                { TOC_WITHOUT_SERIES, ERR_CORRUPT, "the series is missing" },
                { VERSION_1, ERR_UNSUPPORTED, "index format version 1" },
                { VERSION_3, ERR_UNSUPPORTED, "index format version 3" },
        };
        struct tsdb_index index;
        struct err err;

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(cases[0]); idx++) {
                int rc = check_index(cases[idx].wrong, &index, &err);
                CHECK_ERR(rc != 0, err, cases[idx].code, cases[idx].message);
        }
}

TEST(each_flipped_byte_is_found_with_and_without_label_sections)
{
        static const enum wrong forms[] = { NOTHING, WITH_LABEL_SECTIONS, TOC_WITHOUT_LABELS };
        struct tsdb_index index;
        struct err err;

        for (size_t form = 0; form < 3; form++) {
                make_block(&fix, forms[form]);
                for (size_t at = 0; at < fix.index.len; at++) {
                        for (unsigned bit = 0; bit < 8; bit++) {
                                int fd = memfd_create("index", MFD_CLOEXEC);
                                CHECK(fd >= 0);
                                fix.index.data[at] ^= (unsigned char)(1U << bit);
                                CHECK(write(fd, fix.index.data, fix.index.len) ==
                                      (ssize_t)fix.index.len);
                                fix.index.data[at] ^= (unsigned char)(1U << bit);
                                CHECK(tsdb_index_check(fd, fix.index.len, NULL, &index, &err) != 0);
                                close(fd);
                        }
                }
        }
}

/* Larger than the window, with a symbol larger than what is compared at once. */
TEST(an_index_larger_than_its_window_is_read_through_it)
{
        enum {
                COUNT = 400000,
                LONG = 3 * 1024 * 1024
        };
        static unsigned char text[LONG];
        struct tsdb_index index;
        struct bytes part;
        struct err err;
        uint64_t at = 5, toc[6];
        uint32_t crc = 0;
        int fd = memfd_create("index", MFD_CLOEXEC);

        err_init(&err);
        CHECK(fd >= 0);
        part.len = 0;
        put32(&part, 0xbaaad700);
        put8(&part, 2);
        toc[0] = 5;
        put32(&part, 0); /* the length, later */
        CHECK(write(fd, part.data, part.len) == 9);
        part.len = 0;
        put32(&part, COUNT + 2);
        for (unsigned number = 0; number < COUNT + 2; number++) {
                char name[16];
                snprintf(name, sizeof(name), "s%07u", number);
                if (number < COUNT) {
                        put_text(&part, name);
                } else {
                        put_uvarint(&part, LONG);
                        memset(text, 'x', LONG);
                        text[LONG - 1] = (unsigned char)('a' + number - COUNT);
                }
                crc = crc32c(crc, part.data, part.len);
                at += part.len;
                CHECK(write(fd, part.data, part.len) == (ssize_t)part.len);
                part.len = 0;
                if (number >= COUNT) {
                        crc = crc32c(crc, text, LONG);
                        at += LONG;
                        CHECK(write(fd, text, LONG) == LONG);
                }
        }
        struct bytes length = { .len = 0 };
        put32(&length, at - 5);
        CHECK(pwrite(fd, length.data, 4, 5) == 4);
        put32(&part, crc);
        at += 8;

        toc[1] = toc[2] = toc[4] = at;
        struct bytes body = { .len = 0 };
        put32(&body, 0);
        while ((at + part.len - 4) % 4 != 0)
                put8(&part, 0);
        uint64_t list = at + part.len - 4;
        put_section(&part, &body);
        toc[3] = toc[5] = at + part.len - 4;
        body.len = 0;
        put32(&body, 1);
        put_entry(&body, "", "", list);
        put_section(&part, &body);
        body.len = 0;
        for (unsigned entry = 0; entry < 6; entry++)
                put64(&body, toc[entry]);
        put_with_crc(&part, &body);
        CHECK(write(fd, part.data, part.len) == (ssize_t)part.len);

        uint64_t size = at + part.len - 4;
        CHECK_OK(tsdb_index_check(fd, size, NULL, &index, &err), err);
        CHECK_INT(index.series, 0);
        CHECK(pwrite(fd, "!", 1, 2000000) == 1);
        CHECK_ERR(tsdb_index_check(fd, size, NULL, &index, &err) != 0, err, ERR_CORRUPT,
            "symbol table at byte 5: checksum mismatch");
        CHECK(ftruncate(fd, (off_t)size - 1000) == 0);
        CHECK_ERR(
            tsdb_index_check(fd, size, NULL, &index, &err) != 0, err, ERR_TRUNCATED, "shorter");
        close(fd);
}

TEST(ends_when_it_is_cancelled)
{
        struct cancel *cancel = cancel_new(NULL, NULL);
        struct tsdb_index index;
        struct err err;
        int fd = memfd_create("index", MFD_CLOEXEC);

        make_block(&fix, NOTHING);
        CHECK(write(fd, fix.index.data, fix.index.len) == (ssize_t)fix.index.len);
        cancel_trigger(cancel);
        CHECK_ERR(tsdb_index_check(fd, fix.index.len, cancel, &index, &err) != 0, err,
            ERR_CANCELLED, NULL);
        cancel_unref(cancel);
        close(fd);
}
