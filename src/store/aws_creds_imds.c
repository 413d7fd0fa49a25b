#include "aws_creds_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/encode.h"
#include "moonkeep/url.h"

#define TOKEN_PATH "/latest/api/token"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define ROLE_MAX ((size_t)128)

/* The machine's service for metadata, by version 2 of its protocol alone. */
struct imds {
        struct aws_creds *it;
        char base[1024]; /* without a slash at its end */
        int64_t timeout_ms;
        unsigned attempts;
        struct cancel *cancel;
};

static long
number_of(const char *text, long otherwise, long max)
{
        char *end = NULL;
        long number = text != NULL ? strtol(text, &end, 10) : 0;

        return end != NULL && *end == '\0' && number >= 1 && number <= max ? number : otherwise;
}

static const char *
setting(const struct aws_creds *it, const char *variable, const char *key)
{
        const char *value = aws_env(variable);

        return value != NULL
                   ? value
                   : aws_config_get(aws_profiles(it), AWS_FILE_ANY, AWS_PROFILE, it->profile, key);
}

static int
open_imds(struct aws_creds *it, struct imds *imds, struct cancel *cancel, struct err *err)
{
        const char *endpoint =
            setting(it, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
        const char *mode = setting(
            it, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");

        if (endpoint == NULL)
                endpoint = mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                                         : "http://169.254.169.254";
        size_t len = strlen(endpoint);
        if (len >= sizeof(imds->base))
                return err_set(err, ERR_CREDENTIALS, "its endpoint is too long");
        *imds = (struct imds){
                .it = it,
                .timeout_ms = 1000 * number_of(setting(it, "AWS_METADATA_SERVICE_TIMEOUT",
                                                   "metadata_service_timeout"),
                                         1, 60),
                .attempts = (unsigned)number_of(setting(it, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
                                                    "metadata_service_num_attempts"),
                    1, 10),
                .cancel = cancel,
        };
        memcpy(imds->base, endpoint, len + 1);
        while (len > 0 && imds->base[len - 1] == '/')
                imds->base[--len] = '\0';
        return 0;
}

/* One request; an answer that is not 200 is an error. */
static int
ask(const struct imds *imds, const char *method, const char *path, const char *header,
    const char *value, struct secret *secret, struct http_answer *answer, struct err *err)
{
        char url[2048];
        struct aws_ask what = { .method = method,
                .url = url,
                .headers = { { header, value, secret } },
                .no_proxy = true,
                .attempts = imds->attempts,
                .stall_ms = imds->timeout_ms,
                .total_ms = imds->timeout_ms };

        snprintf(url, sizeof(url), "%s%s", imds->base, path);
        if (aws_ask(imds->it, &what, answer, imds->cancel, err) < 0)
                return err_prefix(err, "unreachable");
        if (answer->status == 200 && answer->body.len > 0)
                return 0;
        if (answer->status == 200)
                err_set(err, ERR_CREDENTIALS, "%s %s: an empty answer", method, path);
        else if (answer->status == 404 && strcmp(path, ROLE_PATH) == 0)
                err_set(err, ERR_CREDENTIALS, "this machine has no role");
        else
                err_set(
                    err, ERR_CREDENTIALS, "%s %s: HTTP status %d", method, path, answer->status);
        if (err != NULL && answer->status != 200) {
                err->http = answer->status;
                err->retryable = answer->status >= 500 || answer->status == 429;
        }
        aws_answer_clear(answer);
        return -1;
}

static struct secret *
fetch_token(const struct imds *imds, struct err *err)
{
        struct http_answer answer;

        if (ask(imds, "PUT", TOKEN_PATH, "x-aws-ec2-metadata-token-ttl-seconds", "21600", NULL,
                &answer, err) < 0)
                return NULL;
        struct secret *token = NULL;
        for (size_t idx = 0; idx < answer.body.len; idx++) {
                if (!isgraph((unsigned char)answer.body.data[idx])) {
                        err_set(err, ERR_CREDENTIALS, "PUT %s: not a token", TOKEN_PATH);
                        goto done;
                }
        }
        token = secret_new(answer.body.data, answer.body.len, err);
done:
        aws_answer_clear(&answer);
        return token;
}

/* The path of the keys of the machine's role: the first that is listed. */
static int
fetch_role(const struct imds *imds, struct secret *token, struct buf *path, struct err *err)
{
        struct http_answer answer;

        if (ask(imds, "GET", ROLE_PATH, "x-aws-ec2-metadata-token", NULL, token, &answer, err) < 0)
                return -1;
        size_t len = strcspn(answer.body.data, "\r\n");
        int rc;
        if (len == 0 || len > ROLE_MAX || memchr(answer.body.data, '/', len) != NULL)
                rc = err_set(err, ERR_CREDENTIALS, "GET %s: not the name of a role", ROLE_PATH);
        else
                rc = buf_addstr(path, ROLE_PATH, err);
        if (rc == 0)
                rc = url_encode(answer.body.data, len, 0, path, err);
        aws_answer_clear(&answer);
        return rc;
}

static int
fetch_keys(const struct imds *imds, struct aws_keys *out, struct err *err)
{
        struct http_answer answer;
        struct buf path;
        int rc = -1;

        buf_init(&path, 1000);
        struct secret *token = fetch_token(imds, err);
        if (token == NULL || fetch_role(imds, token, &path, err) < 0)
                goto done;
        if (ask(imds, "GET", path.data, "x-aws-ec2-metadata-token", NULL, token, &answer, err) < 0)
                goto done;
        rc = aws_keys_from_json(answer.body.data, answer.body.len, "Token", 0, out, err);
        aws_answer_clear(&answer);
done:
        secret_unref(token);
        buf_free(&path);
        return rc;
}

int
aws_imds_keys(struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err)
{
        struct imds imds;

        if (aws_is_true(aws_env("AWS_EC2_METADATA_DISABLED")))
                return 0;
        if (open_imds(it, &imds, cancel, err) < 0 || fetch_keys(&imds, &out->keys, err) < 0)
                return -1;
        snprintf(out->source, sizeof(out->source), "the role of this machine (IMDS)");
        out->renewable = true;
        return 1;
}
