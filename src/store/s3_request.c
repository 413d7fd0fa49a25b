/* A request as it is sent: its URL, its headers and its signature. */
#include <string.h>
#include <strings.h>

#include "moonkeep/encode.h"
#include "moonkeep/md5.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "s3.h"

#define ADDRESS_MAX ((size_t)16 * 1024)
#define QUERY_MAX ((size_t)64 * 1024)
#define AUTHORIZATION_MAX ((size_t)64 * 1024)

/* Host, x-amz-date, x-amz-content-sha256, x-amz-security-token, Content-MD5. */
#define OWN_HEADERS 5

/* What is known before it is signed. */
struct draft {
        struct s3_store *it;
        const struct object_request *request;
        struct aws_keys keys;
        char region[S3_REGION_MAX + 1];
        unsigned char key[SHA256_SIZE];
        char date[TIME_COMPACT_SIZE];
        bool locks; /* what is written gets locked */
        char payload_hash[SHA256_HEX_SIZE];
        struct buf base, path, query, md5;
        struct s3_pair *headers;
        size_t header_count;
};

const char *
s3_request_param(const struct object_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->query_count; idx++) {
                if (strcmp(request->query[idx].name, name) == 0)
                        return request->query[idx].value != NULL ? request->query[idx].value : "";
        }
        return NULL;
}

static bool
has_header(const struct object_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (strcasecmp(request->headers[idx].name, name) == 0)
                        return true;
        }
        return false;
}

/* The key of the day: derived anew only when day, region or access key change. */
static int
take_day_key(struct draft *it, struct err *err)
{
        struct s3_day_key *kept = &it->it->day_key;
        size_t len = 0;
        int rc = 0;

        if (strlen(it->keys.id) > S3_KEY_ID_MAX)
                return err_set(err, ERR_CREDENTIALS, "the access key id is longer than %zu bytes",
                    S3_KEY_ID_MAX);
        pthread_mutex_lock(&it->it->object.lock);
        if (strncmp(kept->day, it->date, 8) != 0 || strcmp(kept->region, it->region) != 0 ||
            strcmp(kept->id, it->keys.id) != 0) {
                const char *secret = secret_bytes(it->keys.secret, &len);
                rc = s3_signing_key(secret, len, it->date, it->region, "s3", kept->key, err);
                kept->day[0] = '\0';
                if (rc == 0) {
                        memcpy(kept->day, it->date, 8);
                        memcpy(kept->region, it->region, sizeof(kept->region));
                        memcpy(kept->id, it->keys.id, strlen(it->keys.id) + 1);
                }
        }
        if (rc == 0)
                memcpy(it->key, kept->key, sizeof(it->key));
        memcpy(it->it->key_id, it->keys.id, strlen(it->keys.id) + 1);
        pthread_mutex_unlock(&it->it->object.lock);
        return rc;
}

/* What earlier answers have taught. */
static void
take_lessons(struct draft *it)
{
        pthread_mutex_lock(&it->it->object.lock);
        it->locks = it->it->wants_md5 || it->it->writing.retain_days > 0;
        memcpy(it->region, it->it->region, sizeof(it->region));
        int64_t offset_ms = it->it->clock_offset_ms;
        pthread_mutex_unlock(&it->it->object.lock);
        time_compact(time_now_ms() + offset_ms, it->date);
}

static int
hash_payload(struct draft *it, struct err *err)
{
        const struct object_request *request = it->request;
        unsigned char digest[SHA256_SIZE];

        if (request->payload_len == 0) {
                memcpy(it->payload_hash, s3_hash_of_nothing, sizeof(it->payload_hash));
                return 0;
        }
        if (request->sha256 == NULL &&
            sha256_bytes(request->payload, request->payload_len, digest, err) < 0)
                return -1;
        hex_encode(
            request->sha256 != NULL ? request->sha256 : digest, SHA256_SIZE, it->payload_hash);
        return 0;
}

/*
 * S3 wants an MD5 with what changes a bucket or removes several objects, and
 * with what it has to lock.
 */
static bool
wants_md5(const struct draft *it)
{
        const struct object_request *request = it->request;
        bool part_of_upload = s3_request_param(request, "uploadId") != NULL;

        if (request->payload_len == 0 || has_header(request, "Content-MD5"))
                return false;
        if (strcmp(request->method, "PUT") == 0 && it->locks)
                return true;
        return request->query_count > 0 && !part_of_upload;
}

static int
add_header(struct draft *it, const char *name, const char *value)
{
        it->headers[it->header_count++] = (struct s3_pair){ name, value };
        return 0;
}

static int
add_md5(struct draft *it, struct err *err)
{
        unsigned char digest[SHA256_SIZE];
        struct err why;

        if (md5_bytes(it->request->payload, it->request->payload_len, digest, &why) == 0) {
                if (base64_encode(digest, MD5_SIZE, &it->md5, err) < 0)
                        return -1;
                return add_header(it, "Content-MD5", it->md5.data);
        }
        /* A system that forbids MD5: Amazon takes this instead. */
        if (hex_decode(it->payload_hash, SHA256_HEX_SIZE - 1, digest, SHA256_SIZE, err) < 0 ||
            base64_encode(digest, SHA256_SIZE, &it->md5, err) < 0)
                return -1;
        return add_header(it, "x-amz-checksum-sha256", it->md5.data);
}

