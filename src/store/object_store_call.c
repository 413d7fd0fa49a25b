#include <stdio.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "object.h"

/* Bound on one value made of a secret; a secret in a query is part of the URL. */
#define DOING_MAX 64

static void
add_pairs(struct object_request *request, const struct store_call *call)
{
        for (size_t idx = 0; idx < call->query_count; idx++) {
                const struct store_pair *pair = &call->query[idx];
                if (pair->secret != NULL)
                        err_set(&request->failed, ERR_USAGE,
                            "the parameter \"%s\" of a request cannot be a secret: URLs are logged",
                            pair->name);
                object_request_query(request, pair->name, pair->value);
        }
        for (size_t idx = 0; idx < call->header_count; idx++) {
                const struct store_pair *pair = &call->headers[idx];
                if (pair->secret != NULL)
                        object_request_secret(
                            request, pair->name, (struct secret *)(uintptr_t)pair->secret);
                else
                        object_request_header(request, pair->name, pair->value);
        }
}

/* "name: value\n" of each header. */
static char *
header_lines(const struct http_answer *answer, struct err *err)
{
        struct buf lines;

        buf_init(&lines, 2 * HTTP_HEADERS_MAX);
        if (buf_addstr(&lines, "", err) < 0)
                return NULL;
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                const struct http_header *header = &answer->headers[idx];
                if (buf_addf(&lines, err, "%s: %s\n", header->name, header->value) < 0) {
                        buf_free(&lines);
                        return NULL;
                }
        }
        return buf_detach(&lines, err);
}

int
object_store_call(struct store *store, const struct store_call *call, struct store_answer *answer,
    struct cancel *cancel, struct err *err)
{
        struct object_store *it = (struct object_store *)store;
        struct object_request request;
        struct http_answer http = { 0 };
        char doing[DOING_MAX];

        snprintf(doing, sizeof(doing), "send a %.32s request to", call->method);
        object_request_init(&request, it, doing, call->method, call->key);
        add_pairs(&request, call);
        request.payload = call->body;
        request.payload_len = call->body_len;
        request.once = call->once;
        if (call->answer_max > 0)
                request.answer_max = call->answer_max;
        if (object_call(it, &request, cancel, &http, err) < 0)
                return -1;

        char *headers = header_lines(&http, err);
        if (headers == NULL) {
                http_answer_clear(&http);
                return -1;
        }
        answer->status = http.status;
        answer->headers = headers;
        answer->body = http.body;
        memset(&http.body, 0, sizeof(http.body));
        http_answer_clear(&http);
        return 0;
}
