#include "kube_exec.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "kube_channel.h"
#include "kube_quote.h"
#include "kube_status.h"
#include "moonkeep/json.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* Of one message to stdin: what every server takes at once. */
#define MESSAGE_MAX ((size_t)32 * 1024)
#define STATUS_MAX ((size_t)64 * 1024)
/* A server that has said the status, and neither sends nor closes for so long, will not close. */
#define CLOSE_MS 5000

enum channel {
        CHANNEL_IN = 0,
        CHANNEL_OUT = 1,
        CHANNEL_ERR = 2,
        CHANNEL_STATUS = 3,
        CHANNEL_CLOSE = 255 /* v5 */
};

struct exec {
        struct far far;
        char *what; /* "cannot run \"tar\" in pod a/b" */
        struct ws *ws;
        struct kube_channel channel;
        struct buf status;
        bool status_begun; /* a message of it has no end yet */
        bool has_status;   /* it is complete, as far as one can see */
        int64_t heard_ms;  /* when something came last; monotonic */
        bool wakes;
        bool over;
        int exit_status;
        struct err failure; /* once it is over; ERR_NONE: it ended well */
};

static int
give_end(const struct exec *it, struct far_event *out, struct err *err)
{
        if (it->failure.code != ERR_NONE) {
                if (err != NULL)
                        *err = it->failure;
                return -1;
        }
        *out = (struct far_event){ .kind = FAR_ENDED, .status = it->exit_status };
        return 0;
}

/* The connection will bring no more: what has the container's status been? */
static void
judge(struct exec *it, const char *close_reason)
{
        it->over = true;
        /* What was cut off says nothing. */
        if (it->status_begun)
                buf_clear(&it->status);
        if (kube_status_judge(it->status.data, it->status.len, &it->exit_status, &it->failure) == 0)
                return;
        if (it->failure.code != ERR_TRUNCATED && it->failure.code != ERR_PROTOCOL) {
                err_prefix(&it->failure, "%s", it->what);
                return;
        }
        if (it->status.len == 0 && close_reason[0] != '\0') {
                char said[KUBE_QUOTE_SIZE];
                kube_quote(close_reason, strlen(close_reason), said);
                err_set(&it->failure, ERR_TRUNCATED,
                    "the connection ended without the container's status: %s", said);
        }
        err_prefix(&it->failure, "%s", it->far.host->label);
}

/* A connection that breaks behind the status has done all that was wanted of it. */
static void
broke(struct exec *it, const struct err *why)
{
        bool is_end = why->code == ERR_TRUNCATED || why->code == ERR_NETWORK;

        if (is_end && it->has_status) {
                judge(it, "");
                return;
        }
        it->over = true;
        it->failure = *why;
        if (is_end)
                err_set(&it->failure, ERR_TRUNCATED,
                    "the connection ended without the container's status: %s", why->msg);
        if (why->code != ERR_CANCELLED)
                err_prefix(&it->failure, "%s", it->far.host->label);
}

static bool
is_json(const struct buf *text)
{
        struct json *value = json_parse(text->data, text->len, NULL);

        json_free(value);
        return value != NULL;
}

/* Returns 1 when *out is something to hand out, 0, or -1. */
static int
take(struct exec *it, struct ws_event *event, struct far_event *out, struct err *err)
{
        unsigned char number;
        int got = kube_channel_take(&it->channel, event, &number, err);

        if (got <= 0)
                return got;
        switch (number) {
        case CHANNEL_OUT:
        case CHANNEL_ERR:
                if (event->len == 0)
                        return 0;
                *out = (struct far_event){ .kind = number == CHANNEL_OUT ? FAR_OUT : FAR_ERR,
                        .data = event->data,
                        .len = event->len };
                return 1;
        case CHANNEL_STATUS:
                if (buf_add(&it->status, event->data, event->len, err) < 0)
                        return err_prefix(err, "the container's status");
                it->status_begun = !event->last;
                it->has_status = event->last && it->status.len > 0 && is_json(&it->status);
                return 0;
        case CHANNEL_CLOSE:
                return 0;
        default:
                /* Empty messages tell that a channel is there. */
                if (event->len == 0)
                        return 0;
                return err_set(err, ERR_PROTOCOL, "the server sent data on channel %u", number);
        }
}

/* How long to wait; until is -1 or a time. */
static int
wait_of(const struct exec *it, int64_t until)
{
        int64_t now = time_mono_ms();
        int64_t wait_ms = until < 0 ? -1 : until - now;

        if (it->has_status) {
                int64_t left_ms = it->heard_ms + CLOSE_MS - now;
                if (wait_ms < 0 || left_ms < wait_ms)
                        wait_ms = left_ms;
        }
        if (until >= 0 && wait_ms < 0)
                wait_ms = 0;
        if (it->has_status && wait_ms < 0)
                wait_ms = 0;
        return (int)wait_ms;
}

