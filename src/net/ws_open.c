#include <limits.h>
#include <string.h>

#include "moonkeep/log.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "ws_internal.h"
#include "ws_upgrade.h"

/* What messages say that we cannot do. */
#define CONNECT "connect to"

static int
fail(const struct ws *ws, struct err *err)
{
        return err_prefix(err, "cannot " CONNECT " \"%s\"", ws->transfer.name);
}

/* The request that libcurl connects for; what it sends is ours. */
static int
describe(struct ws *ws, const struct ws_request *request, struct err *err)
{
        struct transfer *transfer = &ws->transfer;
        struct http_request *own = &transfer->request;
        struct http_header protocols = {
                .name = (char *)(uintptr_t) "Sec-WebSocket-Protocol",
                .value = (char *)(uintptr_t)request->protocols,
        };

        own->method = mem_strdup(CONNECT, err);
        own->url = mem_strdup(request->url, err);
        if (own->method == NULL || own->url == NULL)
                return -1;
        own->route = http_route_ref(request->route);
        own->stall_ms = request->stall_ms;
        own->answer_max = WS_REFUSAL_MAX;
        if (request->protocols != NULL && http_check_header(&protocols, err) < 0)
                return -1;
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (http_check_header(&request->headers[idx], err) < 0)
                        return -1;
        }
        return http_set_url(transfer, err);
}

