/* What an answer means, and what is to be done about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/time.h"
#include "object_status.h"
#include "s3.h"

/* Errors that a code of the server stands for; what is not here follows from the status. */
static const struct known {
        const char *code;
        enum err_code means;
        bool retryable;
        const char *text; /* NULL: what the server says */
} errors[] = {
        { "NoSuchKey", ERR_NOT_FOUND, false, "there is no such object" },
        { "NoSuchVersion", ERR_NOT_FOUND, false, "there is no such version of the object" },
        { "NoSuchUpload", ERR_NOT_FOUND, false, "there is no such upload any more" },
        { "AccessDenied", ERR_PERMISSION, false, "access denied" },
        { "AllAccessDisabled", ERR_PERMISSION, false, "access is disabled" },
        { "AccountProblem", ERR_PERMISSION, false, "there is a problem with the account" },
        { "InvalidAccessKeyId", ERR_CREDENTIALS, false, "the server does not know the access key" },
        { "SignatureDoesNotMatch", ERR_CREDENTIALS, false, "the signature is wrong" },
        { "InvalidObjectState", ERR_ARCHIVED, false, "the object lies in an archive" },
        { "NotImplemented", ERR_UNSUPPORTED, false, "the server cannot do this" },
        { "MethodNotAllowed", ERR_UNSUPPORTED, false, "the server does not allow this" },
        { "QuotaExceeded", ERR_FULL, false, "a quota is exceeded" },
        { "EntityTooLarge", ERR_TOO_BIG, false, "the object is larger than the server allows" },
        { "InvalidRange", ERR_TRUNCATED, false, "the object ends before" },
        { "BadDigest", ERR_NETWORK, true, "what arrived there is not what was sent" },
        { "XAmzContentSHA256Mismatch", ERR_NETWORK, true,
            "what arrived there is not what was sent" },
        { "IncompleteBody", ERR_NETWORK, true, "not all arrived there" },
        { "RequestTimeout", ERR_TIMEOUT, true, "the server waited in vain for the request" },
        { "SlowDown", ERR_HTTP, true, "the server wants fewer requests" },
        { "SlowDownRead", ERR_HTTP, true, "the server wants fewer requests" },
        { "SlowDownWrite", ERR_HTTP, true, "the server wants fewer requests" },
        { "Throttling", ERR_HTTP, true, "the server wants fewer requests" },
        { "ThrottlingException", ERR_HTTP, true, "the server wants fewer requests" },
        { "TooManyRequests", ERR_HTTP, true, "the server wants fewer requests" },
        { "RequestLimitExceeded", ERR_HTTP, true, "the server wants fewer requests" },
        { "ServiceUnavailable", ERR_HTTP, true, "the server is not available" },
        { "InternalError", ERR_HTTP, true, "the server failed" },
        { "OperationAborted", ERR_HTTP, true, "another operation is under way there" },
        { "ConditionalRequestConflict", ERR_HTTP, true, "another write is under way there" },
        { "BucketAlreadyExists", ERR_EXISTS, false, "somebody else has a bucket of that name" },
        { "BucketAlreadyOwnedByYou", ERR_EXISTS, false, "the bucket exists already" },
        { "InvalidPart", ERR_IO, false, "a part of the upload is missing or another one" },
        { "KMS.NotFoundException", ERR_KEY, false, "KMS has no such key" },
        { "KMS.DisabledException", ERR_KEY, false, "the key in KMS is disabled" },
        { "KMS.KMSInvalidStateException", ERR_KEY, false, "the key in KMS cannot be used" },
};

struct s3_store *
s3_of(struct object_store *it)
{
        return (struct s3_store *)it;
}

static bool
has_header(const struct object_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                if (strcasecmp(request->headers[idx].name, name) == 0)
                        return true;
        }
        return false;
}

static bool
is_code(const struct s3_error *error, const char *code)
{
        return strcmp(error->code, code) == 0;
}

/* The reason, "text: what the server says (Code)". */
static void
tell(struct err *err, const struct http_answer *answer, const struct s3_error *error,
    enum err_code means, bool retryable, const char *text)
{
        char what[80];

        if (error->code[0] != '\0')
                snprintf(what, sizeof(what), "%s", error->code);
        else
                snprintf(what, sizeof(what), "HTTP %d", answer->status);
        if (text == NULL)
                text = "the server refuses";
        if (error->message[0] != '\0')
                err_set(err, means, "%s: %s (%s)", text, error->message, what);
        else
                err_set(err, means, "%s (%s)", text, what);
        if (err != NULL) {
                err->http = answer->status;
                err->retryable = retryable;
        }
}

