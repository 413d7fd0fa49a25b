/* What an answer means, and what is to be done about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "moonkeep/time.h"

/* Errors that a code of the service stands for; what is not here follows from the status. */
static const struct known {
        const char *code;
        enum err_code means;
        bool retryable;
        const char *text;
        const char *hint; /* or NULL */
} errors[] = {
        { "BlobNotFound", ERR_NOT_FOUND, false, "there is no such blob", NULL },
        { "ResourceNotFound", ERR_NOT_FOUND, false, "there is no such thing", NULL },
        { "ContainerBeingDeleted", ERR_NOT_FOUND, false, "the container is being deleted",
            "a new container of that name can be made some minutes later" },
        { "ContainerAlreadyExists", ERR_EXISTS, false, "the container exists already", NULL },
        { "BlobAlreadyExists", ERR_EXISTS, false, "it exists already", NULL },
        { "BlobArchived", ERR_ARCHIVED, false, "the blob lies in the archive",
            "bring it back first (set its tier to hot or cool: that costs money and takes hours), "
            "then start again" },
        { "BlobBeingRehydrated", ERR_ARCHIVED, false, "the blob is on its way out of the archive",
            "that takes hours; start again then" },
        { "BlobImmutableDueToPolicy", ERR_PERMISSION, false,
            "an immutability policy or a legal hold protects the blob",
            "it can be replaced and deleted when the policy ends" },
        { "BlobUsesCustomerSpecifiedEncryption", ERR_KEY, false,
            "the blob is encrypted with a customer's key", NULL },
        { "LeaseIdMissing", ERR_PERMISSION, false, "somebody holds a lease on it",
            "end the lease (az storage blob lease break) if nobody needs it" },
        { "LeaseIdMismatchWithBlobOperation", ERR_PERMISSION, false, "somebody holds a lease on it",
            NULL },
        { "AuthenticationFailed", ERR_CREDENTIALS, false, "the server does not accept who we are",
            NULL },
        { "InvalidAuthenticationInfo", ERR_CREDENTIALS, false,
            "the token is expired or not for this account", NULL },
        { "NoAuthenticationInformation", ERR_CREDENTIALS, false, "the server wants credentials",
            NULL },
        { "KeyBasedAuthenticationNotPermitted", ERR_CREDENTIALS, false,
            "the account allows no keys",
            "give the machine or pod an identity, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and "
            "AZURE_CLIENT_SECRET; AZURE_STORAGE_AUTH_MODE=login passes over keys" },
        { "AuthorizationFailure", ERR_PERMISSION, false, "access denied",
            "the firewall of the account may not let this machine in, the key may be wrong, or the "
            "SAS not for this" },
        { "AuthorizationPermissionMismatch", ERR_PERMISSION, false, "access denied",
            "the identity needs the role \"Storage Blob Data Contributor\", a SAS the permissions "
            "racwdlt; a new role takes some minutes" },
        { "AccountIsDisabled", ERR_PERMISSION, false, "the account is disabled", NULL },
        { "ContainerDisabled", ERR_PERMISSION, false, "the container is disabled", NULL },
        { "InvalidRange", ERR_TRUNCATED, false, "the blob ends before", NULL },
        { "InvalidBlockList", ERR_IO, false, "another writer has replaced the blob meanwhile",
            "start again, when nobody else writes it" },
        { "InvalidBlobOrBlock", ERR_IO, false, "blocks of another program's upload wait there",
            "they are gone after 7 days; or write the blob with that program, and delete it" },
        { "InvalidBlobType", ERR_INVALID, false, "a blob of another type has that name", NULL },
        { "InvalidHeaderValue", ERR_INVALID, false, "the server does not take a header", NULL },
        { "RequestBodyTooLarge", ERR_TOO_BIG, false, "it is larger than the server allows", NULL },
        { "BlockCountExceedsLimit", ERR_TOO_BIG, false, "a blob has at most 50000 blocks", NULL },
        { "Md5Mismatch", ERR_NETWORK, true, "what arrived there is not what was sent", NULL },
        { "FeatureNotSupported", ERR_UNSUPPORTED, false, "the server cannot do this", NULL },
        { "FeatureVersionMismatch", ERR_UNSUPPORTED, false, "the server cannot do this", NULL },
        { "UnsupportedHeader", ERR_UNSUPPORTED, false, "the server cannot do this", NULL },
        { "InvalidBlobTier", ERR_UNSUPPORTED, false, "the server has no such tier", NULL },
        { "BlobAccessTierNotSupportedForAccountType", ERR_UNSUPPORTED, false,
            "the account has no tiers", NULL },
        { "ServerBusy", ERR_HTTP, true, "the server wants fewer requests", NULL },
        { "InternalError", ERR_HTTP, true, "the server failed", NULL },
        { "OperationTimedOut", ERR_TIMEOUT, true, "the server did not get it done in its time",
            NULL },
};

