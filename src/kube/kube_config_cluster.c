#include <string.h>

#include "kube_config_internal.h"
#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/url.h"

#define EXTRA_MAX ((size_t)256 * 1024)

/* A URL that requests can be sent to, with no slash at its end. */
static int
read_server(const struct kube_entry *cluster, struct kube_config *out, struct err *err)
{
        struct url url;
        struct err why;

        if (kube_field_copy(cluster, "server", &out->server, err) < 0)
                return -1;
        if (out->server == NULL)
                return kube_bad(err, cluster, "server", "is missing");
        err_init(&why);
        if (url_parse(out->server, &url, &why) < 0) {
                if (why.code != ERR_NOMEM)
                        return kube_bad(err, cluster, "server", "is no URL");
                if (err != NULL)
                        *err = why;
                return -1;
        }
        bool is_http = strcmp(url.scheme, "https") == 0 || strcmp(url.scheme, "http") == 0;
        bool is_plain = url.user == NULL && !url.has_password && url.query == NULL;
        bool has_host = *url.host != '\0';
        url_clear(&url);
        if (!is_http || !has_host)
                return kube_bad(err, cluster, "server", "must begin with https:// (or http://)");
        if (!is_plain)
                return kube_bad(err, cluster, "server", "has a user, password or query in it");
        for (size_t len = strlen(out->server); out->server[len - 1] == '/'; len--)
                out->server[len - 1] = '\0';
        return 0;
}

/* What the cluster has for credential plugins: the extension of that name. */
static int
read_extension(const struct kube_entry *cluster, struct kube_config *out, struct err *err)
{
        const struct json *list = NULL;
        struct buf text;

        if (kube_field_list(cluster, "extensions", &list, err) < 0)
                return -1;
        for (size_t idx = 0; idx < json_array_len(list); idx++) {
                const struct json *at = json_array_at(list, idx);
                const char *name = json_string(json_get(at, "name"), NULL);
                const struct json *extension = json_get(at, "extension");
                if (name == NULL || extension == NULL || out->plugin_extra != NULL ||
                    strcmp(name, "client.authentication.k8s.io/exec") != 0)
                        continue;
                buf_init(&text, EXTRA_MAX);
                int rc = json_dump(extension, 0, &text, err);
                if (rc == 0)
                        out->plugin_extra = buf_detach(&text, err);
                buf_free(&text);
                if (out->plugin_extra == NULL)
                        return -1;
        }
        return 0;
}

int
kube_config_cluster(const struct kube_entry *cluster, struct kube_config *out, struct err *err)
{
        bool insecure = false;

        if (read_server(cluster, out, err) < 0 ||
            kube_field_bool(cluster, "insecure-skip-tls-verify", &insecure, err) < 0 ||
            kube_field_copy(cluster, "tls-server-name", &out->server_name, err) < 0 ||
            kube_field_copy(cluster, "proxy-url", &out->proxy, err) < 0)
                return -1;
        if (insecure) {
                kube_bad(err, cluster, "insecure-skip-tls-verify",
                    "is true, and nothing is sent to a server that nobody vouches for");
                if (err != NULL)
                        err->code = ERR_UNSUPPORTED;
                return err_hint(err, "name the authority of its certificate as "
                                     "certificate-authority, and its name as tls-server-name");
        }
        if (kube_field_pem(cluster, "certificate-authority", &out->ca_pem, &out->ca_pem_len,
                &out->ca_file, err) < 0)
                return -1;
        return read_extension(cluster, out, err);
}
