#include "aws_config_internal.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "moonkeep/buf.h"

/* No section has begun, or one whose settings are not for us. */
#define NO_SECTION SIZE_MAX

struct parse {
        struct aws_config *config;
        enum aws_config_file file;
        size_t section;
        bool in_section; /* if only in one that is dropped */
        /*
         * The setting that lines which are indented further go on with.  It is
         * kept when it is known to be complete.
         */
        char key[AWS_CONFIG_NAME_MAX + 1]; /* "": there is none */
        size_t indent;
        struct buf value;
};

struct text {
        const char *at;
        size_t len;
};

static bool
is_blank(char at)
{
        return at == ' ' || at == '\t' || at == '\r' || at == '\f' || at == '\v';
}

static struct text
trimmed(const char *at, size_t len)
{
        while (len > 0 && is_blank(*at)) {
                at++;
                len--;
        }
        while (len > 0 && is_blank(at[len - 1]))
                len--;
        return (struct text){ at, len };
}

static int
bad(const char *why, struct err *err)
{
        return err_set(err, ERR_CREDENTIALS, "%s", why);
}

/* Keep the setting that was collected. */
static int
flush(struct parse *it, struct err *err)
{
        int rc = 0;

        if (it->key[0] != '\0' && it->section != NO_SECTION)
                rc = aws_config_set(&it->config->sections[it->section], it->file, it->key,
                    it->value.data, it->value.len, err);
        it->key[0] = '\0';
        secret_wipe(it->value.data, it->value.len);
        buf_clear(&it->value);
        return rc;
}

/* NAME of "KEYWORD NAME", which may be quoted; a NULL text when it is none. */
static struct text
name_after(struct text header, const char *keyword)
{
        struct text none = { NULL, 0 };
        size_t len = strlen(keyword);

        if (header.len <= len || memcmp(header.at, keyword, len) != 0 || !is_blank(header.at[len]))
                return none;
        struct text name = trimmed(header.at + len, header.len - len);
        char quote = name.len > 0 ? *name.at : '\0';
        if (quote == '"' || quote == '\'') {
                if (name.len < 2 || name.at[name.len - 1] != quote)
                        return none;
                return (struct text){ name.at + 1, name.len - 2 };
        }
        for (size_t idx = 0; idx < name.len; idx++) {
                if (is_blank(name.at[idx]))
                        return none;
        }
        return name;
}

