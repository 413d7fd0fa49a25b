#include "moonkeep/http.h"

#include <string.h>

#include "http_internal.h"
#include "loop_internal.h"
#include "moonkeep/log.h"
#include "moonkeep/mem.h"

void
http_request_clear(struct http_request *request)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                struct http_header *header = &request->headers[idx];
                mem_free(header->name);
                mem_free(header->value);
                mem_free(header->value_prefix);
                secret_unref(header->secret);
        }
        mem_free(request->headers);
        mem_free(request->method);
        mem_free(request->url);
        if (request->body != NULL)
                secret_wipe(request->body, request->body_len);
        mem_free(request->body);
        mem_free(request->ca_file);
        mem_free(request->unix_socket);
        http_route_unref(request->route);
        memset(request, 0, sizeof(*request));
}

static void
transfer_free(struct transfer *transfer)
{
        loop_unwatch_fd(transfer->loop, transfer->watch);
        loop_timer_stop(transfer->loop, transfer->stall_timer);
        loop_timer_stop(transfer->loop, transfer->total_timer);
        /* The handle before what it refers to. */
        curl_easy_cleanup(transfer->easy);
        http_headers_wipe(transfer);
        http_connect_clear(transfer);
        http_request_clear(&transfer->request);
        http_answer_clear(&transfer->answer);
        url_clear(&transfer->url);
        mem_free(transfer->name);
        cancel_unref(transfer->cancel);
        mem_free(transfer);
}

static bool
was_sent(const struct transfer *transfer)
{
        long bytes = 0;

        /* When in doubt, yes. */
        return curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes) != CURLE_OK ||
               bytes > 0;
}

/* The one end of every transfer that was started. */
static void
finish(struct transfer *transfer, const struct err *err)
{
        struct loop *loop = transfer->loop;

        /* What changes something is said each time. */
        if (err == NULL)
                (strcmp(transfer->request.method, "GET") == 0 ? log_news : log_msg)(LOG_DEBUG,
                    "%s %s: %d, %zu bytes", transfer->request.method, transfer->name,
                    transfer->answer.status, transfer->answer.body.len);
        else
                log_msg(LOG_DEBUG, "%s", err->msg);
        if (transfer->request.sent != NULL && was_sent(transfer))
                *transfer->request.sent = true;
        curl_multi_remove_handle(loop->multi, transfer->easy);
        loop->transfers--;
        *transfer->link = transfer->next;
        if (transfer->next != NULL)
                transfer->next->link = transfer->link;
        if (err == NULL)
                transfer->done(transfer->arg, &transfer->answer, NULL);
        else
                transfer->done(transfer->arg, NULL, err);
        transfer_free(transfer);
}

static void
on_cancel(void *arg)
{
        struct transfer *transfer = arg;
        struct err err;

        err_init(&err);
        if (cancel_check(transfer->cancel, &err) < 0)
                finish(transfer, &err);
}

static void
time_is_up(struct transfer *transfer, const char *what, int64_t ms)
{
        struct err err;

        err_set(&err, ERR_TIMEOUT, "cannot %s \"%s\": %s %lld.%03d s", transfer->request.method,
            transfer->name, what, (long long)(ms / 1000), (int)(ms % 1000));
        err.retryable = true;
        finish(transfer, &err);
}

static void
on_total(void *arg)
{
        struct transfer *transfer = arg;

        transfer->total_timer = 0;
        time_is_up(transfer, "it took longer than", transfer->request.total_ms);
}

/* Set for the moment when the last byte would be too long ago; looks whether it is. */
static void
on_stall(void *arg)
{
        struct transfer *transfer = arg;
        int64_t stall_ms = transfer->request.stall_ms;
        int64_t left = transfer->progress_ms + stall_ms - loop_clock(transfer->loop);
        struct err err;

        transfer->stall_timer = 0;
        /* A server whose bytes nobody takes is waited for by nobody. */
        if (transfer->paused)
                left = stall_ms;
        if (left <= 0) {
                time_is_up(transfer, "no progress for", stall_ms);
                return;
        }
        err_init(&err);
        transfer->stall_timer = loop_timer(transfer->loop, left, on_stall, transfer, &err);
        if (transfer->stall_timer == 0)
                finish(transfer, &err);
}

static int
set_timers(struct transfer *transfer, struct err *err)
{
        struct loop *loop = transfer->loop;
        const struct http_request *request = &transfer->request;

        loop_is_back(loop);
        transfer->progress_ms = loop_clock(loop);
        if (request->stall_ms > 0) {
                transfer->stall_timer =
                    loop_timer(loop, request->stall_ms, on_stall, transfer, err);
                if (transfer->stall_timer == 0)
                        return -1;
        }
        if (request->total_ms > 0) {
                transfer->total_timer =
                    loop_timer(loop, request->total_ms, on_total, transfer, err);
                if (transfer->total_timer == 0)
                        return -1;
        }
        if (transfer->cancel != NULL) {
                transfer->watch =
                    loop_watch_fd(loop, cancel_fd(transfer->cancel), on_cancel, transfer, err);
                if (transfer->watch == 0)
                        return -1;
        }
        return 0;
}