static CURLcode
set_options(struct ws *ws)
{
        CURL *easy = ws->transfer.easy;
        CURLcode rc = http_connect_options(&ws->transfer);

        if (rc != CURLE_OK)
                return rc;
        SET(easy, CURLOPT_CONNECT_ONLY, 1L);
        /* As much as there is room for, at once; libcurl reads 16 KiB otherwise. */
        SET(easy, CURLOPT_BUFFERSIZE, (long)WS_BUFFER_SIZE);
        /* Through a proxy to http://, too. */
        SET(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
        return CURLE_OK;
}

static int
make_handles(struct ws *ws, struct err *err)
{
        if (http_set_up_curl(err) < 0 || http_connect_prepare(&ws->transfer, err) < 0)
                return -1;
        ws->multi = curl_multi_init();
        ws->transfer.easy = curl_easy_init();
        if (ws->multi == NULL || ws->transfer.easy == NULL)
                return err_set(err, ERR_NOMEM, "out of memory for a connection");
        CURLcode rc = set_options(ws);
        if (rc != CURLE_OK)
                return err_set(err, rc == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
                    "cannot set up a connection: %s", curl_easy_strerror(rc));
        return 0;
}

static int
multi_failed(CURLMcode rc, struct err *err)
{
        return err_set(err, rc == CURLM_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
            "cannot go on with a connection: %s", curl_multi_strerror(rc));
}

/* Libcurl's part: until there is a connection, through proxies and TLS. */
static int
connect_it(struct ws *ws, struct err *err)
{
        struct curl_waitfd cancelled = { .fd = cancel_fd(ws->cancel), .events = CURL_WAIT_POLLIN };
        unsigned extra = ws->cancel != NULL ? 1 : 0;
        const CURLMsg *msg;
        int running, left;

        CURLMcode rc = curl_multi_add_handle(ws->multi, ws->transfer.easy);
        if (rc != CURLM_OK)
                return multi_failed(rc, err);
        for (;;) {
                if (cancel_check(ws->cancel, err) < 0)
                        return -1;
                rc = curl_multi_perform(ws->multi, &running);
                if (rc != CURLM_OK)
                        return multi_failed(rc, err);
                msg = curl_multi_info_read(ws->multi, &left);
                if (msg != NULL)
                        break;
                rc = curl_multi_poll(ws->multi, &cancelled, extra, INT_MAX, NULL);
                if (rc != CURLM_OK)
                        return multi_failed(rc, err);
        }
        CURLcode result = msg->data.result;
        curl_socket_t fd = CURL_SOCKET_BAD;
        if (result != CURLE_OK)
                return http_judge(&ws->transfer, result, err);
        if (curl_easy_getinfo(ws->transfer.easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
            fd == CURL_SOCKET_BAD)
                return err_set(err, ERR_NETWORK, "cannot " CONNECT " \"%s\": it ended at once",
                    ws->transfer.name);
        ws->fd = fd;
        return 0;
}

static int
send_request(struct ws *ws, const struct ws_request *request, const char *nonce, struct err *err)
{
        struct buf head;

        int rc = ws_request_head(&ws->transfer, request, nonce, &head, err);
        if (rc == 0)
                rc = ws_put(ws, head.data, head.len, err);
        if (head.data != NULL)
                secret_wipe(head.data, head.cap);
        buf_free(&head);
        return rc;
}

/* Wait for more of the answer.  Returns 0 when there is some, 1 at the end of the connection. */
static int
fetch(struct ws *ws, struct err *err)
{
        struct ws_reader *reader = &ws->reader;

        for (;;) {
                /* Not its end alone: what waits may move to the front. */
                size_t before = reader->end - reader->start;
                if (cancel_check(ws->cancel, err) < 0 || ws_fill(ws, reader->cap, err) < 0)
                        return -1;
                if (reader->end - reader->start > before)
                        return 0;
                if (ws->ended)
                        return 1;
                if (ws->stall_ms > 0 && ws->silent_ms >= ws->stall_ms)
                        return ws_stalled(ws, CONNECT, ws->stall_ms, err);
                int64_t left = ws->stall_ms > 0 ? ws->stall_ms - ws->silent_ms : -1;
                if (ws_wait(ws, false, left, err) < 0)
                        return -1;
        }
}

/* How libcurl would have put the end of the connection, had it read the answer. */
static CURLcode
end_of(const struct ws *ws)
{
        if (ws->end_result != CURLE_OK)
                return ws->end_result;
        return ws->transfer.answer.status == 0 ? CURLE_GOT_NOTHING : CURLE_RECV_ERROR;
}

static int
read_head(struct ws *ws, struct err *err)
{
        struct ws_reader *reader = &ws->reader;
        bool complete = false;

        /* Until the answer is known to be an upgrade, these are no frames. */
        reader->seen_all = true;
        while (!complete) {
                size_t used;
                int rc = fetch(ws, err);
                if (rc < 0)
                        return -1;
                if (rc > 0)
                        return http_judge(&ws->transfer, end_of(ws), err);
                if (ws_answer_take(&ws->transfer, (const char *)reader->data + reader->start,
                        reader->end - reader->start, &used, &complete, err) < 0)
                        return err != NULL && err->code == ERR_NOMEM ? -1 : fail(ws, err);
                reader->start += used;
        }
        return 0;
}

/* As much of the body as comes: that the server refused is known without it, too. */
static int
refuse(struct ws *ws, struct http_answer *refused, struct err *err)
{
        struct http_answer *answer = &ws->transfer.answer;
        struct ws_reader *reader = &ws->reader;
        struct ws_body body;
        int status = answer->status;

        ws_body_init(&body, answer);
        while (!body.ended) {
                ws_body_take(&body, answer, (const char *)reader->data + reader->start,
                    reader->end - reader->start);
                reader->start = reader->end;
                if (!body.ended && fetch(ws, NULL) != 0)
                        break;
        }
        if (cancel_check(ws->cancel, err) < 0)
                return -1;
        if (refused != NULL) {
                *refused = *answer;
                memset(answer, 0, sizeof(*answer));
        }
        err_set(err, ERR_HTTP, "cannot " CONNECT " \"%s\": the server answered with HTTP %d",
            ws->transfer.name, status);
        if (err != NULL) {
                err->http = status;
                err->retryable = status == 429 || status >= 500;
        }
        return -1;
}

static int
upgrade(
    struct ws *ws, const struct ws_request *request, struct http_answer *refused, struct err *err)
{
        struct ws_reader *reader = &ws->reader;
        char nonce[WS_NONCE_SIZE];

        if (ws_nonce(nonce, err) < 0 || send_request(ws, request, nonce, err) < 0 ||
            read_head(ws, err) < 0)
                return -1;
        if (ws->transfer.answer.status != 101)
                return refuse(ws, refused, err);
        ws->protocol = ws_answer_check(&ws->transfer.answer, nonce, request->protocols, err);
        if (ws->protocol == NULL)
                return fail(ws, err);
        /* What stands behind the head are frames. */
        reader->seen_all = false;
        reader->seen = reader->start;
        ws_reader_took(reader, 0);
        return 0;
}

struct ws *
ws_open(const struct ws_request *request, struct cancel *cancel, struct http_answer *refused,
    struct err *err)
{
        struct ws *ws = mem_zalloc(sizeof(*ws), err);

        if (refused != NULL)
                memset(refused, 0, sizeof(*refused));
        if (ws == NULL)
                return NULL;
        ws->fd = -1;
        ws->watch_fd = -1;
        ws->cancel = cancel_ref(cancel);
        ws->stall_ms = ws->patience_ms = request->stall_ms;
        ws->ping_ms = request->ping_ms;
        ws->heard_ms = time_mono_ms();
        err_init(&ws->read_err);
        err_init(&ws->write_err);
        ws->out = mem_alloc(WS_OUT_SIZE, err);
        if (ws->out == NULL || ws_reader_init(&ws->reader, err) < 0 ||
            describe(ws, request, err) < 0 || make_handles(ws, err) < 0 ||
            connect_it(ws, err) < 0 || upgrade(ws, request, refused, err) < 0) {
                ws_free(ws);
                return NULL;
        }
        log_msg(LOG_DEBUG, "%s: a WebSocket, protocol \"%s\"", ws->transfer.name, ws->protocol);
        return ws;
}

void
ws_free(struct ws *ws)
{
        if (ws == NULL)
                return;
        struct transfer *transfer = &ws->transfer;
        if (ws->multi != NULL && transfer->easy != NULL)
                curl_multi_remove_handle(ws->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
        curl_multi_cleanup(ws->multi);
        http_connect_clear(transfer);
        http_request_clear(&transfer->request);
        http_answer_clear(&transfer->answer);
        url_clear(&transfer->url);
        mem_free(transfer->name);
        mem_free(ws->protocol);
        mem_free(ws->out);
        ws_reader_free(&ws->reader);
        cancel_unref(ws->cancel);
        mem_free(ws);
}
