/* What a URL says about the objects that are written. */
#include <stdlib.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/md5.h"
#include "moonkeep/mem.h"
#include "s3.h"

#define CUSTOMER_KEY "MOONKEEP_SSE_CUSTOMER_KEY"
#define CUSTOMER_KEY_SIZE ((size_t)32)
#define TAGS_MAX 10
#define TAG_NAME_MAX ((size_t)128)
#define TAG_VALUE_MAX ((size_t)256)

static int
refused(struct err *err, const char *why)
{
        return err_set(err, ERR_USAGE, "cannot open a store: %s", why);
}

static int
read_tag(const char *text, size_t len, struct buf *out, struct err *err)
{
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
        size_t value_len = equals != NULL ? len - name_len - 1 : 0;

        if (equals == NULL || name_len == 0 || name_len > TAG_NAME_MAX || value_len > TAG_VALUE_MAX)
                return refused(err, "the option \"tags\" of its URL is not NAME=VALUE,NAME=VALUE "
                                    "with names of at most 128 and values of at most 256 bytes");
        if ((out->len > 0 && buf_add(out, "&", 1, err) < 0) ||
            url_encode(text, name_len, 0, out, err) < 0 || buf_add(out, "=", 1, err) < 0)
                return -1;
        return url_encode(equals + 1, value_len, 0, out, err);
}

static char *
read_tags(const char *text, struct err *err)
{
        struct buf out;

        buf_init(&out, URL_MAX);
        for (int count = 1;; count++) {
                size_t len = strcspn(text, ",");
                if (count > TAGS_MAX) {
                        refused(err, "the option \"tags\" of its URL has more than 10 tags");
                        goto fail;
                }
                if (read_tag(text, len, &out, err) < 0)
                        goto fail;
                if (text[len] == '\0')
                        return buf_detach(&out, err);
                text += len + 1;
        }

fail:
        buf_free(&out);
        return NULL;
}

/* The headers of a customer's key: the key as base64, and its MD5. */
static int
read_customer_key(struct s3_writing *it, struct err *err)
{
        const char *text = getenv(CUSTOMER_KEY);
        unsigned char digest[MD5_SIZE];
        struct buf key, md5;
        struct err why;
        int rc = -1;

        if (text == NULL) {
                err_set(err, ERR_KEY, "cannot open a store: sse=customer needs a key");
                return err_hint(err,
                    "put the key, 32 bytes in base64, into the environment variable " CUSTOMER_KEY);
        }
        buf_init(&key, 3 * CUSTOMER_KEY_SIZE);
        buf_init(&md5, 64);
        err_init(&why);
        if (strlen(text) > 2 * CUSTOMER_KEY_SIZE ||
            base64_decode(text, strlen(text), &key, &why) < 0 || key.len != CUSTOMER_KEY_SIZE) {
                if (why.code == ERR_NOMEM) {
                        if (err != NULL)
                                *err = why;
                        goto done;
                }
                err_set(err, ERR_KEY,
                    "cannot open a store: " CUSTOMER_KEY " does not hold 32 bytes in base64");
                err_hint(err, "openssl rand -base64 32 makes such a key");
                goto done;
        }
        if (md5_bytes(key.data, key.len, digest, err) < 0 ||
            base64_encode(digest, sizeof(digest), &md5, err) < 0)
                goto done;
        it->customer_key = secret_new(text, strlen(text), err);
        it->customer_key_md5 = it->customer_key != NULL ? buf_detach(&md5, err) : NULL;
        rc = it->customer_key_md5 != NULL ? 0 : -1;
done:
        if (key.data != NULL)
                secret_wipe(key.data, key.cap);
        buf_free(&key);
        buf_free(&md5);
        return rc;
}

/* Does nobody see what is sent there?  https, or this machine. */
static bool
is_private(const char *endpoint)
{
        if (strncmp(endpoint, "http://", 7) != 0)
                return true;
        const char *host = endpoint + 7;
        size_t len = strcspn(host, ":");
        return (len == 9 && strncmp(host, "localhost", 9) == 0) || strncmp(host, "[::1]", 5) == 0 ||
               (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len);
}

static int
read_sse(struct s3_store *it, const struct url_option *options, struct err *err)
{
        static const char *const kinds[] = { "AES256", "aws:kms", "aws:kms:dsse", "customer" };
        const char *kind = url_options_get(options, "sse");
        const char *kms_key = url_options_get(options, "kms_key");
        bool found = false;

        for (size_t idx = 0; kind != NULL && idx < sizeof(kinds) / sizeof(kinds[0]); idx++)
                found = found || strcmp(kind, kinds[idx]) == 0;
        if (kind != NULL && !found)
                return refused(err, "the option \"sse\" of its URL is none of AES256, aws:kms, "
                                    "aws:kms:dsse, customer");
        if (kms_key != NULL && (kind == NULL || strncmp(kind, "aws:kms", 7) != 0))
                return refused(err, "the option \"kms_key\" of its URL needs sse=aws:kms");
        if (kind != NULL && strcmp(kind, "customer") == 0) {
                if (it->endpoint != NULL && !is_private(it->endpoint))
                        return refused(err, "sse=customer would send the key in clear text to an "
                                            "endpoint without https");
                return read_customer_key(&it->writing, err);
        }
        if (kind != NULL && (it->writing.sse = mem_strdup(kind, err)) == NULL)
                return -1;
        if (kms_key != NULL && (it->writing.kms_key = mem_strdup(kms_key, err)) == NULL)
                return -1;
        return 0;
}

static int
read_retain(struct s3_writing *it, const struct url_option *options, struct err *err)
{
        const char *mode = url_options_get(options, "retain_mode");
        uint64_t days = 0;

        if (url_options_number(options, "retain", 1, S3_RETAIN_DAYS_MAX, &days, err) < 0)
                return -1;
        if (mode != NULL && days == 0)
                return refused(err, "the option \"retain_mode\" of its URL needs retain=DAYS");
        if (mode != NULL && strcmp(mode, "governance") != 0 && strcmp(mode, "compliance") != 0)
                return refused(err,
                    "the option \"retain_mode\" of its URL is neither governance nor compliance");
        it->retain_days = (unsigned)days;
        it->retain_mode =
            mode != NULL && strcmp(mode, "compliance") == 0 ? "COMPLIANCE" : "GOVERNANCE";
        return 0;
}

int
s3_options_writing(struct s3_store *it, const struct url_option *options, struct err *err)
{
        struct s3_writing *writing = &it->writing;
        const char *class = url_options_get(options, "class");
        const char *tags = url_options_get(options, "tags");

        if (class != NULL &&
            class[strspn(class, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] != '\0') {
                refused(err, "the option \"class\" of its URL is no storage class");
                return err_hint(err, "STANDARD, STANDARD_IA, GLACIER_IR, ...");
        }
        if (class != NULL && (writing->class = mem_strdup(class, err)) == NULL)
                return -1;
        if (tags != NULL && (writing->tags = read_tags(tags, err)) == NULL)
                return -1;
        return read_sse(it, options, err) < 0 || read_retain(writing, options, err) < 0 ? -1 : 0;
}
