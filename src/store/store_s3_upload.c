/* Objects that are written in parts: multipart uploads. */
#include <stdio.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/md5.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "s3.h"

#define BODY_MAX ((size_t)8 * 1024 * 1024)

/* An abort must not hold up the end of the program. */
#define ABORT_MS 10000

void
s3_init_of_upload(struct object_request *request, const struct object_upload *upload,
    const char *doing, const char *method)
{
        object_request_init(request, upload->it, doing, method, upload->key);
        object_request_query(request, "uploadId", upload->id);
}

/* Beginning. */

static int
begin_new(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_request request;

        object_request_init(&request, upload->it, "write", "POST", upload->key);
        object_request_query(&request, "uploads", NULL);
        s3_writing_headers(s3_of(upload->it), false, &request);
        struct xml *root =
            s3_call_xml(upload->it, lane, &request, "InitiateMultipartUploadResult", cancel, err);
        if (root == NULL)
                return -1;
        const char *id = xml_text_at(root, "UploadId");
        if (id == NULL || *id == '\0' || strlen(id) > S3_UPLOAD_ID_MAX)
                err_set(err, ERR_PROTOCOL,
                    "cannot write \"%s%s\": the server begins an upload "
                    "without an id",
                    upload->it->prefix, upload->key);
        else
                upload->id = mem_strdup(id, err);
        xml_free(root);
        return upload->id != NULL ? 0 : -1;
}

/* With keys of customers and of KMS the ETag of a part is no MD5: it proves nothing. */
static bool
is_opaque(const struct object_upload *upload)
{
        const struct s3_writing *writing = &s3_of(upload->it)->writing;

        return writing->customer_key != NULL ||
               (writing->sse != NULL && strncmp(writing->sse, "aws:kms", 7) == 0);
}

int
s3_begin(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        upload->began_ms = s3_now_ms(s3_of(upload->it));
        /* No part of it could be used, and it may be encrypted with another key, or with none. */
        bool resume = upload->how.resume && !is_opaque(upload);
        if (resume && s3_find_earlier(lane, upload, cancel, err) < 0)
                return -1;
        upload->resumed = upload->id != NULL;
        return upload->resumed ? 0 : begin_new(lane, upload, cancel, err);
}

/* Parts. */

int
s3_part(
    struct object_upload *upload, size_t number, struct object_request *request, struct err *err)
{
        char text[24];

        if (s3_is_known(upload, number, request)) {
                upload->tags[number - 1] = mem_strdup(upload->known[number - 1].tag, err);
                return upload->tags[number - 1] != NULL ? 1 : -1;
        }
        snprintf(text, sizeof(text), "%zu", number);
        request->method = "PUT";
        object_request_query(request, "partNumber", text);
        object_request_query(request, "uploadId", upload->id);
        s3_reading(upload->it, request);
        return 0;
}

int
s3_part_done(
    struct object_upload *upload, size_t number, const struct http_answer *answer, struct err *err)
{
        const char *text = http_answer_header(answer, "etag");
        char etag[STORE_ETAG_MAX + 1] = "";

        if (text != NULL)
                s3_etag(text, etag);
        if (etag[0] == '\0')
                return err_set(err, ERR_PROTOCOL,
                    "cannot write part %zu of \"%s%s\": the server "
                    "gives it no ETag",
                    number, upload->it->prefix, upload->key);
        upload->tags[number - 1] = mem_strdup(etag, err);
        return upload->tags[number - 1] != NULL ? 0 : -1;
}

/* Completing. */

static int
write_parts(const struct object_upload *upload, struct buf *out, struct err *err)
{
        if (buf_addstr(out, "<CompleteMultipartUpload>", err) < 0)
                return -1;
        for (size_t idx = 0; idx < upload->count; idx++) {
                const char *tag = upload->tags[idx];
                if (buf_addf(out, err, "<Part><PartNumber>%zu</PartNumber><ETag>&quot;", idx + 1) <
                        0 ||
                    xml_escape(tag, strlen(tag), out, err) < 0 ||
                    buf_addstr(out, "&quot;</ETag></Part>", err) < 0)
                        return -1;
        }
        return buf_addstr(out, "</CompleteMultipartUpload>", err);
}

/* The ETag of the whole: the MD5 of the MD5s of its parts, and how many; "" when that is unknown.
 */
static void
expected_etag(const struct object_upload *upload, char out[STORE_ETAG_MAX + 1])
{
        unsigned char digest[MD5_SIZE];
        char hex[2 * MD5_SIZE + 1];
        struct buf all;

        out[0] = '\0';
        buf_init(&all, S3_PARTS_MAX * MD5_SIZE);
        for (size_t idx = 0; idx < upload->count; idx++) {
                const char *tag = upload->tags[idx];
                if (hex_decode(tag, strlen(tag), digest, sizeof(digest), NULL) < 0 ||
                    buf_add(&all, digest, sizeof(digest), NULL) < 0)
                        goto done;
        }
        if (md5_bytes(all.data, all.len, digest, NULL) == 0) {
                hex_encode(digest, sizeof(digest), hex);
                snprintf(out, STORE_ETAG_MAX + 1, "%s-%zu", hex, upload->count);
        }
done:
        buf_free(&all);
}

