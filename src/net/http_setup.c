#include "http_internal.h"

#include <string.h>

/* Bound on a method. */
#define METHOD_MAX 32

/* libcurl's buffers for large bodies: fewer, larger reads and writes.  The most it reads at once.
 */
#define LARGE_BUFFER 262144L

int
http_check_request(const struct http_request *request, struct err *err)
{
        if (request->method == NULL || request->url == NULL)
                return err_set(err, ERR_USAGE, "cannot send a request without method or URL");
        if (!http_is_token(request->method) || strlen(request->method) > METHOD_MAX)
                return err_set(err, ERR_USAGE, "cannot send a request with such a method");
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (http_check_header(&request->headers[idx], err) < 0)
                        return -1;
        }
        return 0;
}

/* The handle. */

static CURLcode
set_method(CURL *easy, const struct http_request *request)
{
        const void *body = request->payload != NULL ? request->payload : request->body;
        size_t len = request->payload != NULL ? request->payload_len : request->body_len;
        bool has_body = body != NULL || strcmp(request->method, "POST") == 0 ||
                        strcmp(request->method, "PUT") == 0 ||
                        strcmp(request->method, "PATCH") == 0;
        CURLcode rc = CURLE_OK;

        if (strcmp(request->method, "HEAD") == 0)
                return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        if (has_body) {
                /* The size first: without it libcurl measures the body as a string. */
                rc = curl_easy_setopt(
                    easy, CURLOPT_POSTFIELDSIZE_LARGE, body != NULL ? (curl_off_t)len : 0);
                if (rc == CURLE_OK)
                        rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body != NULL ? body : "");
        }
        if (rc == CURLE_OK)
                rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
        return rc;
}

static bool
needs_new_connection(const struct http_request *request)
{
        bool is_plain =
            strcmp(request->method, "POST") != 0 && strcmp(request->method, "PATCH") != 0;

        return is_plain ? request->once : !request->may_repeat;
}

static CURLcode
set_options(struct transfer *transfer)
{
        const struct http_request *request = &transfer->request;
        CURL *easy = transfer->easy;
        CURLcode rc = http_connect_options(transfer);

        if (rc != CURLE_OK)
                return rc;
        SET(easy, CURLOPT_PRIVATE, transfer);
        SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
        SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
        /*
         * libcurl sends a request again by itself when a connection of its
         * pool turns out to be dead.  What may have an effect twice gets a
         * connection that is new.
         */
        if (needs_new_connection(request))
                SET(easy, CURLOPT_FRESH_CONNECT, 1L);
        if (request->large) {
                SET(easy, CURLOPT_BUFFERSIZE, LARGE_BUFFER);
                SET(easy, CURLOPT_UPLOAD_BUFFERSIZE, LARGE_BUFFER);
        }

        SET(easy, CURLOPT_HEADERFUNCTION, http_on_header);
        SET(easy, CURLOPT_HEADERDATA, transfer);
        SET(easy, CURLOPT_WRITEFUNCTION, http_on_body);
        SET(easy, CURLOPT_WRITEDATA, transfer);
        SET(easy, CURLOPT_XFERINFOFUNCTION, http_on_progress);
        SET(easy, CURLOPT_XFERINFODATA, transfer);
        SET(easy, CURLOPT_NOPROGRESS, 0L);
        return set_method(easy, request);
}

int
http_setup(struct transfer *transfer, struct err *err)
{
        if (http_connect_prepare(transfer, err) < 0 || http_headers_make(transfer, err) < 0)
                return -1;
        transfer->easy = curl_easy_init();
        if (transfer->easy == NULL)
                return err_set(err, ERR_NOMEM, "out of memory for a request");
        CURLcode rc = set_options(transfer);
        if (rc != CURLE_OK)
                return err_set(err, rc == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
                    "cannot set up a request: %s", curl_easy_strerror(rc));
        return 0;
}
