/*
 * One HTTP request under way, shared by http.c and http_*.c.
 */
#ifndef MOONKEEP_NET_HTTP_INTERNAL_H
#define MOONKEEP_NET_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "moonkeep/http.h"
#include "moonkeep/url.h"

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
        struct err err;        /* set by a callback that stopped the transfer */
};

/* http_setup: make transfer->easy from the request. */
int http_setup(struct transfer *transfer, struct err *err);

/* http_headers_wipe: release transfer->headers. */
void http_headers_wipe(struct transfer *transfer);

/* http_check_request: is it a request that may be sent?  ERR_USAGE otherwise. */
int http_check_request(const struct http_request *request, struct err *err);

/* Callbacks of libcurl; the last argument is the transfer. */
size_t http_on_header(char *data, size_t size, size_t count, void *arg);
size_t http_on_body(char *data, size_t size, size_t count, void *arg);
int http_on_progress(
    void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up);

/* Callbacks of libcurl that keep loop->sockets; the first argument is the loop. */
curl_socket_t http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
int http_close_socket(void *arg, curl_socket_t fd);

/*
 * http_hurry: acknowledge what has come now, not in 40 ms.  A server that
 * sends headers and body apart, and leaves Nagle's algorithm on, waits for that
 * before it sends the body.
 */
void http_hurry(struct loop *loop);

/* http_judge: 0 when the answer is complete, else the error in our words. */
int http_judge(struct transfer *transfer, CURLcode result, struct err *err);

#endif
