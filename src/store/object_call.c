/* Requests that are waited for: over object_start. */
#include <string.h>

#include "object.h"

struct call {
        bool ended;
        bool failed;
        struct http_answer *answer;
        struct err *err;
};

static void
on_called(void *arg, struct http_answer *answer, const struct err *err)
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
object_call_on(struct object_lane *lane, struct object_request *request, struct cancel *cancel,
    struct http_answer *answer, struct err *err)
{
        struct call call = { .answer = answer, .err = err };

        if (object_start(lane, request, cancel, on_called, &call, err) < 0)
                return -1;
        while (!call.ended)
                (void)object_lane_run(lane, -1, NULL);
        return call.failed ? -1 : 0;
}

int
object_call(struct object_store *it, struct object_request *request, struct cancel *cancel,
    struct http_answer *answer, struct err *err)
{
        struct object_lane *lane = object_lane_get(it, err);

        if (lane == NULL) {
                object_request_clear(request);
                return -1;
        }
        int rc = object_call_on(lane, request, cancel, answer, err);
        object_lane_put(lane);
        return rc;
}