/* Errors by status, for answers without a code that is known. */
static const struct by_status {
        int status;
        enum err_code means;
        bool retryable;
        const char *text;
} statuses[] = {
        { 401, ERR_CREDENTIALS, false, "the server wants other credentials" },
        { 403, ERR_PERMISSION, false, "access denied" },
        { 404, ERR_NOT_FOUND, false, "there is no such thing" },
        { 405, ERR_UNSUPPORTED, false, "the server does not allow this" },
        { 407, ERR_NETWORK, false, "the proxy wants credentials" },
        { 408, ERR_TIMEOUT, true, "the server waited in vain for the request" },
        { 412, ERR_IO, false, "the blob has changed meanwhile" },
        { 413, ERR_TOO_BIG, false, "it is larger than the server allows" },
        { 416, ERR_TRUNCATED, false, "the blob ends before" },
        { 429, ERR_HTTP, true, "the server wants fewer requests" },
        { 500, ERR_HTTP, true, "the server failed" },
        { 501, ERR_UNSUPPORTED, false, "the server cannot do this" },
        { 502, ERR_HTTP, true, "a proxy has no answer" },
        { 503, ERR_HTTP, true, "the server is not available" },
        { 504, ERR_HTTP, true, "a proxy has no answer" },
};

struct azure_store *
azure_of(struct object_store *it)
{
        return (struct azure_store *)it;
}

static bool
is_code(const struct azure_error *error, const char *code)
{
        return strcmp(error->code, code) == 0;
}

/* The reason, "text: what the server says (Code)". */
static void
tell(struct err *err, const struct http_answer *answer, const struct azure_error *error,
    enum err_code means, bool retryable, const char *text)
{
        char what[80];

        if (error->code[0] != '\0')
                snprintf(what, sizeof(what), "%s", error->code);
        else
                snprintf(what, sizeof(what), "HTTP %d", answer->status);
        if (error->message[0] != '\0')
                err_set(err, means, "%s: %s (%s)", text, error->message, what);
        else
                err_set(err, means, "%s (%s)", text, what);
        if (err != NULL) {
                err->http = answer->status;
                err->retryable = retryable;
        }
}

/* What can be put right: clock, token. */

/* The server's time; 0 when it does not say it. */
static int64_t
server_time(const struct http_answer *answer)
{
        const char *date = http_answer_header(answer, "date");
        int64_t time_ms;

        return date != NULL && time_http_parse(date, &time_ms, NULL) == 0 ? time_ms : 0;
}

static bool
learn_clock(struct azure_store *it, const struct http_answer *answer,
    const struct azure_error *error, struct err *err)
{
        int64_t server_ms = server_time(answer);

        if ((answer->status != 403 && answer->status != 401) || server_ms == 0 ||
            azure_creds_kind(it->creds) != AZURE_AUTH_KEY)
                return false;
        int64_t offset_ms = server_ms - time_now_ms();
        pthread_mutex_lock(&it->object.lock);
        bool wrong = llabs(offset_ms - it->clock_offset_ms) > AZURE_CLOCK_SLACK_MS;
        if (wrong)
                it->clock_offset_ms = offset_ms;
        pthread_mutex_unlock(&it->object.lock);
        if (!wrong)
                return false;
        tell(err, answer, error, ERR_CREDENTIALS, false, "the server's clock is another one");
        err_hint(err, "the clock of this machine is %lld s %s the server's: set it",
            (long long)(llabs(offset_ms) / 1000), offset_ms > 0 ? "behind" : "ahead of");
        return true;
}

/* A token that is not accepted: whether there may be another one. */
static bool
renew_token(const struct azure_store *it, const struct http_answer *answer,
    const struct azure_error *error, struct err *err)
{
        bool refused = is_code(error, "InvalidAuthenticationInfo") || answer->status == 401;

        if (!refused || !azure_creds_refused(it->creds))
                return false;
        tell(err, answer, error, ERR_CREDENTIALS, false,
            "the token is expired or not for this account");
        return true;
}

/* What cannot. */

/* A SAS that has expired is refused without a word about that. */
static bool
tell_expired(const struct azure_store *it, const struct http_answer *answer, struct err *err)
{
        int64_t expires_ms = azure_creds_expires(it->creds);
        int64_t now_ms = server_time(answer);
        char until[TIME_ISO_SIZE];

        if (now_ms == 0)
                now_ms = time_now_ms();
        if ((answer->status != 403 && answer->status != 401) || expires_ms == 0 ||
            expires_ms > now_ms)
                return false;
        time_iso(expires_ms, until);
        err_set(err, ERR_CREDENTIALS, "expired: the SAS of %s was good until %.19sZ (HTTP %d)",
            azure_creds_source(it->creds), until, answer->status);
        err_hint(err, "make a new one, and start again");
        return true;
}