static bool
is_text(struct text text, const char *word)
{
        return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

static int
parse_header(struct parse *it, struct text line, struct err *err)
{
        const char *end = memchr(line.at, ']', line.len);
        enum aws_config_kind kind = AWS_OTHER;

        if (flush(it, err) < 0)
                return -1;
        if (end == NULL)
                return bad("a section without \"]\"", err);
        struct text name = trimmed(line.at + 1, (size_t)(end - line.at) - 1);
        if (name.len > AWS_CONFIG_NAME_MAX)
                return bad("a section whose name is too long", err);
        if (it->file == AWS_FILE_CREDENTIALS || is_text(name, "default")) {
                kind = AWS_PROFILE;
        } else {
                struct text profile = name_after(name, "profile");
                struct text services = name_after(name, "services");
                if (profile.at != NULL) {
                        kind = AWS_PROFILE;
                        name = profile;
                } else if (services.at != NULL) {
                        kind = AWS_SERVICES;
                        name = services;
                }
        }
        it->in_section = true;
        it->section = NO_SECTION;
        if (name.len == 0)
                return 0;
        return aws_config_section(it->config, kind, name.at, name.len, &it->section, err);
}

/* "KEY = VALUE" into name (in lower case, after what is in it already) and value. */
static int
split(struct text line, const char *delimiters, char name[AWS_CONFIG_NAME_MAX + 1],
    struct text *value, struct err *err)
{
        size_t len = 0, before = strlen(name);

        while (len < line.len && strchr(delimiters, line.at[len]) == NULL)
                len++;
        if (len == line.len)
                return bad("a line that is neither a section nor \"name = value\"", err);
        struct text key = trimmed(line.at, len);
        if (key.len == 0)
                return bad("a value without a name", err);
        if (key.len > AWS_CONFIG_NAME_MAX - before)
                return bad("a name that is too long", err);
        for (size_t idx = 0; idx < key.len; idx++)
                name[before + idx] = (char)tolower((unsigned char)key.at[idx]);
        name[before + key.len] = '\0';
        *value = trimmed(line.at + len + 1, line.len - len - 1);
        return 0;
}

/* A line that goes on with the setting before: nested settings below a name alone, or more text. */
static int
parse_more(struct parse *it, struct text line, struct err *err)
{
        char key[AWS_CONFIG_NAME_MAX + 1];
        struct text value;

        if (it->value.len > 0) {
                if (buf_add(&it->value, "\n", 1, err) < 0)
                        return -1;
                return buf_add(&it->value, line.at, line.len, err);
        }
        size_t len = strlen(it->key);
        if (len >= AWS_CONFIG_NAME_MAX)
                return bad("a name that is too long", err);
        memcpy(key, it->key, len);
        key[len] = '.';
        key[len + 1] = '\0';
        if (split(line, "=", key, &value, err) < 0)
                return -1;
        if (it->section == NO_SECTION)
                return 0;
        return aws_config_set(
            &it->config->sections[it->section], it->file, key, value.at, value.len, err);
}

static int
parse_setting(struct parse *it, struct text line, size_t indent, struct err *err)
{
        struct text value;

        if (flush(it, err) < 0)
                return -1;
        if (!it->in_section)
                return bad("a setting outside of any section", err);
        if (split(line, "=:", it->key, &value, err) < 0)
                return -1;
        it->indent = indent;
        return buf_add(&it->value, value.at, value.len, err);
}

static int
parse_line(struct parse *it, const char *at, size_t len, struct err *err)
{
        struct text line = trimmed(at, len);
        size_t indent = (size_t)(line.at - at);

        if (line.len == 0 || *line.at == '#' || *line.at == ';')
                return 0;
        if (memchr(line.at, '\0', line.len) != NULL)
                return bad("a NUL byte", err);
        if (it->key[0] != '\0' && indent > it->indent)
                return parse_more(it, line, err);
        if (*line.at == '[')
                return parse_header(it, line, err);
        return parse_setting(it, line, indent, err);
}

static int
parse_lines(struct parse *it, const char *text, size_t len, size_t *number, struct err *err)
{
        const char *end = text + len;

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                const char *stop = newline != NULL ? newline : end;
                ++*number;
                if (parse_line(it, text, (size_t)(stop - text), err) < 0)
                        return -1;
                text = newline != NULL ? newline + 1 : end;
        }
        return flush(it, err);
}

int
aws_config_parse(struct aws_config *config, enum aws_config_file file, const char *path,
    const char *text, size_t len, struct err *err)
{
        static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as some editors write it */
        struct parse it = { .config = config, .file = file, .section = NO_SECTION };
        size_t number = 0;

        if (len > AWS_CONFIG_FILE_MAX)
                return err_set(err, ERR_CREDENTIALS,
                    "cannot read \"%s\": it has more than %zu bytes", path, AWS_CONFIG_FILE_MAX);
        if (len >= 3 && memcmp(text, mark, 3) == 0) {
                text += 3;
                len -= 3;
        }
        buf_init(&it.value, AWS_CONFIG_FILE_MAX);
        /* Not moved while it grows, so that nothing has to be wiped but this. */
        int rc = buf_reserve(&it.value, len, err) != NULL ? 0 : -1;
        if (rc == 0)
                rc = parse_lines(&it, text, len, &number, err);
        if (it.value.data != NULL)
                secret_wipe(it.value.data, it.value.cap);
        buf_free(&it.value);
        if (rc < 0 && err != NULL && err->code != ERR_NOMEM) {
                /* Also what is too long for a secret. */
                err->code = ERR_CREDENTIALS;
                err_prefix(err, "cannot read \"%s\": line %zu", path, number);
        }
        return rc;
}
