#include "tar_pax.h"

#include <string.h>

#include "tar_header.h"

/* One record; both parts point into the header's data. */
struct record {
        const char *key;
        size_t key_len;
        const char *value;
        size_t value_len;
};

void
tar_pax_clear(struct tar_pax *pax)
{
        /* The names are as large as the rest is small, and unused without their flag. */
        memset(pax, 0, offsetof(struct tar_pax, name));
}

static int
parse_decimal(const char *text, size_t len, uint64_t max, uint64_t *value)
{
        uint64_t number = 0;

        if (len == 0)
                return -1;
        for (size_t pos = 0; pos < len; pos++) {
                if (text[pos] < '0' || text[pos] > '9')
                        return -1;
                unsigned digit = (unsigned)(text[pos] - '0');
                if (number > max / 10 || digit > max - number * 10)
                        return -1;
                number = number * 10 + digit;
        }
        *value = number;
        return 0;
}

/* "-12.5": a fraction is cut off towards the past, as in struct timespec. */
static int
parse_time(const char *text, size_t len, int64_t *value)
{
        bool negative = len > 0 && text[0] == '-';
        const char *dot = len > 0 ? memchr(text, '.', len) : NULL;
        size_t whole = dot != NULL ? (size_t)(dot - text) : len;
        bool has_fraction = false;
        uint64_t number;

        if (parse_decimal(text + negative, whole - negative, INT64_MAX - 1, &number) < 0)
                return -1;
        for (size_t pos = whole + 1; pos < len; pos++) {
                if (text[pos] < '0' || text[pos] > '9')
                        return -1;
                has_fraction = has_fraction || text[pos] != '0';
        }
        *value = (int64_t)number;
        if (negative)
                *value = -*value - has_fraction;
        return 0;
}

/* The next record: "LENGTH KEY=VALUE\n", LENGTH being that of all of it. */
static int
next_record(const char **data, size_t *len, struct record *record)
{
        const char *space = memchr(*data, ' ', *len < 20 ? *len : 20);
        uint64_t total;

        if (space == NULL || parse_decimal(*data, (size_t)(space - *data), *len, &total) < 0)
                return -1;
        const char *end = *data + total;
        if (end < space + 4 || end[-1] != '\n')
                return -1;
        const char *equals = memchr(space + 1, '=', (size_t)(end - space) - 2);
        if (equals == NULL || equals == space + 1 ||
            memchr(space + 1, '\0', (size_t)(equals - space) - 1) != NULL)
                return -1;
        *record = (struct record){
                .key = space + 1,
                .key_len = (size_t)(equals - space) - 1,
                .value = equals + 1,
                .value_len = (size_t)(end - equals) - 2,
        };
        *data = end;
        *len -= total;
        return 0;
}

static bool
key_is(const struct record *record, const char *key)
{
        return record->key_len == strlen(key) && memcmp(record->key, key, record->key_len) == 0;
}

static bool
key_starts(const struct record *record, const char *start)
{
        size_t len = strlen(start);

        return record->key_len >= len && memcmp(record->key, start, len) == 0;
}

static int
copy_name(char *out, size_t *out_len, const char *value, size_t len)
{
        if (len == 0 || len > TAR_NAME_MAX || memchr(value, '\0', len) != NULL)
                return -1;
        memcpy(out, value, len);
        out[len] = '\0';
        *out_len = len;
        return 0;
}

static int
apply_sparse(struct tar_pax *pax, const struct record *record)
{
        pax->sparse = true;
        if (key_is(record, "GNU.sparse.name")) {
                pax->has_name = pax->has_sparse_name = true;
                return copy_name(pax->name, &pax->name_len, record->value, record->value_len);
        }
        if (key_is(record, "GNU.sparse.realsize") || key_is(record, "GNU.sparse.size")) {
                pax->has_real_size = true;
                return parse_decimal(
                    record->value, record->value_len, TAR_SIZE_MAX, &pax->real_size);
        }
        return 0;
}

static int
apply(struct tar_pax *pax, const struct record *record)
{
        const char *value = record->value;
        size_t len = record->value_len;

        if (key_is(record, "path")) {
                if (pax->has_sparse_name)
                        return 0;
                pax->has_name = true;
                return copy_name(pax->name, &pax->name_len, value, len);
        }
        if (key_is(record, "linkpath")) {
                pax->has_link = true;
                return copy_name(pax->link, &pax->link_len, value, len);
        }
        if (key_is(record, "size")) {
                pax->has_size = true;
                return parse_decimal(value, len, TAR_SIZE_MAX, &pax->size);
        }
        if (key_is(record, "mtime")) {
                pax->has_mtime = true;
                return parse_time(value, len, &pax->mtime_s);
        }
        if (key_is(record, "uid")) {
                pax->has_uid = true;
                return parse_decimal(value, len, INT64_MAX, &pax->uid);
        }
        if (key_is(record, "gid")) {
                pax->has_gid = true;
                return parse_decimal(value, len, INT64_MAX, &pax->gid);
        }
        if (key_starts(record, "GNU.sparse."))
                return apply_sparse(pax, record);
        /* star's size of a file with holes: nothing here could read its map. */
        return key_is(record, "SCHILY.realsize") ? -1 : 0;
}

int
tar_pax_parse(struct tar_pax *pax, const char *data, size_t len, const char **why)
{
        struct record record;

        while (len > 0) {
                if (next_record(&data, &len, &record) < 0) {
                        *why = "a pax header that is not made of records";
                        return -1;
                }
                if (apply(pax, &record) < 0) {
                        *why = "a pax record with an impossible value";
                        return -1;
                }
        }
        return 0;
}

int
tar_pax_check_global(const char *data, size_t len, const char **why)
{
        struct record record;

        while (len > 0) {
                if (next_record(&data, &len, &record) < 0) {
                        *why = "a pax header that is not made of records";
                        return -1;
                }
                if (key_is(&record, "path") || key_is(&record, "linkpath") ||
                    key_is(&record, "size") || key_is(&record, "SCHILY.realsize") ||
                    key_starts(&record, "GNU.sparse.")) {
                        *why = "a global pax header that changes names or sizes";
                        return -1;
                }
        }
        return 0;
}

/* GNU tar counts the NUL behind the name, others do not. */
static int
long_text(char *out, size_t *out_len, const char *data, size_t len, const char **why)
{
        *why = "an impossible long name";
        return copy_name(out, out_len, data, strnlen(data, len));
}

int
tar_pax_long_name(struct tar_pax *pax, const char *data, size_t len, const char **why)
{
        pax->has_name = true;
        return long_text(pax->name, &pax->name_len, data, len, why);
}

int
tar_pax_long_link(struct tar_pax *pax, const char *data, size_t len, const char **why)
{
        pax->has_link = true;
        return long_text(pax->link, &pax->link_len, data, len, why);
}
