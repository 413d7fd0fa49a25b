/*
 * Containers of Azure Blob Storage: what the files of the driver share.
 *
 * Source: Azure Storage REST API, Blob service (operations, error codes).
 */
#ifndef MOONKEEP_STORE_AZURE_H
#define MOONKEEP_STORE_AZURE_H

#include "azure_creds.h"
#include "azure_sign.h"
#include "moonkeep/xml.h"
#include "object.h"
#include "url_options.h"

/* Blocks of one blob. */
#define AZURE_BLOCKS_MAX 50000

/* Clocks may differ by 15 minutes; what differs by less than this is no reason for anything. */
#define AZURE_CLOCK_SLACK_MS ((int64_t)5 * 60 * 1000)

/*
 * In the archive nothing can be read at once.  Manifests, locks and records
 * have to be: what is created exclusively or is smaller than this is not put there.
 */
#define AZURE_ARCHIVED_MIN ((size_t)128 * 1024)

struct azure_store {
        struct object_store object; /* first: it is cast */
        struct azure_creds *creds;
        char *account;
        char *container;
        char *endpoint;   /* "https://ACCOUNT.blob.core.windows.net", no '/' at its end */
        const char *tier; /* of what is written: "Hot", ...; or NULL */
        char *tags;       /* as x-ms-tags has them; or NULL */

        int64_t
            clock_offset_ms; /* guarded by object.lock: what the server's clock is ahead of ours */
};

extern const struct object_dialect azure_dialect;

/* azure_open: the store itself, whose objects have at most AZURE_BLOCKS_MAX parts. */
struct store *azure_open(const struct url *url, struct err *err);

/* azure_of: the Azure store that a store is. */
struct azure_store *azure_of(struct object_store *it);

/*
 * azure_options_read: what the URL and the environment say, into *it, whose
 * object is there and the rest zero; sets store.url and store.place.
 */
int azure_options_read(struct azure_store *it, const struct url *url, struct err *err);
/* azure_options_writing: what they say about what is written. */
int azure_options_writing(
    struct azure_store *it, const struct url_option *options, struct err *err);

/*
 * azure_address: append the URL of a blob (key NULL: of the container), escaped,
 * without query.  ERR_INVALID for a key that Azure would take for another one.
 */
int azure_address(const struct azure_store *it, const char *key, struct buf *out, struct err *err);

/* The dialect. */

int azure_sign_request(struct object_store *it, const struct object_request *request,
    struct http_request *out, struct cancel *cancel, struct err *err);
enum object_verdict azure_judge(struct object_store *it, const struct object_request *request,
    const struct http_answer *answer, struct err *err);
void azure_writing(
    struct object_store *it, const struct store_write *how, struct object_request *request);

/* azure_writing_properties: tags and tier of what is written. */
void azure_writing_properties(
    const struct azure_store *it, bool may_be_archived, struct object_request *request);

int azure_begin(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err);
int azure_part(
    struct object_upload *upload, size_t number, struct object_request *request, struct err *err);
int azure_part_done(
    struct object_upload *upload, size_t number, const struct http_answer *answer, struct err *err);
int azure_complete(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err);
void azure_abort(struct object_lane *lane, struct object_upload *upload);

/*
 * azure_error_read: what an answer says is wrong: code and message, each ""
 * when it does not; one line each, without secrets or excess length.
 */
struct azure_error {
        char code[64];
        char message[256];
};
void azure_error_read(const struct http_answer *answer, struct azure_error *out);

/* azure_failure: what cannot be put right: fill err from what the server says. */
void azure_failure(const struct azure_store *it, const struct object_request *request,
    const struct http_answer *answer, const struct azure_error *error, struct err *err);

/* azure_tell: the reason, "text: what the server says (Code)". */
void azure_tell(struct err *err, const struct http_answer *answer, const struct azure_error *error,
    enum err_code means, bool retryable, const char *text);

/* azure_request_param: the value of a query parameter of the request, or NULL. */
const char *azure_request_param(const struct object_request *request, const char *name);
/* azure_request_has: has the request this header? */
bool azure_request_has(const struct object_request *request, const char *name);

/* Blobs. */

/* azure_etag: text without quotes, into out; "" when it is too long. */
void azure_etag(const char *text, char out[STORE_ETAG_MAX + 1]);

/* azure_stat_read: what the headers of an answer about a blob say. */
void azure_stat_read(const struct http_answer *answer, struct store_stat *out);

int azure_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err);
int azure_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err);
/* azure_list_including: the same, with what `include` names ("uncommittedblobs"), or NULL. */
int azure_list_including(struct azure_store *it, const char *prefix, bool shallow,
    const char *include, store_list_fn *fn, void *arg, struct cancel *cancel, struct err *err);
/* azure_list_page: one page of a listing of all, as it was received; frees body.  *marker:
 * mem_free. */
int azure_list_page(struct azure_store *it, struct buf *body, store_list_fn *fn, void *arg,
    char **marker, struct err *err);
int azure_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err);
int azure_copy(struct store *to, struct store *from, const char *key, const struct store_stat *seen,
    struct store_stat *made, struct cancel *cancel, struct err *err);

#endif
