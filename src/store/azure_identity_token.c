#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "azure_identity.h"
#include "moonkeep/encode.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

#define STALL_MS 15000
#define TOTAL_MS 60000

/* Outside of Azure nobody answers at the machine's address, and that is the usual reason. */
#define MACHINE_STALL_MS 3000

#define FORM_MAX (4 * (size_t)SECRET_MAX)

/* One request, and what has to be known as a secret until its answer was read. */
struct exchange {
        struct http_request request;
        struct secret *known;
};

static void
exchange_clear(struct exchange *exchange)
{
        http_request_clear(&exchange->request);
        secret_unref(exchange->known);
        memset(exchange, 0, sizeof(*exchange));
}

/* "&name=value", escaped. */
static int
add_field(struct buf *form, const char *name, const char *value, size_t len, struct err *err)
{
        if (form->len > 0 && buf_addstr(form, "&", err) < 0)
                return -1;
        if (buf_addf(form, err, "%s=", name) < 0)
                return -1;
        return url_encode(value, len, 0, form, err);
}

static int
add_text(struct buf *form, const char *name, const char *value, struct err *err)
{
        return add_field(form, name, value, strlen(value), err);
}

/* Applications: OAuth 2.0, client credentials. */

static bool
is_space(char at)
{
        return at == ' ' || at == '\t' || at == '\r' || at == '\n';
}

/* Whoever writes the file renews it some minutes before its token expires. */
static struct secret *
read_token_file(const struct azure_identity *it, struct err *err)
{
        struct secret *secret = NULL;
        struct buf token;
        struct err why;

        err_init(&why);
        buf_init(&token, SECRET_MAX);
        /* All room at once: a buffer that moves would leave a copy behind. */
        if (buf_reserve(&token, SECRET_MAX - 1, err) == NULL)
                return NULL;
        if (file_read(it->token_file, &token, &why) < 0) {
                err_set(err, ERR_CREDENTIALS, "token file unreadable: %s", why.msg);
                err_hint(err, "AZURE_FEDERATED_TOKEN_FILE names it; in a pod, its service account "
                              "writes it");
                goto done;
        }
        while (token.len > 0 && is_space(token.data[token.len - 1]))
                token.len--;
        if (token.len == 0)
                err_set(err, ERR_CREDENTIALS, "the token file \"%s\" is empty", it->token_file);
        else
                secret = secret_new(token.data, token.len, err);
done:
        secret_wipe(token.data, token.cap);
        buf_free(&token);
        return secret;
}

static int
add_proof(const struct azure_identity *it, struct exchange *out, struct buf *form, struct err *err)
{
        const char *name = "client_secret";
        size_t len;

        if (it->kind == AZURE_CLIENT_SECRET) {
                out->known = secret_ref(it->proof);
        } else {
                name = "client_assertion";
                out->known = read_token_file(it, err);
                if (out->known == NULL ||
                    add_text(form, "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", err) < 0)
                        return -1;
        }
        const char *bytes = secret_bytes(out->known, &len);
        return add_field(form, name, bytes, len, err);
}

static int
make_form(const struct azure_identity *it, const char *resource, struct exchange *out,
    struct buf *form, struct err *err)
{
        struct http_request *request = &out->request;
        char scope[256];

        snprintf(scope, sizeof(scope), "%.200s/.default", resource);
        if (add_text(form, "grant_type", "client_credentials", err) < 0 ||
            add_text(form, "client_id", it->client, err) < 0 ||
            add_text(form, "scope", scope, err) < 0 || add_proof(it, out, form, err) < 0)
                return -1;
        request->may_repeat = true;
        request->body = mem_strndup(form->data, form->len, err);
        request->body_len = form->len;
        if (request->body == NULL)
                return -1;
        return http_request_header(
            request, "Content-Type", "application/x-www-form-urlencoded", NULL, err);
}

static int
make_application(const struct azure_identity *it, const char *resource, struct exchange *out,
    struct buf *url, struct err *err)
{
        struct buf form;

        buf_init(&form, FORM_MAX);
        if (buf_reserve(&form, FORM_MAX - 1, err) == NULL)
                return -1;
        int rc = make_form(it, resource, out, &form, err);
        secret_wipe(form.data, form.cap);
        buf_free(&form);
        if (rc < 0)
                return -1;
        return buf_addf(url, err, "%s/%s/oauth2/v2.0/token", it->endpoint, it->tenant);
}

