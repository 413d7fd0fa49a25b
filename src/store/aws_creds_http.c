#include "aws_creds_internal.h"

#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* Before the second attempt; twice as long before each one more. */
#define PAUSE_MS 100

/* Clocks that differ by less are taken as equal: a Date has whole seconds, and was on its way. */
#define CLOCK_MS 60000

static int
make(const struct aws_ask *ask, struct http_request *request, struct err *err)
{
        *request = (struct http_request){
                .payload = ask->body,
                .payload_len = ask->body_len,
                .may_repeat = true,
                .answer_max = AWS_KEYS_DOCUMENT_MAX,
                .stall_ms = ask->stall_ms,
                .total_ms = ask->total_ms,
                .no_proxy = ask->no_proxy,
        };
        request->method = mem_strdup(ask->method, err);
        request->url = mem_strdup(ask->url, err);
        if (request->method == NULL || request->url == NULL)
                goto fail;
        if (ask->ca_file != NULL) {
                request->ca_file = mem_strdup(ask->ca_file, err);
                if (request->ca_file == NULL)
                        goto fail;
        }
        for (size_t idx = 0; idx < AWS_ASK_HEADERS_MAX && ask->headers[idx].name != NULL; idx++) {
                if (http_request_header(request, ask->headers[idx].name, ask->headers[idx].value,
                        ask->headers[idx].secret, err) < 0)
                        goto fail;
        }
        return 0;

fail:
        http_request_clear(request);
        return -1;
}

/* Whether keys have expired is a question of the server's clock. */
static void
note_clock(struct aws_creds *it, const struct http_answer *answer)
{
        const char *date = http_answer_header(answer, "date");
        int64_t theirs;

        if (date == NULL || time_http_parse(date, &theirs, NULL) < 0)
                return;
        int64_t ahead = theirs - time_now_ms();
        atomic_store(&it->clock_ahead_ms, llabs(ahead) < CLOCK_MS ? 0 : ahead);
}

static bool
is_busy(const struct http_answer *answer)
{
        return answer->status >= 500 || answer->status == 429;
}

static int
pause_for(int64_t ms, struct cancel *cancel, struct err *err)
{
        struct err why;

        if (cancel_wait_fd(cancel, -1, 0, (int)ms, &why) == 0 || why.code == ERR_TIMEOUT)
                return 0;
        if (err != NULL)
                *err = why;
        return -1;
}

int
aws_ask(struct aws_creds *it, const struct aws_ask *ask, struct http_answer *answer,
    struct cancel *cancel, struct err *err)
{
        int64_t pause_ms = PAUSE_MS;
        struct http_request request;

        for (unsigned attempt = 1;; attempt++) {
                struct err why;
                memset(answer, 0, sizeof(*answer));
                if (make(ask, &request, err) < 0)
                        return -1;
                int rc = http_call(&request, cancel, answer, &why);
                if (rc == 0)
                        note_clock(it, answer);
                if (rc == 0 && (!is_busy(answer) || attempt >= ask->attempts))
                        return 0;
                if (rc < 0 && (!why.retryable || attempt >= ask->attempts)) {
                        if (err != NULL)
                                *err = why;
                        return -1;
                }
                if (rc == 0)
                        aws_answer_clear(answer);
                if (pause_for(pause_ms, cancel, err) < 0)
                        return -1;
                pause_ms *= 2;
        }
}

void
aws_answer_clear(struct http_answer *answer)
{
        if (answer->body.data != NULL)
                secret_wipe(answer->body.data, answer->body.cap);
        http_answer_clear(answer);
}
