#include "yaml_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "moonkeep/encode.h"

/* Which libyaml has no name for. */
#define BINARY_TAG "tag:yaml.org,2002:binary"

/* The words of YAML 1.1, in the forms that the library of kubectl knows. */
static const struct {
        const char *forms;
        struct yaml_resolved meaning;
} words[] = {
        { "~ null Null NULL", { .kind = YAML_KIND_NULL } },
        { "y Y yes Yes YES true True TRUE on On ON", { .kind = YAML_KIND_BOOL, .boolean = true } },
        { "n N no No NO false False FALSE off Off OFF", { .kind = YAML_KIND_BOOL } },
        { ".inf .Inf .INF +.inf +.Inf +.INF", { .kind = YAML_KIND_FLOAT, .real = INFINITY } },
        { "-.inf -.Inf -.INF", { .kind = YAML_KIND_FLOAT, .real = -INFINITY } },
        { ".nan .NaN .NAN", { .kind = YAML_KIND_FLOAT, .real = NAN } },
};

#define WORD_MAX 5

/* Is the text one of the forms, which blanks separate? */
static bool
is_one_of(const char *forms, const char *text, size_t len)
{
        for (size_t form_len; *forms != '\0'; forms += form_len + (forms[form_len] != '\0')) {
                form_len = strcspn(forms, " ");
                if (form_len == len && memcmp(forms, text, len) == 0)
                        return true;
        }
        return false;
}

int
yaml_resolve(const char *text, size_t len, struct yaml_resolved *out, struct err *err)
{
        *out = (struct yaml_resolved){ .kind = len == 0 ? YAML_KIND_NULL : YAML_KIND_STRING };
        if (len == 0)
                return 0;
        for (size_t idx = 0; len <= WORD_MAX && idx < sizeof(words) / sizeof(words[0]); idx++) {
                if (is_one_of(words[idx].forms, text, len)) {
                        *out = words[idx].meaning;
                        return 0;
                }
        }
        if (memchr("+-.0123456789", text[0], 13) == NULL)
                return 0;
        return yaml_resolve_number(text, len, out, err);
}