/* Managed identities: a GET with the resource. */
static int
make_managed(const struct azure_identity *it, const char *resource, struct exchange *out,
    struct buf *url, struct err *err)
{
        bool machine = it->kind == AZURE_MACHINE;
        struct buf query;
        int rc = -1;

        buf_init(&query, 4096);
        out->request.no_proxy = true;
        if (add_text(&query, "api-version", machine ? "2018-02-01" : "2019-08-01", err) < 0 ||
            add_text(&query, "resource", resource, err) < 0 ||
            (it->client != NULL && add_text(&query, "client_id", it->client, err) < 0) ||
            buf_addf(url, err, "%s%s?%s", it->endpoint,
                machine ? "/metadata/identity/oauth2/token" : "", query.data) < 0)
                goto done;
        if (machine)
                rc = http_request_header(&out->request, "Metadata", "true", NULL, err);
        else
                rc = http_request_header(&out->request, "X-IDENTITY-HEADER", NULL, it->proof, err);
done:
        buf_free(&query);
        return rc;
}

static int
make_exchange(
    const struct azure_identity *it, const char *resource, struct exchange *out, struct err *err)
{
        bool managed = it->kind == AZURE_MACHINE || it->kind == AZURE_APP_SERVICE;
        struct http_request *request = &out->request;
        struct buf url;
        int rc = -1;

        buf_init(&url, 8192);
        request->answer_max = AZURE_TOKEN_ANSWER_MAX;
        request->stall_ms = it->kind == AZURE_MACHINE ? MACHINE_STALL_MS : STALL_MS;
        request->total_ms = TOTAL_MS;
        request->method = mem_strdup(managed ? "GET" : "POST", err);
        if (request->method == NULL ||
            (managed ? make_managed : make_application)(it, resource, out, &url, err) < 0)
                goto done;
        request->url = buf_detach(&url, err);
        if (request->url == NULL)
                goto done;
        rc = http_request_header(request, "Accept", "application/json", NULL, err);
done:
        buf_free(&url);
        return rc;
}

/* What an answer means. */
static int
read_answer(const struct azure_identity *it, const struct http_answer *answer,
    struct azure_token *out, struct err *err)
{
        const char *text = answer->body.data != NULL ? answer->body.data : "";

        if (answer->status == 200)
                return azure_token_parse(text, answer->body.len, time_now_ms(), out, err);
        azure_token_refused(answer->status, text, answer->body.len, err);
        /* The machine's service says so while it is being updated. */
        if (it->kind == AZURE_MACHINE && (answer->status == 404 || answer->status == 410))
                err->retryable = true;
        return -1;
}

static int
attempt(const struct azure_identity *it, const char *resource, struct azure_token *out,
    struct cancel *cancel, struct err *err)
{
        struct exchange exchange = { 0 };
        struct http_answer answer = { 0 };
        int rc = -1;

        if (make_exchange(it, resource, &exchange, err) < 0)
                goto done;
        if (http_call(&exchange.request, cancel, &answer, err) < 0) {
                if (it->kind == AZURE_MACHINE)
                        err->retryable = false;
                goto done;
        }
        rc = read_answer(it, &answer, out, err);
        if (answer.body.data != NULL)
                secret_wipe(answer.body.data, answer.body.cap);
        http_answer_clear(&answer);
done:
        exchange_clear(&exchange);
        return rc;
}

int
azure_identity_token(const struct azure_identity *identity, const char *resource,
    struct azure_token *out, struct cancel *cancel, struct err *err)
{
        char name[AZURE_IDENTITY_NAME_MAX];
        int64_t pause_ms = identity->pause_ms;
        struct err why;

        err_init(&why);
        for (unsigned tried = 1;; tried++, pause_ms *= 2) {
                if (attempt(identity, resource, out, cancel, &why) == 0)
                        return 0;
                if (!why.retryable || tried >= identity->attempts ||
                    cancel_sleep(cancel, pause_ms, &why) < 0)
                        break;
        }
        azure_identity_name(identity, name);
        err_prefix(&why, "cannot get a token of %s", name);
        if (err != NULL)
                *err = why;
        return -1;
}
