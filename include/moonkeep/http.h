/*
 * Small HTTP requests on the loop: API calls whose answer fits a bound.
 */
#ifndef MOONKEEP_HTTP_H
#define MOONKEEP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/http_route.h"
#include "moonkeep/loop.h"
#include "moonkeep/secret.h"

struct http_header {
        char *name;
        char *value;           /* or NULL: secret, with value_prefix in front */
        char *value_prefix;    /* "Bearer " */
        struct secret *secret; /* referenced */
};

struct http_answer;

/*
 * Takes a piece of the body of a 2xx answer as it comes; answer has status and
 * headers, and no body.  Returns 0, HTTP_PAUSE, or -1 with err to end the transfer.
 */
typedef int http_body_fn(
    void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err);

/*
 * What a http_body_fn returns that has no room: it took nothing, the piece comes again after
 * http_go_on, and until then nothing is read from the connection.  That time is no stall.
 */
#define HTTP_PAUSE 1

/* Is told once that the headers of a 2xx answer are complete; its body may be long in coming. */
typedef void http_head_fn(void *arg, const struct http_answer *answer);

/*
 * Makes the connection of a request in place of libcurl: returns a connected
 * stream socket, which is taken (its number changes), or -1.  Called on the loop's
 * thread, and so must not wait; at most once, for this one request only.  No
 * name is looked up and no proxy asked.
 */
typedef int http_dial_fn(void *arg, struct err *err);

struct http_request {
        char *method; /* "GET" */
        char *url;    /* http or https; a password in it is refused */
        struct http_header *headers;
        size_t header_count;
        char *body; /* or NULL */
        size_t body_len;
        const void *payload; /* borrowed until done, instead of body; or NULL */
        size_t payload_len;
        bool may_repeat;          /* a POST or PATCH that does no harm when it comes twice */
        bool once;                /* no method of those, and does harm when it comes twice */
        bool large;               /* megabytes in either direction: larger buffers pay off */
        bool *sent;               /* set when the server may have seen it; or NULL */
        http_body_fn *on_body;    /* NULL: the body is collected in the answer */
        http_head_fn *on_head;    /* or NULL */
        void *body_arg;           /* of both */
        size_t answer_max;        /* bytes of a collected body; more is ERR_TOO_BIG */
        int64_t stall_ms;         /* no byte in either direction for so long is ERR_TIMEOUT */
        int64_t total_ms;         /* bound on the whole; 0: none */
        char *ca_file;            /* its authorities and no others; or NULL: the system's */
        const char *ca_option;    /* a literal: how the user names a CA, "--ca-file" if NULL */
        char *unix_socket;        /* or NULL */
        bool no_proxy;            /* whatever the environment says: metadata of a cloud's machine */
        struct http_route *route; /* referenced; or NULL */
        http_dial_fn *dial;       /* or NULL */
        void *dial_arg;
};

/* Bound on what stands behind '?' in a URL; that of what is before it is URL_MAX. */
#define HTTP_QUERY_MAX ((size_t)1024 * 1024)

/* Bound on the headers of an answer, in bytes over all lines. */
#define HTTP_HEADERS_MAX ((size_t)64 * 1024)

struct http_answer {
        int status; /* 200, 404, ...: any complete answer is a success of the call */
        struct buf body;
        struct http_header *headers; /* names in lower case, in the order of the answer */
        size_t header_count;
};

/* answer is freed after the call; what is moved out of it is zeroed in it. */
typedef void http_done_fn(void *arg, struct http_answer *answer, const struct err *err);

/*
 * http_start: send the request.  Takes the request's contents (on failure,
 * too; *request is zeroed).  done is called once, from the loop: with the
 * answer, or with NULL and the error.  Redirects are not followed.
 * Certificates are always verified.  Proxies are those of the environment
 * (http_proxy, HTTPS_PROXY, NO_PROXY ...), none for a unix socket.  POST and
 * PATCH are never sent twice unless they may_repeat; others may be when a kept
 * connection is dead, unless they are `once`.
 *
 * ERR_USAGE: a URL that is not http or https, or has a user or password in
 * it, a method or header that HTTP cannot carry.  A refused connection is
 * ERR_NETWORK (retryable); an answer that ends before its Content-Length, its
 * last chunk or its last header ERR_TRUNCATED; what is not HTTP, or a 2xx answer
 * with neither Content-Length nor chunks (whose end nothing proves), ERR_PROTOCOL;
 * an answer above answer_max or HTTP_HEADERS_MAX ERR_TOO_BIG.  Setting the
 * token ends it with ERR_CANCELLED.  No message contains a header or a query.
 */
int http_start(struct loop *loop, struct http_request *request, struct cancel *cancel,
    http_done_fn *done, void *arg, struct err *err);

/*
 * http_call: the same for threads that have no loop: send it, and wait for the
 * answer, which is to be cleared.  Its on_body must not return HTTP_PAUSE: nobody
 * would let it go on.  ERR as above.
 */
int http_call(struct http_request *request, struct cancel *cancel, struct http_answer *answer,
    struct err *err);

/*
 * http_end: end the requests of the loop that were started with arg, with that
 * error; done is called before it returns.  Not from what a request calls.
 */
void http_end(struct loop *loop, const void *arg, const struct err *err);

/*
 * http_go_on: let the requests of the loop that were started with arg, and paused, read again.
 * What they read is handed out by the next loop_run_once; harmless when none has paused.
 */
void http_go_on(struct loop *loop, const void *arg);

/* http_end_all: end all requests of the loop with that error; done is called before it returns. */
void http_end_all(struct loop *loop, const struct err *err);

/* http_answer_header: the value of the first header of that name (lower case), or NULL. */
const char *http_answer_header(const struct http_answer *answer, const char *name);

/*
 * http_retry_after_ms: what "Retry-After: 3" or "Retry-After: Sat, 21 Nov 2026 02:00:00 GMT"
 * asks for, by the server's clock when it says what that is; 0: nothing.
 */
int64_t http_retry_after_ms(const struct http_answer *answer);

/* http_request_header: add a header, with a copy of value; or with a secret, and value (or NULL)
 * as its prefix. */
int http_request_header(struct http_request *request, const char *name, const char *value,
    struct secret *secret, struct err *err);

/* http_request_clear: release what the request holds, wiped; it is zeroed then. */
void http_request_clear(struct http_request *request);

/* http_answer_clear: release what the answer holds; it is zeroed then. */
void http_answer_clear(struct http_answer *answer);

#endif
