/* What an answer means, and what is to be done about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "moonkeep/time.h"

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
        azure_tell(err, answer, error, ERR_CREDENTIALS, false, "the server's clock is another one");
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
        azure_tell(err, answer, error, ERR_CREDENTIALS, false,
            "the token is expired or not for this account");
        return true;
}

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
                azure_failure(it, request, answer, &error, err);
        return OBJECT_FAILED;
}
