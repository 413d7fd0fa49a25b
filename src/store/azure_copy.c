/* Blobs that the server copies, within an account. */
#include <stdio.h>
#include <string.h>

#include "azure.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/*
 * What is larger is read and written here: the server has to manage it within
 * the time after which a request counts as stalled.  (Copy Blob takes any size,
 * but goes on behind its answer: the blob would be there before its bytes are.)
 */
#define COPY_MAX ((uint64_t)128 * 1024 * 1024)

/* How long the server may read the source. */
#define READING_MS (3600 * INT64_C(1000))

#define SOURCE_MAX ((size_t)64 * 1024)

/* The server cannot, or may not: then it is read and written here, which says more if that fails.
 */
static bool
is_refusal(const struct err *err)
{
        return err->code == ERR_PERMISSION || err->code == ERR_UNSUPPORTED ||
               err->code == ERR_CREDENTIALS || err->http == 400;
}

static bool
is_same_service(const struct azure_store *to, const struct azure_store *from)
{
        return strcmp(to->account, from->account) == 0 && strcmp(to->endpoint, from->endpoint) == 0;
}

/* The query that opens the source to the server, if it is one. */
static int
add_opening(const struct azure_store *from, const char *blob, const struct secret *secret,
    struct buf *url, struct err *err)
{
        size_t len;
        const char *bytes = secret_bytes(secret, &len);

        switch (azure_creds_kind(from->creds)) {
        case AZURE_AUTH_KEY:
                if (buf_addstr(url, "?", err) < 0)
                        return -1;
                return azure_sign_reading(from->account, from->container, blob,
                    time_now_ms() + READING_MS, secret, url, err);
        case AZURE_AUTH_SAS:
                return buf_addstr(url, "?", err) < 0 ? -1 : buf_add(url, bytes, len, err);
        default:
                return 0;
        }
}

/* A header whose value is a secret: made of text, which is wiped. */
static void
add_secret(struct object_request *request, const char *name, struct buf *text)
{
        struct secret *secret = secret_new(text->data, text->len, &request->failed);

        if (secret != NULL)
                object_request_secret(request, name, secret);
        secret_unref(secret);
        secret_wipe(text->data, text->cap);
}

static void
add_source(struct azure_store *from, const char *key, struct object_request *request,
    struct cancel *cancel)
{
        struct err *err = &request->failed;
        struct buf blob, text;

        buf_init(&blob, 4 * STORE_KEY_MAX);
        buf_init(&text, SOURCE_MAX);
        struct secret *secret = azure_creds_get(from->creds, cancel, err);
        /* All room at once: a buffer that moves would leave a copy behind. */
        if (secret == NULL || buf_reserve(&text, SOURCE_MAX - 1, err) == NULL ||
            buf_addf(&blob, err, "%s%s", from->object.prefix, key) < 0 ||
            azure_address(from, blob.data, &text, err) < 0 ||
            add_opening(from, blob.data, secret, &text, err) < 0)
                goto done;
        add_secret(request, "x-ms-copy-source", &text);
        if (azure_creds_kind(from->creds) != AZURE_AUTH_TOKEN)
                goto done;
        buf_clear(&text);
        if (buf_addf(&text, err, "Bearer %s", secret_bytes(secret, NULL)) == 0)
                add_secret(request, "x-ms-copy-source-authorization", &text);
done:
        buf_free(&blob);
        buf_free(&text);
        secret_unref(secret);
}

static int
tell_changed(const char *key, struct err *err)
{
        err_set(err, ERR_IO, "cannot copy \"%s\": it was changed meanwhile", key);
        if (err != NULL)
                err->retryable = true;
        return -1;
}

int
azure_copy(struct store *to, struct store *from, const char *key, const struct store_stat *seen,
    struct store_stat *made, struct cancel *cancel, struct err *err)
{
        struct azure_store *target = (struct azure_store *)to;
        struct azure_store *origin = (struct azure_store *)from;
        char etag[STORE_ETAG_MAX + 3];
        struct object_request request;
        struct http_answer answer = { 0 };
        struct err why;

        if (!is_same_service(target, origin) || seen->size > COPY_MAX || seen->etag[0] == '\0')
                return 0;
        err_init(&why);
        snprintf(etag, sizeof(etag), "\"%s\"", seen->etag);
        object_request_init(&request, &target->object, "copy to", "PUT", key);
        object_request_header(&request, "x-ms-requires-sync", "true");
        object_request_header(&request, "x-ms-source-if-match", etag);
        azure_writing_properties(target, seen->size >= AZURE_ARCHIVED_MIN, &request);
        add_source(origin, key, &request, cancel);
        if (object_call(&target->object, &request, cancel, &answer, &why) < 0) {
                if (why.http == 412)
                        return tell_changed(key, err);
                if (is_refusal(&why))
                        return 0;
                if (err != NULL)
                        *err = why;
                return -1;
        }
        azure_stat_read(&answer, made);
        made->size = seen->size;
        http_answer_clear(&answer);
        return 1;
}
