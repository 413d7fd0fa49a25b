#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "s3.h"

const struct object_dialect s3_dialect = {
        .name = "S3",
        .ca_option = "ca_file=FILE in the URL of the store, or AWS_CA_BUNDLE",
        .sign = s3_sign_request,
        .judge = s3_judge,
        .reading = s3_reading,
        .writing = s3_writing,
        .begin = s3_begin,
        .part = s3_part,
        .part_done = s3_part_done,
        .complete = s3_complete,
        .abort = s3_abort,
};

/* Looking at one object. */

/* Has to be brought back before it can be read, unless it was. */
static bool
is_archived(const struct http_answer *answer)
{
        const char *class = http_answer_header(answer, "x-amz-storage-class");
        const char *tier = http_answer_header(answer, "x-amz-archive-status");
        const char *restore = http_answer_header(answer, "x-amz-restore");

        if (!s3_class_is_archive(class) && tier == NULL)
                return false;
        return restore == NULL || strstr(restore, "ongoing-request=\"false\"") == NULL;
}

static int
read_stat(const struct http_answer *answer, struct store_stat *out, struct err *err)
{
        const char *length = http_answer_header(answer, "content-length");
        const char *modified = http_answer_header(answer, "last-modified");
        const char *etag = http_answer_header(answer, "etag");
        struct store_stat stat = { 0 };

        if (length == NULL || s3_number(length, &stat.size) < 0)
                return err_set(err, ERR_PROTOCOL, "the answer has no Content-Length");
        if (modified == NULL || time_http_parse(modified, &stat.mtime_ms, NULL) < 0)
                return err_set(err, ERR_PROTOCOL, "the answer has no Last-Modified");
        if (etag != NULL)
                s3_etag(etag, stat.etag);
        stat.archived = is_archived(answer);
        *out = stat;
        return 0;
}

int
s3_head(struct object_store *it, struct object_lane *lane, const char *key, struct store_stat *out,
    struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };

        object_request_init(&request, it, "look at", "HEAD", key);
        s3_reading(it, &request);
        int rc = lane != NULL ? object_call_on(lane, &request, cancel, &answer, err)
                              : object_call(it, &request, cancel, &answer, err);
        if (rc < 0)
                return -1;
        rc = read_stat(&answer, out, err);
        if (rc < 0)
                err_prefix(err, "cannot look at \"%s%s\"", it->prefix, key);
        http_answer_clear(&answer);
        return rc;
}

static int
s3_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        return s3_head((struct object_store *)store, NULL, key, out, cancel, err);
}

/* Reading, writing, removing. */

static void
add_customer_key(const struct s3_writing *writing, struct object_request *request)
{
        if (writing->customer_key == NULL)
                return;
        object_request_header(request, "x-amz-server-side-encryption-customer-algorithm", "AES256");
        object_request_secret(
            request, "x-amz-server-side-encryption-customer-key", writing->customer_key);
        object_request_header(
            request, "x-amz-server-side-encryption-customer-key-MD5", writing->customer_key_md5);
}

void
s3_reading(struct object_store *it, struct object_request *request)
{
        add_customer_key(&s3_of(it)->writing, request);
}

int64_t
s3_now_ms(struct s3_store *it)
{
        pthread_mutex_lock(&it->object.lock);
        int64_t now_ms = time_now_ms() + it->clock_offset_ms;
        pthread_mutex_unlock(&it->object.lock);
        return now_ms;
}

void
s3_retain_until(struct s3_store *it, char out[TIME_ISO_SIZE])
{
        time_iso(s3_now_ms(it) + (int64_t)it->writing.retain_days * 86400 * 1000, out);
}

static void
add_lock(struct s3_store *it, struct object_request *request)
{
        char until[TIME_ISO_SIZE];

        if (it->writing.retain_days == 0)
                return;
        s3_retain_until(it, until);
        object_request_header(request, "x-amz-object-lock-mode", it->writing.retain_mode);
        object_request_header(request, "x-amz-object-lock-retain-until-date", until);
}

void
s3_writing_headers(struct s3_store *it, bool small, struct object_request *request)
{
        const struct s3_writing *writing = &it->writing;

        object_request_header(request, "Content-Type", "application/octet-stream");
        /*
         * Manifests, locks and records have to stay readable; they and whatever
         * else fits into one request cost more in an archive than outside.
         */
        if (writing->class != NULL && !(small && s3_class_is_archive(writing->class)))
                object_request_header(request, "x-amz-storage-class", writing->class);
        if (writing->sse != NULL)
                object_request_header(request, "x-amz-server-side-encryption", writing->sse);
        if (writing->kms_key != NULL)
                object_request_header(
                    request, "x-amz-server-side-encryption-aws-kms-key-id", writing->kms_key);
        if (writing->tags != NULL)
                object_request_header(request, "x-amz-tagging", writing->tags);
        add_customer_key(writing, request);
        add_lock(it, request);
}

void
s3_writing(struct object_store *it, const struct store_write *how, struct object_request *request)
{
        s3_writing_headers(s3_of(it), true, request);
        if (how->exclusive)
                object_request_header(request, "If-None-Match", "*");
}

static struct source *
s3_read(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        return object_source((struct object_store *)store, key, offset, length, cancel, err);
}

static struct sink *
s3_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        return object_sink((struct object_store *)store, key, how, cancel, err);
}

static int
s3_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        struct object_store *it = (struct object_store *)store;
        struct object_request request;
        struct http_answer answer = { 0 };

        object_request_init(&request, it, "remove", "DELETE", key);
        if (object_call(it, &request, cancel, &answer, err) < 0)
                return -1;
        http_answer_clear(&answer);
        return 0;
}

/* Opening. */

static void
s3_free(struct store *store)
{
        struct s3_store *it = s3_of((struct object_store *)store);

        object_store_clear(&it->object);
        aws_creds_free(it->creds);
        mem_free(it->bucket);
        mem_free(it->endpoint);
        mem_free(it->writing.class);
        mem_free(it->writing.sse);
        mem_free(it->writing.kms_key);
        mem_free(it->writing.tags);
        secret_unref(it->writing.customer_key);
        mem_free(it->writing.customer_key_md5);
        mem_free(store->url);
        mem_free(store->place);
        secret_wipe(&it->day_key, sizeof(it->day_key));
        mem_free(it);
}

static const struct store_ops s3_ops = {
        .name = "s3",
        .stat = s3_stat,
        .list = s3_list,
        .read = s3_read,
        .create = s3_create,
        .remove = s3_remove,
        .sweep = s3_sweep,
        .copy = s3_copy,
        .call = object_store_call,
        .free = s3_free,
        .digests = true,
};

struct store *
s3_open(const struct url *url, struct err *err)
{
        struct s3_store *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->object.store.ops = &s3_ops;
        it->object.store.capabilities = STORE_PROBE;
        char *prefix = s3_prefix(url->path, err);
        if (prefix == NULL || object_store_init(&it->object, &s3_dialect, prefix, err) < 0)
                goto fail;
        if (s3_options_read(it, url, err) < 0)
                goto fail;
        return &it->object.store;

fail:
        s3_free(&it->object.store);
        return NULL;
}

struct store *
store_s3_open(const struct url *url, struct err *err)
{
        return store_span(s3_open(url, err), (uint64_t)S3_PARTS_MAX * DIGEST_PART_SIZE, err);
}
