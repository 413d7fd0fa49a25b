#include "unit/tsdb_fixture.h"

#define ULID "01HZZZZZZZZZZZZZZZZZZZZZZZ"
#define STATS "\"stats\":{\"numSamples\":3,\"numSeries\":2,\"numChunks\":1}"
#define COMPACTION "\"compaction\":{\"level\":4}"

static struct tsdb_meta meta;

static int
parse(const char *text, struct err *err)
{
        err_init(err);
        return tsdb_meta_parse(text, strlen(text), &meta, err);
}

TEST(reads_what_prometheus_writes)
{
        struct err err;

        CHECK_OK(
            parse("{\"ulid\":\"" ULID "\",\"minTime\":-5,\"maxTime\":7," STATS ",\"compaction\":"
                  "{\"level\":4,\"sources\":[],\"parents\":[{}],\"hints\":[\"x\"]},"
                  "\"version\":1,\"thanos\":{\"labels\":{}}}",
                &err),
            err);
        CHECK_STR(meta.ulid, ULID);
        CHECK_INT(meta.min_time_ms, -5);
        CHECK_INT(meta.max_time_ms, 7);
        CHECK_INT(meta.num_samples, 3);
        CHECK_INT(meta.num_series, 2);
        CHECK_INT(meta.num_chunks, 1);
        CHECK_INT(meta.num_tombstones, 0);
        CHECK_INT(meta.level, 4);
}

TEST(refuses_what_is_no_meta)
{
        static const struct {
                const char *text;
                enum err_code code;
                const char *message;
        } cases[] = {
                { "", ERR_CORRUPT, NULL },
                { "{", ERR_CORRUPT, NULL },
                { "[]", ERR_CORRUPT, "not a JSON object" },
                { "{}", ERR_CORRUPT, "\"version\" is missing" },
                { "{\"version\":2}", ERR_UNSUPPORTED, "version 2" },
                { "{\"version\":\"1\"}", ERR_CORRUPT, "not an integer" },
                { "{\"version\":1,\"ulid\":7}", ERR_CORRUPT, "\"ulid\" is not a string" },
                { "{\"version\":1,\"ulid\":\"x\"}", ERR_CORRUPT, "not a ULID" },
                { "{\"version\":1,\"ulid\":\"" ULID "\",\"minTime\":1}", ERR_CORRUPT,
                    "\"maxTime\" is missing" },
                { "{\"version\":1,\"ulid\":\"" ULID "\",\"minTime\":1,\"maxTime\":1.5}",
                    ERR_CORRUPT, "\"maxTime\" is not an integer" },
                { "{\"version\":1,\"ulid\":\"" ULID "\",\"minTime\":1,\"maxTime\":1," STATS
                  "," COMPACTION "}",
                    ERR_CORRUPT, "not below" },
                { "{\"version\":1,\"ulid\":\"" ULID "\",\"minTime\":1,\"maxTime\":2," COMPACTION
                  "}",
                    ERR_CORRUPT, "\"stats\" is missing" },
                { "{\"version\":1,\"ulid\":\"" ULID
                  "\",\"minTime\":1,\"maxTime\":2,\"stats\":{\"numSamples\":-1}," COMPACTION "}",
                    ERR_CORRUPT, "\"numSamples\" is -1" },
                { "{\"version\":1,\"ulid\":\"" ULID "\",\"minTime\":1,\"maxTime\":2," STATS "}",
                    ERR_CORRUPT, "\"compaction\" is missing" },
                { "{\"version\":1,\"ulid\":\"" ULID "\",\"minTime\":1,\"maxTime\":2," STATS
                  ",\"compaction\":{\"level\":-1}}",
                    ERR_CORRUPT, "\"level\" is -1" },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(cases[0]); idx++)
                CHECK_ERR(
                    parse(cases[idx].text, &err) != 0, err, cases[idx].code, cases[idx].message);
}
