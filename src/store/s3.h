/*
 * Buckets of S3: what the files of the driver share.
 *
 * Source: Amazon S3 API Reference (Actions, Error responses).
 */
#ifndef MOONKEEP_STORE_S3_H
#define MOONKEEP_STORE_S3_H

#include "aws_creds.h"
#include "moonkeep/time.h"
#include "moonkeep/xml.h"
#include "object.h"
#include "s3_sign.h"
#include "url_options.h"

#define S3_REGION_MAX ((size_t)64)
#define S3_KEY_ID_MAX ((size_t)128)
#define S3_RETAIN_DAYS_MAX 36500

/* Parts of one upload that S3 numbers. */
#define S3_PARTS_MAX 10000

/* Bound on the id of an upload, in bytes. */
#define S3_UPLOAD_ID_MAX ((size_t)4096)

/* Clocks may differ by 15 minutes; what differs by less than this is no reason for anything. */
#define S3_CLOCK_SLACK_MS ((int64_t)5 * 60 * 1000)

/* The key that signs requests of one day, region and access key. */
struct s3_day_key {
        char day[9]; /* "" when there is none */
        char region[S3_REGION_MAX + 1];
        char id[S3_KEY_ID_MAX + 1];
        unsigned char key[SHA256_SIZE];
};

/* What the URL says about the objects that are written. */
struct s3_writing {
        char *class; /* each of them may be NULL */
        char *sse;   /* "AES256", "aws:kms", "aws:kms:dsse" */
        char *kms_key;
        char *tags;                  /* as x-amz-tagging has them */
        struct secret *customer_key; /* base64 */
        char *customer_key_md5;      /* base64 */
        unsigned retain_days;        /* 0: not locked */
        const char *retain_mode;     /* "GOVERNANCE", "COMPLIANCE" */
};

struct s3_store {
        struct object_store object; /* first: it is cast */
        struct aws_creds *creds;
        char *bucket;
        char *endpoint; /* "http://127.0.0.1:9000"; NULL: AWS, wherever the region is */
        bool virtual_hosted;
        bool dualstack, fips;
        struct s3_writing writing;

        /* Guarded by object.lock. */
        char region[S3_REGION_MAX + 1];
        int64_t clock_offset_ms; /* what the server's clock is ahead of ours */
        struct s3_day_key day_key;
        char key_id[S3_KEY_ID_MAX + 1]; /* of the last signature */
        bool wants_md5; /* the bucket locks what is written: it asks for a Content-MD5 */
};

extern const struct object_dialect s3_dialect;

/* s3_of: the S3 store that a store is. */
struct s3_store *s3_of(struct object_store *it);

/* s3_prefix: the path of a URL, "/a/b/", as a prefix of keys, "a/b/"; ERR_USAGE. */
char *s3_prefix(const char *path, struct err *err);

/*
 * s3_options_read: what the URL, the environment and the shared files say, into
 * *it, whose object is there and the rest zero; sets store.url and store.place.
 * s3_options_writing: what they say about it->writing.
 */
int s3_options_read(struct s3_store *it, const struct url *url, struct err *err);
int s3_options_writing(struct s3_store *it, const struct url_option *options, struct err *err);

/* Where requests go (s3_endpoint.c). */

/*
 * s3_endpoint_parse: text as "https://host:port"; ERR_USAGE when it is
 * something else than the address of a server.  *aws: is it one of Amazon's?
 * *is_address: its host is an IP address.
 */
char *s3_endpoint_parse(const char *text, bool *aws, bool *is_address, struct err *err);

/* s3_endpoint_region: append the region that stands in the name of one of Amazon's hosts, if any.
 */
bool s3_endpoint_region(const char *host, char out[S3_REGION_MAX + 1]);

/* s3_region_is_good: can it be a part of a host name? */
bool s3_region_is_good(const char *region, size_t len);

/*
 * s3_address: the URL without path, and the path of key (NULL: of the bucket),
 * encoded; both appended.
 */
int s3_address(const struct s3_store *it, const char *region, const char *key, struct buf *base,
    struct buf *path, struct err *err);

/* The dialect. */

int s3_sign_request(struct object_store *it, const struct object_request *request,
    struct http_request *out, struct cancel *cancel, struct err *err);
enum object_verdict s3_judge(struct object_store *it, const struct object_request *request,
    const struct http_answer *answer, struct err *err);
void s3_reading(struct object_store *it, struct object_request *request);
void s3_writing(
    struct object_store *it, const struct store_write *how, struct object_request *request);

int s3_begin(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err);
int s3_part(
    struct object_upload *upload, size_t number, struct object_request *request, struct err *err);
int s3_part_done(
    struct object_upload *upload, size_t number, const struct http_answer *answer, struct err *err);
int s3_complete(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err);
void s3_abort(struct object_lane *lane, struct object_upload *upload);

/* s3_request_param: the value of a query parameter of the request ("" without one), or NULL. */
const char *s3_request_param(const struct object_request *request, const char *name);

/* s3_action: the permission that the request needs most, "s3:PutObject". */
const char *s3_action(const struct object_request *request);

