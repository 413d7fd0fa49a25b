/*
 * A small dialect of an object store, without signatures, over the scripted
 * server: for what both real dialects share.
 */
#ifndef TESTS_HARNESS_OBJECT_TEST_H
#define TESTS_HARNESS_OBJECT_TEST_H

#include "harness/http_test.h"
#include "moonkeep/cancel.h"
#include "moonkeep/stream.h"
#include "moonkeep/time.h"
#include "../../src/store/object.h"

#define TEST_PART ((size_t)64 * 1024)

static struct object_store object;
static int signed_count;

static inline int
plain_sign(struct object_store *it, const struct object_request *request, struct http_request *out,
    struct cancel *cancel, struct err *err)
{
        char url[2048], attempt[16];

        (void)cancel;
        int len = snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", server_port,
            request->key != NULL ? request->key : "");
        for (size_t idx = 0; idx < request->query_count; idx++) {
                const struct object_pair *pair = &request->query[idx];
                len += snprintf(url + len, sizeof(url) - (size_t)len, "%c%s%s%s",
                    idx == 0 ? '?' : '&', pair->name, pair->value != NULL ? "=" : "",
                    pair->value != NULL ? pair->value : "");
        }
        (void)it;
        out->method = mem_strdup(request->method, err);
        out->url = mem_strdup(url, err);
        if (out->method == NULL || out->url == NULL)
                return -1;
        for (size_t idx = 0; idx < request->header_count; idx++) {
                const struct object_pair *pair = &request->headers[idx];
                if (http_request_header(out, pair->name, pair->value, pair->secret, err) < 0)
                        return -1;
        }
        if (request->sha256 != NULL) {
                char hex[16];
                snprintf(hex, sizeof(hex), "%02x%02x%02x%02x", request->sha256[0],
                    request->sha256[1], request->sha256[2], request->sha256[3]);
                if (http_request_header(out, "X-Sha256", hex, NULL, err) < 0)
                        return -1;
        }
        snprintf(attempt, sizeof(attempt), "%d", ++signed_count);
        return http_request_header(out, "X-Signed", attempt, NULL, err);
}

static inline enum object_verdict
plain_judge(struct object_store *it, const struct object_request *request,
    const struct http_answer *answer, struct err *err)
{
        (void)it;
        (void)request;
        if (answer->status == 418)
                return OBJECT_AGAIN;
        if (answer->status >= 200 && answer->status < 300) {
                if (answer->body.len == 0 || strncmp(answer->body.data, "error", 5) != 0)
                        return OBJECT_GOOD;
                err_set(err, ERR_HTTP, "an error in a 200");
                err->retryable = true;
                return OBJECT_FAILED;
        }
        err_set(err,
            answer->status == 404   ? ERR_NOT_FOUND
            : answer->status == 403 ? ERR_PERMISSION
            : answer->status == 412 ? ERR_EXISTS
                                    : ERR_HTTP,
            "HTTP status %d", answer->status);
        err->http = answer->status;
        err->retryable = answer->status >= 500 || answer->status == 429;
        return OBJECT_FAILED;
}

static inline void
plain_writing(
    struct object_store *it, const struct store_write *how, struct object_request *request)
{
        (void)it;
        if (how->exclusive)
                object_request_header(request, "If-None-Match", "*");
}

static inline int
plain_begin(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer;

        object_request_init(&request, upload->it, "begin", "POST", upload->key);
        object_request_query(&request, "begin", NULL);
        if (object_call_on(lane, &request, cancel, &answer, err) < 0)
                return -1;
        upload->id = buf_detach(&answer.body, err);
        http_answer_clear(&answer);
        if (upload->how.resume) {
                upload->known = mem_zalloc(sizeof(*upload->known), err);
                CHECK(upload->known != NULL);
                upload->known[0].tag = mem_strdup("known", err);
                upload->known[0].size = TEST_PART;
                upload->known_count = 1;
        }
        return upload->id != NULL ? 0 : -1;
}

