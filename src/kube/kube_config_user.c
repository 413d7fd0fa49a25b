#include "kube_config_internal.h"

#include <stdio.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"

#define BASIC_MAX ((size_t)16 * 1024)

/* What a header can carry. */
static bool
is_line(const char *text, size_t len)
{
        for (size_t idx = 0; idx < len; idx++) {
                unsigned char at = (unsigned char)text[idx];
                if (at < ' ' || at == 127)
                        return false;
        }
        return true;
}

static int
add_header(struct kube_config *out, const struct kube_entry *user, const char *field,
    const char *name, const char *value, struct err *err)
{
        if (!is_line(value, strlen(value)))
                return kube_bad(err, user, field, "has a control character in it");
        if (out->header_count == KUBE_HEADERS_MAX)
                return kube_bad(err, user, field, "has more than %d values", KUBE_HEADERS_MAX);
        if (out->headers == NULL)
                out->headers = mem_zalloc(KUBE_HEADERS_MAX * sizeof(*out->headers), err);
        if (out->headers == NULL)
                return -1;
        struct kube_header *header = &out->headers[out->header_count++];
        header->name = mem_strdup(name, err);
        header->value = header->name != NULL ? mem_strdup(value, err) : NULL;
        return header->value != NULL ? 0 : -1;
}

static int
add_list(struct kube_config *out, const struct kube_entry *user, const char *field,
    const struct json *list, const char *name, struct err *err)
{
        for (size_t idx = 0; idx < json_array_len(list); idx++) {
                size_t len;
                const char *text = json_string(json_array_at(list, idx), &len);
                if (text == NULL || strlen(text) != len)
                        return kube_bad(err, user, field, "must be a list of strings");
                if (add_header(out, user, field, name, text, err) < 0)
                        return -1;
        }
        return 0;
}

/* as-user-extra: NAME: [value, ...]; what a header's name cannot have is escaped. */
static int
read_extra(const struct kube_entry *user, struct kube_config *out, struct err *err)
{
        struct kube_entry extra;
        struct json *values;
        void *iter = NULL;
        const char *key;
        size_t key_len;
        int rc = 0;

        if (kube_field_entry(user, "as-user-extra", &extra, err) < 0)
                return -1;
        if (extra.value == NULL)
                return 0;
        while (rc == 0 && json_object_next(extra.value, &iter, &key, &key_len, &values)) {
                struct buf name;
                if (json_type_of(values) != JSON_T_ARRAY)
                        return kube_bad(err, user, "as-user-extra", "must hold lists of strings");
                buf_init(&name, 1024);
                rc = buf_addstr(&name, "Impersonate-Extra-", err);
                if (rc == 0)
                        rc = url_encode(key, key_len, 0, &name, err);
                if (rc == 0)
                        rc = add_list(out, user, "as-user-extra", values, name.data, err);
                buf_free(&name);
        }
        return rc;
}

static int
read_impersonation(const struct kube_entry *user, struct kube_config *out, struct err *err)
{
        const struct json *groups = NULL;
        const char *as = NULL, *uid = NULL;

        if (kube_field_text(user, "as", &as, err) < 0 ||
            kube_field_text(user, "as-uid", &uid, err) < 0 ||
            kube_field_list(user, "as-groups", &groups, err) < 0)
                return -1;
        if (as != NULL && add_header(out, user, "as", "Impersonate-User", as, err) < 0)
                return -1;
        if (uid != NULL && add_header(out, user, "as-uid", "Impersonate-Uid", uid, err) < 0)
                return -1;
        if (add_list(out, user, "as-groups", groups, "Impersonate-Group", err) < 0 ||
            read_extra(user, out, err) < 0)
                return -1;
        if (as == NULL && out->header_count > 0)
                return kube_bad(err, user, "as", "is missing, with groups or a uid to act with");
        return 0;
}

static int
read_basic(const struct kube_entry *user, const char *name, const char *password,
    struct kube_config *out, struct err *err)
{
        struct buf plain, coded;
        int rc;

