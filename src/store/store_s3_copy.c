/* Objects that the server copies: from one bucket of a service to another, or within one. */
#include <stdio.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "s3.h"

/*
 * What is larger than so many parts as they are written is copied in such
 * pieces, 128 MiB: each has to be managed by the server within the time after
 * which a request counts as stalled.
 */
#define COPY_PARTS 16
#define SOURCE_MAX ((size_t)8192)

struct copying {
        struct object_store *to, *from;
        const char *key;
        const struct store_stat *seen;
        struct cancel *cancel;
        char *source;       /* "/bucket/key", encoded */
        bool unconditional; /* the server does not understand the condition */

        /* Of copies in parts. */
        struct object_lane *lane;
        struct object_upload upload;
        uint64_t part_size;
        unsigned under_way;
        bool failed;
        struct err failure;
};

struct copied_part {
        struct copying *it;
        size_t number;
};

/* Has the other store the same server?  Regions do not matter. */
static bool
is_same_service(const struct s3_store *to, const struct s3_store *from)
{
        if (to->endpoint == NULL || from->endpoint == NULL)
                return to->endpoint == from->endpoint;
        return strcmp(to->endpoint, from->endpoint) == 0;
}

static char *
source_of(const struct copying *it, struct err *err)
{
        const char *prefix = it->from->prefix;
        struct buf out;

        buf_init(&out, SOURCE_MAX);
        if (buf_addf(&out, err, "/%s/", s3_of(it->from)->bucket) < 0 ||
            url_encode(prefix, strlen(prefix), 1, &out, err) < 0 ||
            url_encode(it->key, strlen(it->key), 1, &out, err) < 0) {
                buf_free(&out);
                return NULL;
        }
        return buf_detach(&out, err);
}

static void
add_source(const struct copying *it, struct object_request *request)
{
        const struct s3_writing *writing = &s3_of(it->from)->writing;
        char etag[STORE_ETAG_MAX + 3];

        object_request_header(request, "x-amz-copy-source", it->source);
        /* What was listed, and nothing that came after it. */
        snprintf(etag, sizeof(etag), "\"%s\"", it->seen->etag);
        if (it->seen->etag[0] != '\0' && !it->unconditional)
                object_request_header(request, "x-amz-copy-source-if-match", etag);
        if (writing->customer_key == NULL)
                return;
        object_request_header(
            request, "x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256");
        object_request_secret(request, "x-amz-copy-source-server-side-encryption-customer-key",
            writing->customer_key);
        object_request_header(request, "x-amz-copy-source-server-side-encryption-customer-key-MD5",
            writing->customer_key_md5);
}

/* The ETag that an answer gives to what was made. */
static int
read_etag(const struct copying *it, const struct http_answer *answer, char out[STORE_ETAG_MAX + 1],
    struct err *err)
{
        struct xml *root = NULL;
        struct err why;

        err_init(&why);
        if (answer->body.len > 0)
                root = xml_parse(answer->body.data, answer->body.len, &why);
        const char *etag = xml_text_at(root, "ETag");

        out[0] = '\0';
        if (etag != NULL)
                s3_etag(etag, out);
        xml_free(root);
        if (out[0] != '\0')
                return 0;
        if (why.code == ERR_NOMEM) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        return err_set(
            err, ERR_PROTOCOL, "cannot copy \"%s\": the server does not say what it made", it->key);
}

/*
 * Not all servers heed x-amz-copy-source-if-match.  Where what was made has
 * the name of what was listed, it is that; else the source must still be it.
 */
static int
check_source(const struct copying *it, const struct store_stat *made, struct err *err)
{
        struct store_stat now;

        if (it->seen->etag[0] == '\0' || strcmp(made->etag, it->seen->etag) == 0)
                return 0;
        if (s3_head(it->from, NULL, it->key, &now, it->cancel, err) < 0)
                return -1;
        if (strcmp(now.etag, it->seen->etag) == 0)
                return 0;
        err_set(err, ERR_IO, "cannot copy \"%s\": it was changed meanwhile", it->key);
        if (err != NULL)
                err->retryable = true;
        return -1;
}

/* Copies in one request. */

static int
copy_whole(struct copying *it, struct store_stat *made, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };

        object_request_init(&request, it->to, "copy to", "PUT", it->key);
        s3_writing_headers(s3_of(it->to), it->seen->size <= it->to->part_size, &request);
        if (s3_of(it->to)->writing.tags != NULL)
                object_request_header(&request, "x-amz-tagging-directive", "REPLACE");
        add_source(it, &request);
        if (object_call(it->to, &request, it->cancel, &answer, err) < 0)
                return -1;
        int rc = read_etag(it, &answer, made->etag, err);
        http_answer_clear(&answer);
        return rc == 0 ? check_source(it, made, err) : -1;
}

/* Copies in parts. */

static void
on_part(void *arg, struct http_answer *answer, const struct err *failure)
{
        struct copied_part *part = arg;
        struct copying *it = part->it;
        char etag[STORE_ETAG_MAX + 1];
        struct err err;

        it->under_way--;
        err_init(&err);
        if (failure != NULL)
                err = *failure;
        else if (read_etag(it, answer, etag, &err) == 0)
                it->upload.tags[part->number - 1] = mem_strdup(etag, &err);
        if (err.code != ERR_NONE && !it->failed) {
                it->failed = true;
                it->failure = err;
        }
}

