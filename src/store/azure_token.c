#include "azure_token.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/json.h"
#include "object_text.h"

#define REASON_MAX 400

/* No token lives longer; what says so is wrong. */
#define LIFE_MAX_S (INT64_C(366) * 24 * 3600)

void
azure_token_clear(struct azure_token *token)
{
        secret_unref(token->secret);
        memset(token, 0, sizeof(*token));
}

/* A number, or its digits as a string; -1 when it is neither, or absent. */
static int64_t
seconds_at(const struct json *value, const char *name)
{
        const struct json *member = json_get(value, name);

        if (member == NULL)
                return -1;
        const char *text = json_string(member, NULL);
        if (text == NULL)
                return json_type_of(member) == JSON_T_INT ? json_int(member) : -1;
        size_t len = strlen(text);
        if (len == 0 || len > 15 || text[strspn(text, "0123456789")] != '\0')
                return -1;
        return strtoll(text, NULL, 10);
}

static int
read_token(const struct json *value, int64_t now_ms, struct azure_token *out, struct err *err)
{
        int64_t in_s = seconds_at(value, "expires_in");
        int64_t on_s = seconds_at(value, "expires_on");
        size_t len;
        const char *text = json_string(json_get(value, "access_token"), &len);

        if (text == NULL || len == 0 || strlen(text) != len)
                return err_set(err, ERR_INVALID, "the answer has no access_token");
        if (in_s < 0 && on_s >= 0)
                in_s = on_s - now_ms / 1000;
        if (in_s < 0 || in_s > LIFE_MAX_S)
                return err_set(
                    err, ERR_INVALID, "the answer does not say until when its token is good");
        out->secret = secret_new(text, len, err);
        if (out->secret == NULL)
                return -1;
        out->expires_ms = now_ms + in_s * 1000;
        return 0;
}

int
azure_token_parse(
    const char *text, size_t len, int64_t now_ms, struct azure_token *out, struct err *err)
{
        struct err why;

        err_init(&why);
        struct json *value = json_parse(text, len, &why);
        if (value == NULL) {
                if (why.code != ERR_INVALID) {
                        if (err != NULL)
                                *err = why;
                        return -1;
                }
                /* Its message might quote what it did not understand. */
                return err_set(err, ERR_INVALID, "the answer is no JSON");
        }
        int rc = read_token(value, now_ms, out, err);
        json_free(value);
        return rc;
}

/* Where the several endpoints say why: the first of these that there is. */
static const char *
reason_in(const struct json *value)
{
        static const char *const names[] = { "error_description", "message", "error" };

        for (size_t idx = 0; idx < sizeof(names) / sizeof(names[0]); idx++) {
                const struct json *member = json_get(value, names[idx]);
                const char *text = json_string(member, NULL);
                if (text == NULL)
                        text = json_string(json_get(member, "message"), NULL);
                if (text != NULL && *text != '\0')
                        return text;
        }
        return NULL;
}

/* The first line; Entra goes on with ids of the trace. */
static size_t
first_line(const char *text)
{
        size_t len = strcspn(text, "\r\n");
        const char *trace = strstr(text, " Trace ID:");

        return trace != NULL && (size_t)(trace - text) < len ? (size_t)(trace - text) : len;
}

static void
copy_reason(const char *text, char out[REASON_MAX])
{
        object_one_line(text, first_line(text), false, out, REASON_MAX);
        for (size_t len = strlen(out); len > 0 && out[len - 1] == '.'; len--)
                out[len - 1] = '\0';
}

static void
add_hint(const char *reason, struct err *err)
{
        static const struct {
                const char *code;
                const char *hint;
        } known[] = {
                { "AADSTS7000222", "the client secret has expired: make a new one, and set "
                                   "AZURE_CLIENT_SECRET" },
                { "AADSTS7000215",
                    "AZURE_CLIENT_SECRET is not the secret's value (perhaps its id)" },
                { "AADSTS700024", "the federated token has expired: whoever writes "
                                  "AZURE_FEDERATED_TOKEN_FILE has to renew it" },
                { "AADSTS70021", "the application has no federated credential for this issuer and "
                                 "subject" },
                { "AADSTS700213", "the application has no federated credential for this issuer and "
                                  "subject" },
                { "AADSTS700016", "is AZURE_CLIENT_ID an application of the tenant "
                                  "AZURE_TENANT_ID?" },
                { "AADSTS90002", "is AZURE_TENANT_ID the right tenant?" },
                { "Identity not found", "this machine has no such managed identity; for one of "
                                        "several, set AZURE_CLIENT_ID" },
        };
        size_t best = 0;

        for (size_t idx = 0; idx < sizeof(known) / sizeof(known[0]); idx++) {
                /* Some codes begin with others. */
                size_t len = strlen(known[idx].code);
                const char *found = strstr(reason, known[idx].code);
                if (found == NULL || len <= best || (found[len] >= '0' && found[len] <= '9'))
                        continue;
                best = len;
                err_hint(err, "%s", known[idx].hint);
        }
}

void
azure_token_refused(int status, const char *text, size_t len, struct err *err)
{
        struct json *value = json_parse(text, len, NULL);
        const char *found = reason_in(value);
        char reason[REASON_MAX];

        if (found != NULL) {
                copy_reason(found, reason);
                bool expired = strstr(reason, "AADSTS7000222") != NULL ||
                               strstr(reason, "AADSTS700024") != NULL;
                err_set(err, ERR_CREDENTIALS, "%s%s (status %d)", expired ? "expired: " : "",
                    reason, status);
                add_hint(reason, err);
        } else {
                err_set(err, ERR_CREDENTIALS, "it answered with status %d", status);
        }
        json_free(value);
        if (err != NULL) {
                err->http = status;
                err->retryable = status == 429 || status >= 500;
        }
}
