#include "yaml_internal.h"

#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"

/* YAML reads a key in front of its colon only when it is short: 1024 characters. */
#define SIMPLE_KEY_MAX 1000

struct dump {
        struct buf *out;
        struct err *err;
        size_t depth;
};

/* What stands in front of a value on its line: it decides how a collection begins. */
enum front {
        FRONT_NOTHING, /* the line is still empty, at the value's column */
        FRONT_DASH,
        FRONT_KEY,
        FRONT_LONG_KEY
};

static int dump_value(struct dump *dump, const struct json *value, size_t column, enum front front);

static int
add(struct dump *dump, const char *text)
{
        return buf_addstr(dump->out, text, dump->err);
}

static int
add_indent(struct dump *dump, size_t column)
{
        char *room = buf_reserve(dump->out, column, dump->err);

        if (room == NULL)
                return -1;
        memset(room, ' ', column);
        buf_commit(dump->out, column);
        return 0;
}

/* A key that looks like a name, and like nothing else to any reader. */
static bool
is_plain_key(const char *key, size_t len)
{
        static const char letters[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-/";
        struct yaml_resolved resolved;

        if (len == 0 || len > SIMPLE_KEY_MAX || strspn(key, letters) != len ||
            memchr("0123456789.-/", key[0], 13) != NULL)
                return false;
        return yaml_resolve(key, len, &resolved, NULL) == 0 && resolved.kind == YAML_KIND_STRING;
}

static int
add_key(struct dump *dump, const char *key, size_t len, enum front *front)
{
        size_t before = dump->out->len;

        *front = FRONT_KEY;
        if (is_plain_key(key, len))
                return buf_addf(dump->out, dump->err, "%s:", key);
        if (len <= SIMPLE_KEY_MAX) {
                if (yaml_dump_quoted(key, len, dump->out, dump->err) < 0)
                        return -1;
                if (dump->out->len - before <= SIMPLE_KEY_MAX)
                        return add(dump, ":");
                dump->out->len = before;
        }
        *front = FRONT_LONG_KEY;
        if (add(dump, "? ") < 0 || yaml_dump_quoted(key, len, dump->out, dump->err) < 0)
                return -1;
        return add(dump, "\n");
}

struct member {
        const char *key;
        size_t key_len;
        const struct json *value;
};

static int
compare_members(const void *left, const void *right)
{
        const struct member *a = left, *b = right;
        size_t common = a->key_len < b->key_len ? a->key_len : b->key_len;
        int order = memcmp(a->key, b->key, common);

        return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static struct member *
sorted_members(const struct json *object, size_t *count, struct err *err)
{
        struct json *child;
        const char *key;
        size_t key_len, idx = 0;
        void *iter = NULL;

        *count = json_object_size(json_inner(object));
        struct member *members = mem_alloc(*count * sizeof(*members), err);
        if (members == NULL)
                return NULL;
        while (json_object_next(object, &iter, &key, &key_len, &child))
                members[idx++] = (struct member){ key, key_len, child };
        qsort(members, *count, sizeof(*members), compare_members);
        return members;
}

static int
dump_members(struct dump *dump, const struct json *object, size_t column, bool inline_first)
{
        enum front front;
        size_t count;
        struct member *members = sorted_members(object, &count, dump->err);
        int rc = members != NULL ? 0 : -1;

        for (size_t idx = 0; rc == 0 && idx < count; idx++) {
                if (idx > 0 || !inline_first)
                        rc = add_indent(dump, column);
                if (rc == 0)
                        rc = add_key(dump, members[idx].key, members[idx].key_len, &front);
                if (rc == 0 && front == FRONT_LONG_KEY) {
                        rc = add_indent(dump, column);
                        if (rc == 0)
                                rc = add(dump, ":");
                }
                if (rc == 0)
                        rc = dump_value(dump, members[idx].value, column, front);
        }
        mem_free(members);
        return rc;
}

static int
dump_items(struct dump *dump, const struct json *array, size_t column, bool inline_first)
{
        for (size_t idx = 0; idx < json_array_len(array); idx++) {
                if ((idx > 0 || !inline_first) && add_indent(dump, column) < 0)
                        return -1;
                if (add(dump, "-") < 0 ||
                    dump_value(dump, json_array_at(array, idx), column, FRONT_DASH) < 0)
                        return -1;
        }
        return 0;
}

/*
 * A collection that is not empty: behind a dash it begins on the same line, behind
 * a key on the next one, lists at the column of the key.
 */
static int
dump_collection(struct dump *dump, const struct json *value, size_t column, enum front front)
{
        bool object = json_type_of(value) == JSON_T_OBJECT;
        bool same_column = front == FRONT_NOTHING || (front == FRONT_KEY && !object);
        bool same_line = front == FRONT_NOTHING || front == FRONT_DASH;

        if (dump->depth == YAML_DEPTH_MAX)
                return err_set(dump->err, ERR_TOO_BIG,
                    "cannot write YAML: nested more than %d deep", YAML_DEPTH_MAX);
        if (front == FRONT_DASH && add(dump, " ") < 0)
                return -1;
        if (!same_line && add(dump, "\n") < 0)
                return -1;
        dump->depth++;
        size_t inner = same_column ? column : column + 2;
        int rc = object ? dump_members(dump, value, inner, same_line)
                        : dump_items(dump, value, inner, same_line);
        dump->depth--;
        return rc;
}

static int
dump_real(struct dump *dump, double value)
{
        char text[YAML_NUMBER_SIZE];
        int64_t integer;

        yaml_float_text(value, text);
        return buf_addf(dump->out, dump->err, "%s%s\n",
            yaml_float_is_integer(value, &integer) ? "!!float " : "", text);
}

static int
dump_scalar(struct dump *dump, const struct json *value, size_t column)
{
        const char *text;
        size_t len;

        switch (json_type_of(value)) {
        case JSON_T_NULL:
                return add(dump, "null\n");
        case JSON_T_BOOL:
                return add(dump, json_bool(value) ? "true\n" : "false\n");
        case JSON_T_INT:
                return buf_addf(dump->out, dump->err, "%lld\n", (long long)json_int(value));
        case JSON_T_REAL:
                return dump_real(dump, json_real(value));
        case JSON_T_STRING:
                text = json_string(value, &len);
                return yaml_dump_string(text, len, column, dump->out, dump->err);
        case JSON_T_ARRAY:
                return add(dump, "[]\n");
        case JSON_T_OBJECT:
                return add(dump, "{}\n");
        }
        return -1;
}

static int
dump_value(struct dump *dump, const struct json *value, size_t column, enum front front)
{
        /* Of a scalar it is 0. */
        size_t children = json_array_len(value) + json_object_size(json_inner(value));

        if (children > 0)
                return dump_collection(dump, value, column, front);
        if (front != FRONT_NOTHING && add(dump, " ") < 0)
                return -1;
        return dump_scalar(dump, value, column);
}

int
yaml_dump(const struct json *value, bool marker, struct buf *out, struct err *err)
{
        struct dump dump = { .out = out, .err = err };
        size_t before = out->len;

        if (marker && add(&dump, "---\n") < 0)
                return -1;
        if (dump_value(&dump, value, 0, FRONT_NOTHING) == 0)
                return 0;
        /* Leave no half of a document behind. */
        if (out->data != NULL) {
                out->len = before;
                out->data[before] = '\0';
        }
        return -1;
}
