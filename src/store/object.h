/*
 * Object stores: what S3 and Azure Blob have in common.
 *
 *   object_store    a bucket (container) and a prefix in it, reached over HTTP
 *   object_dialect  what differs between the two: signing, judging, uploads
 *   object_request  one request, before it is signed
 *   object_lane     the connections of one thread, leased and kept alive
 *   object_call     send a request and wait for its answer, with retries
 *   object_start    the same for one of several on a lane
 *   object_source   an object read in ranges, several under way, in order
 *   object_sink     an object written in one request, or in parts, several under way
 *
 * Every attempt is signed anew, so that retries and long uploads live with
 * credentials that change, clocks that are corrected and regions that are found.
 */
#ifndef MOONKEEP_STORE_OBJECT_H
#define MOONKEEP_STORE_OBJECT_H

#include <pthread.h>

#include "moonkeep/digest.h"
#include "moonkeep/http.h"
#include "moonkeep/store_driver.h"

/* Requests of one sink or source under way at once, unless the URL says ?connections=. */
#define OBJECT_CONNECTIONS 4
#define OBJECT_CONNECTIONS_MAX 32

/* Bound on a collected answer that is no listing, in bytes. */
#define OBJECT_ANSWER_MAX ((size_t)1024 * 1024)

/* When to give up, and how long to wait before it is tried again. */
struct object_patience {
        unsigned attempts;    /* of one request, the first too; half while nothing has answered */
        int64_t stall_ms;     /* no byte moved for so long ends an attempt */
        int64_t pause_ms;     /* before the second attempt; doubled for each more, with jitter */
        int64_t pause_max_ms; /* bound on one pause, also on what Retry-After says */
};

struct object_dialect;
struct object_lane;

struct object_store {
        struct store store;
        const struct object_dialect *dialect;
        char *prefix;  /* "" or "a/b/": what stands before every key */
        char *ca_file; /* or NULL: the system's authorities */
        unsigned connections;
        size_t part_size; /* DIGEST_PART_SIZE, unless a test makes it smaller */
        struct object_patience patience;

        pthread_mutex_t lock; /* guards what follows, and what the dialect says */
        struct object_lane *idle;
        unsigned idle_count;
        bool reached; /* the server has answered something */
};

/*
 * object_store_init: sets what is above but `store`; takes prefix (on failure,
 * too).  Called before the dialect sets what its URL says.  object_store_clear
 * releases that, not the dialect's, not what `store` refers to, and not `it`
 * itself; an `it` that is all zero is fine.
 */
int object_store_init(
    struct object_store *it, const struct object_dialect *dialect, char *prefix, struct err *err);
void object_store_clear(struct object_store *it);

/*
 * object_prefix: the path of a URL, "/a/b/", as a prefix of keys, "a/b/".  check
 * says what a part of it must not be, or NULL.  ERR_USAGE; the result is the caller's.
 */
typedef const char *object_part_fn(const char *part, size_t len);
char *object_prefix(const char *path, object_part_fn *check, struct err *err);

struct url_option;
/* object_name: "s3://bucket" (base), the store's prefix, and options: a URL, the caller's. */
char *object_name(const struct object_store *it, const char *base, const struct url_option *options,
    struct err *err);

/*
 * object_connection: how it is talked to, from the options of the URL that
 * both dialects have: connections, attempts, stall.  ca_file may be NULL.
 */
int object_connection(struct object_store *it, const struct url_option *options,
    const char *ca_file, struct err *err);

/* Requests. */

struct object_request {
        const char *doing;  /* for messages: "cannot DOING \"KEY\": why" */
        const char *method; /* a literal */
        char *key;          /* as the server knows it, with the prefix; NULL: the bucket itself */
        struct object_pair {
                char *name;
                char *value;           /* or NULL */
                struct secret *secret; /* referenced; instead of value */
        } * query, *headers;
        size_t query_count, header_count;
        const void *payload; /* borrowed until done */
        size_t payload_len;
        const unsigned char *sha256; /* of the payload, borrowed; NULL: not known yet */
        bool once;                   /* not to be sent again when its effect is not known */
        size_t answer_max;           /* OBJECT_ANSWER_MAX unless set */
        http_body_fn *on_body;
        void *body_arg;
        bool large;        /* its answer has megabytes; what it sends is known */
        unsigned tried;    /* so often before: counts, and the first attempt has its pause */
        struct err failed; /* the first failure of the functions below; object_start tells it */
};

/* object_request_init: key is the store's key, without the prefix, or NULL. */
void object_request_init(struct object_request *request, const struct object_store *it,
    const char *doing, const char *method, const char *key);
void object_request_query(struct object_request *request, const char *name, const char *value);
void object_request_header(struct object_request *request, const char *name, const char *value);
void object_request_secret(struct object_request *request, const char *name, struct secret *secret);
void object_request_clear(struct object_request *request);

/* Lanes: one thread at a time.  They are given back when nothing is under way on them. */

struct object_lane *object_lane_get(struct object_store *it, struct err *err);
void object_lane_put(struct object_lane *lane);
struct loop *object_lane_loop(struct object_lane *lane);

/* object_lane_run: loop_run_once.  When it fails, all that is under way has ended with that. */
int object_lane_run(struct object_lane *lane, int max_wait_ms, struct err *err);

/* object_lane_stop: end all that is under way with that error. */
void object_lane_stop(struct object_lane *lane, const struct err *err);

/* answer is cleared after the call; what is moved out of it is zeroed in it. */
typedef void object_done_fn(void *arg, struct http_answer *answer, const struct err *err);

