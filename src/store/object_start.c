#include <string.h>

#include "moonkeep/log.h"
#include "moonkeep/mem.h"
#include "moonkeep/rand.h"
#include "moonkeep/time.h"
#include "object_internal.h"

/* How often the dialect may want a request again at once: region, then clock, then keys. */
#define AGAIN_MAX 4

/* From here on, larger buffers pay off. */
#define LARGE ((size_t)256 * 1024)

/* One request with all its attempts. */
struct object_op {
        struct object_lane *lane;
        struct object_op *next, **link; /* of the lane's list */
        struct object_request request;
        struct cancel *cancel;
        object_done_fn *done;
        void *arg;
        unsigned tried;     /* attempts, the one under way too */
        unsigned forgiven;  /* of them, those that do not count */
        unsigned again;     /* how often the dialect wanted it again */
        int64_t started_ms; /* of the attempt under way */
        bool sent;          /* the server may have seen it */
        bool taken;         /* on_body got something */
        uint64_t timer;     /* while it waits for the next attempt */
        uint64_t watch;     /* of the token, meanwhile */
};

static void
op_free(struct object_op *op)
{
        loop_timer_stop(op->lane->loop, op->timer);
        loop_unwatch_fd(op->lane->loop, op->watch);
        object_request_clear(&op->request);
        cancel_unref(op->cancel);
        mem_free(op);
}

static void
op_link(struct object_op *op)
{
        op->next = op->lane->ops;
        op->link = &op->lane->ops;
        if (op->next != NULL)
                op->next->link = &op->next;
        op->lane->ops = op;
}

static void
op_unlink(struct object_op *op)
{
        *op->link = op->next;
        if (op->next != NULL)
                op->next->link = op->link;
}

/* Those that count. */
static unsigned
attempts(const struct object_op *op)
{
        return op->tried + op->request.tried - op->forgiven;
}

/* "cannot read "k", tried 6 times: why" */
static void
describe(const struct object_op *op, struct err *err)
{
        const struct object_request *request = &op->request;
        const struct store *store = &op->lane->it->store;
        const char *name = request->key != NULL ? request->key : store_place(store);
        unsigned tried = attempts(op);

        if (err == NULL || err->code == ERR_CANCELLED)
                return;
        if (tried > 1)
                err_prefix(err, "cannot %s \"%s\", tried %u times", request->doing, name, tried);
        else
                err_prefix(err, "cannot %s \"%s\"", request->doing, name);
}

/* The one end of every request that was started. */
static void
finish(struct object_op *op, struct http_answer *answer, struct err *err)
{
        op_unlink(op);
        if (err != NULL)
                describe(op, err);
        op->done(op->arg, err == NULL ? answer : NULL, err);
        op_free(op);
}

/* The wait for the next attempt. */

/* Doubled for each attempt; half of it is chance, so that many do not come back at once. */
static int64_t
pause_for(const struct object_op *op, const struct http_answer *answer)
{
        const struct object_patience *patience = &op->lane->it->patience;
        int64_t pause = patience->pause_ms;
        uint32_t chance = 0;

        for (unsigned idx = 1; idx < attempts(op); idx++) {
                if (pause < patience->pause_max_ms)
                        pause *= 2;
        }
        (void)rand_bytes(&chance, sizeof(chance), NULL);
        pause = pause / 2 + (int64_t)((uint64_t)pause * chance >> 33);
        int64_t asked = answer != NULL ? http_retry_after_ms(answer) : 0;
        if (pause < asked)
                pause = asked;
        return pause < patience->pause_max_ms ? pause : patience->pause_max_ms;
}

static void attempt(struct object_op *op);

static void
stop_waiting(struct object_op *op)
{
        loop_timer_stop(op->lane->loop, op->timer);
        loop_unwatch_fd(op->lane->loop, op->watch);
        op->timer = op->watch = 0;
}

static void
on_pause_over(void *arg)
{
        struct object_op *op = arg;

        op->timer = 0;
        stop_waiting(op);
        attempt(op);
}

static void
on_cancel(void *arg)
{
        struct object_op *op = arg;
        struct err err;

        err_init(&err);
        if (cancel_check(op->cancel, &err) == 0)
                return;
        stop_waiting(op);
        finish(op, NULL, &err);
}

static int
wait_for(struct object_op *op, int64_t pause_ms, struct err *err)
{
        struct loop *loop = op->lane->loop;

        if (op->cancel != NULL) {
                op->watch = loop_watch_fd(loop, cancel_fd(op->cancel), on_cancel, op, err);
                if (op->watch == 0)
                        return -1;
        }
        op->timer = loop_timer(loop, pause_ms, on_pause_over, op, err);
        return op->timer != 0 ? 0 : -1;
}

/* Attempts. */

/* Is it known that an attempt with this outcome had no effect? */
static bool
had_no_effect(const struct object_op *op, const struct http_answer *answer)
{
        /* "Slow down" is said before the work; errors of ours and redirects are refusals. */
        if (answer != NULL)
                return (answer->status >= 300 && answer->status < 500) || answer->status == 503;
        return !op->sent;
}

/* A name that is mistyped, or a server that is down: waiting long helps neither. */
static unsigned
attempts_allowed(const struct object_op *op, const struct err *err)
{
        struct object_store *it = op->lane->it;

        if (err->code != ERR_TIMEOUT && (err->code != ERR_NETWORK || op->sent))
                return it->patience.attempts;
        pthread_mutex_lock(&it->lock);
        bool reached = it->reached;
        pthread_mutex_unlock(&it->lock);
        return reached ? it->patience.attempts : (it->patience.attempts + 1) / 2;
}