/* Is what stat says this very upload, not what was there before? */
static bool
is_this(const struct object_upload *upload, const struct store_stat *stat)
{
        char want[STORE_ETAG_MAX + 1], count[24];

        if (stat->size != upload->bytes)
                return false;
        expected_etag(upload, want);
        if (strcmp(stat->etag, want) == 0)
                return true;
        /*
         * ETags of parts that are no MD5 say nothing of the whole, but how many
         * there were; that, and the size, often are those of the object before.
         */
        if (!is_opaque(upload) || stat->mtime_ms < upload->began_ms - S3_CLOCK_SLACK_MS)
                return false;
        snprintf(count, sizeof(count), "-%zu", upload->count);
        const char *dash = strrchr(stat->etag, '-');
        return dash != NULL && strcmp(dash, count) == 0;
}

static int
compare(const struct object_upload *upload, const struct store_stat *stat, struct err *err)
{
        if (stat->size == upload->bytes) {
                if (upload->how.made != NULL)
                        *upload->how.made = *stat;
                return 0;
        }
        return err_set(err, ERR_CORRUPT, "cannot write \"%s%s\": the server has %llu bytes of %llu",
            upload->it->prefix, upload->key, (unsigned long long)stat->size,
            (unsigned long long)upload->bytes);
}

static int
send_complete(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct buf body;
        int rc = -1;

        buf_init(&body, BODY_MAX);
        if (write_parts(upload, &body, err) < 0)
                goto done;
        s3_init_of_upload(&request, upload, "complete the upload of", "POST");
        request.payload = body.data;
        request.payload_len = body.len;
        struct xml *root =
            s3_call_xml(upload->it, lane, &request, "CompleteMultipartUploadResult", cancel, err);
        rc = root != NULL ? 0 : -1;
        xml_free(root);
done:
        buf_free(&body);
        return rc;
}

static int
other_before(const struct object_upload *upload, const struct err *why, struct err *err)
{
        err_set(err, ERR_IO,
            "cannot write \"%s%s\": the interrupted upload that was gone on with has other parts "
            "than these, and is removed now (%s)",
            upload->it->prefix, upload->key, why->msg);
        if (err != NULL)
                err->retryable = true;
        return -1;
}

int
s3_complete(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct store_stat stat;
        struct err why;

        err_init(&why);
        if (send_complete(lane, upload, cancel, &why) == 0) {
                if (s3_head(upload->it, lane, upload->key, &stat, cancel, err) < 0 ||
                    compare(upload, &stat, err) < 0)
                        return -1;
                return s3_finish(lane, upload, cancel, err);
        }
        /*
         * An answer that got lost: said again, the upload is not there any more.
         * What the server has under that name tells whether it took effect.
         */
        bool open = why.code == ERR_NOT_FOUND || why.code == ERR_PROTOCOL || why.retryable;
        if (open && s3_head(upload->it, lane, upload->key, &stat, cancel, NULL) == 0 &&
            is_this(upload, &stat))
                return compare(upload, &stat, err) < 0 ? -1 : s3_finish(lane, upload, cancel, err);
        /*
         * What an earlier writer had on its way may have arrived after the parts
         * were listed: in the place of one, or behind them, and some servers
         * (radosgw) want all parts that they have.
         */
        if (why.http == 400 && upload->resumed)
                return other_before(upload, &why, err);
        if (err != NULL)
                *err = why;
        return -1;
}

/* Aborting. */

static void
on_aborted(void *arg, struct http_answer *answer, const struct err *err)
{
        bool *ended = arg;

        (void)answer;
        (void)err;
        *ended = true;
}

void
s3_abort(struct object_lane *lane, struct object_upload *upload)
{
        struct object_request request;
        struct cancel *cancel = cancel_new(NULL, NULL);
        int64_t end_ms = time_mono_ms() + ABORT_MS;
        bool ended = false;

        if (cancel == NULL || upload->id == NULL)
                goto done;
        s3_init_of_upload(&request, upload, "abort the upload of", "DELETE");
        if (object_start(lane, &request, cancel, on_aborted, &ended, NULL) < 0)
                goto done;
        while (!ended) {
                int64_t left_ms = end_ms - time_mono_ms();
                if (left_ms <= 0)
                        cancel_trigger(cancel);
                (void)object_lane_run(lane, left_ms > 0 ? (int)left_ms : -1, NULL);
        }
done:
        cancel_unref(cancel);
}
