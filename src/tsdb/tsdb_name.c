#include "tsdb_internal.h"

#include <string.h>

#define ULID_LEN (TSDB_ULID_SIZE - 1)
#define SEGMENT_DIGITS 6

bool
tsdb_is_ulid(const char *text, size_t len)
{
        if (len != ULID_LEN || text[0] > '7')
                return false;
        for (size_t idx = 0; idx < len; idx++) {
                if (memchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", text[idx], 32) == NULL)
                        return false;
        }
        return true;
}

/*
 * A name below chunks/.  Prometheus takes every name of digits for a segment
 * and numbers them as they are sorted, so one that it would not have made
 * shifts all references: 0 marks it.
 */
static bool
parse_segment(const char *name, size_t len, uint32_t *out)
{
        uint32_t number = 0;

        if (len == 0)
                return false;
        for (size_t idx = 0; idx < len; idx++) {
                if (name[idx] < '0' || name[idx] > '9')
                        return false;
                if (idx < SEGMENT_DIGITS)
                        number = number * 10 + (uint32_t)(name[idx] - '0');
        }
        *out = len == SEGMENT_DIGITS ? number : 0;
        return true;
}

static bool
equals(const char *name, size_t len, const char *text)
{
        return len == strlen(text) && memcmp(name, text, len) == 0;
}

static enum tsdb_kind
parse_member(const char *name, size_t len, uint32_t *segment)
{
        static const char dir[] = "chunks/";
        size_t dir_len = sizeof(dir) - 1;

        if (equals(name, len, "meta.json"))
                return TSDB_META;
        if (equals(name, len, "index"))
                return TSDB_INDEX;
        if (equals(name, len, "tombstones"))
                return TSDB_TOMBSTONES;
        if (equals(name, len, "chunks"))
                return TSDB_PLAIN_DIR;
        if (len > dir_len && memcmp(name, dir, dir_len) == 0 &&
            parse_segment(name + dir_len, len - dir_len, segment))
                return TSDB_SEGMENT;
        return TSDB_FOREIGN;
}

void
tsdb_name_parse(const char *name, size_t len, struct tsdb_name *out)
{
        *out = (struct tsdb_name){ .kind = TSDB_FOREIGN };
        while (len >= 2 && name[0] == '.' && name[1] == '/') {
                name += 2;
                len -= 2;
        }
        while (len > 0 && name[len - 1] == '/')
                len--;
        if (len == 0 || equals(name, len, ".")) {
                out->kind = TSDB_PLAIN_DIR;
                return;
        }

        const char *slash = memchr(name, '/', len);
        size_t first = slash != NULL ? (size_t)(slash - name) : len;
        if (!tsdb_is_ulid(name, first))
                return;
        memcpy(out->ulid, name, first);
        out->kind =
            slash == NULL ? TSDB_BLOCK : parse_member(slash + 1, len - first - 1, &out->segment);
}