static int
start_part(struct copying *it, struct copied_part *part, struct err *err)
{
        uint64_t from = (uint64_t)(part->number - 1) * it->part_size;
        uint64_t to = from + it->part_size < it->seen->size ? from + it->part_size : it->seen->size;
        struct object_request request;
        char text[64];

        s3_init_of_upload(&request, &it->upload, "copy to", "PUT");
        snprintf(text, sizeof(text), "%zu", part->number);
        object_request_query(&request, "partNumber", text);
        snprintf(text, sizeof(text), "bytes=%llu-%llu", (unsigned long long)from,
            (unsigned long long)to - 1);
        object_request_header(&request, "x-amz-copy-source-range", text);
        add_source(it, &request);
        s3_reading(it->to, &request);
        if (object_start(it->lane, &request, it->cancel, on_part, part, err) < 0)
                return -1;
        it->under_way++;
        return 0;
}

static int
copy_parts(struct copying *it, struct copied_part *parts, struct err *err)
{
        size_t started = 0;

        while (!it->failed && (started < it->upload.count || it->under_way > 0)) {
                if (started < it->upload.count && it->under_way < it->to->connections) {
                        parts[started] = (struct copied_part){ it, started + 1 };
                        if (start_part(it, &parts[started], err) < 0)
                                return -1;
                        started++;
                } else if (object_lane_run(it->lane, -1, err) < 0) {
                        return -1;
                }
        }
        if (!it->failed)
                return 0;
        if (err != NULL)
                *err = it->failure;
        return -1;
}

static void
give_up(struct copying *it)
{
        struct err err;

        err_set(&err, ERR_CANCELLED, "the copy was given up");
        object_lane_stop(it->lane, &err);
        s3_abort(it->lane, &it->upload);
}

static int
copy_in_parts(struct copying *it, struct store_stat *made, struct err *err)
{
        struct object_upload *upload = &it->upload;
        struct copied_part *parts = NULL;
        int rc = -1;

        memset(upload, 0, sizeof(*upload));
        it->failed = false;

        it->part_size = COPY_PARTS * it->to->part_size;
        while (it->seen->size / it->part_size >= S3_PARTS_MAX)
                it->part_size *= 2;
        upload->it = it->to;
        upload->how.made = made;
        upload->bytes = it->seen->size;
        upload->count = (size_t)((it->seen->size + it->part_size - 1) / it->part_size);
        upload->key = mem_strdup(it->key, err);
        upload->tags = mem_zalloc(upload->count * sizeof(*upload->tags), err);
        parts = mem_zalloc(upload->count * sizeof(*parts), err);
        it->lane = object_lane_get(it->to, err);
        if (upload->key == NULL || upload->tags == NULL || parts == NULL || it->lane == NULL)
                goto done;
        if (s3_begin(it->lane, upload, it->cancel, err) < 0)
                goto done;
        if (copy_parts(it, parts, err) == 0 && check_source(it, made, err) == 0 &&
            s3_complete(it->lane, upload, it->cancel, err) == 0)
                rc = 0;
        else
                give_up(it);
done:
        if (it->lane != NULL)
                object_lane_put(it->lane);
        for (size_t idx = 0; upload->tags != NULL && idx < upload->count; idx++)
                mem_free(upload->tags[idx]);
        mem_free(upload->tags);
        mem_free(upload->key);
        mem_free(upload->id);
        mem_free(parts);
        return rc;
}

/* Where the server does not copy, we read and write. */
static bool
is_refused(const struct err *err)
{
        return err->code == ERR_PERMISSION || err->code == ERR_UNSUPPORTED ||
               err->code == ERR_INVALID;
}

static int
copy(struct copying *it, struct store_stat *made, struct err *err)
{
        bool small = it->seen->size <= COPY_PARTS * it->to->part_size;

        return small ? copy_whole(it, made, err) : copy_in_parts(it, made, err);
}

/* swift denies the condition to objects in parts, whatever their ETag. */
static bool
is_as_seen(const struct copying *it)
{
        struct store_stat now;

        return s3_head(it->from, NULL, it->key, &now, it->cancel, NULL) == 0 &&
               strcmp(now.etag, it->seen->etag) == 0;
}

int
s3_copy(struct store *to, struct store *from, const char *key, const struct store_stat *seen,
    struct store_stat *made, struct cancel *cancel, struct err *err)
{
        struct copying it = { .to = (struct object_store *)to,
                .from = (struct object_store *)from,
                .key = key,
                .seen = seen,
                .cancel = cancel };
        struct err why;

        if (!is_same_service(s3_of(it.to), s3_of(it.from)))
                return 0;
        it.source = source_of(&it, err);
        if (it.source == NULL)
                return -1;
        err_init(&why);
        int rc = copy(&it, made, &why);
        if (rc < 0 && why.http == 412 && is_as_seen(&it)) {
                it.unconditional = true;
                err_init(&why);
                rc = copy(&it, made, &why);
        }
        mem_free(it.source);
        if (rc == 0)
                return 1;
        if (is_refused(&why))
                return 0;
        /* What was listed is not there any more: once more, with what is. */
        if (why.http == 412)
                why.retryable = true;
        if (err != NULL)
                *err = why;
        return -1;
}
