/* What the Azure driver makes of answers, good and bad ones. */
#include "../../src/store/azure.h"

#include "harness/http_test.h"
#include "harness/store_suite.h"
#include "moonkeep/time.h"

#define KEY_TEXT "c2VjcmV0c2VjcmV0"

/* What every answer of the service has. */
#define MARK "x-ms-request-id: 1\\r\\n"
#define EMPTY "Content-Length: 0\\r\\n\\r\\n\""

static void
only_key(void)
{
        clearenv();
        CHECK(setenv("AZURE_STORAGE_KEY", KEY_TEXT, 1) == 0);
}

static struct store *
open_store(const char *options)
{
        char url[512];
        struct err err;

        err_init(&err);
        snprintf(url, sizeof(url),
            "azure://account/container/pre?endpoint=http://127.0.0.1:%d&attempts=2%s", server_port,
            options);
        struct url parsed;
        CHECK_OK(url_parse(url, &parsed, &err), err);
        struct store *store = azure_open(&parsed, &err);
        CHECK_PTR(store, err);
        url_clear(&parsed);
        return store;
}

static int
ignore(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)key;
        (void)stat;
        (void)err;
        ++*(int *)arg;
        return 0;
}

/* Errors, each as an answer to a HEAD, which has no body, and to a GET, which has one. */

struct failure {
        int status;
        const char *code;
        enum err_code means;
        const char *text;
};

static const struct failure failures[] = {
        { 404, "BlobNotFound", ERR_NOT_FOUND, "there is no such blob" },
        { 404, "ContainerNotFound", ERR_NOT_FOUND, "the container does not exist" },
        { 404, "", ERR_NOT_FOUND, "there is no such thing (HTTP 404)" },
        { 409, "ContainerBeingDeleted", ERR_NOT_FOUND, "is being deleted" },
        { 409, "BlobArchived", ERR_ARCHIVED, "lies in the archive" },
        { 409, "BlobBeingRehydrated", ERR_ARCHIVED, "on its way out of the archive" },
        { 409, "BlobImmutableDueToPolicy", ERR_PERMISSION, "immutability policy" },
        { 409, "BlobUsesCustomerSpecifiedEncryption", ERR_KEY, "a customer's key" },
        { 412, "LeaseIdMissing", ERR_PERMISSION, "holds a lease" },
        { 412, "ConditionNotMet", ERR_IO, "has changed meanwhile" },
        { 507, "", ERR_FULL, "the server is full" },
        { 403, "AuthenticationFailed", ERR_CREDENTIALS, "does not accept who we are" },
        { 403, "AuthorizationFailure", ERR_PERMISSION, "access denied" },
        { 403, "AuthorizationPermissionMismatch", ERR_PERMISSION, "access denied" },
        { 403, "AccountIsDisabled", ERR_PERMISSION, "the account is disabled" },
        { 403, "KeyBasedAuthenticationNotPermitted", ERR_CREDENTIALS, "allows no keys" },
        { 403, "", ERR_PERMISSION, "access denied (HTTP 403)" },
        { 401, "InvalidAuthenticationInfo", ERR_CREDENTIALS, "the token is expired" },
        { 401, "", ERR_CREDENTIALS, "wants other credentials" },
        { 400, "InvalidHeaderValue", ERR_INVALID, "does not take a header" },
        { 400, "SomethingNew", ERR_INVALID, "the server refuses" },
        { 405, "", ERR_UNSUPPORTED, "does not allow this" },
        { 301, "", ERR_PROTOCOL, "points somewhere else" },
        { 500, "FeatureNotSupported", ERR_UNSUPPORTED, "cannot do this" },
};

