#include <string.h>

#include "http_internal.h"

struct call {
        bool ended;
        bool failed;
        struct http_answer *answer;
        struct err *err;
};

static void
on_done(void *arg, struct http_answer *answer, const struct err *err)
{
        struct call *call = arg;

        call->ended = true;
        call->failed = err != NULL;
        if (err == NULL) {
                *call->answer = *answer;
                memset(answer, 0, sizeof(*answer));
        } else if (call->err != NULL) {
                *call->err = *err;
        }
}

int
http_call(struct http_request *request, struct cancel *cancel, struct http_answer *answer,
    struct err *err)
{
        struct call call = { .answer = answer, .err = err };
        struct loop *loop = loop_new(err);
        struct err failure;

        if (loop == NULL) {
                http_request_clear(request);
                return -1;
        }
        err_init(&failure);
        if (http_start(loop, request, cancel, on_done, &call, err) < 0) {
                loop_free(loop);
                return -1;
        }
        while (!call.ended) {
                if (loop_run_once(loop, -1, &failure) < 0)
                        http_end_all(loop, &failure);
        }
        loop_free(loop);
        return call.failed ? -1 : 0;
}