/* The access key of the last signature. */
static void
copy_key_id(struct s3_store *it, char out[S3_KEY_ID_MAX + 1])
{
        pthread_mutex_lock(&it->object.lock);
        memcpy(out, it->key_id, sizeof(it->key_id));
        pthread_mutex_unlock(&it->object.lock);
}

/* What can be put right: region, clock, credentials. */

static bool
learn_region(struct s3_store *it, const struct object_request *request,
    const struct http_answer *answer, const struct s3_error *error, struct err *err)
{
        bool named = is_code(error, "PermanentRedirect") || is_code(error, "TemporaryRedirect") ||
                     is_code(error, "AuthorizationHeaderMalformed");
        bool moved = answer->status == 301 || answer->status == 307 || answer->status == 308;
        /* An error of HEAD has no code. */
        bool unknown = answer->status == 400 && strcmp(request->method, "HEAD") == 0;

        if (error->region[0] == '\0' || !(named || moved || unknown || answer->status == 400))
                return false;
        pthread_mutex_lock(&it->object.lock);
        bool other = strcmp(it->region, error->region) != 0;
        memcpy(it->region, error->region, sizeof(it->region));
        pthread_mutex_unlock(&it->object.lock);
        /* The same: this request may have been signed before another one learned it. */
        if (!other && !named && !moved)
                return false;
        tell(err, answer, error, ERR_PROTOCOL, false, "the bucket is in another region");
        if (it->endpoint != NULL)
                err_hint(err,
                    "the bucket \"%s\" is in the region \"%s\", which the endpoint \"%s\" "
                    "does not serve",
                    it->bucket, error->region, it->endpoint);
        else
                err_hint(err, "the bucket \"%s\" is in the region \"%s\": say ?region=%s",
                    it->bucket, error->region, error->region);
        return true;
}

static bool
learn_clock(struct s3_store *it, const struct http_answer *answer, const struct s3_error *error,
    struct err *err)
{
        const char *date = http_answer_header(answer, "date");
        bool skewed = is_code(error, "RequestTimeTooSkewed") || is_code(error, "RequestExpired");
        int64_t server_ms;
        struct err why;

        if (!skewed && answer->status != 401 && answer->status != 403)
                return false;
        if (date == NULL || time_http_parse(date, &server_ms, &why) < 0)
                return false;
        int64_t offset_ms = server_ms - time_now_ms();
        pthread_mutex_lock(&it->object.lock);
        bool wrong = llabs(offset_ms - it->clock_offset_ms) > S3_CLOCK_SLACK_MS;
        if (wrong)
                it->clock_offset_ms = offset_ms;
        pthread_mutex_unlock(&it->object.lock);
        if (!wrong && !skewed)
                return false;
        tell(err, answer, error, ERR_CREDENTIALS, false, "the server's clock is another one");
        err_hint(err, "the clock of this machine is %lld s %s the server's: set it",
            (long long)(llabs(offset_ms) / 1000), offset_ms > 0 ? "behind" : "ahead of");
        return true;
}

/* A bucket that locks by default wants a digest that it can check with each write. */
static bool
learn_md5(struct s3_store *it, const struct http_answer *answer, const struct s3_error *error,
    struct err *err)
{
        if (answer->status != 400 || !is_code(error, "InvalidRequest") ||
            strstr(error->message, "Content-MD5") == NULL)
                return false;
        pthread_mutex_lock(&it->object.lock);
        it->wants_md5 = true;
        pthread_mutex_unlock(&it->object.lock);
        tell(err, answer, error, ERR_INVALID, false, NULL);
        return true;
}

static bool
is_expired(const struct s3_error *error)
{
        return is_code(error, "ExpiredToken") || is_code(error, "ExpiredTokenException") ||
               is_code(error, "InvalidToken") || is_code(error, "TokenRefreshRequired");
}

/* True when there may be others; err says what is wrong with these. */
static bool
renew_credentials(struct s3_store *it, const struct http_answer *answer,
    const struct s3_error *error, struct err *err)
{
        char id[S3_KEY_ID_MAX + 1];

        copy_key_id(it, id);
        bool renewable = aws_creds_refused(it->creds, id);
        tell(err, answer, error, ERR_CREDENTIALS, false,
            is_code(error, "InvalidToken") ? "the session token is not accepted"
                                           : "the credentials have expired");
        err_hint(err, "fetch new ones (aws sso login, ...) and start again");
        return renewable;
}

/* What cannot. */