static void
check_failure(const struct failure *what, bool is_head)
{
        char script[2048], header[128] = "", body[512] = "";
        struct store_stat stat;
        struct err err;

        if (*what->code != '\0') {
                snprintf(header, sizeof(header), "x-ms-error-code: %s\\r\\n", what->code);
                snprintf(body, sizeof(body),
                    "<?xml version='1.0'?><Error><Code>%s</Code><Message>What it says.\\n"
                    "RequestId:1</Message></Error>",
                    what->code);
        }
        if (is_head)
                snprintf(script, sizeof(script),
                    "expect HEAD /container/pre/k\nanswer-raw \"HTTP/1.1 %d X\\r\\n%s" EMPTY "\n",
                    what->status, header);
        else
                snprintf(script, sizeof(script),
                    "expect GET /container/pre/k\n"
                    "answer-raw \"HTTP/1.1 %d X\\r\\nContent-Length: %zu\\r\\n\\r\\n%s\"\n",
                    what->status, strlen(body) - (*body != '\0'), body);
        start_server(script);
        struct store *store = open_store("");
        err_init(&err);
        if (is_head)
                CHECK_ERR(
                    store_stat(store, "k", &stat, NULL, &err) < 0, err, what->means, what->text);
        else
                CHECK_ERR(store_read(store, "k", 0, UINT64_MAX, NULL, &err) == NULL, err,
                    what->means, what->text);
        CHECK_INT(err.http, what->status);
        CHECK(strstr(err.msg, "cannot ") == err.msg && strstr(err.msg, "pre/k\"") != NULL);
        CHECK(strstr(err.msg, "RequestId") == NULL);
        CHECK(!err.retryable);
        store_free(store);
        server_is_content();
}

TEST(errors_are_told_apart_by_a_header_alone)
{
        only_key();
        for (size_t idx = 0; idx < sizeof(failures) / sizeof(failures[0]); idx++)
                check_failure(&failures[idx], true);
}

TEST(errors_are_told_apart_by_a_document_alone)
{
        only_key();
        for (size_t idx = 0; idx < sizeof(failures) / sizeof(failures[0]); idx++)
                check_failure(&failures[idx], false);
}

TEST(what_passes_is_tried_again)
{
        static const char *const answers[] = {
                "answer-raw \"HTTP/1.1 503 X\\r\\nx-ms-error-code: ServerBusy\\r\\n" EMPTY,
                "answer-raw \"HTTP/1.1 500 X\\r\\nx-ms-error-code: InternalError\\r\\n" EMPTY,
                "answer-raw \"HTTP/1.1 500 X\\r\\nx-ms-error-code: OperationTimedOut\\r\\n" EMPTY,
                "answer-raw \"HTTP/1.1 429 X\\r\\n" EMPTY,
                "answer-raw \"HTTP/1.1 502 X\\r\\n" EMPTY,
                "reset",
                "close",
        };
        char script[2048];
        struct store_stat stat;
        struct err err;

        only_key();
        for (size_t idx = 0; idx < sizeof(answers) / sizeof(answers[0]); idx++) {
                snprintf(script, sizeof(script),
                    "expect HEAD /container/pre/k\n%s\n"
                    "expect HEAD /container/pre/k\nanswer-raw \"HTTP/1.1 200 OK\\r\\n" MARK
                    "Content-Length: 5\\r\\nETag: \\\"0x8D\\\"\\r\\n"
                    "Last-Modified: Sat, 21 Nov 2026 02:00:00 GMT\\r\\n\\r\\n\"\n",
                    answers[idx]);
                start_server(script);
                struct store *store = open_store("");
                err_init(&err);
                CHECK_OK(store_stat(store, "k", &stat, NULL, &err), err);
                CHECK_INT(stat.size, 5);
                CHECK_INT(stat.mtime_ms, 1795226400000LL);
                CHECK_STR(stat.etag, "0x8D");
                store_free(store);
                server_is_content();
        }
}

TEST(an_answer_of_somebody_else_is_no_success)
{
        struct err err;

        only_key();
        start_server(
            "expect PUT /container/pre/k\nanswer 200 text/html <html>Log in first</html>\n");
        struct store *store = open_store("");
        CHECK_ERR(store_suite_try_put(store, "k", "x", false, &err) < 0, err, ERR_PROTOCOL,
            "not one of Azure Blob Storage");
        CHECK(strstr(err.hint, "proxy") != NULL);
        store_free(store);
        server_is_content();
}

TEST(a_page_of_a_proxy_is_shown_in_short)
{
        struct err err;

        only_key();
        start_server("expect GET /container/pre/k\n"
                     "answer 403 text/html <html><p>Blocked by <b>policy</b></p></html>\n");
        struct store *store = open_store("");
        err_init(&err);
        CHECK_ERR(store_read(store, "k", 0, UINT64_MAX, NULL, &err) == NULL, err, ERR_PERMISSION,
            "access denied: Blocked by policy (HTTP 403)");
        store_free(store);
        server_is_content();
}

