#include "kube_connect.h"

#include <stdatomic.h>
#include <string.h>

#include "kube_status.h"
#include "moonkeep/encode.h"
#include "moonkeep/http.h"

/* Twelve pings and a second. */
#define PING_MS 5000
#define STALL_MS 61000

/* Eight seconds in all: so long a kubelet may need to find its container runtime again. */
#define TRIES 6
#define PAUSE_MS 250
#define PAUSE_MAX_MS 15000

static _Atomic int64_t ping_every_ms = PING_MS, stall_after_ms = STALL_MS;
static _Atomic int64_t first_pause_ms = PAUSE_MS;

void
kube_connect_times(int64_t ping_ms, int64_t stall_ms)
{
        ping_every_ms = ping_ms;
        stall_after_ms = stall_ms;
}

void
kube_connect_pause(int64_t ms)
{
        first_pause_ms = ms;
}

int
kube_pod_path(const char *ns, const char *pod, struct buf *out, struct err *err)
{
        if (buf_addstr(out, "/api/v1/namespaces/", err) < 0 ||
            url_encode(ns, strlen(ns), 0, out, err) < 0 || buf_addstr(out, "/pods/", err) < 0)
                return -1;
        return url_encode(pod, strlen(pod), 0, out, err);
}

/* One try; what the server answered in place of the upgrade is left in *refused. */
static struct ws *
try_once(struct kube_client *client, const char *path, const char *protocols,
    struct http_answer *refused, struct cancel *cancel, struct err *err)
{
        struct http_request prepared = { 0 };
        struct ws *ws = NULL;

        if (kube_client_prepare(client, path, &prepared, cancel, err) == 0) {
                struct ws_request request = { .url = prepared.url,
                        .headers = prepared.headers,
                        .header_count = prepared.header_count,
                        .protocols = protocols,
                        .route = prepared.route,
                        .stall_ms = stall_after_ms,
                        .ping_ms = ping_every_ms };
                ws = ws_open(&request, cancel, refused, err);
        }
        http_request_clear(&prepared);
        return ws;
}

static void
explain(const struct http_answer *refused, const char *what, const char *resource, const char *ns,
    struct err *err)
{
        kube_status_error(what, refused, err);
        if (refused->status == 403 && refused->body.len == 0)
                err_hint(err, "an answer without a reason often means that the server, or a proxy "
                              "before it, does not speak this WebSocket protocol");
        else if (refused->status == 403)
                err_hint(err, "it takes the verbs get and create on %s in the namespace \"%.128s\"",
                    resource, ns);
        else if (refused->status == 400 || refused->status >= 500)
                /* The kubelet's words, in whatever the servers between make of them. */
                kube_status_classify(err->msg, err);
        else if (refused->status == 200 || refused->status == 426)
                err_hint(err, "a proxy before the API server may not let WebSockets through");
}

/* With new credentials where those were refused. */
static struct ws *
try_twice(struct kube_client *client, const char *path, const char *protocols,
    struct http_answer *refused, struct cancel *cancel, struct err *err)
{
        struct ws *ws = try_once(client, path, protocols, refused, cancel, err);

        if (ws != NULL || refused->status != 401 || !kube_client_refused(client))
                return ws;
        http_answer_clear(refused);
        err_init(err);
        return try_once(client, path, protocols, refused, cancel, err);
}

struct ws *
kube_connect(struct kube_client *client, const char *path, const char *protocols, const char *what,
    const char *resource, const char *ns, struct cancel *cancel, struct err *err)
{
        struct http_answer refused = { 0 };
        int64_t pause_ms = first_pause_ms;
        struct ws *ws = NULL;
        struct err why;

        for (unsigned tried = 1;; tried++, pause_ms *= 2) {
                err_init(&why);
                ws = try_twice(client, path, protocols, &refused, cancel, &why);
                if (ws == NULL && refused.status != 0)
                        explain(&refused, what, resource, ns, &why);
                else if (ws == NULL)
                        err_prefix(&why, "%s", what);
                bool again = ws == NULL && refused.status != 0 && why.retryable && tried < TRIES;
                int64_t asked_ms = again ? http_retry_after_ms(&refused) : 0;
                http_answer_clear(&refused);
                if (!again || asked_ms > PAUSE_MAX_MS ||
                    cancel_sleep(cancel, asked_ms > pause_ms ? asked_ms : pause_ms, &why) < 0)
                        break;
        }
        if (ws == NULL && err != NULL)
                *err = why;
        return ws;
}