static int
check_query(const char *query, struct err *err)
{
        size_t len = strnlen(query, HTTP_QUERY_MAX + 1);

        if (len > HTTP_QUERY_MAX)
                return err_set(err, ERR_USAGE,
                    "cannot send a request with a query of more than %zu bytes", HTTP_QUERY_MAX);
        for (size_t idx = 0; idx < len; idx++) {
                unsigned char byte = (unsigned char)query[idx];
                if (byte <= ' ' || byte == 0x7f || byte == '#')
                        return err_set(err, ERR_USAGE,
                            "cannot send a request: there is a space, a control character or \"#\" "
                            "in its query");
        }
        return 0;
}

int
http_set_url(struct transfer *transfer, struct err *err)
{
        const char *text = transfer->request.url;
        struct url *url = &transfer->url;
        size_t len = strcspn(text, "?");

        /* What is behind '?' may be long: the command of a pod's exec stands there. */
        transfer->name = mem_strndup(text, len, err);
        if (transfer->name == NULL || check_query(text + len, err) < 0)
                return -1;
        if (url_parse(transfer->name, url, err) < 0) {
                if (err != NULL && err->code == ERR_INVALID)
                        err->code = ERR_USAGE;
                return -1;
        }
        if (strcmp(url->scheme, "http") != 0 && strcmp(url->scheme, "https") != 0)
                return err_set(err, ERR_USAGE, "cannot send a request to a URL of the kind \"%s\"",
                    url->scheme);
        if (*url->host == '\0')
                return err_set(err, ERR_USAGE, "cannot send a request to a URL without a host");
        if (url->user != NULL || url->has_password) {
                err_set(
                    err, ERR_USAGE, "cannot send a request to a URL with a user or password in it");
                return err_hint(err, "give them as an Authorization header, from a secret");
        }
        return 0;
}

int
http_start(struct loop *loop, struct http_request *request, struct cancel *cancel,
    http_done_fn *done, void *arg, struct err *err)
{
        struct transfer *transfer = mem_zalloc(sizeof(*transfer), err);

        if (transfer == NULL) {
                http_request_clear(request);
                return -1;
        }
        transfer->loop = loop;
        transfer->request = *request;
        memset(request, 0, sizeof(*request));
        transfer->cancel = cancel_ref(cancel);
        transfer->done = done;
        transfer->arg = arg;

        if (cancel_check(cancel, err) < 0 || http_check_request(&transfer->request, err) < 0 ||
            http_set_url(transfer, err) < 0)
                goto fail;
        CURLM *multi = loop_multi(loop, err);
        if (multi == NULL || http_setup(transfer, err) < 0 || set_timers(transfer, err) < 0)
                goto fail;
        CURLMcode rc = curl_multi_add_handle(multi, transfer->easy);
        if (rc != CURLM_OK) {
                err_set(err, rc == CURLM_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
                    "cannot start a request: %s", curl_multi_strerror(rc));
                goto fail;
        }
        loop->transfers++;
        transfer->next = loop->transfer_list;
        transfer->link = &loop->transfer_list;
        if (transfer->next != NULL)
                transfer->next->link = &transfer->next;
        loop->transfer_list = transfer;
        return 0;

fail:
        transfer_free(transfer);
        return -1;
}

void
http_end(struct loop *loop, const void *arg, const struct err *err)
{
        struct transfer *next;

        for (struct transfer *at = loop->transfer_list; at != NULL; at = next) {
                next = at->next;
                if (at->arg == arg)
                        finish(at, err);
        }
}

void
http_go_on(struct loop *loop, const void *arg)
{
        for (struct transfer *at = loop->transfer_list; at != NULL; at = at->next) {
                if (at->arg != arg || !at->paused || at->may_go_on)
                        continue;
                at->may_go_on = true;
                loop_wake(loop);
        }
}

void
http_end_all(struct loop *loop, const struct err *err)
{
        while (loop->transfer_list != NULL)
                finish(loop->transfer_list, err);
}

/*
 * Let those read again that may.  libcurl hands out what it kept of the piece at once; an error
 * of that is told here, and nowhere else.
 */
static void
resume(struct loop *loop)
{
        struct transfer *next;

        for (struct transfer *at = loop->transfer_list; at != NULL; at = next) {
                struct err failure;
                next = at->next;
                if (!at->may_go_on)
                        continue;
                at->may_go_on = at->paused = false;
                at->progress_ms = loop_clock(loop);
                CURLcode rc = curl_easy_pause(at->easy, CURLPAUSE_CONT);
                if (rc == CURLE_OK)
                        continue;
                err_init(&failure);
                http_judge(at, rc, &failure);
                finish(at, &failure);
        }
}

int
http_run(struct loop *loop, struct err *err)
{
        const CURLMsg *msg;
        int running, left;

        resume(loop);
        CURLMcode rc = curl_multi_perform(loop->multi, &running);
        if (rc != CURLM_OK)
                return err_set(err, rc == CURLM_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
                    "cannot go on with requests: %s", curl_multi_strerror(rc));
        while ((msg = curl_multi_info_read(loop->multi, &left)) != NULL) {
                if (msg->msg != CURLMSG_DONE)
                        continue;
                CURLcode result = msg->data.result;
                char *private;
                if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
                        continue;
                struct transfer *transfer = (struct transfer *)(void *)private;
                struct err failure;
                err_init(&failure);
                bool ok = http_judge(transfer, result, &failure) == 0;
                finish(transfer, ok ? NULL : &failure);
        }
        return 0;
}
