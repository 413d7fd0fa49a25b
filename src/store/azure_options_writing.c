/* What a URL says about the blobs that are written. */
#include <string.h>

#include "azure.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

#define TAGS_MAX 10
#define TAG_NAME_MAX ((size_t)128)
#define TAG_VALUE_MAX ((size_t)256)

static int
refused(struct err *err, const char *why)
{
        return err_set(err, ERR_USAGE, "cannot open a store: %s", why);
}

static int
read_tier(struct azure_store *it, const char *text, struct err *err)
{
        static const char *const names[][2] = { { "hot", "Hot" }, { "cool", "Cool" },
                { "cold", "Cold" }, { "archive", "Archive" } };

        for (size_t idx = 0; text != NULL && idx < sizeof(names) / sizeof(names[0]); idx++) {
                if (strcmp(text, names[idx][0]) == 0)
                        it->tier = names[idx][1];
        }
        if (text != NULL && it->tier == NULL)
                return refused(
                    err, "the option \"tier\" of its URL is none of hot, cool, cold, archive");
        return 0;
}

/* What the names and values of tags may have. */
static bool
is_tag_text(const char *text, size_t len)
{
        return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789 +-./:=_") >= len;
}

static int
read_tag(const char *text, size_t len, struct buf *out, struct err *err)
{
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
        size_t value_len = equals != NULL ? len - name_len - 1 : 0;

        if (equals == NULL || name_len == 0 || name_len > TAG_NAME_MAX ||
            value_len > TAG_VALUE_MAX || !is_tag_text(text, name_len) ||
            !is_tag_text(equals + 1, value_len)) {
                refused(err, "the option \"tags\" of its URL is not NAME=VALUE,NAME=VALUE");
                return err_hint(err, "names have at most 128 and values at most 256 letters, "
                                     "digits, spaces and + - . / : = _");
        }
        if ((out->len > 0 && buf_add(out, "&", 1, err) < 0) ||
            url_encode(text, name_len, 0, out, err) < 0 || buf_add(out, "=", 1, err) < 0)
                return -1;
        return url_encode(equals + 1, value_len, 0, out, err);
}

static int
read_tags(struct azure_store *it, const char *text, struct err *err)
{
        struct buf out;

        if (text == NULL)
                return 0;
        buf_init(&out, URL_MAX);
        for (int count = 1;; count++) {
                size_t len = strcspn(text, ",");
                if (count > TAGS_MAX) {
                        refused(err, "the option \"tags\" of its URL has more than 10 tags");
                        break;
                }
                if (read_tag(text, len, &out, err) < 0)
                        break;
                if (text[len] == '\0') {
                        it->tags = buf_detach(&out, err);
                        return it->tags != NULL ? 0 : -1;
                }
                text += len + 1;
        }
        buf_free(&out);
        return -1;
}

int
azure_options_writing(struct azure_store *it, const struct url_option *options, struct err *err)
{
        if (read_tier(it, url_options_get(options, "tier"), err) < 0)
                return -1;
        return read_tags(it, url_options_get(options, "tags"), err);
}