const char *
yaml_shown(const char *text, size_t len, char out[YAML_SHOWN_SIZE])
{
        size_t end = len <= (YAML_SHOWN_SIZE - 4) ? len : (YAML_SHOWN_SIZE - 4);

        while (end < len && end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
                end--;
        for (size_t at = 0; at < end; at++)
                out[at] = (unsigned char)text[at] < ' ' || text[at] == 127 ? '?' : text[at];
        snprintf(out + end, 4, "%s", end < len ? "..." : "");
        return out;
}

static int
decode_binary(const struct yaml_scalar *scalar, struct buf *out, struct err *err)
{
        struct buf joined;
        int rc = 0;

        buf_init(&joined, scalar->len + 1);
        for (size_t at = 0; rc == 0 && at < scalar->len;) {
                size_t line = at;
                while (at < scalar->len && scalar->text[at] != '\n' && scalar->text[at] != '\r')
                        at++;
                rc = buf_add(&joined, scalar->text + line, at - line, err);
                while (at < scalar->len && (scalar->text[at] == '\n' || scalar->text[at] == '\r'))
                        at++;
        }
        if (rc == 0 && joined.len > 0)
                rc = base64_decode(joined.data, joined.len, out, err);
        buf_free(&joined);
        return rc;
}

/* A tag of YAML's own for scalars demands what a plain scalar would resolve to. */
static int
resolve_tagged(const struct yaml_scalar *scalar, struct yaml_resolved *out, struct err *err)
{
        static const struct {
                const char *tag;
                enum yaml_kind kind;
        } tags[] = {
                { YAML_NULL_TAG, YAML_KIND_NULL },
                { YAML_BOOL_TAG, YAML_KIND_BOOL },
                { YAML_INT_TAG, YAML_KIND_INT },
                { YAML_FLOAT_TAG, YAML_KIND_FLOAT },
        };
        char text[YAML_SHOWN_SIZE], tag[YAML_SHOWN_SIZE];

        for (size_t idx = 0; idx < sizeof(tags) / sizeof(tags[0]); idx++) {
                enum yaml_kind want = tags[idx].kind;
                if (strcmp(scalar->tag, tags[idx].tag) != 0)
                        continue;
                if (yaml_resolve(scalar->text, scalar->len, out, err) < 0)
                        return -1;
                if (want == YAML_KIND_FLOAT && out->kind == YAML_KIND_INT) {
                        out->kind = YAML_KIND_FLOAT;
                        out->real = (double)out->integer;
                }
                if (out->kind == want || (want == YAML_KIND_INT && out->kind == YAML_KIND_WIDE))
                        return 0;
                return err_set(err, ERR_INVALID, "\"%s\" is tagged !!%s, and is none",
                    yaml_shown(scalar->text, scalar->len, text), strrchr(scalar->tag, ':') + 1);
        }
        return err_set(err, ERR_INVALID, "the tag \"%s\" is not supported for a scalar",
            yaml_shown(scalar->tag, strlen(scalar->tag), tag));
}

/* What a scalar is; of a string, its text is left in out. */
static int
classify(const struct yaml_scalar *scalar, struct yaml_resolved *resolved, struct buf *out,
    struct err *err)
{
        *resolved = (struct yaml_resolved){ .kind = YAML_KIND_STRING };
        if (scalar->tag != NULL && strcmp(scalar->tag, BINARY_TAG) == 0)
                return decode_binary(scalar, out, err);
        if (scalar->tag != NULL && strcmp(scalar->tag, YAML_STR_TAG) != 0 &&
            strcmp(scalar->tag, "!") != 0) {
                if (resolve_tagged(scalar, resolved, err) < 0)
                        return -1;
        } else if (scalar->tag == NULL && scalar->plain) {
                if (yaml_resolve(scalar->text, scalar->len, resolved, err) < 0)
                        return -1;
        }
        if (resolved->kind != YAML_KIND_STRING)
                return 0;
        return buf_add(out, scalar->text, scalar->len, err);
}

static struct json *
float_value(double value, bool tagged, struct err *err)
{
        int64_t integer;

        if (!isfinite(value)) {
                err_set(err, ERR_INVALID, "%s has no place in JSON",
                    isnan(value) ? ".nan" : "infinity");
                return NULL;
        }
        /* "1e3" is 1000 once kubectl has made JSON of it; a tag says that a real is meant. */
        if (!tagged && yaml_float_is_integer(value, &integer))
                return json_new_int(integer, err);
        return json_new_real(value, err);
}

struct json *
yaml_scalar_value(const struct yaml_scalar *scalar, struct err *err)
{
        struct yaml_resolved resolved;
        struct json *value = NULL;
        struct buf text;

        buf_init(&text, scalar->len + 1);
        if (classify(scalar, &resolved, &text, err) < 0)
                goto done;
        switch (resolved.kind) {
        case YAML_KIND_NULL:
                value = json_new_null(err);
                break;
        case YAML_KIND_BOOL:
                value = json_new_bool(resolved.boolean, err);
                break;
        case YAML_KIND_INT:
                value = json_new_int(resolved.integer, err);
                break;
        case YAML_KIND_WIDE:
                value = json_new_real(resolved.real, err);
                break;
        case YAML_KIND_FLOAT:
                value = float_value(resolved.real, scalar->tag != NULL, err);
                break;
        case YAML_KIND_STRING:
                value = json_new_string(text.data, text.len, err);
                break;
        }
done:
        buf_free(&text);
        return value;
}

int
yaml_scalar_key(const struct yaml_scalar *scalar, struct buf *out, struct err *err)
{
        struct yaml_resolved resolved;
        char number[YAML_NUMBER_SIZE], text[YAML_SHOWN_SIZE];

        if (classify(scalar, &resolved, out, err) < 0)
                return -1;
        switch (resolved.kind) {
        case YAML_KIND_NULL:
                return err_set(err, ERR_INVALID, "null cannot be a key");
        case YAML_KIND_BOOL:
                return buf_addstr(out, resolved.boolean ? "true" : "false", err);
        case YAML_KIND_INT:
                return buf_addf(out, err, "%lld", (long long)resolved.integer);
        case YAML_KIND_WIDE:
                return err_set(err, ERR_INVALID, "the integer %s is too large for a key",
                    yaml_shown(scalar->text, scalar->len, text));
        case YAML_KIND_FLOAT:
                yaml_float_key(resolved.real, number);
                return buf_addstr(out, number, err);
        case YAML_KIND_STRING:
                break;
        }
        if (out->len > 0 && memchr(out->data, '\0', out->len) != NULL)
                return err_set(err, ERR_INVALID, "a key contains NUL");
        return 0;
}
