#include "kube_port.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "kube_channel.h"
#include "kube_connect.h"
#include "kube_quote.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

#define PATH_MAX_LEN ((size_t)4096)
#define MESSAGE_MAX ((size_t)32 * 1024)
#define REASON_MAX ((size_t)4096)
#define PORT_LEN 2

struct port {
        struct far far;
        struct ws *ws;
        char label[500]; /* "port 9090 of pod a/b" */
        unsigned number;
        struct kube_channel channel;
        unsigned char seen[2][PORT_LEN]; /* the port, as each channel began */
        size_t seen_len[2];
        struct buf reason; /* channel 1 */
        bool wakes;
        bool over;
        struct err failure;
};

/* The kubelet says why there is no connection, and then ends all. */
static void
end(struct port *it, const struct err *why)
{
        char said[KUBE_QUOTE_SIZE];

        it->over = true;
        if (it->reason.len > 0) {
                kube_quote(it->reason.data, it->reason.len, said);
                err_set(&it->failure, ERR_NETWORK, "cannot connect to %s: %s", it->label, said);
                it->failure.retryable = true;
        } else if (why != NULL) {
                it->failure = *why;
                if (why->code != ERR_CANCELLED)
                        err_prefix(&it->failure, "%s", it->label);
        }
}

/* Take what belongs to the port in front; -1 when it is another one. */
static int
skip_port(struct port *it, unsigned channel, struct ws_event *event, struct err *err)
{
        size_t *seen_len = &it->seen_len[channel];

        while (*seen_len < PORT_LEN && event->len > 0) {
                it->seen[channel][(*seen_len)++] = *event->data++;
                event->len--;
        }
        const unsigned char *seen = it->seen[channel];
        if (*seen_len == PORT_LEN && (seen[0] | (unsigned)seen[1] << 8) != it->number)
                return err_set(err, ERR_PROTOCOL, "the server forwards another port");
        return 0;
}

static int
take(struct port *it, struct ws_event *event, struct far_event *out, struct err *err)
{
        unsigned char number;
        int got = kube_channel_take(&it->channel, event, &number, err);

        if (got <= 0)
                return got;
        if (number > 1)
                return event->len == 0 ? 0
                                       : err_set(err, ERR_PROTOCOL,
                                             "the server sent data on channel %u", number);
        if (skip_port(it, number, event, err) < 0)
                return -1;
        if (event->len == 0)
                return 0;
        if (number == 1)
                return buf_add(&it->reason, event->data, event->len, err);
        *out = (struct far_event){ .kind = FAR_OUT, .data = event->data, .len = event->len };
        return 1;
}

static int
port_next(struct far *far, int wait_ms, struct far_event *out, struct err *err)
{
        struct port *it = (struct port *)far;
        int64_t until = wait_ms < 0 ? -1 : time_mono_ms() + wait_ms;
        struct ws_event event;
        struct err why;

        while (!it->over) {
                int64_t left_ms = until < 0 ? -1 : until - time_mono_ms();
                int got = 0;
                err_init(&why);
                if (until >= 0 && left_ms < 0)
                        left_ms = 0;
                if (ws_next(it->ws, (int)left_ms, &event, &why) < 0) {
                        end(it, &why);
                        break;
                }
                if (event.kind == WS_CLOSED)
                        end(it, NULL);
                else if (event.kind == WS_PIECE)
                        got = take(it, &event, out, &why);
                if (got > 0)
                        return 0;
                if (got < 0)
                        end(it, &why);
                if (event.kind == WS_NOTHING &&
                    (it->wakes || (until >= 0 && time_mono_ms() >= until))) {
                        *out = (struct far_event){ .kind = FAR_NOTHING };
                        return 0;
                }
        }
        if (it->failure.code != ERR_NONE) {
                if (err != NULL)
                        *err = it->failure;
                return -1;
        }
        *out = (struct far_event){ .kind = FAR_ENDED };
        return 0;
}

static int
port_send(struct far *far, const void *data, size_t len, struct err *err)
{
        struct port *it = (struct port *)far;
        const unsigned char head = 0;
        const char *at = data;

        while (len > 0) {
                size_t piece = len < MESSAGE_MAX ? len : MESSAGE_MAX;
                if (ws_send(it->ws, &head, 1, at, piece, err) < 0)
                        return err_prefix(err, "%s", it->label);
                at += piece;
                len -= piece;
        }
        return 0;
}

static void
port_wake_on(struct far *far, int fd)
{
        struct port *it = (struct port *)far;

        it->wakes = fd >= 0;
        ws_watch(it->ws, fd, POLLIN);
}

static void
port_free(struct far *far)
{
        struct port *it = (struct port *)far;

        ws_free(it->ws);
        buf_free(&it->reason);
        mem_free(it);
}

static const struct far_ops port_ops = {
        .next = port_next, .send = port_send, .wake_on = port_wake_on, .free = port_free
};

static struct ws *
connect_port(struct kube_client *client, const char *ns, const char *pod, const struct port *it,
    struct cancel *cancel, struct err *err)
{
        struct ws *ws = NULL;
        char what[600];
        struct buf path;

        snprintf(what, sizeof(what), "cannot connect to %s", it->label);
        buf_init(&path, PATH_MAX_LEN);
        if (kube_pod_path(ns, pod, &path, err) == 0 &&
            buf_addf(&path, err, "/portforward?ports=%u", it->number) == 0)
                ws = kube_connect(client, path.data, "v4.channel.k8s.io", what, "pods/portforward",
                    ns, cancel, err);
        buf_free(&path);
        if (ws != NULL && strcmp(ws_protocol(ws), "v4.channel.k8s.io") != 0) {
                err_set(err, ERR_PROTOCOL, "%s: the server did not choose v4.channel.k8s.io", what);
                ws_free(ws);
                return NULL;
        }
        return ws;
}

struct far *
kube_port_open(struct kube_client *client, const char *ns, const char *pod, unsigned port,
    struct cancel *cancel, struct err *err)
{
        struct port *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->far.ops = &port_ops;
        it->number = port;
        buf_init(&it->reason, REASON_MAX);
        snprintf(it->label, sizeof(it->label), "port %u of pod %.200s/%.200s", port, ns, pod);
        it->ws = connect_port(client, ns, pod, it, cancel, err);
        if (it->ws == NULL) {
                mem_free(it);
                return NULL;
        }
        return &it->far;
}
