/*
 * One HTTP request under way, shared by http.c and http_*.c.
 */
#ifndef MOONKEEP_NET_HTTP_INTERNAL_H
#define MOONKEEP_NET_HTTP_INTERNAL_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "moonkeep/http.h"
#include "moonkeep/pem.h"
#include "moonkeep/url.h"

/* The longest name that DNS has. */
#define SERVER_NAME_MAX 253

struct http_route {
        atomic_uint refs;
        struct pem_certs authorities; /* text NULL: the system's */
        struct pem_certs cert;
        struct secret *key;
        char *server_name;
        char *proxy; /* as libcurl is to have it; "": none */
};

enum dialled {
        DIAL_NOT_YET,
        DIAL_WAITS,
        DIAL_DONE
};

struct transfer {
        struct loop *loop;
        struct transfer *next, **link; /* of the loop's list */
        struct http_request request;
        struct url url;
        char *name; /* for messages: the URL without its query */
        struct cancel *cancel;
        http_done_fn *done;
        void *arg;

        CURL *easy;
        char *curl_url;                /* where it is not the request's: see http_connect.c */
        struct curl_slist *connect_to; /* who is connected to in place of the URL's host */
        enum dialled dialled;
        int dialled_fd;             /* DIAL_WAITS */
        int stand_in;               /* and the descriptor that is to become it */
        struct curl_slist *headers; /* may hold secrets: wiped */
        char curl_error[CURL_ERROR_SIZE];

        uint64_t watch; /* of the token */
        uint64_t stall_timer;
        uint64_t total_timer;
        int64_t progress_ms; /* when the last byte moved, by loop_clock */
        curl_off_t moved;    /* bytes of bodies, both directions */

        struct http_answer answer;
        size_t header_cap;
        size_t header_bytes;
        bool headers_complete; /* of the final answer, not of "100 Continue" */
        bool paused;           /* who takes the body has no room */
        bool may_go_on;        /* ... and has some again */
        struct err err;        /* set by a callback that stopped the transfer */
};

/* http_setup: make transfer->easy from the request. */
int http_setup(struct transfer *transfer, struct err *err);

/* http_check_request: is it a request that may be sent?  ERR_USAGE otherwise. */
int http_check_request(const struct http_request *request, struct err *err);

/* http_set_url: transfer->url and name, from the request's URL. */
int http_set_url(struct transfer *transfer, struct err *err);

/* http_is_token: a method, or the name of a header (RFC 9110, "token")? */
bool http_is_token(const char *text);

/* http_check_header: may it be sent?  ERR_USAGE otherwise. */
int http_check_header(const struct http_header *header, struct err *err);

/* http_headers_make: transfer->headers, from the request's. */
int http_headers_make(struct transfer *transfer, struct err *err);

/* http_headers_wipe: release transfer->headers. */
void http_headers_wipe(struct transfer *transfer);

/*
 * http_connect_prepare: what transfer->easy connects to, from the request's URL
 * and route; before http_connect_options, which sets all options that say how a
 * connection is made and trusted.  transfer->loop may be NULL.
 */
int http_connect_prepare(struct transfer *transfer, struct err *err);
CURLcode http_connect_options(struct transfer *transfer);
/* http_connect_clear: release what these two made, once transfer->easy is gone. */
void http_connect_clear(struct transfer *transfer);

/* http_host: the host and port of the URL, as the Host header has them; appended to out. */
int http_host(const struct url *url, struct buf *out, struct err *err);

/* no_proxy_has: is the host one that this list (as $no_proxy) says to reach without a proxy? */
bool no_proxy_has(const char *list, const char *host);

#define SET(easy, option, value)                                                                   \
        do {                                                                                       \
                CURLcode set_rc = curl_easy_setopt(easy, option, value);                           \
                if (set_rc != CURLE_OK)                                                            \
                        return set_rc;                                                             \
        } while (0)

/* http_take_line: a line of the head of an answer, into transfer->answer; ERR_TOO_BIG. */
int http_take_line(struct transfer *transfer, const char *line, size_t len, struct err *err);

/* Callbacks of libcurl; the last argument is the transfer. */
size_t http_on_header(char *data, size_t size, size_t count, void *arg);
size_t http_on_body(char *data, size_t size, size_t count, void *arg);
int http_on_progress(
    void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up);

/*
 * Callbacks of libcurl that keep loop->sockets.  The first argument is the loop
 * (which may be NULL), or the transfer that has a dial.
 */
curl_socket_t http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
curl_socket_t http_dial_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
int http_close_socket(void *arg, curl_socket_t fd);

/* Callbacks of libcurl before the first byte of TLS and of a request, for a transfer that has a
 * dial. */
CURLcode http_dialled_tls(CURL *easy, void *tls, void *arg);
int http_dialled_request(void *arg, char *peer, char *own, int peer_port, int own_port);
/* http_dial_clear: close what was dialled and not used. */
void http_dial_clear(struct transfer *transfer);

/* http_set_up_curl: once for the process; harmless to repeat. */
int http_set_up_curl(struct err *err);

/*
 * http_hurry: acknowledge what has come now, not in 40 ms.  A server that
 * sends headers and body apart, and leaves Nagle's algorithm on, waits for that
 * before it sends the body.
 */
void http_hurry(struct loop *loop);

/* http_judge: 0 when the answer is complete, else the error in our words. */
int http_judge(struct transfer *transfer, CURLcode result, struct err *err);

#endif