static int
make_headers(struct draft *it, struct err *err)
{
        const struct object_request *request = it->request;

        it->headers = mem_zalloc((request->header_count + OWN_HEADERS) * sizeof(*it->headers), err);
        if (it->headers == NULL)
                return -1;
        for (size_t idx = 0; idx < request->header_count; idx++) {
                const struct object_pair *pair = &request->headers[idx];
                add_header(it, pair->name,
                    pair->secret != NULL ? secret_bytes(pair->secret, NULL) : pair->value);
        }
        add_header(it, "Host", strstr(it->base.data, "://") + 3);
        add_header(it, "x-amz-date", it->date);
        add_header(it, "x-amz-content-sha256", it->payload_hash);
        if (it->keys.token != NULL)
                add_header(it, "x-amz-security-token", secret_bytes(it->keys.token, NULL));
        return wants_md5(it) ? add_md5(it, err) : 0;
}

static int
make_address(struct draft *it, struct err *err)
{
        const struct object_request *request = it->request;
        struct s3_pair *pairs = NULL;
        int rc = -1;

        if (s3_address(it->it, it->region, request->key, &it->base, &it->path, err) < 0)
                return -1;
        if (request->query_count == 0)
                return 0;
        pairs = mem_zalloc(request->query_count * sizeof(*pairs), err);
        if (pairs == NULL)
                return -1;
        for (size_t idx = 0; idx < request->query_count; idx++)
                pairs[idx] =
                    (struct s3_pair){ request->query[idx].name, request->query[idx].value };
        rc = s3_query(pairs, request->query_count, &it->query, err);
        mem_free(pairs);
        return rc;
}

/* The headers that are sent; Host is libcurl's matter. */
static int
send_headers(
    struct draft *it, const struct buf *authorization, struct http_request *out, struct err *err)
{
        for (size_t idx = 0; idx < it->header_count; idx++) {
                const struct s3_pair *pair = &it->headers[idx];
                struct secret *secret =
                    idx < it->request->header_count ? it->request->headers[idx].secret : NULL;
                if (strcmp(pair->name, "x-amz-security-token") == 0)
                        secret = it->keys.token;
                if (strcmp(pair->name, "Host") == 0)
                        continue;
                if (http_request_header(
                        out, pair->name, secret != NULL ? NULL : pair->value, secret, err) < 0)
                        return -1;
        }
        return http_request_header(out, "Authorization", authorization->data, NULL, err);
}

static int
compose(struct draft *it, struct http_request *out, struct err *err)
{
        const char *query = it->query.data != NULL ? it->query.data : "";
        struct s3_signing signing = { .method = it->request->method,
                .path = it->path.data,
                .query = query,
                .headers = it->headers,
                .header_count = it->header_count,
                .payload_hash = it->payload_hash,
                .date = it->date,
                .region = it->region,
                .service = "s3",
                .key_id = it->keys.id,
                .key = it->key };
        struct buf authorization, url;
        int rc = -1;

        buf_init(&authorization, AUTHORIZATION_MAX);
        buf_init(&url, ADDRESS_MAX + QUERY_MAX);
        if (s3_authorization(&signing, &authorization, err) < 0 ||
            send_headers(it, &authorization, out, err) < 0 ||
            buf_addf(&url, err, "%s%s%s%s", it->base.data, it->path.data, *query != '\0' ? "?" : "",
                query) < 0)
                goto done;
        out->method = mem_strdup(it->request->method, err);
        out->url = out->method != NULL ? buf_detach(&url, err) : NULL;
        rc = out->url != NULL ? 0 : -1;
done:
        buf_free(&authorization);
        buf_free(&url);
        return rc;
}

int
s3_sign_request(struct object_store *store, const struct object_request *request,
    struct http_request *out, struct cancel *cancel, struct err *err)
{
        struct draft it = { .it = s3_of(store), .request = request };
        int rc = -1;

        buf_init(&it.base, ADDRESS_MAX);
        buf_init(&it.path, ADDRESS_MAX);
        buf_init(&it.query, QUERY_MAX);
        buf_init(&it.md5, 64);
        if (aws_creds_get(it.it->creds, &it.keys, cancel, err) < 0)
                return -1;
        take_lessons(&it);
        if (take_day_key(&it, err) == 0 && hash_payload(&it, err) == 0 &&
            make_address(&it, err) == 0 && make_headers(&it, err) == 0)
                rc = compose(&it, out, err);
        secret_wipe(it.key, sizeof(it.key));
        aws_keys_clear(&it.keys);
        mem_free(it.headers);
        buf_free(&it.base);
        buf_free(&it.path);
        buf_free(&it.query);
        buf_free(&it.md5);
        return rc;
}
