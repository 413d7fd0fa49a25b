#include "json_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/buf.h"

static json_t *
load(const char *text, size_t len, json_error_t *error)
{
        json_begin();
        json_t *value =
            json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
        if (value != NULL && json_ran_out()) {
                /* jansson's scanner loses a character, and goes on, when its buffer cannot grow. */
                json_decref(value);
                return NULL;
        }
        return value;
}

static size_t
number_len(const char *text, size_t len)
{
        size_t at = 0;

        while (at < len && memchr("+-.0123456789eE", text[at], 15) != NULL)
                at++;
        return at;
}

/* Is this number written as an integer, and past 64 bits? */
static bool
is_wide_integer(const char *text, size_t len)
{
        char digits[32];

        if (memchr(text, '.', len) != NULL || memchr(text, 'e', len) != NULL ||
            memchr(text, 'E', len) != NULL)
                return false;
        if (len >= sizeof(digits))
                return true;
        memcpy(digits, text, len);
        digits[len] = '\0';
        errno = 0;
        (void)strtoll(digits, NULL, 10);
        return errno == ERANGE;
}

/*
 * jansson refuses a text with an integer past 64 bits, such as the cluster
 * identifiers that etcd writes.  Marked as reals with an exponent they are
 * read as what others make of them, the nearest double.
 */
static int
mark_wide_integers(const char *text, size_t len, struct buf *out, struct err *err)
{
        size_t at = 0;

        while (at < len) {
                size_t from = at, number = 0;
                if (text[at] == '"') {
                        for (at++; at < len && text[at] != '"'; at++)
                                at += text[at] == '\\';
                        at = at < len ? at + 1 : len;
                } else if ((number = number_len(text + at, len - at)) > 0) {
                        at += number;
                } else {
                        at++;
                }
                if (buf_add(out, text + from, at - from, err) < 0)
                        return -1;
                if (number > 0 && is_wide_integer(text + from, number) &&
                    buf_addstr(out, "e0", err) < 0)
                        return -1;
        }
        return 0;
}

static int
syntax_error(const json_error_t *error, struct err *err)
{
        char why[sizeof(error->text)];
        size_t idx = 0;

        if (json_ran_out() || json_error_code(error) == json_error_out_of_memory)
                return err_set(err, ERR_NOMEM, "cannot allocate memory for JSON");
        /* The reason quotes the text, and so may have a line break or worse in it. */
        for (; error->text[idx] != '\0'; idx++)
                why[idx] = (unsigned char)error->text[idx] < ' ' ? ' ' : error->text[idx];
        why[idx] = '\0';
        return err_set(
            err, ERR_INVALID, "not JSON: line %d, column %d: %s", error->line, error->column, why);
}

struct json *
json_parse(const char *text, size_t len, struct err *err)
{
        json_error_t error;
        json_t *value = load(len != 0 ? text : "", len, &error);

        if (value == NULL && !json_ran_out() &&
            json_error_code(&error) == json_error_numeric_overflow) {
                struct buf marked;
                buf_init(&marked, 2 * len);
                if (mark_wide_integers(text, len, &marked, err) < 0) {
                        buf_free(&marked);
                        return NULL;
                }
                value = load(marked.data, marked.len, &error);
                buf_free(&marked);
        }
        if (value == NULL)
                syntax_error(&error, err);
        return json_outer(value);
}
