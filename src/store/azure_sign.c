#include "azure_sign.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/encode.h"
#include "moonkeep/hmac.h"
#include "moonkeep/mem.h"

/* Bounds on one request; there are far fewer. */
#define PAIRS_MAX ((size_t)256)

static const char *
value_of(const struct store_pair *pair, size_t *len)
{
        if (pair->secret != NULL)
                return secret_bytes(pair->secret, len);
        *len = strlen(pair->value);
        return pair->value;
}

/* A header's value: without the white space at both ends, which HTTP does not keep. */
static int
add_header_value(const struct store_pair *pair, struct buf *out, struct err *err)
{
        size_t len;
        const char *value = value_of(pair, &len);

        while (len > 0 && isspace((unsigned char)*value)) {
                value++;
                len--;
        }
        while (len > 0 && isspace((unsigned char)value[len - 1]))
                len--;
        return buf_add(out, value, len, err);
}

static const struct store_pair *
find_header(const struct azure_signed *what, const char *name)
{
        for (size_t idx = 0; idx < what->header_count; idx++) {
                if (strcasecmp(what->headers[idx].name, name) == 0)
                        return &what->headers[idx];
        }
        return NULL;
}

/* The headers that have a line each, whether they are sent or not. */
static int
add_standard(const struct azure_signed *what, struct buf *out, struct err *err)
{
        static const char *const names[] = { "Content-Encoding", "Content-Language",
                "Content-Length", "Content-MD5", "Content-Type", "Date", "If-Modified-Since",
                "If-Match", "If-None-Match", "If-Unmodified-Since", "Range" };

        if (buf_addf(out, err, "%s\n", what->method) < 0)
                return -1;
        for (size_t idx = 0; idx < sizeof(names) / sizeof(names[0]); idx++) {
                const struct store_pair *header = find_header(what, names[idx]);

                if (strcmp(names[idx], "Content-Length") == 0) {
                        /* A length of 0 is an empty line. */
                        if (what->content_length > 0 &&
                            buf_addf(out, err, "%llu", (unsigned long long)what->content_length) <
                                0)
                                return -1;
                } else if (header != NULL && add_header_value(header, out, err) < 0) {
                        return -1;
                }
                if (buf_addstr(out, "\n", err) < 0)
                        return -1;
        }
        return 0;
}

static int
by_name(const void *left, const void *right)
{
        const struct store_pair *const *one = left;
        const struct store_pair *const *two = right;

        return strcasecmp((*one)->name, (*two)->name);
}

static int
by_name_and_value(const void *left, const void *right)
{
        const struct store_pair *const *one = left;
        const struct store_pair *const *two = right;
        size_t one_len, two_len;
        int order = by_name(left, right);

        if (order != 0)
                return order;
        const char *one_value = value_of(*one, &one_len);
        const char *two_value = value_of(*two, &two_len);
        order = memcmp(one_value, two_value, one_len < two_len ? one_len : two_len);
        return order != 0 ? order : (one_len > two_len) - (one_len < two_len);
}

/* Those of the pairs whose name begins so, sorted; *count says how many. */
static const struct store_pair **
sorted(const struct store_pair *pairs, size_t pair_count, const char *prefix,
    int (*order)(const void *, const void *), size_t *count, struct err *err)
{
        if (pair_count > PAIRS_MAX) {
                err_set(err, ERR_TOO_BIG, "more than %zu headers or parameters", PAIRS_MAX);
                return NULL;
        }
        const struct store_pair **list = mem_alloc(pair_count * sizeof(struct store_pair *), err);
        if (list == NULL)
                return NULL;
        *count = 0;
        for (size_t idx = 0; idx < pair_count; idx++) {
                if (strncasecmp(pairs[idx].name, prefix, strlen(prefix)) == 0)
                        list[(*count)++] = &pairs[idx];
        }
        qsort(list, *count, sizeof(struct store_pair *), order);
        return list;
}

static int
add_lower(const char *name, struct buf *out, struct err *err)
{
        for (; *name != '\0'; name++) {
                char lower = (char)tolower((unsigned char)*name);
                if (buf_add(out, &lower, 1, err) < 0)
                        return -1;
        }
        return 0;
}

static int
add_own_headers(const struct azure_signed *what, struct buf *out, struct err *err)
{
        size_t count;
        int rc = -1;
        const struct store_pair **list =
            sorted(what->headers, what->header_count, "x-ms-", by_name, &count, err);

        if (list == NULL)
                return -1;
        for (size_t idx = 0; idx < count; idx++) {
                if (add_lower(list[idx]->name, out, err) < 0 || buf_addstr(out, ":", err) < 0 ||
                    add_header_value(list[idx], out, err) < 0 || buf_addstr(out, "\n", err) < 0)
                        goto done;
        }
        rc = 0;
done:
        mem_free(list);
        return rc;
}

/* "\nname:value", or ",value" behind one of the same name. */
static int
add_parameter(const struct store_pair *pair, const struct store_pair *before, struct buf *out,
    struct err *err)
{
        size_t len;
        const char *value = value_of(pair, &len);

        if (before != NULL && strcasecmp(before->name, pair->name) == 0)
                return buf_addstr(out, ",", err) < 0 ? -1 : buf_add(out, value, len, err);
        if (buf_addstr(out, "\n", err) < 0 || add_lower(pair->name, out, err) < 0 ||
            buf_addstr(out, ":", err) < 0)
                return -1;
        return buf_add(out, value, len, err);
}

static int
add_resource(const struct azure_signed *what, struct buf *out, struct err *err)
{
        size_t count;
        int rc = -1;

        if (buf_addf(out, err, "/%s%s", what->account, *what->path != '\0' ? what->path : "/") < 0)
                return -1;
        const struct store_pair **list =
            sorted(what->query, what->query_count, "", by_name_and_value, &count, err);
        if (list == NULL)
                return -1;
        for (size_t idx = 0; idx < count; idx++) {
                if (add_parameter(list[idx], idx > 0 ? list[idx - 1] : NULL, out, err) < 0)
                        goto done;
        }
        rc = 0;
done:
        mem_free(list);
        return rc;
}

int
azure_string_to_sign(const struct azure_signed *what, struct buf *out, struct err *err)
{
        if (add_standard(what, out, err) < 0 || add_own_headers(what, out, err) < 0)
                return -1;
        return add_resource(what, out, err);
}

int
azure_sign(
    const struct azure_signed *what, const struct secret *key, struct buf *out, struct err *err)
{
        unsigned char digest[SHA256_SIZE];
        struct buf text;
        size_t key_len;
        int rc = -1;

        buf_init(&text, AZURE_SIGNED_MAX);
        const char *key_bytes = secret_bytes(key, &key_len);
        if (azure_string_to_sign(what, &text, err) == 0 &&
            hmac_sha256(key_bytes, key_len, text.data, text.len, digest, err) == 0 &&
            buf_addf(out, err, "%s:", what->account) == 0)
                rc = base64_encode(digest, sizeof(digest), out, err);
        if (rc < 0)
                err_prefix(err, "cannot sign a request");
        /* A header may have held a secret (a customer's key). */
        if (text.data != NULL)
                secret_wipe(text.data, text.cap);
        buf_free(&text);
        return rc;
}
