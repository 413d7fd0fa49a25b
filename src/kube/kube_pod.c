/*
 * Containers of pods as hosts of commands.
 */
#include <stdio.h>
#include <string.h>

#include "kube_connect.h"
#include "kube_exec.h"
#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/kube.h"
#include "moonkeep/mem.h"

/* Bound on the request, which has the command in it. */
#define PATH_MAX_LEN ((size_t)512 * 1024)

struct pod {
        struct far_host host;
        struct kube_client *client;
        char *ns, *name;
        char *container; /* or NULL */
};

static int
make_path(const struct pod *pod, const char *const *argv, struct buf *path, struct err *err)
{
        if (kube_pod_path(pod->ns, pod->name, path, err) < 0 ||
            buf_addstr(path, "/exec?stdin=true&stdout=true&stderr=true&tty=false", err) < 0)
                return -1;
        if (pod->container != NULL &&
            (buf_addstr(path, "&container=", err) < 0 ||
                url_encode(pod->container, strlen(pod->container), 0, path, err) < 0))
                return -1;
        for (; *argv != NULL; argv++) {
                if (buf_addstr(path, "&command=", err) < 0 ||
                    url_encode(*argv, strlen(*argv), 0, path, err) < 0)
                        return err_prefix(err, "the command");
        }
        return 0;
}

static struct far *
pod_open(struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err)
{
        struct pod *pod = (struct pod *)host;
        struct far *far = NULL;
        struct ws *ws = NULL;
        char what[400];
        struct buf path;

        snprintf(what, sizeof(what), "cannot run \"%.100s\" in %.250s", argv[0], host->label);
        buf_init(&path, PATH_MAX_LEN);
        if (make_path(pod, argv, &path, err) == 0)
                ws = kube_connect(pod->client, path.data, KUBE_EXEC_PROTOCOLS, what, "pods/exec",
                    pod->ns, cancel, err);
        if (ws != NULL)
                far = kube_exec_new(host, ws, what, err);
        if (far == NULL)
                ws_free(ws);
        buf_free(&path);
        return far;
}

static void
pod_free(struct far_host *host)
{
        struct pod *pod = (struct pod *)host;

        kube_client_unref(pod->client);
        mem_free(pod->ns);
        mem_free(pod->name);
        mem_free(pod->container);
        mem_free(pod);
}

static const struct far_host_ops pod_ops = { "pod", pod_open, pod_free };

struct far_host *
kube_pod_host(struct kube_client *client, const char *ns, const char *name, const char *container,
    struct err *err)
{
        struct pod *pod = mem_zalloc(sizeof(*pod), err);
        char label[640];

        if (pod == NULL)
                return NULL;
        if (container != NULL)
                snprintf(label, sizeof(label), "pod %.200s/%.200s (container %.200s)", ns, name,
                    container);
        else
                snprintf(label, sizeof(label), "pod %.200s/%.200s", ns, name);
        pod->ns = mem_strdup(ns, err);
        pod->name = mem_strdup(name, err);
        if (container != NULL)
                pod->container = mem_strdup(container, err);
        pod->client = kube_client_ref(client);
        if (pod->ns == NULL || pod->name == NULL || (container != NULL && pod->container == NULL) ||
            far_host_init(&pod->host, &pod_ops, label, err) < 0) {
                pod_free(&pod->host);
                return NULL;
        }
        return &pod->host;
}