/*
 * object_start: send the request, again if need be, until its answer is good
 * or patience ends.  Takes the request's contents (on failure, too).  done is
 * called once, from loop_run_once on the lane's loop.
 *
 * Sent again: what err->retryable says, with a pause (Retry-After is heeded),
 * and what the dialect wants again at once.  A request that is `once` is not
 * sent again when the connection broke or stalled after it was sent, nor after an
 * answer that leaves open what happened (500): err->retryable says so.  One whose
 * answer goes to on_body is not sent again once a byte of it has come.
 * Half as often when there is no connection, or no word, and the server has not answered
 * anything yet.
 * An attempt that failed while nobody ran the lane's loop does not count.
 * Errors read "cannot DOING "KEY": ..." and say how often it was tried.
 */
int object_start(struct object_lane *lane, struct object_request *request, struct cancel *cancel,
    object_done_fn *done, void *arg, struct err *err);

/* object_call_on, object_call: the same, and wait; on a lane at hand, or a leased one. */
int object_call_on(struct object_lane *lane, struct object_request *request, struct cancel *cancel,
    struct http_answer *answer, struct err *err);
int object_call(struct object_store *it, struct object_request *request, struct cancel *cancel,
    struct http_answer *answer, struct err *err);

/* object_store_call: store_ops.call of both dialects. */
int object_store_call(struct store *store, const struct store_call *call,
    struct store_answer *answer, struct cancel *cancel, struct err *err);

/* Reading. */

/*
 * object_source: length bytes of key from offset (UINT64_MAX: to the end); the
 * first range is there when it returns, so ERR_NOT_FOUND, ERR_ARCHIVED and the
 * like come from here.  Further ranges of part_size are read ahead, at most
 * it->connections at once.  All of them must be of one version of the object
 * (ETag); one that is replaced while it is read is ERR_IO.  A range that breaks
 * off is asked for again from where it broke.
 */
struct source *object_source(struct object_store *it, const char *key, uint64_t offset,
    uint64_t length, struct cancel *cancel, struct err *err);

/* Writing. */

/* A part that the server has from an earlier, interrupted upload. */
struct object_known_part {
        char *tag; /* ETag without quotes, or block id; NULL: it has none of that number */
        uint64_t size;
};

/* An upload in parts, numbered from 1. */
struct object_upload {
        struct object_store *it;
        char *key;              /* without the prefix */
        struct store_write how; /* its digest is not for the dialect */
        char *id;               /* the dialect's; NULL until begun */
        int64_t began_ms;       /* by the server's clock, as far as it is known */
        bool resumed;           /* somebody else began it, earlier */
        char **tags;            /* of each part, by number - 1: what completes it */
        size_t count;
        size_t cap;
        struct object_known_part *known; /* only with how.resume */
        size_t known_count;
        uint64_t bytes; /* of all parts */
};

/*
 * object_sink: what is written to key.  Up to part_size bytes (or
 * STORE_EXCLUSIVE_MAX with how->exclusive) are one request, with the commit.
 * More are an upload in parts: a part is sent as soon as it is full, at most
 * it->connections are under way, one more is being filled.  The digest of a
 * part, which signs it, is taken from how->digest's parts, or from its own.
 * Freed without a commit, the upload is aborted, also after a cancel.
 */
struct sink *object_sink(struct object_store *it, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err);

/* What differs. */

enum object_verdict {
        OBJECT_GOOD,
        OBJECT_FAILED, /* err says why; err->retryable: again, after a pause */
        OBJECT_AGAIN   /* again at once: the next signature will be another (region, clock, keys) */
};

struct object_dialect {
        const char *name;      /* "S3" */
        const char *ca_option; /* what of the URL or the environment names an authority */
        bool no_sha256;        /* signatures do not cover the payload: sha256 is not needed */
        /*
         * Make one attempt: method, URL, headers and signature; body, timing and
         * CA are set by the caller.  May wait for credentials.
         */
        int (*sign)(struct object_store *it, const struct object_request *request,
            struct http_request *out, struct cancel *cancel, struct err *err);
        /*
         * Look at a complete answer of any status: errors also hide in a 200.
         * err's message is the reason alone ("access denied (AccessDenied)").
         */
        enum object_verdict (*judge)(struct object_store *it, const struct object_request *request,
            const struct http_answer *answer, struct err *err);
        /* Add what every GET of an object has to say (customer keys); may be NULL. */
        void (*reading)(struct object_store *it, struct object_request *request);
        /* Add what an object written in one request has to say: class, tags, conditions. */
        void (*writing)(
            struct object_store *it, const struct store_write *how, struct object_request *request);

        /* Uploads in parts.  begin: sets id, and known when it goes on with an earlier one. */
        int (*begin)(struct object_lane *lane, struct object_upload *upload, struct cancel *cancel,
            struct err *err);
        /*
         * part: complete the request ("PUT" of the key) that sends part `number`, whose
         * payload and sha256 are set already.  Returns 1, with upload->tags set, when the server
         * has that very part from before; else 0.
         */
        int (*part)(struct object_upload *upload, size_t number, struct object_request *request,
            struct err *err);
        /* part_done: note (tags[number - 1]) and check what the server says of it. */
        int (*part_done)(struct object_upload *upload, size_t number,
            const struct http_answer *answer, struct err *err);
        /* complete: make it visible, and compare what the server says of it then. */
        int (*complete)(struct object_lane *lane, struct object_upload *upload,
            struct cancel *cancel, struct err *err);
        /* abort: as far as possible, with a bounded time of its own. */
        void (*abort)(struct object_lane *lane, struct object_upload *upload);
};

#endif