static inline int
plain_part(
    struct object_upload *upload, size_t number, struct object_request *request, struct err *err)
{
        char text[16];

        if (number <= upload->known_count &&
            upload->known[number - 1].size == request->payload_len) {
                upload->tags[number - 1] = mem_strdup(upload->known[number - 1].tag, err);
                return upload->tags[number - 1] != NULL ? 1 : -1;
        }
        snprintf(text, sizeof(text), "%zu", number);
        object_request_query(request, "part", text);
        object_request_query(request, "id", upload->id);
        return 0;
}

static inline int
plain_part_done(
    struct object_upload *upload, size_t number, const struct http_answer *answer, struct err *err)
{
        const char *etag = http_answer_header(answer, "etag");

        if (etag == NULL)
                return err_set(err, ERR_PROTOCOL, "part %zu has no tag", number);
        upload->tags[number - 1] = mem_strdup(etag, err);
        return upload->tags[number - 1] != NULL ? 0 : -1;
}

static inline int
plain_complete(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer;
        struct buf tags;

        buf_init(&tags, 65536);
        for (size_t idx = 0; idx < upload->count; idx++) {
                const char *comma = idx > 0 ? "," : "";
                if (buf_addf(&tags, err, "%s%s", comma, upload->tags[idx]) < 0) {
                        buf_free(&tags);
                        return -1;
                }
        }
        object_request_init(&request, upload->it, "complete", "POST", upload->key);
        object_request_query(&request, "complete", upload->id);
        request.payload = tags.data;
        request.payload_len = tags.len;
        int rc = object_call_on(lane, &request, cancel, &answer, err);
        if (rc == 0)
                http_answer_clear(&answer);
        buf_free(&tags);
        return rc;
}

static inline void
plain_abort(struct object_lane *lane, struct object_upload *upload)
{
        struct object_request request;
        struct http_answer answer;

        object_request_init(&request, upload->it, "abort", "DELETE", upload->key);
        object_request_query(&request, "abort", upload->id);
        if (object_call_on(lane, &request, NULL, &answer, NULL) == 0)
                http_answer_clear(&answer);
}

static inline int
plain_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        struct object_request request;
        struct http_answer answer;

        object_request_init(&request, (struct object_store *)store, "look at", "HEAD", key);
        if (object_call((struct object_store *)store, &request, cancel, &answer, err) < 0)
                return -1;
        out->size = strtoull(http_answer_header(&answer, "content-length"), NULL, 10);
        http_answer_clear(&answer);
        return 0;
}

static const struct object_dialect plain_dialect = {
        .name = "plain",
        .sign = plain_sign,
        .judge = plain_judge,
        .writing = plain_writing,
        .begin = plain_begin,
        .part = plain_part,
        .part_done = plain_part_done,
        .complete = plain_complete,
        .abort = plain_abort,
};

static const struct store_ops plain_ops = { .name = "plain", .stat = plain_stat };

/* The store, with parts and pauses that fit a test. */
static inline void
make_object_store(void)
{
        struct err err;

        err_init(&err);
        memset(&object, 0, sizeof(object));
        CHECK_OK(object_store_init(&object, &plain_dialect, strdup("p/"), &err), err);
        object.store.ops = &plain_ops;
        object.store.url = (char *)(uintptr_t) "plain://test";
        object.part_size = TEST_PART;
        object.connections = 2;
        object.patience.pause_ms = 1;
        object.patience.pause_max_ms = 20;
        object.patience.attempts = 3;
        signed_count = 0;
}

/* A server that plays the script, and the store there. */
static inline void
open_object_store(const char *script)
{
        start_server(script);
        make_object_store();
}

/* All that the script expects has happened, and nothing else. */
static inline void
close_object_store(void)
{
        object_store_clear(&object);
        server_is_content();
}

/* The same, for a script with "always" in it that is forever. */
static inline void
drop_object_store(void)
{
        object_store_clear(&object);
        end_server();
}

/* Byte `at` of the server's pattern. */
static inline char
pattern(size_t at)
{
        return (char)(unsigned char)(at + at / 251);
}

#endif