/* Writing and removing. */

TEST(what_must_not_exist_and_does_is_told)
{
        static const char *const answers[] = { "412 X\\r\\nx-ms-error-code: ConditionNotMet",
                "409 X\\r\\nx-ms-error-code: BlobAlreadyExists",
                "409 X\\r\\nx-ms-error-code: UnauthorizedBlobOverwrite" };
        char script[1024];
        struct err err;

        only_key();
        for (size_t idx = 0; idx < sizeof(answers) / sizeof(answers[0]); idx++) {
                snprintf(script, sizeof(script),
                    "expect PUT /container/pre/k\nexpect-header If-None-Match: *\n"
                    "expect-header x-ms-blob-type: BlockBlob\nexpect-body x\n"
                    "answer-raw \"HTTP/1.1 %s\\r\\n" EMPTY "\n",
                    answers[idx]);
                start_server(script);
                struct store *store = open_store("");
                err_init(&err);
                CHECK_ERR(store_suite_try_put(store, "k", "x", true, &err) < 0, err, ERR_EXISTS,
                    "exists already");
                store_free(store);
                server_is_content();
        }
}

TEST(the_removal_of_what_is_not_there_is_a_success_but_not_without_a_container)
{
        struct err err;

        only_key();
        start_server(
            "expect DELETE /container/pre/k\nexpect-header x-ms-delete-snapshots: include\n"
            "answer-raw \"HTTP/1.1 404 X\\r\\nx-ms-error-code: BlobNotFound\\r\\n" EMPTY "\n"
            "expect DELETE /container/pre/k\n"
            "answer-raw \"HTTP/1.1 404 X\\r\\nx-ms-error-code: ContainerNotFound\\r\\n" EMPTY "\n");
        struct store *store = open_store("");
        err_init(&err);
        CHECK_OK(store_remove(store, "k", NULL, &err), err);
        CHECK_ERR(store_remove(store, "k", NULL, &err) < 0, err, ERR_NOT_FOUND,
            "the container does not exist");
        store_free(store);
        server_is_content();
}

/* Clocks and tokens. */

TEST(a_wrong_clock_is_corrected_by_the_servers)
{
        char script[1024], date[TIME_HTTP_SIZE];
        struct store_stat stat;
        struct err err;

        only_key();
        time_http(time_now_ms() - 3600000, date);
        snprintf(script, sizeof(script),
            "expect HEAD /container/pre/k\nanswer-raw \"HTTP/1.1 403 X\\r\\nDate: %s\\r\\n"
            "x-ms-error-code: AuthenticationFailed\\r\\n" EMPTY "\n"
            /* Its hour, if not its second. */
            "expect HEAD /container/pre/k\nanswer-raw \"HTTP/1.1 403 X\\r\\nDate: %s\\r\\n"
            "x-ms-error-code: AuthenticationFailed\\r\\n" EMPTY "\n",
            date, date);
        start_server(script);
        struct store *store = open_store("");
        err_init(&err);
        CHECK_ERR(store_stat(store, "k", &stat, NULL, &err) < 0, err, ERR_CREDENTIALS,
            "does not accept who we are");
        CHECK(strstr(err.hint, "AZURE_STORAGE_KEY") != NULL);
        store_free(store);
        server_is_content();
}

TEST(a_token_that_is_not_accepted_is_replaced)
{
        struct store_stat stat;
        struct err err;
        char base[64];

        clearenv();
        start_server("expect GET /msi?*\n"
                     "answer 200 application/json {\"access_token\":\"one\",\"expires_in\":3600}\n"
                     "expect HEAD /container/pre/k\nexpect-header Authorization: Bearer one\n"
                     "answer-raw \"HTTP/1.1 401 X\\r\\nx-ms-error-code: "
                     "InvalidAuthenticationInfo\\r\\n" EMPTY "\n"
                     "expect HEAD /container/pre/k\nexpect-header Authorization: Bearer one\n"
                     "answer-raw \"HTTP/1.1 200 X\\r\\n" MARK EMPTY "\n");
        snprintf(base, sizeof(base), "http://127.0.0.1:%d/msi", server_port);
        CHECK(setenv("IDENTITY_ENDPOINT", base, 1) == 0 && setenv("IDENTITY_HEADER", "h", 1) == 0);
        struct store *store = open_store("");
        err_init(&err);
        /* One that is some seconds old is tried again: it was the one before that was refused. */
        CHECK_OK(store_stat(store, "k", &stat, NULL, &err), err);
        store_free(store);
        server_is_content();
}

