#include "kube_plugin.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kube_quote.h"
#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/json.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

void
kube_credential_clear(struct kube_credential *credential)
{
        secret_unref(credential->token);
        secret_unref(credential->key_pem);
        mem_free(credential->cert_pem);
        memset(credential, 0, sizeof(*credential));
}

static int
set_text(struct json *object, const char *key, const char *text, struct err *err)
{
        if (text == NULL)
                return 0;
        return json_set(object, key, strlen(key), json_new_string(text, strlen(text), err), err);
}

/* The cluster, for plugins that asked for it. */
static int
fill_cluster(const struct kube_config *config, const struct buf *authority, struct json *cluster,
    struct err *err)
{
        struct buf coded;
        int rc = 0;

        if (set_text(cluster, "server", config->server, err) < 0 ||
            set_text(cluster, "tls-server-name", config->server_name, err) < 0 ||
            set_text(cluster, "proxy-url", config->proxy, err) < 0)
                return -1;
        if (authority->len != 0) {
                buf_init(&coded, 2 * KUBE_PEM_MAX);
                rc = base64_encode(authority->data, authority->len, &coded, err);
                if (rc == 0)
                        rc = set_text(cluster, "certificate-authority-data", coded.data, err);
                buf_free(&coded);
        }
        if (rc == 0 && config->plugin_extra != NULL) {
                struct json *extra =
                    json_parse(config->plugin_extra, strlen(config->plugin_extra), err);
                rc = json_set(cluster, "config", strlen("config"), extra, err);
        }
        return rc;
}

int
kube_plugin_info(
    const struct kube_config *config, const struct buf *authority, struct buf *out, struct err *err)
{
        struct json *info = json_new_object(err);
        int rc = -1;

        if (info == NULL || set_text(info, "kind", "ExecCredential", err) < 0 ||
            set_text(info, "apiVersion", config->plugin->api_version, err) < 0 ||
            json_set(info, "spec", 4, json_new_object(err), err) < 0)
                goto done;
        struct json *spec = json_get(info, "spec");
        if (json_set(spec, "interactive", strlen("interactive"), json_new_bool(false, err), err) <
            0)
                goto done;
        if (config->plugin->wants_cluster) {
                if (json_set(spec, "cluster", strlen("cluster"), json_new_object(err), err) < 0 ||
                    fill_cluster(config, authority, json_get(spec, "cluster"), err) < 0)
                        goto done;
        }
        rc = json_dump(info, 0, out, err);
done:
        json_free(info);
        return rc;
}

static int
wrong(struct err *err, const char *why)
{
        return err_set(err, ERR_CREDENTIALS, "%s", why);
}

static bool
is_line(const char *text)
{
        for (; *text != '\0'; text++) {
                if ((unsigned char)*text < ' ' || *text == 127)
                        return false;
        }
        return true;
}

/* A member that is text without a NUL; NULL when absent or empty. */
static int
member(const struct json *status, const char *name, const char **out, struct err *err)
{
        const struct json *value = json_get(status, name);
        size_t len;

        *out = NULL;
        if (value == NULL || json_type_of(value) == JSON_T_NULL)
                return 0;
        const char *text = json_string(value, &len);
        if (text == NULL || strlen(text) != len)
                return err_set(err, ERR_CREDENTIALS, "status.%s is no string", name);
        *out = len != 0 ? text : NULL;
        return 0;
}

static int
read_status(const struct json *status, struct kube_credential *out, struct err *err)
{
        const char *token, *cert, *key, *expires;

        if (member(status, "token", &token, err) < 0 ||
            member(status, "clientCertificateData", &cert, err) < 0 ||
            member(status, "clientKeyData", &key, err) < 0 ||
            member(status, "expirationTimestamp", &expires, err) < 0)
                return -1;
        if (token == NULL && cert == NULL && key == NULL)
                return wrong(err, "status has neither a token nor a certificate");
        if ((cert == NULL) != (key == NULL))
                return wrong(err, "status has a certificate without its key, or a key alone");
        if (token != NULL && !is_line(token))
                return wrong(err, "status.token has a control character in it");
        if (expires != NULL && time_parse(expires, &out->expires_ms, err) < 0)
                return wrong(err, "status.expirationTimestamp is no time");
        if (token != NULL && (out->token = secret_new(token, strlen(token), err)) == NULL)
                return -1;
        if (cert == NULL)
                return 0;
        out->cert_pem = mem_strdup(cert, err);
        out->key_pem = secret_new(key, strlen(key), err);
        return out->cert_pem != NULL && out->key_pem != NULL ? 0 : -1;
}

static int
read_answer(
    const struct json *root, const char *version, struct kube_credential *out, struct err *err)
{
        const char *kind = json_string(json_get(root, "kind"), NULL);
        const char *said = json_string(json_get(root, "apiVersion"), NULL);
        const struct json *status = json_get(root, "status");
        char quoted[KUBE_QUOTE_SIZE];

        if (kind == NULL || strcmp(kind, "ExecCredential") != 0)
                return wrong(err, "its kind is not ExecCredential");
        if (said == NULL || strcmp(said, version) != 0) {
                kube_quote(said != NULL ? said : "", said != NULL ? strlen(said) : 0, quoted);
                return err_set(err, ERR_CREDENTIALS, "its apiVersion is \"%s\", and not \"%s\"",
                    quoted, version);
        }
        if (status == NULL || json_type_of(status) != JSON_T_OBJECT)
                return wrong(err, "it has no status");
        return read_status(status, out, err);
}

/* Our own copy, which is freed next. */
static void
wipe_member(const struct json *root, const char *name)
{
        size_t len;
        const char *text = json_string(json_get(json_get(root, "status"), name), &len);

        if (text != NULL)
                secret_wipe((char *)(uintptr_t)text, len);
}

int
kube_plugin_answer(
    const char *text, size_t len, const char *version, struct kube_credential *out, struct err *err)
{
        struct kube_credential got = { 0 };
        struct json *root = json_parse(text, len, err);

        if (root == NULL) {
                /* Where in it, and not what: it may be a secret. */
                if (err != NULL && err->code == ERR_INVALID)
                        return wrong(err, "it is no JSON");
                return -1;
        }
        int rc = read_answer(root, version, &got, err);
        wipe_member(root, "token");
        wipe_member(root, "clientKeyData");
        json_free(root);
        if (rc < 0)
                kube_credential_clear(&got);
        else
                *out = got;
        return rc;
}