static bool
may_try_again(struct object_op *op, const struct http_answer *answer, const struct err *err)
{
        if (!err->retryable || op->lane->stopping || op->taken)
                return false;
        if (op->request.once && !had_no_effect(op, answer))
                return false;
        if (op->started_ms < op->lane->back_ms)
                op->forgiven++;
        return attempts(op) < attempts_allowed(op, err);
}

/* An attempt failed: again after a pause, or the end. */
static void
failed(struct object_op *op, const struct http_answer *answer, struct err *err)
{
        if (cancel_is_set(op->cancel))
                (void)cancel_check(op->cancel, err);
        else if (may_try_again(op, answer, err)) {
                int64_t pause = pause_for(op, answer);
                log_msg(LOG_DEBUG, "%s \"%s\": attempt %u failed, again in %lld ms: %s",
                    op->request.doing, op->request.key != NULL ? op->request.key : "", op->tried,
                    (long long)pause, err->msg);
                if (wait_for(op, pause, err) == 0)
                        return;
                stop_waiting(op);
        }
        finish(op, NULL, err);
}

static void
on_answer(void *arg, struct http_answer *answer, const struct err *failure)
{
        struct object_op *op = arg;
        struct object_store *it = op->lane->it;
        struct err err;

        if (failure != NULL) {
                err = *failure;
                failed(op, NULL, &err);
                return;
        }
        pthread_mutex_lock(&it->lock);
        it->reached = true;
        pthread_mutex_unlock(&it->lock);
        err_init(&err);
        enum object_verdict verdict = it->dialect->judge(it, &op->request, answer, &err);
        if (verdict == OBJECT_GOOD) {
                finish(op, answer, NULL);
                return;
        }
        if (err.code == ERR_NONE)
                err_set(&err, ERR_HTTP, "HTTP status %d", answer->status);
        if (err.http == 0)
                err.http = answer->status;
        if (verdict == OBJECT_AGAIN && op->again < AGAIN_MAX && !cancel_is_set(op->cancel) &&
            !op->lane->stopping) {
                op->again++;
                op->forgiven++;
                attempt(op);
                return;
        }
        failed(op, answer, &err);
}

static int
on_body(void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err)
{
        struct object_op *op = arg;

        op->taken = true;
        return op->request.on_body(op->request.body_arg, answer, data, len, err);
}

/* Sign and send it. */
static int
send_it(struct object_op *op, struct err *err)
{
        struct object_store *it = op->lane->it;
        const struct object_request *request = &op->request;
        struct http_request http = { 0 };

        op->tried++;
        op->sent = false;
        op->started_ms = time_mono_ms();
        if (cancel_check(op->cancel, err) < 0 ||
            it->dialect->sign(it, request, &http, op->cancel, err) < 0)
                goto fail;
        if (it->ca_file != NULL && http.ca_file == NULL) {
                http.ca_file = mem_strdup(it->ca_file, err);
                if (http.ca_file == NULL)
                        goto fail;
        }
        http.ca_option = it->dialect->ca_option;
        http.payload = request->payload;
        http.payload_len = request->payload_len;
        http.may_repeat = !request->once;
        http.once = request->once;
        http.large = request->large || request->payload_len > LARGE;
        http.sent = &op->sent;
        http.on_body = request->on_body != NULL ? on_body : NULL;
        http.body_arg = op;
        http.answer_max = request->answer_max;
        http.stall_ms = it->patience.stall_ms;
        return http_start(op->lane->loop, &http, op->cancel, on_answer, op, err);

fail:
        http_request_clear(&http);
        return -1;
}

static void
attempt(struct object_op *op)
{
        struct err err;

        err_init(&err);
        if (send_it(op, &err) < 0)
                failed(op, NULL, &err);
}

int
object_start(struct object_lane *lane, struct object_request *request, struct cancel *cancel,
    object_done_fn *done, void *arg, struct err *err)
{
        struct object_op *op;
        struct err failure;

        if (request->failed.code != ERR_NONE) {
                if (err != NULL)
                        *err = request->failed;
                goto fail;
        }
        op = mem_zalloc(sizeof(*op), err);
        if (op == NULL)
                goto fail;
        op->lane = lane;
        op->request = *request;
        memset(request, 0, sizeof(*request));
        op->cancel = cancel_ref(cancel);
        op->done = done;
        op->arg = arg;

        err_init(&failure);
        int rc = op->request.tried > 0 ? wait_for(op, pause_for(op, NULL), &failure)
                                       : send_it(op, &failure);
        if (rc < 0 && may_try_again(op, NULL, &failure))
                rc = wait_for(op, pause_for(op, NULL), &failure);
        if (rc < 0) {
                describe(op, &failure);
                op_free(op);
                if (err != NULL)
                        *err = failure;
                return -1;
        }
        op_link(op);
        return 0;

fail:
        object_request_clear(request);
        return -1;
}

void
object_lane_stop(struct object_lane *lane, const struct err *err)
{
        struct err failure;

        lane->stopping = true;
        http_end_all(lane->loop, err);
        /* What is left waits for its next attempt. */
        while (lane->ops != NULL) {
                failure = *err;
                stop_waiting(lane->ops);
                finish(lane->ops, NULL, &failure);
        }
        lane->stopping = false;
}
