#include "s3_sign.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/encode.h"
#include "moonkeep/hmac.h"
#include "moonkeep/mem.h"
#include "moonkeep/secret.h"

#define QUERY_MAX ((size_t)64 * 1024)
#define ALGORITHM "AWS4-HMAC-SHA256"

const char s3_hash_of_nothing[SHA256_HEX_SIZE] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* The query. */

/* Encoded pairs are compared as names, then as values: '=' must not count against letters. */
static int
compare_pairs(const void *left, const void *right)
{
        const struct s3_pair *a = left, *b = right;
        int order = strcmp(a->name, b->name);

        return order != 0 ? order : strcmp(a->value, b->value);
}

static char *
encoded(const char *text, struct err *err)
{
        struct buf out;

        buf_init(&out, QUERY_MAX);
        if (text == NULL || *text == '\0')
                return mem_strdup("", err);
        if (url_encode(text, strlen(text), 0, &out, err) < 0) {
                buf_free(&out);
                return NULL;
        }
        return buf_detach(&out, err);
}

static void
free_pairs(struct s3_pair *pairs, size_t count)
{
        for (size_t idx = 0; idx < count; idx++) {
                mem_free((char *)(uintptr_t)pairs[idx].name);
                mem_free((char *)(uintptr_t)pairs[idx].value);
        }
        mem_free(pairs);
}

int
s3_query(const struct s3_pair *pairs, size_t count, struct buf *out, struct err *err)
{
        struct s3_pair *sorted;
        int rc = -1;

        if (count == 0)
                return 0;
        sorted = mem_zalloc(count * sizeof(*sorted), err);
        if (sorted == NULL)
                return -1;
        for (size_t idx = 0; idx < count; idx++) {
                sorted[idx].name = encoded(pairs[idx].name, err);
                sorted[idx].value = encoded(pairs[idx].value, err);
                if (sorted[idx].name == NULL || sorted[idx].value == NULL)
                        goto done;
        }
        qsort(sorted, count, sizeof(*sorted), compare_pairs);
        for (size_t idx = 0; idx < count; idx++) {
                if (buf_addf(out, err, "%s%s=%s", idx > 0 ? "&" : "", sorted[idx].name,
                        sorted[idx].value) < 0)
                        goto done;
        }
        rc = 0;
done:
        free_pairs(sorted, count);
        return rc;
}

/* The key. */

int
s3_signing_key(const char *secret, size_t secret_len, const char *date, const char *region,
    const char *service, unsigned char out[SHA256_SIZE], struct err *err)
{
        unsigned char key[SHA256_SIZE];
        struct buf first;
        int rc = -1;

        buf_init(&first, SECRET_MAX + 4);
        /* All room at once: a buffer that moves would leave a copy of the secret behind. */
        if (buf_reserve(&first, secret_len + 4, err) == NULL)
                return -1;
        if (buf_add(&first, "AWS4", 4, err) == 0 && buf_add(&first, secret, secret_len, err) == 0 &&
            hmac_sha256(first.data, first.len, date, 8, key, err) == 0 &&
            hmac_sha256(key, sizeof(key), region, strlen(region), key, err) == 0 &&
            hmac_sha256(key, sizeof(key), service, strlen(service), key, err) == 0 &&
            hmac_sha256(key, sizeof(key), "aws4_request", 12, key, err) == 0) {
                memcpy(out, key, sizeof(key));
                rc = 0;
        }
        secret_wipe(key, sizeof(key));
        secret_wipe(first.data, first.cap);
        buf_free(&first);
        return rc;
}

/* The canonical request. */

/* Equal names stay in the order in which they are sent. */
static int
compare_headers(const void *left, const void *right)
{
        const struct s3_pair *a = *(const struct s3_pair *const *)left;
        const struct s3_pair *b = *(const struct s3_pair *const *)right;
        int order = strcasecmp(a->name, b->name);

        return order != 0 ? order : (a > b) - (a < b);
}

static int
add_name(struct buf *out, const char *name, struct err *err)
{
        size_t len = strlen(name);
        char *at = buf_reserve(out, len, err);

        if (at == NULL)
                return -1;
        for (size_t idx = 0; idx < len; idx++)
                at[idx] = (char)tolower((unsigned char)name[idx]);
        buf_commit(out, len);
        return 0;
}

