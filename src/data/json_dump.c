#include "json_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"

/*
 * jansson's own writer is not used: its \u escapes are in upper case and its
 * reals have digits that nobody asked for, so that digests taken over its
 * text could not be checked with everyday tools.
 */

#define INDENT_MAX 8

struct dump {
        struct buf *out;
        struct err *err;
        size_t indent;
        size_t depth;
};

struct member {
        const char *key;
        size_t key_len;
        const json_t *value;
};

static int dump_value(struct dump *dump, const json_t *value);

static int
add(struct dump *dump, const char *text, size_t len)
{
        return buf_add(dump->out, text, len, dump->err);
}

/* Start a new line at the depth at hand; nothing in the compact form. */
static int
add_line(struct dump *dump)
{
        if (dump->indent == 0)
                return 0;
        size_t len = 1 + dump->indent * dump->depth;
        char *room = buf_reserve(dump->out, len, dump->err);
        if (room == NULL)
                return -1;
        room[0] = '\n';
        memset(room + 1, ' ', len - 1);
        buf_commit(dump->out, len);
        return 0;
}

/* The escape of a character that cannot stand for itself, in out; NULL when it can. */
static const char *
escape(char at, char out[8])
{
        switch (at) {
        case '"':
                return "\\\"";
        case '\\':
                return "\\\\";
        case '\b':
                return "\\b";
        case '\f':
                return "\\f";
        case '\n':
                return "\\n";
        case '\r':
                return "\\r";
        case '\t':
                return "\\t";
        default:
                break;
        }
        if ((unsigned char)at >= ' ' && at != 127)
                return NULL;
        snprintf(out, 8, "\\u%04x", (unsigned)(unsigned char)at);
        return out;
}

static int
dump_string(struct dump *dump, const char *text, size_t len)
{
        size_t from = 0;

        if (add(dump, "\"", 1) < 0)
                return -1;
        for (size_t at = 0; at < len; at++) {
                char hex[8];
                const char *escaped = escape(text[at], hex);
                if (escaped == NULL)
                        continue;
                if (add(dump, text + from, at - from) < 0 ||
                    add(dump, escaped, strlen(escaped)) < 0)
                        return -1;
                from = at + 1;
        }
        if (add(dump, text + from, len - from) < 0)
                return -1;
        return add(dump, "\"", 1);
}

static int
dump_real(struct dump *dump, double value)
{
        char text[40];

        /* The fewest digits from which the same number is read; 17 always are enough. */
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof(text), "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        if (strpbrk(text, ".e") == NULL)
                memcpy(text + strlen(text), ".0", 3);
        return add(dump, text, strlen(text));
}

static int
dump_array(struct dump *dump, const json_t *array)
{
        size_t len = json_array_size(array);

        if (len == 0)
                return add(dump, "[]", 2);
        if (add(dump, "[", 1) < 0)
                return -1;
        dump->depth++;
        for (size_t idx = 0; idx < len; idx++) {
                if (idx > 0 && add(dump, ",", 1) < 0)
                        return -1;
                if (add_line(dump) < 0 || dump_value(dump, json_array_get(array, idx)) < 0)
                        return -1;
        }
        dump->depth--;
        if (add_line(dump) < 0)
                return -1;
        return add(dump, "]", 1);
}

static int
compare_members(const void *left, const void *right)
{
        const struct member *a = left, *b = right;
        size_t common = a->key_len < b->key_len ? a->key_len : b->key_len;
        int order = memcmp(a->key, b->key, common);

        return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* The members in the order of their keys' bytes, which is that of their code points. */
static struct member *
sorted_members(const json_t *object, size_t count, struct err *err)
{
        struct member *members = mem_alloc(count * sizeof(*members), err);
        json_t *inner = (json_t *)(uintptr_t)object; /* the iterator wants no const */
        void *iter = json_object_iter(inner);

        if (members == NULL)
                return NULL;
        for (size_t idx = 0; idx < count; idx++) {
                members[idx] = (struct member){
                        .key = json_object_iter_key(iter),
                        .key_len = json_object_iter_key_len(iter),
                        .value = json_object_iter_value(iter),
                };
                iter = json_object_iter_next(inner, iter);
        }
        qsort(members, count, sizeof(*members), compare_members);
        return members;
}

static int
dump_member(struct dump *dump, const struct member *member)
{
        if (add_line(dump) < 0 || dump_string(dump, member->key, member->key_len) < 0 ||
            add(dump, ": ", dump->indent != 0 ? 2 : 1) < 0)
                return -1;
        return dump_value(dump, member->value);
}

static int
dump_object(struct dump *dump, const json_t *object)
{
        size_t count = json_object_size(object);
        int rc = -1;

        if (count == 0)
                return add(dump, "{}", 2);
        struct member *members = sorted_members(object, count, dump->err);
        if (members == NULL)
                return -1;
        if (add(dump, "{", 1) < 0)
                goto done;
        dump->depth++;
        for (size_t idx = 0; idx < count; idx++) {
                if (idx > 0 && add(dump, ",", 1) < 0)
                        goto done;
                if (dump_member(dump, &members[idx]) < 0)
                        goto done;
        }
        dump->depth--;
        if (add_line(dump) < 0)
                goto done;
        rc = add(dump, "}", 1);
done:
        mem_free(members);
        return rc;
}

static int
dump_value(struct dump *dump, const json_t *value)
{
        if (dump->depth > JSON_DEPTH_MAX)
                return err_set(
                    dump->err, ERR_TOO_BIG, "JSON is nested more than %d deep", JSON_DEPTH_MAX);
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return dump_object(dump, value);
        case JSON_ARRAY:
                return dump_array(dump, value);
        case JSON_STRING:
                return dump_string(dump, json_string_value(value), json_string_length(value));
        case JSON_INTEGER:
                return buf_addf(dump->out, dump->err, "%lld", (long long)json_integer_value(value));
        case JSON_REAL:
                return dump_real(dump, json_real_value(value));
        case JSON_TRUE:
                return add(dump, "true", 4);
        case JSON_FALSE:
                return add(dump, "false", 5);
        case JSON_NULL:
                break;
        }
        return add(dump, "null", 4);
}

int
json_dump(const struct json *value, int indent, struct buf *out, struct err *err)
{
        struct dump dump = { .out = out, .err = err };
        size_t before = out->len;

        dump.indent = indent < 0 ? 0 : indent > INDENT_MAX ? INDENT_MAX : (size_t)indent;
        if (dump_value(&dump, json_inner(value)) < 0) {
                /* Leave no half of a value behind. */
                if (out->data != NULL) {
                        out->len = before;
                        out->data[before] = '\0';
                }
                return -1;
        }
        return 0;
}
