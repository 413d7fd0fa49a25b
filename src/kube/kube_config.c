#include "kube_config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/url.h"

#define EXTRA_MAX ((size_t)256 * 1024)

/* All that proves who the user is. */
static void
drop_identity(struct kube_config *config)
{
        mem_free(config->cert_pem);
        mem_free(config->token_file);
        secret_unref(config->key_pem);
        secret_unref(config->token);
        secret_unref(config->basic);
        kube_plugin_free(config->plugin);
        config->cert_pem = config->token_file = NULL;
        config->key_pem = config->token = config->basic = NULL;
        config->plugin = NULL;
}

void
kube_config_clear(struct kube_config *config)
{
        for (size_t idx = 0; idx < config->header_count; idx++) {
                mem_free(config->headers[idx].name);
                mem_free(config->headers[idx].value);
        }
        mem_free(config->headers);
        mem_free(config->context);
        mem_free(config->user);
        mem_free(config->ns);
        mem_free(config->server);
        mem_free(config->ca_pem);
        mem_free(config->server_name);
        mem_free(config->proxy);
        mem_free(config->plugin_extra);
        drop_identity(config);
        memset(config, 0, sizeof(*config));
}

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

static int
read_cluster(const struct kube_entry *cluster, struct kube_config *out, struct err *err)
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
        if (kube_field_pem(cluster, "certificate-authority", &out->ca_pem, &out->ca_pem_len, err) <
            0)
                return -1;
        return read_extension(cluster, out, err);
}

/* The first file that says it. */
static int
current_context(const struct kube_docs *docs, const char **out, struct err *err)
{
        for (size_t idx = 0; idx < docs->count && *out == NULL; idx++) {
                struct kube_entry top = { .doc = &docs->items[idx],
                        .value = docs->items[idx].root };
                if (kube_field_text(&top, "current-context", out, err) < 0)
                        return -1;
        }
        return 0;
}

static int
no_context(const struct kube_docs *docs, const char *wanted, struct err *err)
{
        char names[400];

        kube_docs_names(docs, "contexts", names, sizeof(names));
        if (wanted != NULL)
                err_set(err, ERR_NOT_FOUND,
                    "cannot use context \"%.200s\": kubeconfig \"%s\"%s has "
                    "no such context",
                    wanted, docs->items[0].path, docs->count > 1 ? " and the others" : "");
        else
                err_set(err, ERR_NOT_FOUND,
                    "cannot choose a context: kubeconfig \"%s\"%s has no current-context",
                    docs->items[0].path, docs->count > 1 ? " and the others" : "");
        if (*names != '\0')
                return err_hint(err, "there are %s", names);
        return err_hint(err, "there are no contexts in it");
}

/* What the context names, which has to be there. */
static int
named(const struct kube_docs *docs, const struct kube_entry *context, const char *field,
    const char *list, const char *member, const char *name, struct kube_entry *out, struct err *err)
{
        if (name == NULL)
                return kube_bad(err, context, field, "is missing");
        int found = kube_docs_find(docs, list, member, name, out, err);
        if (found == 0)
                return kube_bad(
                    err, context, field, "names \"%.128s\", and there is none in %s", name, list);
        return found < 0 ? -1 : 0;
}

static bool
has_identity(const struct kube_config *config)
{
        return config->cert_pem != NULL || config->token != NULL || config->token_file != NULL ||
               config->basic != NULL || config->plugin != NULL;
}

/* Does what is sent to the server not leave this machine, where others could read it? */
static bool
stays_here(const struct kube_config *config)
{
        struct url url;

        if (config->proxy != NULL || url_parse(config->server, &url, NULL) < 0)
                return false;
        bool is_here = strcmp(url.host, "localhost") == 0 || strcmp(url.host, "::1") == 0 ||
                       (strncmp(url.host, "127.", 4) == 0 &&
                           url.host[strspn(url.host, "0123456789.")] == '\0');
        url_clear(&url);
        return is_here;
}

static int
resolve(const struct kube_docs *docs, const char *wanted, struct kube_config *out, struct err *err)
{
        const char *name = wanted, *user_name = NULL, *cluster_name = NULL;
        struct kube_entry context, cluster, user;

        if (name == NULL && current_context(docs, &name, err) < 0)
                return -1;
        if (name == NULL)
                return no_context(docs, NULL, err);
        int found = kube_docs_find(docs, "contexts", "context", name, &context, err);
        if (found <= 0)
                return found < 0 ? -1 : no_context(docs, name, err);
        if (kube_field_text(&context, "user", &user_name, err) < 0 ||
            kube_field_text(&context, "cluster", &cluster_name, err) < 0 ||
            kube_field_copy(&context, "namespace", &out->ns, err) < 0 ||
            named(docs, &context, "cluster", "clusters", "cluster", cluster_name, &cluster, err) <
                0 ||
            named(docs, &context, "user", "users", "user", user_name, &user, err) < 0)
                return -1;
        out->context = mem_strdup(name, err);
        out->user = mem_strdup(user_name, err);
        if (out->ns == NULL)
                out->ns = mem_strdup("default", err);
        if (out->context == NULL || out->user == NULL || out->ns == NULL)
                return -1;
        if (read_cluster(&cluster, out, err) < 0 || kube_config_user(&user, out, err) < 0)
                return -1;
        /* Who speaks plain HTTP speaks to a proxy (kubectl proxy), which knows who it is. */
        if (strncasecmp(out->server, "http:", 5) == 0) {
                if (!stays_here(out))
                        drop_identity(out);
                return 0;
        }
        if (has_identity(out))
                return 0;
        kube_bad(err, &user, NULL, "says no way to prove who it is");
        if (err != NULL)
                err->code = ERR_CREDENTIALS;
        return err_hint(
            err, "a user has a token, tokenFile, client-certificate, username, or exec");
}

