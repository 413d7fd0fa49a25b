#include "tsdb_internal.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "moonkeep/json.h"

#define META_VERSION 1

/* A member that must be an integer; fallback where absent is allowed (NULL: it is not). */
static int
get_int(const struct json *object, const char *key, const int64_t *fallback, int64_t *out,
    struct err *err)
{
        const struct json *value = json_get(object, key);

        if (value == NULL) {
                if (fallback == NULL)
                        return err_set(err, ERR_CORRUPT, "\"%s\" is missing", key);
                *out = *fallback;
                return 0;
        }
        if (json_type_of(value) != JSON_T_INT)
                return err_set(err, ERR_CORRUPT, "\"%s\" is not an integer", key);
        *out = json_int(value);
        return 0;
}

/* A count in "stats": absent means zero (the writer leaves zeros out). */
static int
get_count(const struct json *stats, const char *key, uint64_t *out, struct err *err)
{
        static const int64_t zero = 0;
        int64_t value = 0;

        if (get_int(stats, key, &zero, &value, err) != 0)
                return -1;
        if (value < 0)
                return err_set(err, ERR_CORRUPT, "\"%s\" is %" PRId64, key, value);
        *out = (uint64_t)value;
        return 0;
}

static int
get_object(const struct json *root, const char *key, const struct json **out, struct err *err)
{
        const struct json *value = json_get(root, key);

        if (value == NULL || json_type_of(value) != JSON_T_OBJECT)
                return err_set(
                    err, ERR_CORRUPT, "\"%s\" is %s", key, value ? "not an object" : "missing");
        *out = value;
        return 0;
}

static int
get_ulid(const struct json *root, char out[TSDB_ULID_SIZE], struct err *err)
{
        const struct json *value = json_get(root, "ulid");
        size_t len = 0;

        if (value == NULL || json_type_of(value) != JSON_T_STRING)
                return err_set(
                    err, ERR_CORRUPT, "\"ulid\" is %s", value ? "not a string" : "missing");
        const char *text = json_string(value, &len);
        if (!tsdb_is_ulid(text, len))
                return err_set(err, ERR_CORRUPT, "\"ulid\" is not a ULID");
        memcpy(out, text, len);
        out[len] = '\0';
        return 0;
}

static int
read_members(const struct json *root, struct tsdb_meta *meta, struct err *err)
{
        static const int64_t level_absent = 0;
        const struct json *stats = NULL, *compaction = NULL;
        int64_t version, level = 0;

        if (json_type_of(root) != JSON_T_OBJECT)
                return err_set(err, ERR_CORRUPT, "it is not a JSON object");
        if (get_int(root, "version", NULL, &version, err) != 0)
                return -1;
        if (version != META_VERSION)
                return err_set(err, ERR_UNSUPPORTED,
                    "version %" PRId64 " is not known (only %d is)", version, META_VERSION);
        if (get_ulid(root, meta->ulid, err) != 0 ||
            get_int(root, "minTime", NULL, &meta->min_time_ms, err) != 0 ||
            get_int(root, "maxTime", NULL, &meta->max_time_ms, err) != 0)
                return -1;
        if (meta->min_time_ms >= meta->max_time_ms)
                return err_set(err, ERR_CORRUPT,
                    "\"minTime\" %" PRId64 " is not below \"maxTime\" %" PRId64, meta->min_time_ms,
                    meta->max_time_ms);

        if (get_object(root, "stats", &stats, err) != 0 ||
            get_count(stats, "numSamples", &meta->num_samples, err) != 0 ||
            get_count(stats, "numSeries", &meta->num_series, err) != 0 ||
            get_count(stats, "numChunks", &meta->num_chunks, err) != 0 ||
            get_count(stats, "numTombstones", &meta->num_tombstones, err) != 0)
                return -1;

        if (get_object(root, "compaction", &compaction, err) != 0 ||
            get_int(compaction, "level", &level_absent, &level, err) != 0)
                return -1;
        if (level < 0 || level > INT_MAX)
                return err_set(err, ERR_CORRUPT, "\"level\" is %" PRId64, level);
        meta->level = (int)level;
        return 0;
}

int
tsdb_meta_parse(const char *text, size_t len, struct tsdb_meta *out, struct err *err)
{
        struct tsdb_meta meta = { .level = 0 };
        struct json *root = json_parse(text, len, err);

        if (root == NULL) {
                /* To the caller this is a damaged file, not a wrong argument. */
                if (err != NULL && err->code != ERR_NOMEM)
                        err->code = ERR_CORRUPT;
                return -1;
        }
        int rc = read_members(root, &meta, err);
        json_free(root);
        if (rc == 0)
                *out = meta;
        return rc;
}
