#include "kube_config_internal.h"

#include <string.h>
#include <strings.h>

#include "moonkeep/mem.h"
#include "moonkeep/url.h"

/* All that proves who the user is. */
static void
drop_identity(struct kube_config *config)
{
        mem_free(config->cert_pem);
        mem_free(config->cert_file);
        mem_free(config->key_file);
        mem_free(config->token_file);
        secret_unref(config->key_pem);
        secret_unref(config->token);
        secret_unref(config->basic);
        kube_plugin_free(config->plugin);
        config->cert_pem = config->cert_file = config->key_file = config->token_file = NULL;
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
        mem_free(config->ca_file);
        mem_free(config->server_name);
        mem_free(config->proxy);
        mem_free(config->plugin_extra);
        drop_identity(config);
        memset(config, 0, sizeof(*config));
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
        if (kube_config_cluster(&cluster, out, err) < 0 || kube_config_user(&user, out, err) < 0)
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

int
kube_config_resolve(
    struct kube_docs *docs, const char *context, struct kube_config *out, struct err *err)
{
        memset(out, 0, sizeof(*out));
        int rc = resolve(docs, context, out, err);
        if (rc < 0) {
                kube_config_clear(out);
                kube_one_line(err);
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
        return kube_config_resolve(&docs, context, out, err);
}
