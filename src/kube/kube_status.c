#include "kube_status.h"

#include <stdio.h>
#include <string.h>

#include "kube_quote.h"
#include "moonkeep/json.h"
#include "moonkeep/kube.h"

static const char *
text_of(const struct json *value, const char *name, size_t *len)
{
        return json_string(json_get(value, name), len);
}

static bool
is_text(const char *text, const char *word)
{
        return text != NULL && strcmp(text, word) == 0;
}

static enum err_code
code_of(int http, const char *reason)
{
        switch (http) {
        case 401:
                return ERR_CREDENTIALS;
        case 403:
                return ERR_PERMISSION;
        case 404:
                return ERR_NOT_FOUND;
        case 409:
                return is_text(reason, "AlreadyExists") ? ERR_EXISTS : ERR_CHANGED;
        case 410:
                return ERR_CHANGED;
        case 422:
                return ERR_INVALID;
        default:
                return ERR_HTTP;
        }
}

static void
add_hint(int http, struct err *err)
{
        if (http == 401)
                err_hint(
                    err, "log in again, or look at the user of this context in the kubeconfig");
        else if (http == 403)
                err_hint(err, "ask for a role that allows it");
        else if (http == 413)
                err_hint(err, "something before the API server bounds the size of requests");
}

/* What there is to say of an answer that is no Status: nothing of a page for browsers. */
static void
quote_body(const struct http_answer *answer, char out[KUBE_QUOTE_SIZE])
{
        const char *body = answer->body.data;
        const char *place = http_answer_header(answer, "location");

        out[0] = '\0';
        if (answer->status >= 300 && answer->status < 400 && place != NULL)
                kube_quote(place, strcspn(place, "?#"), out);
        else if (body != NULL && answer->body.len > 0 && body[strspn(body, " \t\r\n")] != '<')
                kube_quote(body, answer->body.len, out);
}

int
kube_status_error(const char *what, const struct http_answer *answer, struct err *err)
{
        struct json *status = NULL;
        char said[KUBE_QUOTE_SIZE];
        size_t len = 0;

        if (answer->body.data != NULL)
                status = json_parse(answer->body.data, answer->body.len, NULL);
        const char *message = text_of(status, "message", &len);
        enum err_code code = code_of(answer->status, text_of(status, "reason", NULL));
        bool is_status = message != NULL && len > 0;
        if (is_status)
                kube_quote(message, len, said);
        else
                quote_body(answer, said);
        if (is_status && *said != '\0')
                err_set(err, code, "%s: %s", what, said);
        else
                err_set(err, code, "%s: the server answered %d%s%s", what, answer->status,
                    *said != '\0' ? ": " : "", said);
        json_free(status);
        if (err != NULL) {
                err->http = answer->status;
                err->retryable = answer->status == 429 || answer->status >= 500;
        }
        add_hint(answer->status, err);
        return -1;
}

/* The exit code that a NonZeroExitCode has among its causes; 0: none. */
static int
exit_code(const struct json *status)
{
        const struct json *causes = json_get(json_get(status, "details"), "causes");
        long code = 0;

        for (size_t idx = 0; idx < json_array_len(causes); idx++) {
                const struct json *cause = json_array_at(causes, idx);
                size_t len = 0;
                const char *text = text_of(cause, "message", &len);
                if (!is_text(text_of(cause, "reason", NULL), "ExitCode"))
                        continue;
                if (text == NULL || len == 0 || len > 9 || strspn(text, "0123456789") != len ||
                    code != 0)
                        return 0;
                for (size_t at = 0; at < len; at++)
                        code = code * 10 + (text[at] - '0');
        }
        return (int)code;
}

/* What runtimes say of commands that they could not start. */
static const struct reason {
        const char *text;
        enum err_code code;
        bool retryable;
} reasons[] = {
        { "executable file not found", ERR_NOT_FOUND, false },
        { "no such file or directory", ERR_NOT_FOUND, false },
        { "container not found", ERR_NOT_FOUND, true },
        { "pod does not exist", ERR_NOT_FOUND, true },
        { "container is not created or running", ERR_NOT_FOUND, true },
        { "is not running", ERR_NOT_FOUND, true },
        { "is not in running state", ERR_NOT_FOUND, true },
        { "cannot exec in a stopped", ERR_NOT_FOUND, true },
        { "cannot exec in a deleted", ERR_NOT_FOUND, true },
        { "is waiting to start", ERR_NOT_FOUND, true },
        { "is not valid for pod", ERR_NOT_FOUND, false },
        { "permission denied", ERR_PERMISSION, false },
};

void
kube_status_classify(const char *text, struct err *err)
{
        for (size_t idx = 0; err != NULL && idx < sizeof(reasons) / sizeof(*reasons); idx++) {
                if (strstr(text, reasons[idx].text) == NULL)
                        continue;
                err->code = reasons[idx].code;
                err->retryable = reasons[idx].retryable;
                return;
        }
}

/* What runtimes put in front of the reason, one into the other. */
static const char *const wrappers[] = { "unable to start container process: ",
        "starting container process caused: ", "error executing command in container: ",
        "Internal error occurred: " };

/* The reason alone. */
static char *
unwrap(char *text)
{
        static const char unknown[] = ": unknown";
        size_t len = strlen(text), tail = strlen(unknown);

        if (len > tail && strcmp(text + len - tail, unknown) == 0)
                text[len - tail] = '\0';
        for (size_t idx = 0; idx < sizeof(wrappers) / sizeof(*wrappers); idx++) {
                char *at = strstr(text, wrappers[idx]);
                if (at != NULL && at[strlen(wrappers[idx])] != '\0')
                        return at + strlen(wrappers[idx]);
        }
        return text;
}

static int
failure(const struct json *status, struct err *err)
{
        size_t len = 0;
        const char *message = text_of(status, "message", &len);
        char said[KUBE_QUOTE_SIZE];

        kube_quote(message != NULL ? message : "", len, said);
        if (*said == '\0')
                return err_set(
                    err, ERR_PROCESS, "the container's status is a failure of no reason");
        err_set(err, ERR_PROCESS, "%s", unwrap(said));
        kube_status_classify(said, err);
        return -1;
}

int
kube_status_judge(const char *text, size_t len, int *exit_status, struct err *err)
{
        struct err why;
        int rc = -1;

        if (len == 0)
                return err_set(
                    err, ERR_TRUNCATED, "the connection ended without the container's status");
        err_init(&why);
        struct json *status = json_parse(text, len, &why);
        if (status == NULL) {
                if (why.code == ERR_NOMEM) {
                        if (err != NULL)
                                *err = why;
                        return -1;
                }
                return err_set(err, ERR_PROTOCOL, "the container's status is no JSON");
        }
        const char *kind = text_of(status, "kind", NULL);
        const char *said = text_of(status, "status", NULL);
        if (kind != NULL && strcmp(kind, "Status") != 0) {
                err_set(err, ERR_PROTOCOL, "the container's status is of another kind");
        } else if (is_text(said, "Success")) {
                *exit_status = 0;
                rc = 0;
        } else if (!is_text(said, "Failure")) {
                err_set(err, ERR_PROTOCOL, "the container's status is neither Success nor Failure");
        } else if (!is_text(text_of(status, "reason", NULL), "NonZeroExitCode")) {
                failure(status, err);
        } else {
                int code = exit_code(status);
                if (code > 0) {
                        *exit_status = code;
                        rc = 0;
                } else {
                        err_set(err, ERR_PROTOCOL,
                            "the container's status is a failure without an exit code");
                }
        }
        json_free(status);
        return rc;
}