/* Without spaces around it, and one for several inside. */
static int
add_value(struct buf *out, const char *value, struct err *err)
{
        size_t start = out->len;

        for (const char *at = value; *at != '\0'; at++) {
                bool space = *at == ' ' || *at == '\t';
                if (space && (out->len == start || at[1] == ' ' || at[1] == '\t' || at[1] == '\0'))
                        continue;
                if (buf_add(out, space ? " " : at, 1, err) < 0)
                        return -1;
        }
        return 0;
}

static int
add_headers(const struct s3_signing *it, const struct s3_pair *const *sorted, struct buf *out,
    struct buf *names, struct err *err)
{
        for (size_t idx = 0; idx < it->header_count; idx++) {
                bool again = idx > 0 && strcasecmp(sorted[idx]->name, sorted[idx - 1]->name) == 0;
                if (again) {
                        out->len--; /* the line goes on */
                        if (buf_add(out, ",", 1, err) < 0)
                                return -1;
                } else if ((names->len > 0 && buf_add(names, ";", 1, err) < 0) ||
                           add_name(names, sorted[idx]->name, err) < 0 ||
                           add_name(out, sorted[idx]->name, err) < 0 ||
                           buf_add(out, ":", 1, err) < 0) {
                        return -1;
                }
                if (add_value(out, sorted[idx]->value, err) < 0 || buf_add(out, "\n", 1, err) < 0)
                        return -1;
        }
        return 0;
}

int
s3_canonical(const struct s3_signing *it, struct buf *out, struct buf *names, struct err *err)
{
        const struct s3_pair **sorted = NULL;
        int rc = -1;

        /* All room at once, see s3_signing_key. */
        size_t room =
            strlen(it->method) + strlen(it->path) + strlen(it->query) + SHA256_HEX_SIZE + 64;
        for (size_t idx = 0; idx < it->header_count; idx++)
                room += 2 * strlen(it->headers[idx].name) + strlen(it->headers[idx].value) + 4;
        if (buf_reserve(out, room, err) == NULL)
                return -1;

        sorted = mem_alloc((it->header_count + 1) * sizeof(*sorted), err);
        if (sorted == NULL)
                return -1;
        for (size_t idx = 0; idx < it->header_count; idx++)
                sorted[idx] = &it->headers[idx];
        qsort(sorted, it->header_count, sizeof(*sorted), compare_headers);

        if (buf_addf(out, err, "%s\n%s\n%s\n", it->method, it->path, it->query) < 0 ||
            add_headers(it, sorted, out, names, err) < 0 ||
            buf_addf(
                out, err, "\n%s\n%s", names->data != NULL ? names->data : "", it->payload_hash) < 0)
                goto done;
        rc = 0;
done:
        mem_free(sorted);
        return rc;
}

/* The signature. */

static int
sign(const struct s3_signing *it, const struct buf *canonical, char out[SHA256_HEX_SIZE],
    struct err *err)
{
        unsigned char digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        struct buf text;
        int rc = -1;

        buf_init(&text, 4096);
        if (sha256_bytes(canonical->data, canonical->len, digest, err) < 0)
                return -1;
        hex_encode(digest, sizeof(digest), hex);
        if (buf_addf(&text, err, ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", it->date, it->date,
                it->region, it->service, hex) == 0 &&
            hmac_sha256(it->key, SHA256_SIZE, text.data, text.len, digest, err) == 0) {
                hex_encode(digest, sizeof(digest), out);
                rc = 0;
        }
        buf_free(&text);
        return rc;
}

int
s3_authorization(const struct s3_signing *it, struct buf *out, struct err *err)
{
        char signature[SHA256_HEX_SIZE];
        struct buf canonical, names;
        int rc = -1;

        buf_init(&canonical, S3_CANONICAL_MAX);
        buf_init(&names, S3_CANONICAL_MAX);
        if (s3_canonical(it, &canonical, &names, err) == 0 &&
            sign(it, &canonical, signature, err) == 0)
                rc = buf_addf(out, err,
                    ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, "
                              "Signature=%s",
                    it->key_id, it->date, it->region, it->service, names.data, signature);
        secret_wipe(canonical.data, canonical.cap);
        buf_free(&canonical);
        buf_free(&names);
        return rc;
}
