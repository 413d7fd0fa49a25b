#include "url_options.h"

#include <ctype.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

#define NAME_MAX_LEN ((size_t)32)

static struct url_option *
find(struct url_option *options, const char *name)
{
        for (struct url_option *at = options; at->name != NULL; at++) {
                if (strcmp(at->name, name) == 0)
                        return at;
        }
        return NULL;
}

/* How many letters have to be changed, added or dropped to make b of a (Levenshtein). */
static size_t
distance(const char *a, const char *b)
{
        size_t row[NAME_MAX_LEN + 1];
        size_t b_len = strlen(b);

        if (strlen(a) > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
                return NAME_MAX_LEN;
        for (size_t col = 0; col <= b_len; col++)
                row[col] = col;
        for (size_t line = 1; a[line - 1] != '\0'; line++) {
                size_t diagonal = row[0];
                row[0] = line;
                for (size_t col = 1; col <= b_len; col++) {
                        size_t best = diagonal + (a[line - 1] != b[col - 1]);
                        if (row[col] + 1 < best)
                                best = row[col] + 1;
                        if (row[col - 1] + 1 < best)
                                best = row[col - 1] + 1;
                        diagonal = row[col];
                        row[col] = best;
                }
        }
        return row[b_len];
}

static int
unknown(const struct url_option *options, const char *name, struct err *err)
{
        const char *nearest = NULL;
        size_t least = 3;
        struct buf names;

        err_set(
            err, ERR_USAGE, "cannot open a store: its URL has the unknown option \"%.64s\"", name);
        buf_init(&names, 400);
        for (const struct url_option *at = options; at->name != NULL; at++) {
                size_t far = distance(name, at->name);
                if (far < least && far < strlen(at->name)) {
                        least = far;
                        nearest = at->name;
                }
                /* A list that is cut short is better than none. */
                (void)buf_addf(&names, NULL, "%s%s", names.len > 0 ? ", " : "", at->name);
        }
        if (nearest != NULL)
                err_hint(err, "did you mean \"%s\"?", nearest);
        else if (names.data != NULL)
                err_hint(err, "there are: %s", names.data);
        buf_free(&names);
        return -1;
}

/* The text of len bytes, decoded, as a string. */
static char *
decoded(const char *text, size_t len, struct err *err)
{
        struct buf out;

        buf_init(&out, URL_MAX);
        if (url_decode(text, len, &out, err) < 0) {
                if (err != NULL && err->code == ERR_INVALID)
                        err->code = ERR_USAGE;
                err_prefix(err, "cannot open a store: the options of its URL");
                goto fail;
        }
        for (size_t idx = 0; idx < out.len; idx++) {
                if (iscntrl((unsigned char)out.data[idx])) {
                        err_set(err, ERR_USAGE,
                            "cannot open a store: the options of its URL have "
                            "a control character in them");
                        goto fail;
                }
        }
        if (out.data == NULL)
                return mem_strdup("", err);
        return buf_detach(&out, err);

fail:
        buf_free(&out);
        return NULL;
}

/* "name=value" */
static int
parse_one(struct url_option *options, const char *text, size_t len, struct err *err)
{
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
        char *value = NULL;

        char *name = decoded(text, name_len, err);
        if (name == NULL)
                return -1;
        struct url_option *option = find(options, name);
        if (option == NULL) {
                unknown(options, name, err);
                goto fail;
        }
        if (option->value != NULL) {
                err_set(err, ERR_USAGE,
                    "cannot open a store: its URL has the option \"%s\" more than once", name);
                goto fail;
        }
        if (equals == NULL || equals + 1 == text + len) {
                err_set(err, ERR_USAGE,
                    "cannot open a store: the option \"%s\" of its URL has no value", name);
                goto fail;
        }
        value = decoded(equals + 1, len - name_len - 1, err);
        if (value == NULL)
                goto fail;
        option->value = value;
        mem_free(name);
        return 0;

fail:
        mem_free(name);
        return -1;
}

int
url_options_parse(struct url_option *options, const struct url *url, struct err *err)
{
        const char *at = url->query;

        while (at != NULL && *at != '\0') {
                size_t len = strcspn(at, "&");
                if (parse_one(options, at, len, err) < 0)
                        return -1;
                at = at[len] == '&' ? at + len + 1 : NULL;
        }
        return 0;
}

void
url_options_clear(struct url_option *options)
{
        for (struct url_option *at = options; at->name != NULL; at++) {
                mem_free(at->value);
                at->value = NULL;
        }
}

const char *
url_options_get(const struct url_option *options, const char *name)
{
        for (const struct url_option *at = options; at->name != NULL; at++) {
                if (strcmp(at->name, name) == 0)
                        return at->value;
        }
        return NULL;
}

int
url_options_set(struct url_option *options, const char *name, const char *value, struct err *err)
{
        struct url_option *option = find(options, name);
        char *copy = mem_strdup(value, err);

        if (copy == NULL)
                return -1;
        mem_free(option->value);
        option->value = copy;
        return 0;
}

int
url_options_number(const struct url_option *options, const char *name, uint64_t min, uint64_t max,
    uint64_t *out, struct err *err)
{
        const char *text = url_options_get(options, name);
        uint64_t number = 0;

        if (text == NULL)
                return 0;
        size_t len = strlen(text);
        bool good = len > 0 && len <= 18 && strspn(text, "0123456789") == len;
        for (size_t idx = 0; good && idx < len; idx++)
                number = number * 10 + (uint64_t)(text[idx] - '0');
        if (!good || number < min || number > max)
                return err_set(err, ERR_USAGE,
                    "cannot open a store: the option \"%s\" of its URL is no number from %llu to "
                    "%llu",
                    name, (unsigned long long)min, (unsigned long long)max);
        *out = number;
        return 0;
}

/*
 * What a query may have as it stands (RFC 3986), but for '&', '+' and '%'; and the
 * brackets of an IPv6 address, which all take and people can read.
 */
static int
write_value(const char *value, struct buf *out, struct err *err)
{
        for (const char *at = value; *at != '\0'; at++) {
                int rc = strchr(":/=,@[]", *at) != NULL ? buf_add(out, at, 1, err)
                                                        : url_encode(at, 1, 0, out, err);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

int
url_options_write(const struct url_option *options, struct buf *out, struct err *err)
{
        char before = '?';

        for (const struct url_option *at = options; at->name != NULL; at++) {
                if (at->value == NULL)
                        continue;
                if (buf_addf(out, err, "%c%s=", before, at->name) < 0 ||
                    write_value(at->value, out, err) < 0)
                        return -1;
                before = '&';
        }
        return 0;
}
