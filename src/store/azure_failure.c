/* What an answer that is an error means. */
#include <stdio.h>
#include <string.h>

#include "azure.h"
#include "object_status.h"

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

static bool
is_code(const struct azure_error *error, const char *code)
{
        return strcmp(error->code, code) == 0;
}

void
azure_tell(struct err *err, const struct http_answer *answer, const struct azure_error *error,
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
        azure_tell(err, answer, error, known->means, known->retryable, known->text);
        if (known->hint != NULL)
                err_hint(err, "%s", known->hint);
        else if (known->means == ERR_CREDENTIALS)
                hint_credentials(it, err);
}

void
azure_failure(const struct azure_store *it, const struct object_request *request,
    const struct http_answer *answer, const struct azure_error *error, struct err *err)
{
        struct object_status status;

        /* A condition of ours that something else is there, or nothing. */
        if ((answer->status == 412 || answer->status == 409) &&
            azure_request_has(request, "If-None-Match") &&
            (answer->status == 412 || is_code(error, "BlobAlreadyExists") ||
                is_code(error, "UnauthorizedBlobOverwrite"))) {
                azure_tell(err, answer, error, ERR_EXISTS, false, "it exists already");
                return;
        }
        if (is_code(error, "ContainerNotFound")) {
                azure_tell(err, answer, &(struct azure_error){ .code = "ContainerNotFound" },
                    ERR_NOT_FOUND, false, "the container does not exist");
                err_hint(err,
                    "make the container \"%s\" in the account \"%s\", or is another one meant?",
                    it->container, it->account);
                return;
        }
        for (size_t idx = 0; idx < sizeof(errors) / sizeof(errors[0]); idx++) {
                if (is_code(error, errors[idx].code)) {
                        tell_known(it, answer, error, &errors[idx], err);
                        return;
                }
        }
        if (object_status(answer->status, "blob", &status)) {
                azure_tell(err, answer, error, status.means, status.retryable, status.text);
                if (status.means == ERR_CREDENTIALS)
                        hint_credentials(it, err);
                return;
        }
        if (answer->status / 100 == 3)
                azure_tell(
                    err, answer, error, ERR_PROTOCOL, false, "the server points somewhere else");
        else
                azure_tell(err, answer, error, error->code[0] != '\0' ? ERR_INVALID : ERR_HTTP,
                    answer->status >= 500, "the server refuses");
}
