#include "aws_creds_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/digest.h"
#include "moonkeep/encode.h"
#include "moonkeep/time.h"
#include "moonkeep/url.h"
#include "moonkeep/xml.h"
#include "s3_sign.h"

/* "AWS Security Token Service API Reference", version 2011-06-15. */
#define STS_VERSION "2011-06-15"
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

/* Bound on the body: a token may become three times as long in it. */
#define BODY_MAX (3 * (size_t)SECRET_MAX + 16 * 1024)

#define ATTEMPTS 3
#define STALL_MS 10000
#define TOTAL_MS 30000

/* Where STS is. */
struct sts {
        char url[1024];
        char host[512]; /* as the header says it */
        char path[512]; /* encoded */
        char region[64];
        const char *ca_file;
};

/* Parts of STS's name, and of what is signed. */
static int
check_region(const char *region, struct err *err)
{
        size_t len = strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_");

        if (len == 0 || region[len] != '\0' || len >= sizeof(((struct sts *)NULL)->region))
                return err_set(err, ERR_CREDENTIALS, "the region is not the name of one");
        return 0;
}

static void
usual_endpoint(const struct aws_creds *it, const char *region, char *out, size_t size)
{
        if (region == NULL || strcmp(region, "aws-global") == 0)
                snprintf(out, size, "https://sts.amazonaws.com");
        else
                snprintf(out, size, "https://sts%s.%s.amazonaws.com%s",
                    aws_is_true(aws_creds_setting(it, "use_fips_endpoint")) ? "-fips" : "", region,
                    strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* Take an endpoint apart, so that what is signed is what is sent. */
static int
set_url(struct sts *sts, const char *endpoint, struct err *err)
{
        struct url url;
        struct buf path;
        char port[16] = "";

        if (url_parse(endpoint, &url, err) < 0)
                return err_prefix(err, "the endpoint of STS");
        buf_init(&path, sizeof(sts->path) - 1);
        bool v6 = strchr(url.host, ':') != NULL;
        bool usual = url.port == (strcmp(url.scheme, "https") == 0 ? 443 : 80);
        if (url.port != 0 && !usual)
                snprintf(port, sizeof(port), ":%d", url.port);
        int rc = url_encode(url.path, strlen(url.path), 1, &path, err);
        if (rc == 0 && (url.query != NULL || url.user != NULL || *url.host == '\0' ||
                           strlen(url.host) + 16 > sizeof(sts->host)))
                rc = err_set(err, ERR_CREDENTIALS,
                    "the endpoint of STS has to be scheme, host, "
                    "port and path alone");
        if (rc == 0) {
                snprintf(sts->host, sizeof(sts->host), "%s%s%s%s", v6 ? "[" : "", url.host,
                    v6 ? "]" : "", port);
                snprintf(sts->path, sizeof(sts->path), "%s", path.len > 0 ? path.data : "/");
                int len = snprintf(
                    sts->url, sizeof(sts->url), "%s://%s%s", url.scheme, sts->host, sts->path);
                if (len < 0 || (size_t)len >= sizeof(sts->url))
                        rc = err_set(err, ERR_CREDENTIALS, "the endpoint of STS is too long");
        }
        buf_free(&path);
        url_clear(&url);
        return rc;
}

static int
find_sts(const struct aws_creds *it, struct sts *sts, struct err *err)
{
        const char *region = it->region != NULL ? it->region : aws_creds_setting(it, "region");
        const char *endpoint = aws_service_endpoint(it, "sts");
        char usual[256];

        if (region != NULL && check_region(region, err) < 0)
                return -1;
        snprintf(sts->region, sizeof(sts->region), "%s",
            region != NULL && strcmp(region, "aws-global") != 0 ? region : "us-east-1");
        usual_endpoint(it, region, usual, sizeof(usual));
        sts->ca_file = aws_creds_setting(it, "ca_bundle");
        /* A store's own authority also answers for the STS beside it, but not for that of AWS. */
        if (sts->ca_file == NULL && endpoint != NULL)
                sts->ca_file = it->ca_file;
        return set_url(sts, endpoint != NULL ? endpoint : usual, err);
}

static int
add_field(struct buf *body, const char *name, const char *value, size_t len, struct err *err)
{
        if (buf_addf(body, err, "%s%s=", body->len > 0 ? "&" : "", name) < 0)
                return -1;
        return len > 0 ? url_encode(value, len, 0, body, err) : 0;
}

static int
add_text(struct buf *body, const char *name, const char *value, struct err *err)
{
        return value != NULL ? add_field(body, name, value, strlen(value), err) : 0;
}

static int
make_body(const struct aws_role *role, const char *action, struct buf *body, struct err *err)
{
        char session[64];
        size_t len = 0;

        snprintf(session, sizeof(session), "moonkeep-%lld", (long long)(time_now_ms() / 1000));
        if (role->duration != NULL && (strspn(role->duration, "0123456789") == 0 ||
                                          role->duration[strspn(role->duration, "0123456789")]))
                return err_set(err, ERR_CREDENTIALS, "duration_seconds is no number");
        if (add_text(body, "Action", action, err) < 0 ||
            add_text(body, "Version", STS_VERSION, err) < 0 ||
            add_text(body, "RoleArn", role->arn, err) < 0 ||
            add_text(body, "RoleSessionName", role->session != NULL ? role->session : session,
                err) < 0 ||
            add_text(body, "DurationSeconds", role->duration, err) < 0 ||
            add_text(body, "ExternalId", role->external_id, err) < 0)
                return -1;
        if (role->token == NULL)
                return 0;
        const char *token = secret_bytes(role->token, &len);
        return add_field(body, "WebIdentityToken", token, len, err);
}

static int
sign(const struct sts *sts, const struct aws_keys *keys, const struct buf *body, const char *date,
    struct buf *out, struct err *err)
{
        unsigned char hash[SHA256_SIZE], key[SHA256_SIZE];
        char hash_hex[SHA256_HEX_SIZE];
        size_t secret_len;
        const char *secret = secret_bytes(keys->secret, &secret_len);
        struct s3_pair headers[4] = {
                { "content-type", CONTENT_TYPE },
                { "host", sts->host },
                { "x-amz-date", date },
                { "x-amz-security-token",
                    keys->token != NULL ? secret_bytes(keys->token, NULL) : NULL },
        };
        struct buf path;
        struct s3_signing signing = { .method = "POST",
                .query = "",
                .headers = headers,
                .header_count = keys->token != NULL ? 4 : 3,
                .payload_hash = hash_hex,
                .date = date,
                .region = sts->region,
                .service = "sts",
                .key_id = keys->id,
                .key = key };

        if (sha256_bytes(body->data, body->len, hash, err) < 0 ||
            s3_signing_key(secret, secret_len, date, sts->region, "sts", key, err) < 0)
                return -1;
        hex_encode(hash, sizeof(hash), hash_hex);
        buf_init(&path, 3 * sizeof(sts->path));
        /* Only S3 signs the path as it is sent; all others encode it once more. */
        int rc = url_encode(sts->path, strlen(sts->path), 1, &path, err);
        signing.path = path.data;
        if (rc == 0)
                rc = s3_authorization(&signing, out, err);
        secret_wipe(key, sizeof(key));
        buf_free(&path);
        return rc;
}

/* STS said no, and why. */
static int
refused(const struct http_answer *answer, struct err *err)
{
        char code[AWS_QUOTE_SIZE], message[AWS_QUOTE_SIZE];
        struct xml *root =
            xml_parse(answer->body.data != NULL ? answer->body.data : "", answer->body.len, NULL);
        /* Some that are not AWS leave out what is around it. */
        const struct xml *error = xml_at(root, "Error") != NULL ? xml_at(root, "Error") : root;
        const char *said = xml_text(xml_at(error, "Code"));

        aws_quote(said, strlen(said), code);
        said = xml_text(xml_at(error, "Message"));
        aws_quote(said, strlen(said), message);
        xml_free(root);
        err_set(err, ERR_CREDENTIALS, "STS refused: %s%s%s (HTTP status %d)",
            *code != '\0' ? code : "no reason was given", *message != '\0' ? ": " : "", message,
            answer->status);
        if (strcmp(code, "ExpiredToken") == 0 || strcmp(code, "ExpiredTokenException") == 0)
                err_hint(err, "who asks for the role has expired credentials");
        else if (strcmp(code, "AccessDenied") == 0)
                err_hint(err, "the trust policy of the role has to allow sts:AssumeRole (or "
                              "sts:AssumeRoleWithWebIdentity) to who asks");
        if (err != NULL) {
                err->http = answer->status;
                err->retryable = answer->status >= 500 || answer->status == 429 ||
                                 strstr(code, "Throttl") != NULL ||
                                 strcmp(code, "IDPCommunicationError") == 0;
        }
        return -1;
}

/* One exchange, signed for the clock as it is known now. */
static int
exchange(struct aws_creds *it, const struct sts *sts, const struct aws_role *role,
    const struct buf *body, struct http_answer *answer, struct cancel *cancel, struct err *err)
{
        char date[TIME_COMPACT_SIZE];
        struct buf authorization;
        struct aws_ask ask = { .method = "POST",
                .url = sts->url,
                .headers = { { "Content-Type", CONTENT_TYPE, NULL } },
                .body = body->data,
                .body_len = body->len,
                .ca_file = sts->ca_file,
                .attempts = ATTEMPTS,
                .stall_ms = STALL_MS,
                .total_ms = TOTAL_MS };

        buf_init(&authorization, 4096);
        int rc = 0;
        if (role->keys != NULL) {
                time_compact(aws_creds_now_ms(it), date);
                rc = sign(sts, role->keys, body, date, &authorization, err);
                ask.headers[1].name = "X-Amz-Date";
                ask.headers[1].value = date;
                ask.headers[2].name = "Authorization";
                ask.headers[2].value = authorization.data;
                ask.headers[3].name = role->keys->token != NULL ? "X-Amz-Security-Token" : NULL;
                ask.headers[3].secret = role->keys->token;
        }
        if (rc == 0)
                rc = aws_ask(it, &ask, answer, cancel, err);
        buf_free(&authorization);
        return rc;
}

int
aws_sts_keys(struct aws_creds *it, const struct aws_role *role, struct aws_keys *out,
    struct cancel *cancel, struct err *err)
{
        const char *action = role->token != NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole";
        struct http_answer answer;
        struct buf body;
        struct sts sts;
        int rc = -1;

        buf_init(&body, BODY_MAX);
        /* With a token it is not to be moved while it grows, so that nothing else has to be wiped.
         */
        if (find_sts(it, &sts, err) < 0 ||
            buf_reserve(&body, role->token != NULL ? BODY_MAX : 1, err) == NULL ||
            make_body(role, action, &body, err) < 0)
                goto done;
        int64_t before = atomic_load(&it->clock_ahead_ms);
        rc = exchange(it, &sts, role, &body, &answer, cancel, err);
        if (rc == 0 && role->keys != NULL && answer.status >= 400 && answer.status < 500 &&
            atomic_load(&it->clock_ahead_ms) != before) {
                /* It was signed for another time than the server's, which is known now. */
                aws_answer_clear(&answer);
                rc = exchange(it, &sts, role, &body, &answer, cancel, err);
        }
        if (rc < 0)
                goto done;
        if (answer.status != 200)
                rc = refused(&answer, err);
        else if (aws_keys_from_sts(answer.body.data != NULL ? answer.body.data : "",
                     answer.body.len, action, out, err) < 0)
                rc = err_prefix(err, "the answer of STS");
        aws_answer_clear(&answer);
done:
        if (body.data != NULL)
                secret_wipe(body.data, body.cap);
        buf_free(&body);
        return rc;
}