/*
 * s3_error_read: what an answer says is wrong: code and message, each "" when
 * it does not; the message has no line breaks, secrets or excess length.
 * False when the answer is no error document.
 */
struct s3_error {
        char code[64];
        char message[256];
        char region[S3_REGION_MAX + 1]; /* where the bucket is, or "" */
};
bool s3_error_read(const struct http_answer *answer, struct s3_error *out);

/* s3_error_hides: is there an error in the body, whatever the status? */
bool s3_error_hides(const struct http_answer *answer);

/* Listings. */

/* s3_call_xml: send the request; the root of its answer, which has that name. */
struct xml *s3_call_xml(struct object_store *it, struct object_lane *lane,
    struct object_request *request, const char *root, struct cancel *cancel, struct err *err);

/* s3_decoded: a name of a listing, decoded if it was encoded; ERR_INVALID with a NUL in it. */
char *s3_decoded(const struct xml *listing, const char *text, struct err *err);

/* s3_etag: text without quotes, into out; "" when it is too long. */
void s3_etag(const char *text, char out[STORE_ETAG_MAX + 1]);

/* s3_number: a decimal number; -1 for anything else. */
int s3_number(const char *text, uint64_t *out);

/* s3_class_is_archive: do objects of that storage class (or NULL) have to be brought back first? */
bool s3_class_is_archive(const char *class);

/* s3_full_key: key with the prefix of the store. */
char *s3_full_key(const struct object_store *it, const char *key, struct err *err);

/* s3_head: look at key, on that lane or (NULL) another one. */
int s3_head(struct object_store *it, struct object_lane *lane, const char *key,
    struct store_stat *out, struct cancel *cancel, struct err *err);

/*
 * s3_writing_headers: what an object is to be; a small one is not put into an
 * archive.
 */
void s3_writing_headers(struct s3_store *it, bool small, struct object_request *request);

/* A listing under way. */
struct s3_listing {
        struct object_store *it;
        const char *prefix; /* with the store's own */
        bool shallow;
        store_list_fn *fn;
        void *arg;
        char *last;  /* the key before; or NULL */
        char *token; /* of the next page; or NULL */
        unsigned empty_pages;
};

/* s3_listing_take: tell what is on a page.  1: there is another one, at ->token; 0: that was all.
 */
int s3_listing_take(struct s3_listing *listing, const struct xml *root, struct err *err);
void s3_listing_clear(struct s3_listing *listing);

int s3_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err);

/* Unfinished uploads. */

struct s3_upload {
        const char *key; /* with the prefix */
        const char *id;
        const char *class; /* or NULL */
        int64_t began_ms;
};

/* Where the next page begins: both NULL at first. */
struct s3_markers {
        char *key;
        char *id;
};

/* s3_uploads: call fn for each whose key, with the prefix, begins with prefix. */
typedef int s3_upload_fn(void *arg, const struct s3_upload *upload, struct err *err);
int s3_uploads(struct object_store *it, const char *prefix, s3_upload_fn *fn, void *arg,
    struct cancel *cancel, struct err *err);

/* s3_uploads_take: tell what is on a page.  1: there is another one, at *markers; 0: that was all.
 */
int s3_uploads_take(struct object_store *it, const char *prefix, const struct xml *root,
    struct s3_markers *markers, s3_upload_fn *fn, void *arg, struct err *err);
void s3_markers_clear(struct s3_markers *markers);

/* s3_upload_request: of the upload `id` of key, with the prefix. */
int s3_upload_request(struct object_request *request, struct object_store *it, const char *doing,
    const char *method, const char *key, const char *id, struct err *err);

/* s3_init_of_upload: a request of an upload that has begun. */
void s3_init_of_upload(struct object_request *request, const struct object_upload *upload,
    const char *doing, const char *method);

/*
 * s3_find_earlier: set id and known parts of the newest unfinished upload of
 * the same key, if there is one that can be used.
 */
int s3_find_earlier(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err);

/* s3_parts_take: note the parts on a page.  1: there is another one, behind *marker; 0: that was
 * all. */
int s3_parts_take(
    struct object_upload *upload, const struct xml *root, uint64_t *marker, struct err *err);

/* s3_forget: there is no upload to go on with. */
void s3_forget(struct object_upload *upload);

/* s3_is_known: is the part that the server has what is to be sent? */
bool s3_is_known(
    const struct object_upload *upload, size_t number, const struct object_request *request);

/* s3_now_ms: unix, by the server's clock as far as it is known. */
int64_t s3_now_ms(struct s3_store *it);

/* s3_retain_until: until when what is written now is locked. */
void s3_retain_until(struct s3_store *it, char out[TIME_ISO_SIZE]);

/* s3_finish: tag and lock what was just completed, where beginning it may not have. */
int s3_finish(struct object_lane *lane, const struct object_upload *upload, struct cancel *cancel,
    struct err *err);

int s3_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err);

int s3_copy(struct store *to, struct store *from, const char *key, const struct store_stat *seen,
    struct store_stat *made, struct cancel *cancel, struct err *err);

/* s3_open: store_s3_open without the division of what is too large. */
struct store *s3_open(const struct url *url, struct err *err);

#endif
