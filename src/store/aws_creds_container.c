#include "aws_creds_internal.h"

#include <stdio.h>
#include <string.h>

#include "moonkeep/url.h"

/* Where AWS_CONTAINER_CREDENTIALS_RELATIVE_URI leads. */
#define CONTAINER_HOST "http://169.254.170.2"

#define ATTEMPTS 3
#define TIMEOUT_MS 2000

/* Hosts that a token may be sent to in the clear: this machine, and the agents of ECS and EKS. */
static bool
is_near(const char *host)
{
        static const char *const hosts[] = { "localhost", "::1", "169.254.170.2", "169.254.170.23",
                "fd00:ec2::23" };

        for (size_t idx = 0; idx < sizeof(hosts) / sizeof(*hosts); idx++) {
                if (strcmp(host, hosts[idx]) == 0)
                        return true;
        }
        return strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0';
}

static int
check_full(const char *text, struct err *err)
{
        struct url url;

        if (url_parse(text, &url, err) < 0)
                return err_prefix(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
        int rc = 0;
        if (strcmp(url.scheme, "https") != 0 &&
            !(strcmp(url.scheme, "http") == 0 && is_near(url.host))) {
                rc = err_set(err, ERR_CREDENTIALS,
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to \"%s\", which is neither https "
                    "nor this machine",
                    url.host);
        }
        url_clear(&url);
        return rc;
}

/* The URL, borrowed or in room; NULL with err NONE when there is none. */
static const char *
find_url(char *room, size_t size, struct err *err)
{
        const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        const char *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");

        if (relative == NULL)
                return full != NULL && check_full(full, err) == 0 ? full : NULL;
        /* Without the slash it would go on with the host's name. */
        if (*relative != '/' || strlen(relative) >= size - sizeof(CONTAINER_HOST)) {
                err_set(err, ERR_CREDENTIALS, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path");
                return NULL;
        }
        snprintf(room, size, "%s%s", CONTAINER_HOST, relative);
        return room;
}

/* What has to be in the header Authorization; NULL with err NONE when nothing has to. */
static struct secret *
find_token(struct err *err)
{
        const char *path = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        const char *text = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        struct secret *token = NULL;
        size_t len;

        if (path != NULL)
                token = aws_secret_file("container authorization token file", path, err);
        else if (text != NULL)
                token = secret_new(text, strlen(text), err);
        if (token == NULL)
                return NULL;
        const char *bytes = secret_bytes(token, &len);
        for (size_t idx = 0; idx < len; idx++) {
                if ((unsigned char)bytes[idx] >= ' ' && bytes[idx] != 127)
                        continue;
                secret_unref(token);
                err_set(err, ERR_CREDENTIALS,
                    "the container authorization token has a line break or another control "
                    "character in it");
                return NULL;
        }
        return token;
}

static int
refused(const struct http_answer *answer, struct err *err)
{
        char said[AWS_QUOTE_SIZE];

        aws_quote(answer->body.data, answer->body.len, said);
        err_set(err, ERR_CREDENTIALS, "the container endpoint refused: HTTP status %d%s%s",
            answer->status, *said != '\0' ? ": " : "", said);
        if (err != NULL) {
                err->http = answer->status;
                err->retryable = answer->status >= 500 || answer->status == 429;
        }
        return -1;
}

static int
fetch(struct aws_creds *it, const char *url, struct secret *token, struct aws_found *out,
    struct cancel *cancel, struct err *err)
{
        struct http_answer answer;
        struct aws_ask ask = { .method = "GET",
                .url = url,
                .headers = { { "Accept", "application/json", NULL },
                    { token != NULL ? "Authorization" : NULL, NULL, token } },
                .ca_file = aws_creds_setting(it, "ca_bundle"),
                .no_proxy = true,
                .attempts = ATTEMPTS,
                .stall_ms = TIMEOUT_MS,
                .total_ms = 2 * TIMEOUT_MS };

        if (aws_ask(it, &ask, &answer, cancel, err) < 0)
                return err_prefix(err, "the container endpoint");
        int rc = -1;
        if (answer.status != 200)
                refused(&answer, err);
        else if (aws_keys_from_json(answer.body.data != NULL ? answer.body.data : "",
                     answer.body.len, "Token", 0, &out->keys, err) < 0)
                err_prefix(err, "the answer of the container endpoint");
        else
                rc = 1;
        aws_answer_clear(&answer);
        return rc;
}

int
aws_container_keys(
    struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err)
{
        char room[URL_MAX];
        struct err why;

        err_init(&why);
        const char *url = find_url(room, sizeof(room), &why);
        struct secret *token = url != NULL ? find_token(&why) : NULL;
        if (why.code != ERR_NONE) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        if (url == NULL)
                return 0;
        int rc = fetch(it, url, token, out, cancel, err);
        secret_unref(token);
        if (rc < 0)
                return -1;
        snprintf(out->source, sizeof(out->source), "the container endpoint");
        out->renewable = true;
        return 1;
}
