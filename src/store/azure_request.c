/* A request as it is sent: its URL, its headers and what authorises it. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "azure.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

#define ADDRESS_MAX ((size_t)16 * 1024)
#define QUERY_MAX ((size_t)64 * 1024)

/* Parts of a blob's name between '/'. */
#define SEGMENTS_MAX 254

/* x-ms-date, x-ms-version */
#define OWN_HEADERS 2

const char *
azure_request_param(const struct object_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->query_count; idx++) {
                if (strcmp(request->query[idx].name, name) == 0)
                        return request->query[idx].value != NULL ? request->query[idx].value : "";
        }
        return NULL;
}

bool
azure_request_has(const struct object_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (strcasecmp(request->headers[idx].name, name) == 0)
                        return true;
        }
        return false;
}

/* Azure takes '\' for '/', and drops a '.' at the end of a part: that would be another blob. */
static int
check_key(const char *key, struct err *err)
{
        size_t segments = 1;

        for (const char *at = key; *at != '\0'; at++) {
                if (*at == '/')
                        segments++;
                if (*at == '\\' || iscntrl((unsigned char)*at))
                        return err_set(err, ERR_INVALID,
                            "no name of a blob has \"\\\" or a control character in it");
                if (*at == '.' && (at[1] == '/' || at[1] == '\0'))
                        return err_set(
                            err, ERR_INVALID, "no part of a blob's name ends with \".\"");
        }
        if (segments > SEGMENTS_MAX)
                return err_set(
                    err, ERR_INVALID, "a blob's name has at most %d parts", SEGMENTS_MAX);
        return 0;
}

int
azure_address(const struct azure_store *it, const char *key, struct buf *out, struct err *err)
{
        if (key != NULL && check_key(key, err) < 0)
                return -1;
        if (buf_addf(out, err, "%s/", it->endpoint) < 0 ||
            url_encode(it->container, strlen(it->container), 0, out, err) < 0)
                return -1;
        if (key == NULL)
                return 0;
        return buf_addstr(out, "/", err) < 0 ? -1 : url_encode(key, strlen(key), 1, out, err);
}

static int
add_query(const struct object_request *request, struct buf *url, struct err *err)
{
        for (size_t idx = 0; idx < request->query_count; idx++) {
                const struct object_pair *pair = &request->query[idx];
                const char *value = pair->value != NULL ? pair->value : "";
                if (buf_addstr(url, idx == 0 ? "?" : "&", err) < 0 ||
                    url_encode(pair->name, strlen(pair->name), 0, url, err) < 0 ||
                    buf_addstr(url, "=", err) < 0 ||
                    url_encode(value, strlen(value), 0, url, err) < 0)
                        return -1;
        }
        return 0;
}

static int
add_headers(const struct object_request *request, const char *date, struct http_request *out,
    struct err *err)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                const struct object_pair *pair = &request->headers[idx];
                if (http_request_header(out, pair->name, pair->value, pair->secret, err) < 0)
                        return -1;
        }
        if (http_request_header(out, "x-ms-date", date, NULL, err) < 0)
                return -1;
        return http_request_header(out, "x-ms-version", AZURE_VERSION, NULL, err);
}

static void
now(struct azure_store *it, char date[TIME_HTTP_SIZE])
{
        pthread_mutex_lock(&it->object.lock);
        int64_t offset_ms = it->clock_offset_ms;
        pthread_mutex_unlock(&it->object.lock);
        time_http(time_now_ms() + offset_ms, date);
}

/* Shared Key. */

static void
take_pairs(const struct object_pair *from, size_t count, struct store_pair *to)
{
        for (size_t idx = 0; idx < count; idx++) {
                to[idx].name = from[idx].name;
                to[idx].value = from[idx].value != NULL ? from[idx].value : "";
                to[idx].secret = from[idx].secret;
        }
}

static int
add_signature(struct azure_store *it, const struct object_request *request, const char *url,
    const char *date, const struct secret *key, struct http_request *out, struct err *err)
{
        size_t header_count = request->header_count + OWN_HEADERS;
        struct azure_signed what = { .method = request->method,
                .account = it->account,
                .query_count = request->query_count,
                .header_count = header_count,
                .content_length = request->payload_len };
        const char *host = strstr(url, "://") + 3;
        char *path = NULL;
        struct buf text;
        int rc = -1;

        buf_init(&text, 4096);
        if (buf_addstr(&text, "SharedKey ", err) < 0)
                return -1;
        struct store_pair *pairs =
            mem_zalloc((request->query_count + header_count) * sizeof(*pairs), err);
        if (pairs == NULL)
                goto done;
        struct store_pair *headers = pairs + request->query_count;
        take_pairs(request->query, request->query_count, pairs);
        take_pairs(request->headers, request->header_count, headers);
        headers[header_count - 2] = (struct store_pair){ "x-ms-date", date, NULL };
        headers[header_count - 1] = (struct store_pair){ "x-ms-version", AZURE_VERSION, NULL };
        what.query = pairs;
        what.headers = headers;
        const char *start = host + strcspn(host, "/?");
        path = mem_strndup(start, strcspn(start, "?"), err);
        if (path == NULL)
                goto done;
        what.path = path;
        if (azure_sign(&what, key, &text, err) == 0)
                rc = http_request_header(out, "Authorization", text.data, NULL, err);
done:
        mem_free(path);
        mem_free(pairs);
        buf_free(&text);
        return rc;
}

static int
authorise(struct azure_store *it, const struct object_request *request, const char *date,
    struct secret *secret, struct buf *url, struct http_request *out, struct err *err)
{
        size_t len;
        const char *bytes = secret_bytes(secret, &len);

        switch (azure_creds_kind(it->creds)) {
        case AZURE_AUTH_KEY:
                return add_signature(it, request, url->data, date, secret, out, err);
        case AZURE_AUTH_SAS:
                if (buf_addstr(url, request->query_count > 0 ? "&" : "?", err) < 0)
                        return -1;
                return buf_add(url, bytes, len, err);
        default:
                return http_request_header(out, "Authorization", "Bearer ", secret, err);
        }
}

int
azure_sign_request(struct object_store *store, const struct object_request *request,
    struct http_request *out, struct cancel *cancel, struct err *err)
{
        struct azure_store *it = azure_of(store);
        char date[TIME_HTTP_SIZE];
        struct buf url;
        int rc = -1;

        buf_init(&url, ADDRESS_MAX + QUERY_MAX);
        struct secret *secret = azure_creds_get(it->creds, cancel, err);
        if (secret == NULL)
                return -1;
        now(it, date);
        if (azure_address(it, request->key, &url, err) < 0 || add_query(request, &url, err) < 0 ||
            add_headers(request, date, out, err) < 0 ||
            authorise(it, request, date, secret, &url, out, err) < 0)
                goto done;
        out->method = mem_strdup(request->method, err);
        out->url = out->method != NULL ? buf_detach(&url, err) : NULL;
        rc = out->url != NULL ? 0 : -1;
done:
        buf_free(&url);
        secret_unref(secret);
        return rc;
}