static void
hint_credentials(const struct azure_store *it, struct err *err)
{
        switch (azure_creds_kind(it->creds)) {
        case AZURE_AUTH_KEY:
                err_hint(err, "is the key in %s the one of the account \"%s\"?",
                    azure_creds_source(it->creds), it->account);
                break;
        case AZURE_AUTH_SAS:
                err_hint(err,
                    "is the SAS in %s one of the account \"%s\", complete, and valid "
                    "already?",
                    azure_creds_source(it->creds), it->account);
                break;
        default:
                err_hint(err, "the identity (%s) has to be of the tenant of the account \"%s\"",
                    azure_creds_source(it->creds), it->account);
        }
}

static void
tell_known(const struct azure_store *it, const struct http_answer *answer,
    const struct azure_error *error, const struct known *known, struct err *err)
{
        tell(err, answer, error, known->means, known->retryable, known->text);
        if (known->hint != NULL)
                err_hint(err, "%s", known->hint);
        else if (known->means == ERR_CREDENTIALS)
                hint_credentials(it, err);
}

static void
tell_failure(const struct azure_store *it, const struct object_request *request,
    const struct http_answer *answer, const struct azure_error *error, struct err *err)
{
        /* A condition of ours that something else is there, or nothing. */
        if ((answer->status == 412 || answer->status == 409) &&
            azure_request_has(request, "If-None-Match") &&
            (answer->status == 412 || is_code(error, "BlobAlreadyExists") ||
                is_code(error, "UnauthorizedBlobOverwrite"))) {
                tell(err, answer, error, ERR_EXISTS, false, "it exists already");
                return;
        }
        if (is_code(error, "ContainerNotFound")) {
                tell(err, answer, &(struct azure_error){ .code = "ContainerNotFound" },
                    ERR_NOT_FOUND, false, "the container does not exist");
                err_hint(err, "there is no container \"%s\" in the account \"%s\"", it->container,
                    it->account);
                return;
        }
        for (size_t idx = 0; idx < sizeof(errors) / sizeof(errors[0]); idx++) {
                if (is_code(error, errors[idx].code)) {
                        tell_known(it, answer, error, &errors[idx], err);
                        return;
                }
        }
        for (size_t idx = 0; idx < sizeof(statuses) / sizeof(statuses[0]); idx++) {
                if (answer->status != statuses[idx].status)
                        continue;
                tell(err, answer, error, statuses[idx].means, statuses[idx].retryable,
                    statuses[idx].text);
                if (statuses[idx].means == ERR_CREDENTIALS)
                        hint_credentials(it, err);
                return;
        }
        if (answer->status / 100 == 3)
                tell(err, answer, error, ERR_PROTOCOL, false, "the server points somewhere else");
        else
                tell(err, answer, error, error->code[0] != '\0' ? ERR_INVALID : ERR_HTTP,
                    answer->status >= 500, "the server refuses");
}

/* Is the removal of what is not there, which is what was wanted? */
static bool
is_gone_already(const struct object_request *request, const struct azure_error *error)
{
        return strcmp(request->method, "DELETE") == 0 && request->key != NULL &&
               is_code(error, "BlobNotFound");
}

/* Portals of networks answer anything with a page, and 200. */
static bool
is_of_azure(const struct http_answer *answer)
{
        return http_answer_header(answer, "x-ms-request-id") != NULL ||
               http_answer_header(answer, "x-ms-version") != NULL;
}

/* A range that begins just at the end is InvalidRange; Azurite answers with an empty one. */
static bool
is_behind_the_end(const struct http_answer *answer)
{
        const char *len = http_answer_header(answer, "content-length");

        return answer->status == 206 && len != NULL && strcmp(len, "0") == 0;
}

static enum object_verdict
judge_good(const struct http_answer *answer, struct err *err)
{
        if (!is_of_azure(answer)) {
                err_set(err, ERR_PROTOCOL, "the answer is not one of Azure Blob Storage (HTTP %d)",
                    answer->status);
                err_hint(err, "is the endpoint right, or a proxy in between?");
                return OBJECT_FAILED;
        }
        if (is_behind_the_end(answer)) {
                err_set(err, ERR_TRUNCATED, "the blob ends before");
                if (err != NULL)
                        err->http = 416;
                return OBJECT_FAILED;
        }
        return OBJECT_GOOD;
}

enum object_verdict
azure_judge(struct object_store *store, const struct object_request *request,
    const struct http_answer *answer, struct err *err)
{
        struct azure_store *it = azure_of(store);
        struct azure_error error;

        if (answer->status >= 200 && answer->status < 300)
                return judge_good(answer, err);
        azure_error_read(answer, &error);
        if (is_gone_already(request, &error))
                return OBJECT_GOOD;
        if (learn_clock(it, answer, &error, err) || renew_token(it, answer, &error, err))
                return OBJECT_AGAIN;
        if (!tell_expired(it, answer, err))
                tell_failure(it, request, answer, &error, err);
        return OBJECT_FAILED;
}