TEST(a_token_is_not_sent_in_clear_text)
{
        struct err err;

        clearenv();
        err_init(&err);
        CHECK_ERR(store_open("azure://account/container?endpoint=http://example.com", &err) == NULL,
            err, ERR_USAGE, "not https");
        CHECK(setenv("AZURE_STORAGE_SAS_TOKEN", "sig=hunter2", 1) == 0);
        CHECK_ERR(store_open("azure://account/container?endpoint=http://example.com", &err) == NULL,
            err, ERR_USAGE, "not https");
}

TEST(a_signature_shows_in_no_message)
{
        struct store_stat stat;
        struct err err;

        clearenv();
        CHECK(setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=hunter%2F2", 1) == 0);
        start_server("expect HEAD /container/pre/k?sv=1&sig=hunter%2F2\nclose\n"
                     "expect HEAD /container/pre/k?sv=1&sig=hunter%2F2\nclose\n"
                     "expect GET /container/pre/k?sv=1&sig=hunter%2F2\n"
                     "answer 403 text/plain said hunter/2 and hunter%2F2\n");
        struct store *store = open_store("");
        err_init(&err);
        CHECK(store_stat(store, "k", &stat, NULL, &err) < 0);
        CHECK(strstr(err.msg, "hunter") == NULL && strstr(err.msg, "tried 2 times") != NULL);
        CHECK(store_read(store, "k", 0, UINT64_MAX, NULL, &err) == NULL);
        CHECK(strstr(err.msg, "hunter") == NULL && strstr(err.msg, "said ****") != NULL);
        CHECK(strstr(store_url(store), "sig") == NULL && strstr(store_place(store), "sig") == NULL);
        store_free(store);
        server_is_content();
}

/* Listings. */

#define BLOB(name)                                                                                 \
        "<Blob><Name>" name "</Name><Properties><Content-Length>3</Content-Length>"                \
        "<Last-Modified>Sat, 21 Nov 2026 02:00:00 GMT</Last-Modified><Etag>0x1</Etag>"             \
        "</Properties></Blob>"
#define FIRST "expect GET /container?restype=container&comp=list&maxresults=5000&prefix=pre%2F\n"
#define NEXT(marker)                                                                               \
        "expect GET "                                                                              \
        "/container?restype=container&comp=list&maxresults=5000&prefix=pre%2F&marker=" marker "\n"

static void
answer_list(char *script, size_t size, const char *expect, const char *blobs, const char *next)
{
        size_t len = strlen(script);
        char body[4096];

        snprintf(body, sizeof(body),
            "<?xml version='1.0' encoding='utf-8'?><EnumerationResults><Blobs>%s</Blobs>%s"
            "</EnumerationResults>",
            blobs, next);
        snprintf(script + len, size - len,
            "%sanswer-raw \"HTTP/1.1 200 OK\\r\\n" MARK "Content-Length: %zu\\r\\n\\r\\n", expect,
            strlen(body));
        len = strlen(script);
        for (const char *at = body; *at != '\0' && len + 4 < size; at++) {
                if (*at == '"')
                        script[len++] = '\\';
                script[len++] = *at;
        }
        strcpy(script + len, "\"\n");
}

static void
check_list(const char *script, const char *want)
{
        start_server(script);
        struct store *store = open_store("");
        store_suite_list(store, "", false, want);
        store_free(store);
        server_is_content();
}

TEST(pages_are_gone_through_even_empty_ones)
{
        static char script[16384];

        only_key();
        answer_list(script, sizeof(script), FIRST, BLOB("pre/a"), "<NextMarker>m 1</NextMarker>");
        answer_list(script, sizeof(script), NEXT("m%201"), "", "<NextMarker>m2</NextMarker>");
        answer_list(script, sizeof(script), NEXT("m2"),
            BLOB("pre/c") "<Other/>" BLOB("pre/b") "<Blob><Name Encoded=\"true\">pre/d%EF%BF%BE"
                                                   "</Name><Properties><Content-Length>0"
                                                   "</Content-Length><Last-Modified>Sat, 21 Nov "
                                                   "2026 02:00:00 GMT</Last-Modified></Properties>"
                                                   "</Blob>",
            "<NextMarker />");
        check_list(script, "a b c d\xef\xbf\xbe");
}

TEST(a_listing_that_lies_is_an_error)
{
        static const struct {
                const char *first, *marker, *second;
                const char *why;
                int seen;
        } cases[] = {
                { BLOB("pre/b"), "<NextMarker>m</NextMarker>", BLOB("pre/a"), "not in order", 1 },
                { BLOB("pre/b"), "<NextMarker>m</NextMarker>", BLOB("pre/b"), "comes twice", 1 },
                { BLOB("other/b"), "<NextMarker/>", NULL, "without the prefix", 0 },
                { "<Blob><Name>pre/a</Name></Blob>", "<NextMarker/>", NULL, "without properties",
                    0 },
                { "<Blob><Name>pre/a</Name><Properties/></Blob>", "<NextMarker/>", NULL,
                    "without a size", 0 },
                { "<Blob><Name>pre/a</Name><Properties><Content-Length>-1</Content-Length>"
                  "</Properties></Blob>",
                    "<NextMarker/>", NULL, "without a size", 0 },
                { "<Blob><Name>pre/a</Name><Properties><Content-Length>1</Content-Length>"
                  "</Properties></Blob>",
                    "<NextMarker/>", NULL, "without a time", 0 },
                { "<Blob><Name Encoded=\"true\">pre/%0</Name><Properties/></Blob>", "<NextMarker/>",
                    NULL, "cannot be decoded", 0 },
                { BLOB("pre/a"), "", NULL, "no list of blobs", 0 },
                { "<Blob>", "", NULL, "malformed", 0 },
        };

        only_key();
        for (size_t idx = 0; idx < sizeof(cases) / sizeof(cases[0]); idx++) {
                static char script[16384];
                int seen = 0;
                struct err err;
                script[0] = '\0';
                answer_list(script, sizeof(script), FIRST, cases[idx].first, cases[idx].marker);
                if (cases[idx].second != NULL)
                        answer_list(
                            script, sizeof(script), NEXT("m"), cases[idx].second, "<NextMarker/>");
                start_server(script);
                struct store *store = open_store("");
                err_init(&err);
                CHECK_ERR(store_list(store, "", false, ignore, &seen, NULL, &err) < 0, err,
                    ERR_PROTOCOL, cases[idx].why);
                CHECK_INT(seen, cases[idx].seen);
                store_free(store);
                server_is_content();
        }
}

TEST(a_listing_that_goes_round_is_an_error)
{
        static char script[16384];
        int seen = 0;
        struct err err;

        only_key();
        answer_list(script, sizeof(script), FIRST, BLOB("pre/a"), "<NextMarker>m</NextMarker>");
        answer_list(script, sizeof(script), NEXT("m"), "", "<NextMarker>m</NextMarker>");
        start_server(script);
        struct store *store = open_store("");
        err_init(&err);
        CHECK_ERR(store_list(store, "", false, ignore, &seen, NULL, &err) < 0, err, ERR_PROTOCOL,
            "goes on where it was");
        store_free(store);
        server_is_content();
}

TEST(a_listing_that_breaks_off_is_an_error)
{
        static char script[16384];
        int seen = 0;
        struct err err;

        only_key();
        answer_list(script, sizeof(script), FIRST, BLOB("pre/a"), "<NextMarker>m</NextMarker>");
        strcat(script, NEXT("m") "answer 403 text/plain no\n");
        start_server(script);
        struct store *store = open_store("");
        err_init(&err);
        CHECK_ERR(store_list(store, "", false, ignore, &seen, NULL, &err) < 0, err, ERR_PERMISSION,
            "cannot list");
        CHECK_INT(seen, 1);
        store_free(store);
        server_is_content();
}