static int
exec_next(struct far *far, int wait_ms, struct far_event *out, struct err *err)
{
        struct exec *it = (struct exec *)far;
        int64_t until = wait_ms < 0 ? -1 : time_mono_ms() + wait_ms;
        struct ws_event event;
        struct err why;

        ws_want_room(it->ws, far->wants_room);
        while (!it->over) {
                err_init(&why);
                int got = 0;
                if (ws_next(it->ws, wait_of(it, until), &event, &why) < 0) {
                        broke(it, &why);
                        break;
                }
                if (event.kind == WS_CLOSED) {
                        judge(it, event.close_reason);
                        break;
                }
                if (event.kind == WS_PIECE) {
                        it->heard_ms = time_mono_ms();
                        got = take(it, &event, out, &why);
                }
                if (got > 0)
                        return 0;
                if (got < 0) {
                        broke(it, &why);
                        break;
                }
                int64_t now = time_mono_ms();
                if (it->has_status && now >= it->heard_ms + CLOSE_MS) {
                        judge(it, "");
                        break;
                }
                bool is_woken = event.kind == WS_NOTHING && (it->wakes || far->wants_room);
                if (is_woken || (until >= 0 && now >= until)) {
                        *out = (struct far_event){ .kind = FAR_NOTHING };
                        return 0;
                }
        }
        return give_end(it, out, err);
}

/* Why it could not be sent; 0 where the connection has ended: that is for next to say, and why. */
static int
not_sent(const struct exec *it, struct err *why, struct err *err)
{
        if (why->code == ERR_NETWORK)
                return 0;
        err_prefix(why, "%s", it->far.host->label);
        if (err != NULL)
                *err = *why;
        return -1;
}

/* One message. */
static int
send_message(struct exec *it, const void *head, size_t head_len, const void *data, size_t len,
    struct err *err)
{
        struct err why;

        err_init(&why);
        ws_patience(it->ws, it->far.stall_ms);
        if (ws_send(it->ws, head, head_len, data, len, &why) == 0)
                return 0;
        return not_sent(it, &why, err);
}

static int
exec_send(struct far *far, const void *data, size_t len, struct err *err)
{
        const unsigned char head = CHANNEL_IN;
        const char *at = data;

        while (len > 0) {
                size_t piece = len < MESSAGE_MAX ? len : MESSAGE_MAX;
                if (send_message((struct exec *)far, &head, 1, at, piece, err) < 0)
                        return -1;
                at += piece;
                len -= piece;
        }
        return 0;
}

static int
exec_send_some(struct far *far, const void *data, size_t len, size_t *sent, struct err *err)
{
        const unsigned char head = CHANNEL_IN;
        struct exec *it = (struct exec *)far;
        struct err why;

        err_init(&why);
        ws_patience(it->ws, far->stall_ms);
        if (ws_send_some(
                it->ws, &head, 1, data, len < MESSAGE_MAX ? len : MESSAGE_MAX, sent, &why) == 0)
                return 0;
        /* What nobody takes any more is dropped. */
        *sent = len;
        return not_sent(it, &why, err);
}

static int
exec_end_input(struct far *far, struct err *err)
{
        const unsigned char message[] = { CHANNEL_CLOSE, CHANNEL_IN };

        return send_message((struct exec *)far, message, sizeof(message), NULL, 0, err);
}

static void
exec_wake_on(struct far *far, int fd)
{
        struct exec *it = (struct exec *)far;

        it->wakes = fd >= 0;
        ws_watch(it->ws, fd, POLLIN);
}

static void
exec_free(struct far *far)
{
        struct exec *it = (struct exec *)far;

        ws_free(it->ws);
        buf_free(&it->status);
        far_host_unref(far->host);
        mem_free(it->what);
        mem_free(it);
}

static const struct far_ops v4_ops = { .next = exec_next,
        .send = exec_send,
        .send_some = exec_send_some,
        .end_input = NULL, /* that is what v5 brought */
        .wake_on = exec_wake_on,
        .free = exec_free };

static const struct far_ops v5_ops = { .next = exec_next,
        .send = exec_send,
        .send_some = exec_send_some,
        .end_input = exec_end_input,
        .wake_on = exec_wake_on,
        .free = exec_free };

struct far *
kube_exec_new(struct far_host *host, struct ws *ws, const char *what, struct err *err)
{
        const char *protocol = ws_protocol(ws);
        bool v5 = strcmp(protocol, "v5.channel.k8s.io") == 0;

        if (!v5 && strcmp(protocol, "v4.channel.k8s.io") != 0) {
                err_set(err, ERR_PROTOCOL,
                    "%s: the server chose no protocol of " KUBE_EXEC_PROTOCOLS, what);
                return NULL;
        }
        struct exec *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                return NULL;
        it->what = mem_strdup(what, err);
        if (it->what == NULL) {
                mem_free(it);
                return NULL;
        }
        it->far.ops = v5 ? &v5_ops : &v4_ops;
        it->far.host = far_host_ref(host);
        it->ws = ws;
        buf_init(&it->status, STATUS_MAX);
        return &it->far;
}
