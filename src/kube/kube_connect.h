/*
 * WebSockets to the API server.  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_CONNECT_H
#define MOONKEEP_KUBE_CONNECT_H

#include "moonkeep/kube.h"
#include "moonkeep/ws.h"

/*
 * kube_connect: upgrade a GET of path, once more after a 401 where that helps, and for some
 * seconds where a server on the way is overloaded or not there (429, 500 and above, but
 * for what would be answered again): without the upgrade nothing was started.
 * what is "cannot run \"tar\" in pod a/b"; resource ("pods/exec") and ns are for the
 * hint of a 403.  Errors as kube_status_error and ws_open.
 */
struct ws *kube_connect(struct kube_client *client, const char *path, const char *protocols,
    const char *what, const char *resource, const char *ns, struct cancel *cancel, struct err *err);

/* kube_pod_path: append "/api/v1/namespaces/NS/pods/POD". */
int kube_pod_path(const char *ns, const char *pod, struct buf *out, struct err *err);

/* kube_connect_times: for tests: how often a silent server is asked, and how long it may be silent.
 */
void kube_connect_times(int64_t ping_ms, int64_t stall_ms);

/* kube_connect_pause: for tests: the first pause before another try; the next are doubled. */
void kube_connect_pause(int64_t ms);

#endif
