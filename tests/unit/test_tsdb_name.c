#include "unit/tsdb_fixture.h"

static struct tsdb_name name;

static enum tsdb_kind
kind(const char *text)
{
        tsdb_name_parse(text, strlen(text), &name);
        return name.kind;
}

TEST(knows_the_files_of_a_block)
{
        CHECK(kind(REAL_ULID "/meta.json") == TSDB_META);
        CHECK_STR(name.ulid, REAL_ULID);
        CHECK(kind("./" REAL_ULID "/index") == TSDB_INDEX);
        CHECK(kind("././" REAL_ULID "/tombstones") == TSDB_TOMBSTONES);
        CHECK(kind(REAL_ULID "/chunks/000042") == TSDB_SEGMENT);
        CHECK_INT(name.segment, 42);
        CHECK(kind(REAL_ULID) == TSDB_BLOCK);
        CHECK(kind("./" REAL_ULID "/") == TSDB_BLOCK);
        CHECK(kind(REAL_ULID "/chunks/") == TSDB_PLAIN_DIR);
        CHECK(kind("./") == TSDB_PLAIN_DIR);
        CHECK(kind(".") == TSDB_PLAIN_DIR);
}

TEST(digits_that_are_no_segment_name_have_number_zero)
{
        static const char *const names[] = { "0", "1", "0000001", "1000000", "000000",
                "99999999999999999999" };

        for (size_t idx = 0; idx < sizeof(names) / sizeof(names[0]); idx++) {
                char text[128];
                snprintf(text, sizeof(text), REAL_ULID "/chunks/%s", names[idx]);
                CHECK(kind(text) == TSDB_SEGMENT);
                CHECK_INT(name.segment, 0);
        }
}

TEST(everything_else_is_foreign)
{
        static const char *const names[] = { "wal/00000001", "lock", "chunks_head/000001",
                REAL_ULID ".tmp-for-creation", REAL_ULID ".tmp-for-deletion/meta.json",
                REAL_ULID "/no-compact-mark.json", REAL_ULID "/deletion-mark.json",
                REAL_ULID "/chunks/000001.tmp", REAL_ULID "/chunks/000001/x",
                REAL_ULID "/meta.json.tmp", REAL_ULID "/index/x", "x/" REAL_ULID "/index",
                "/" REAL_ULID "/index", "snapshots/20260101T000000Z-1/" REAL_ULID "/index",
                "81M7YDCNYMQ489CF0G2KP02PDK/index", "01m7ydcnymq489cf0g2kp02pdk/index",
                "01M7YDCNYMQ489CF0G2KP02PDI/index", "01M7YDCNYMQ489CF0G2KP02PD/index" };

        for (size_t idx = 0; idx < sizeof(names) / sizeof(names[0]); idx++) {
                if (kind(names[idx]) != TSDB_FOREIGN)
                        fprintf(stderr, "  %s\n", names[idx]);
                CHECK(name.kind == TSDB_FOREIGN);
        }
}
