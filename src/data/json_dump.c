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

struct member {
        const char *key;
        size_t key_len;
        const json_t *value;
};

/* An array or object that is being written. */
struct level {
        const json_t *container;
        struct member *members; /* of an object, sorted; NULL for an array */
        size_t count;
        size_t next; /* index of the child to be written next */
};

/* The levels are kept here and not on the stack, which is small in a thread. */
struct dump {
        struct buf *out;
        struct err *err;
        size_t indent;
        struct level *levels;
        size_t depth;
        size_t cap;
};

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

/* Begin an array or object that is not empty. */
static int
open_level(struct dump *dump, const json_t *container, size_t count)
{
        struct level level = { .container = container, .count = count };

        if (dump->depth == JSON_DEPTH_MAX)
                return err_set(
                    dump->err, ERR_TOO_BIG, "JSON is nested more than %d deep", JSON_DEPTH_MAX);
        if (dump->depth == dump->cap) {
                size_t cap = dump->cap != 0 ? dump->cap * 2 : 16;
                void *levels = mem_realloc(dump->levels, cap * sizeof(*dump->levels), dump->err);
                if (levels == NULL)
                        return -1;
                dump->levels = levels;
                dump->cap = cap;
        }
        if (json_is_object(container)) {
                level.members = sorted_members(container, count, dump->err);
                if (level.members == NULL)
                        return -1;
        }
        dump->levels[dump->depth++] = level;
        return add(dump, level.members != NULL ? "{" : "[", 1);
}

static int
close_level(struct dump *dump)
{
        struct member *members = dump->levels[--dump->depth].members;
        bool object = members != NULL;

        mem_free(members);
        if (add_line(dump) < 0)
                return -1;
        return add(dump, object ? "}" : "]", 1);
}

/* Write a scalar or an empty container; open any other one. */
static int
dump_value(struct dump *dump, const json_t *value)
{
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                if (json_object_size(value) > 0)
                        return open_level(dump, value, json_object_size(value));
                return add(dump, "{}", 2);
        case JSON_ARRAY:
                if (json_array_size(value) > 0)
                        return open_level(dump, value, json_array_size(value));
                return add(dump, "[]", 2);
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

/* The next child of the deepest level. */
static int
dump_child(struct dump *dump)
{
        struct level *level = &dump->levels[dump->depth - 1];
        size_t idx = level->next++;

        if ((idx > 0 && add(dump, ",", 1) < 0) || add_line(dump) < 0)
                return -1;
        if (level->members == NULL)
                return dump_value(dump, json_array_get(level->container, idx));

        const struct member *member = &level->members[idx];
        if (dump_string(dump, member->key, member->key_len) < 0 ||
            add(dump, ": ", dump->indent != 0 ? 2 : 1) < 0)
                return -1;
        return dump_value(dump, member->value);
}

static int
dump_all(struct dump *dump, const json_t *value)
{
        if (dump_value(dump, value) < 0)
                return -1;
        while (dump->depth > 0) {
                const struct level *level = &dump->levels[dump->depth - 1];
                int rc = level->next < level->count ? dump_child(dump) : close_level(dump);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

int
json_dump(const struct json *value, int indent, struct buf *out, struct err *err)
{
        struct dump dump = { .out = out, .err = err };
        size_t before = out->len;

        dump.indent = indent < 0 ? 0 : indent > INDENT_MAX ? INDENT_MAX : (size_t)indent;
        int rc = dump_all(&dump, json_inner(value));
        if (rc < 0 && out->data != NULL) {
                /* Leave no half of a value behind. */
                out->len = before;
                out->data[before] = '\0';
        }
        while (dump.depth > 0)
                mem_free(dump.levels[--dump.depth].members);
        mem_free(dump.levels);
        return rc;
}