/* Names out of a file may have anything in them. */
static void
make_one_line(char *text)
{
        for (; *text != '\0'; text++) {
                if ((unsigned char)*text < ' ' || *text == 127)
                        *text = ' ';
        }
}

static int
resolve_all(struct kube_docs *docs, const char *context, struct kube_config *out, struct err *err)
{
        memset(out, 0, sizeof(*out));
        int rc = resolve(docs, context, out, err);
        if (rc < 0) {
                kube_config_clear(out);
                if (err != NULL) {
                        make_one_line(err->msg);
                        make_one_line(err->hint);
                }
        }
        kube_docs_clear(docs);
        return rc;
}

int
kube_config_parse(const char *path, const char *text, size_t len, const char *context,
    struct kube_config *out, struct err *err)
{
        struct kube_docs docs = { .count = 0 };

        if (kube_docs_add(&docs, path, text, len, err) < 0)
                return -1;
        return resolve_all(&docs, context, out, err);
}

/* A file that somebody named, and that cannot be read, is a matter of credentials. */
static int
unreadable(struct err *err)
{
        if (err != NULL && err->code != ERR_NOMEM && err->code != ERR_INVALID &&
            err->code != ERR_TOO_BIG)
                err->code = ERR_CREDENTIALS;
        return -1;
}

/* A list as PATH is one; what is missing is passed over. */
static int
read_list(struct kube_docs *docs, const char *list, struct err *err)
{
        const char *at = list;

        for (;;) {
                size_t len = strcspn(at, ":");
                struct err why;
                err_init(&why);
                char *path = len > 0 ? mem_strndup(at, len, &why) : NULL;
                bool failed = path == NULL ? len > 0 : kube_docs_read(docs, path, &why) < 0;
                mem_free(path);
                if (failed && why.code != ERR_NOT_FOUND) {
                        if (err != NULL)
                                *err = why;
                        return unreadable(err);
                }
                if (at[len] == '\0')
                        break;
                at += len + 1;
        }
        if (docs->count > 0)
                return 0;
        err_set(err, ERR_CREDENTIALS,
            "cannot find a kubeconfig: KUBECONFIG is \"%s\", and no such "
            "file is there",
            list);
        return -1;
}

/* ~/.kube/config; 0 with no document when it is not there. */
static int
read_home(struct kube_docs *docs, struct err *err)
{
        const char *home = getenv("HOME");
        struct err why;

        if (home == NULL || *home == '\0')
                return 0;
        char *path = path_join(home, ".kube/config", err);
        if (path == NULL)
                return -1;
        err_init(&why);
        int rc = kube_docs_read(docs, path, &why);
        mem_free(path);
        if (rc == 0 || why.code == ERR_NOT_FOUND)
                return 0;
        if (err != NULL)
                *err = why;
        return unreadable(err);
}

/* No kubeconfig: then we may be in a pod. */
static int
load_pod(const char *context, struct kube_config *out, struct err *err)
{
        struct err why;

        if (context != NULL && strcmp(context, "in-cluster") != 0) {
                err_set(err, ERR_NOT_FOUND, "cannot use context \"%.200s\": there is no kubeconfig",
                    context);
                return err_hint(err, "KUBECONFIG, or ~/.kube/config, is one");
        }
        err_init(&why);
        if (kube_config_pod(out, &why) == 0)
                return 0;
        if (why.code != ERR_NOT_FOUND) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        err_set(err, ERR_CREDENTIALS,
            "cannot find a cluster: KUBECONFIG is not set, "
            "~/.kube/config is not there, and this is no pod");
        return err_hint(err, "set KUBECONFIG, or name the file and the context");
}

int
kube_config_load(const struct kube_client_opts *opts, struct kube_config *out, struct err *err)
{
        struct kube_docs docs = { .count = 0 };
        const char *list = getenv("KUBECONFIG");
        int rc;

        if (opts->kubeconfig != NULL)
                rc = kube_docs_read(&docs, opts->kubeconfig, err) < 0 ? unreadable(err) : 0;
        else if (list != NULL && *list != '\0')
                rc = read_list(&docs, list, err);
        else
                rc = read_home(&docs, err);
        if (rc < 0) {
                kube_docs_clear(&docs);
                return -1;
        }
        if (docs.count == 0)
                return load_pod(opts->context, out, err);
        return resolve_all(&docs, opts->context, out, err);
}
