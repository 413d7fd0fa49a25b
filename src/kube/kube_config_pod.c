#include "kube_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"

#define NAMESPACE_MAX 253

static const char *root = "/var/run/secrets/kubernetes.io/serviceaccount";

void
kube_config_pod_root(const char *path)
{
        root = path != NULL ? path : "/var/run/secrets/kubernetes.io/serviceaccount";
}

static char *
server_url(const char *host, const char *port, struct err *err)
{
        size_t size = strlen(host) + strlen(port) + sizeof("https://[]:");
        bool is_ipv6 = strchr(host, ':') != NULL;
        char *url = mem_alloc(size, err);

        if (url != NULL)
                snprintf(url, size, is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
        return url;
}

static char *
read_small(const char *name, size_t max, size_t *len, struct err *err)
{
        char *path = path_join(root, name, err);
        char *text = NULL;
        struct buf bytes;

        if (path == NULL)
                return NULL;
        buf_init(&bytes, max);
        if (file_read(path, &bytes, err) == 0) {
                *len = bytes.len;
                text = mem_strndup(bytes.data != NULL ? bytes.data : "", bytes.len, err);
        }
        buf_free(&bytes);
        mem_free(path);
        return text;
}

int
kube_config_pod(struct kube_config *out, struct err *err)
{
        const char *host = getenv("KUBERNETES_SERVICE_HOST");
        const char *port = getenv("KUBERNETES_SERVICE_PORT");
        struct err why;
        size_t len;

        memset(out, 0, sizeof(*out));
        if (host == NULL || port == NULL || *host == '\0' || *port == '\0')
                return err_set(err, ERR_NOT_FOUND,
                    "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
        if ((out->server = server_url(host, port, err)) == NULL ||
            (out->context = mem_strdup("in-cluster", err)) == NULL ||
            (out->user = mem_strdup("", err)) == NULL ||
            (out->token_file = path_join(root, "token", err)) == NULL)
                goto fail;
        out->token = kube_token_file(out->token_file, err);
        if (out->token == NULL) {
                if (err != NULL && err->code == ERR_NOT_FOUND)
                        err_hint(err, "the pod gets none: does it, or its service account, say "
                                      "automountServiceAccountToken: false?");
                goto fail;
        }
        out->ca_pem = read_small("ca.crt", KUBE_PEM_MAX, &out->ca_pem_len, err);
        if (out->ca_pem == NULL || (out->ca_file = path_join(root, "ca.crt", err)) == NULL)
                goto fail;
        err_init(&why);
        out->ns = read_small("namespace", NAMESPACE_MAX, &len, &why);
        if (out->ns == NULL && why.code == ERR_NOT_FOUND)
                out->ns = mem_strdup("default", &why);
        if (out->ns == NULL) {
                if (err != NULL)
                        *err = why;
                goto fail;
        }
        out->ns[strcspn(out->ns, " \r\n")] = '\0';
        return 0;

fail:
        kube_config_clear(out);
        if (err != NULL && err->code != ERR_NOMEM)
                err->code = ERR_CREDENTIALS;
        return err_prefix(err, "cannot use the service account of this pod");
}