        if (strchr(name, ':') != NULL)
                return kube_bad(err, user, "username", "has a colon in it");
        /* The password by itself, too, has to be known to what redacts. */
        struct secret *known = secret_new(password, strlen(password), err);
        if (known == NULL)
                return -1;
        buf_init(&plain, BASIC_MAX);
        buf_init(&coded, 2 * BASIC_MAX);
        rc = buf_reserve(&plain, strlen(name) + strlen(password) + 2, err) != NULL ? 0 : -1;
        if (rc == 0)
                rc = buf_addf(&plain, err, "%s:%s", name, password);
        if (rc == 0)
                rc = base64_encode(plain.data, plain.len, &coded, err);
        if (rc == 0) {
                out->basic = secret_new(coded.data, coded.len, err);
                rc = out->basic != NULL ? 0 : -1;
        }
        if (plain.data != NULL)
                secret_wipe(plain.data, plain.cap);
        if (coded.data != NULL)
                secret_wipe(coded.data, coded.cap);
        buf_free(&plain);
        buf_free(&coded);
        secret_unref(known);
        return rc;
}

static int
read_certificate(const struct kube_entry *user, struct kube_config *out, struct err *err)
{
        char *key = NULL;
        size_t key_len = 0;

        if (kube_field_pem(user, "client-certificate", &out->cert_pem, &out->cert_pem_len,
                &out->cert_file, err) < 0 ||
            kube_field_pem(user, "client-key", &key, &key_len, &out->key_file, err) < 0)
                return -1;
        if (key != NULL) {
                out->key_pem = secret_new(key, key_len, err);
                secret_wipe(key, key_len);
                mem_free(key);
                if (out->key_pem == NULL)
                        return err_prefix(err, "the client key of \"%s\"", out->user);
        }
        if (out->cert_pem != NULL && out->key_pem == NULL)
                return kube_bad(err, user, "client-key", "is missing, and a certificate is there");
        if (out->cert_pem == NULL && out->key_pem != NULL)
                return kube_bad(err, user, "client-certificate", "is missing, and a key is there");
        return 0;
}

static int
read_token(const struct kube_entry *user, struct kube_config *out, struct err *err)
{
        const char *token = NULL;

        if (kube_field_text(user, "token", &token, err) < 0 ||
            kube_field_path(user, "tokenFile", &out->token_file, err) < 0)
                return -1;
        if (token == NULL)
                return 0;
        if (!is_line(token, strlen(token)))
                return kube_bad(err, user, "token", "has a control character in it");
        out->token = secret_new(token, strlen(token), err);
        return out->token != NULL ? 0 : -1;
}

int
kube_config_user(const struct kube_entry *user, struct kube_config *out, struct err *err)
{
        const char *name = NULL, *password = NULL;
        struct kube_entry exec, provider;

        if (kube_field_entry(user, "auth-provider", &provider, err) < 0 ||
            kube_field_entry(user, "exec", &exec, err) < 0 ||
            kube_field_text(user, "username", &name, err) < 0 ||
            kube_field_text(user, "password", &password, err) < 0)
                return -1;
        if (provider.value != NULL) {
                kube_bad(err, user, "auth-provider", "is of a kind that Kubernetes has given up");
                if (err != NULL)
                        err->code = ERR_UNSUPPORTED;
                return err_hint(
                    err, "use a credential plugin of your provider instead (user.exec)");
        }
        if (read_token(user, out, err) < 0 || read_certificate(user, out, err) < 0 ||
            read_impersonation(user, out, err) < 0)
                return -1;
        if ((name != NULL || password != NULL) && (out->token != NULL || out->token_file != NULL))
                return kube_bad(err, user, NULL, "has both a token and a password");
        if (name != NULL && read_basic(user, name, password != NULL ? password : "", out, err) < 0)
                return -1;
        if (name == NULL && password != NULL)
                return kube_bad(err, user, "username", "is missing, and a password is there");
        return exec.value != NULL ? kube_config_exec(&exec, out, err) : 0;
}

struct secret *
kube_token_file(const char *path, struct err *err)
{
        struct secret *secret = NULL;
        struct buf text;

        buf_init(&text, SECRET_MAX);
        if (file_read(path, &text, err) < 0)
                goto done;
        const char *at = text.data != NULL ? text.data : "";
        size_t len = text.len;
        while (len > 0 && strchr(" \t\r\n", *at) != NULL) {
                at++;
                len--;
        }
        while (len > 0 && strchr(" \t\r\n", at[len - 1]) != NULL)
                len--;
        if (len == 0)
                err_set(err, ERR_CREDENTIALS, "the token file \"%s\" is empty", path);
        else if (!is_line(at, len))
                err_set(err, ERR_CREDENTIALS,
                    "the token file \"%s\" holds more than one line, or no text", path);
        else
                secret = secret_new(at, len, err);
done:
        if (text.data != NULL)
                secret_wipe(text.data, text.cap);
        buf_free(&text);
        return secret;
}