static void
hint(struct s3_store *it, const struct object_request *request, const struct http_answer *answer,
    const struct s3_error *error, struct err *err)
{
        bool get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
        char id[S3_KEY_ID_MAX + 1];

        copy_key_id(it, id);
        if (is_code(error, "SignatureDoesNotMatch"))
                err_hint(err, "the secret key is not the one of the access key \"%.128s\"", id);
        else if (is_code(error, "InvalidAccessKeyId"))
                err_hint(err,
                    "the access key is \"%.128s\": is it one of this server, and still "
                    "active?",
                    id);
        else if (is_code(error, "InvalidObjectState"))
                err_hint(err,
                    "bring it back first (RestoreObject; that costs money and takes hours), "
                    "then start again");
        else if (answer->status == 400 && has_header(request, "x-amz-object-lock-mode"))
                err_hint(err, "retain= needs a bucket with object lock, which is made with it");
        else if (answer->status == 400 && it->writing.class != NULL &&
                 has_header(request, "x-amz-storage-class"))
                err_hint(
                    err, "does the server have the storage class \"%.64s\"?", it->writing.class);
        else if (error->code[0] == '\0' && strcmp(request->method, "HEAD") != 0)
                err_hint(err, "a server of S3 gives a reason: is the endpoint right, or a proxy in "
                              "between?");
        else if (answer->status == 403)
                err_hint(err, "the access key \"%.128s\" needs %s on the bucket \"%s\"%s", id,
                    s3_action(request), it->bucket,
                    get && request->key != NULL
                        ? "; without s3:ListBucket, an object that does not exist is denied, too"
                        : "");
}

static void
tell_failure(struct s3_store *it, const struct object_request *request,
    const struct http_answer *answer, const struct s3_error *error, struct err *err)
{
        struct object_status status;

        if (is_code(error, "NoSuchBucket")) {
                tell(err, answer, &(struct s3_error){ .code = "NoSuchBucket" }, ERR_NOT_FOUND,
                    false, "the bucket does not exist");
                err_hint(err, "make the bucket \"%s\": moonkeep run s3.prepare --store '%s'",
                    it->bucket, store_url(&it->object.store));
                return;
        }
        if (answer->status == 400 && strstr(error->message, "Server Side Encryption") != NULL) {
                tell(err, answer, error, ERR_KEY, false, "the key of the object is missing");
                err_hint(err, "it was written with ?sse=customer: say that, and give the key");
                return;
        }
        if (answer->status == 412 && has_header(request, "If-None-Match")) {
                tell(err, answer, error, ERR_EXISTS, false, "it exists already");
                return;
        }
        for (size_t idx = 0; idx < sizeof(errors) / sizeof(errors[0]); idx++) {
                if (!is_code(error, errors[idx].code))
                        continue;
                tell(
                    err, answer, error, errors[idx].means, errors[idx].retryable, errors[idx].text);
                hint(it, request, answer, error, err);
                return;
        }
        if (object_status(answer->status, "object", &status)) {
                tell(err, answer, error, status.means, status.retryable, status.text);
                hint(it, request, answer, error, err);
                return;
        }
        if (answer->status / 100 == 3)
                tell(err, answer, error, ERR_PROTOCOL, false, "the server points somewhere else");
        else
                tell(err, answer, error, error->code[0] != '\0' ? ERR_INVALID : ERR_HTTP,
                    answer->status >= 500, NULL);
        hint(it, request, answer, error, err);
}

/* Is the removal of what is not there, which is what was wanted? */
static bool
is_gone_already(const struct object_request *request, const struct s3_error *error)
{
        return strcmp(request->method, "DELETE") == 0 && request->key != NULL &&
               (is_code(error, "NoSuchKey") || is_code(error, "NoSuchUpload"));
}

enum object_verdict
s3_judge(struct object_store *store, const struct object_request *request,
    const struct http_answer *answer, struct err *err)
{
        struct s3_store *it = s3_of(store);
        struct s3_error error;
        bool good = answer->status >= 200 && answer->status < 300;

        /* Answers that take long (Complete, Copy) begin with a 200 and may end as an error. */
        if (good && (request->on_body != NULL || !s3_error_hides(answer)))
                return OBJECT_GOOD;
        (void)s3_error_read(answer, &error);
        if (is_gone_already(request, &error))
                return OBJECT_GOOD;
        if (learn_region(it, request, answer, &error, err) ||
            learn_clock(it, answer, &error, err) || learn_md5(it, answer, &error, err))
                return OBJECT_AGAIN;
        bool unknown = answer->status == 400 && strcmp(request->method, "HEAD") == 0;
        if (is_expired(&error) || unknown) {
                if (renew_credentials(it, answer, &error, err))
                        return OBJECT_AGAIN;
                if (is_expired(&error))
                        return OBJECT_FAILED;
        }
        tell_failure(it, request, answer, &error, err);
        return OBJECT_FAILED;
}
