/*
 * The Kubernetes API server: how it is reached and who we are to it, from
 * kubeconfig files or a pod's service account; and pods as hosts of commands.
 */
#ifndef MOONKEEP_KUBE_H
#define MOONKEEP_KUBE_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/far.h"
#include "moonkeep/http.h"

/*
 * A client: one cluster, one user, a default namespace.  Reference-counted, any thread.
 */
struct kube_client;

struct kube_client_opts {
        const char
            *kubeconfig;     /* NULL: $KUBECONFIG (a list), else ~/.kube/config, else in-cluster */
        const char *context; /* NULL: current-context */
};

/*
 * kube_client_open: read the configuration; nothing is connected yet.
 *
 * Files of a list are merged as kubectl does: the first that sets a name wins;
 * relative paths are relative to their file.  ERR_CREDENTIALS: no configuration
 * (what was looked at is named), a file that cannot be read, a user without any
 * way to say who it is (but where the server is plain http, as kubectl's proxy is: nothing of
 * that is shown to it unless it is on this machine).  ERR_NOT_FOUND: no such context (those there
 * are named). ERR_INVALID: no kubeconfig, saying which file and field. ERR_UNSUPPORTED:
 * insecure-skip-tls-verify, auth-provider.
 */
struct kube_client *kube_client_open(const struct kube_client_opts *opts, struct err *err);
struct kube_client *kube_client_ref(struct kube_client *client);
void kube_client_unref(struct kube_client *client);

/* Valid as long as the client is. */
const char *kube_client_server(const struct kube_client *client);
const char *kube_client_context(const struct kube_client *client);   /* "in-cluster" in a pod */
const char *kube_client_user(const struct kube_client *client);      /* "" when not known */
const char *kube_client_namespace(const struct kube_client *client); /* "default" when not said */

/*
 * kube_client_prepare: fill in the URL (path begins with '/', with its query),
 * the route and who we are.  May wait: files (of a token, of certificates) are read again as
 * they change, a credential plugin is run, and its answer kept until it expires.
 * ERR_CREDENTIALS says which of these failed, and why.
 */
int kube_client_prepare(struct kube_client *client, const char *path, struct http_request *request,
    struct cancel *cancel, struct err *err);

/*
 * kube_client_prepare_now: the same for threads that must not wait.  Returns 1; 0, and nothing
 * was done, where it would have to wait or read a file; or -1.
 */
int kube_client_prepare_now(
    struct kube_client *client, const char *path, struct http_request *request, struct err *err);

/*
 * kube_client_refused: the server answered 401: what is kept is dropped.
 * Returns true when the next try may have something newer.
 */
bool kube_client_refused(struct kube_client *client);

/*
 * kube_status_error: the error that an answer of the API server other than 2xx
 * says (metav1.Status, or whatever came); what is "cannot get pods/x".
 * 401 is ERR_CREDENTIALS, 403 ERR_PERMISSION, 404 ERR_NOT_FOUND, 409
 * ERR_EXISTS or ERR_CHANGED, 410 ERR_CHANGED, 422 ERR_INVALID, others ERR_HTTP; retryable for 429,
 * 5xx.
 */
int kube_status_error(const char *what, const struct http_answer *answer, struct err *err);

/*
 * kube_pod_host: a container of a pod as a host of commands: exec over WebSocket
 * (v5.channel.k8s.io, v4.channel.k8s.io), never a terminal.  FAR_ENDED only after
 * an explicit Status on channel 3: Success is 0, NonZeroExitCode its code; any
 * other is an error.  container NULL: the pod's only or default one.
 */
struct far_host *kube_pod_host(struct kube_client *client, const char *ns, const char *pod,
    const char *container, struct err *err);

/*
 * kube_forward_dial: a connection to a port of a pod, through the kubelet's
 * port-forward over WebSocket (v4).  Returns a connected stream socket at once;
 * a thread of its own carries the bytes until either side ends, or the token is
 * set.  Its failure is an end of the socket, and the text of it in *failure (to be
 * released by kube_forward_free, which waits for the thread).
 */
struct kube_forward;
int kube_forward_dial(struct kube_client *client, const char *ns, const char *pod, unsigned port,
    struct cancel *cancel, struct kube_forward **forward, struct err *err);
/* kube_forward_free: end it; its error if it failed goes into err (which may be NULL). */
void kube_forward_free(struct kube_forward *forward, struct err *err);

/*
 * kube_command_dial: the same through a command at a far host whose stdin and
 * stdout are the connection ("nc 127.0.0.1 9090").
 */
int kube_command_dial(struct far_host *host, const char *const *argv, struct cancel *cancel,
    struct kube_forward **forward, struct err *err);

#endif
