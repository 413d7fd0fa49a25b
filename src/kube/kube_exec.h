/*
 * A command in a pod, over a WebSocket that is open.  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_EXEC_H
#define MOONKEEP_KUBE_EXEC_H

#include "moonkeep/far.h"
#include "moonkeep/ws.h"

#define KUBE_EXEC_PROTOCOLS "v5.channel.k8s.io, v4.channel.k8s.io"

/*
 * kube_exec_new: takes ws, but not on failure.  what is "cannot run \"tar\" in pod
 * a/b", for messages.  ERR_PROTOCOL: the server chose no protocol of these.
 */
struct far *kube_exec_new(struct far_host *host, struct ws *ws, const char *what, struct err *err);

#endif
