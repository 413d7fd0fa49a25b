#include "harness/s3_test.h"

/* What the server says. */
struct said {
        int status;
        const char *body;
        const char *header[2]; /* name, value */
};

#define ERROR(code, message) "<Error><Code>" code "</Code><Message>" message "</Message></Error>"

static enum object_verdict
judge(struct s3_store *it, const char *method, const char *key, const char *param,
    const struct said *said, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { .status = said->status };

        err_init(err);
        object_request_init(&request, &it->object, "do", method, key);
        if (param != NULL)
                object_request_query(&request, param, NULL);
        struct http_header header = { .name = (char *)(uintptr_t)said->header[0],
                .value = (char *)(uintptr_t)said->header[1] };
        answer.headers = &header;
        answer.header_count = said->header[0] != NULL;
        buf_init(&answer.body, 1 << 20);
        CHECK_OK(buf_addstr(&answer.body, said->body, err), *err);
        enum object_verdict verdict = s3_judge(&it->object, &request, &answer, err);
        buf_free(&answer.body);
        object_request_clear(&request);
        return verdict;
}

static struct s3_store *
store(void)
{
        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        return s3_store_of("s3://bucket/p");
}

TEST(each_error_means_something)
{
        static const struct {
                const char *method, *param;
                struct said said;
                enum err_code code;
                bool retryable;
                const char *msg, *hint;
        } cases[] = {
                { "GET", NULL, { 404, ERROR("NoSuchKey", ""), { NULL } }, ERR_NOT_FOUND, false,
                    "there is no such object (NoSuchKey)", "" },
                { "GET", NULL, { 404, ERROR("NoSuchBucket", "x"), { NULL } }, ERR_NOT_FOUND, false,
                    "the bucket does not exist (NoSuchBucket)", "s3.prepare" },
                { "HEAD", NULL, { 404, "", { NULL } }, ERR_NOT_FOUND, false, "(HTTP 404)", "" },
                { "PUT", NULL, { 403, ERROR("AccessDenied", ""), { NULL } }, ERR_PERMISSION, false,
                    "access denied (AccessDenied)", "s3:PutObject on the bucket \"bucket\"" },
                { "GET", "tagging", { 403, ERROR("AccessDenied", "no"), { NULL } }, ERR_PERMISSION,
                    false, "access denied: no (AccessDenied)", "s3:GetObjectTagging" },
                { "HEAD", NULL, { 403, "", { NULL } }, ERR_PERMISSION, false,
                    "access denied (HTTP 403)", "s3:ListBucket" },
                { "GET", NULL, { 403, ERROR("InvalidAccessKeyId", "x"), { NULL } }, ERR_CREDENTIALS,
                    false, "does not know the access key", "is it one of this server" },
                { "GET", NULL, { 403, ERROR("SignatureDoesNotMatch", "x"), { NULL } },
                    ERR_CREDENTIALS, false, "the signature is wrong", "the secret key is not" },
                { "GET", NULL, { 403, ERROR("InvalidObjectState", "x"), { NULL } }, ERR_ARCHIVED,
                    false, "lies in an archive", "bring it back" },
                { "GET", NULL, { 503, ERROR("SlowDown", "x"), { NULL } }, ERR_HTTP, true,
                    "wants fewer requests: x (SlowDown)", "" },
                { "GET", NULL, { 500, ERROR("InternalError", "x"), { NULL } }, ERR_HTTP, true,
                    "the server failed: x (InternalError)", "" },
                { "PUT", NULL, { 400, ERROR("RequestTimeout", "x"), { NULL } }, ERR_TIMEOUT, true,
                    "(RequestTimeout)", "" },
                { "PUT", NULL, { 400, ERROR("BadDigest", "x"), { NULL } }, ERR_NETWORK, true,
                    "not what was sent", "" },
                { "PUT", NULL, { 409, ERROR("ConditionalRequestConflict", "x"), { NULL } },
                    ERR_HTTP, true, "another write is under way", "" },
                { "PUT", NULL, { 501, ERROR("NotImplemented", "x"), { NULL } }, ERR_UNSUPPORTED,
                    false, "cannot do this", "" },
                { "PUT", NULL, { 403, ERROR("QuotaExceeded", ""), { NULL } }, ERR_FULL, false,
                    "a quota is exceeded", "" },
                { "GET", NULL, { 416, ERROR("InvalidRange", ""), { NULL } }, ERR_TRUNCATED, false,
                    "the object ends before", "" },
                { "GET", NULL, { 429, "", { NULL } }, ERR_HTTP, true, "(HTTP 429)", "" },
                { "PUT", NULL, { 507, "", { NULL } }, ERR_FULL, false, "the server is full", "" },
                { "GET", NULL, { 302, "", { NULL } }, ERR_PROTOCOL, false, "somewhere else", "" },
                { "GET", NULL, { 418, "", { NULL } }, ERR_HTTP, false, "refuses (HTTP 418)", "" },
                { "GET", NULL, { 599, "", { NULL } }, ERR_HTTP, true, "refuses (HTTP 599)", "" },
                { "PUT", NULL, { 400, ERROR("InvalidStorageClass", "what?"), { NULL } },
                    ERR_INVALID, false, "refuses: what? (InvalidStorageClass)", "" },
                /* A proxy's page, XML that breaks off, a bomb. */
                { "GET", NULL,
                    { 502, "<html><head><title>502 Bad\nGateway</title></head></html>", { NULL } },
                    ERR_HTTP, true, "a proxy has no answer: 502 Bad Gateway (HTTP 502)", "" },
                { "GET", NULL, { 500, "<Error><Code>SlowDo", { NULL } }, ERR_HTTP, true,
                    "the server failed: SlowDo (HTTP 500)", "" },
                { "GET", NULL,
                    { 403, "<!DOCTYPE a [<!ENTITY b \"c\">]><Error><Code>&b;</Code></Error>",
                        { NULL } },
                    ERR_PERMISSION, false, "access denied", "" },
                /* Errors in a 200, behind the spaces that keep the connection alive. */
                { "POST", "uploadId", { 200, "\n  " ERROR("InternalError", "x"), { NULL } },
                    ERR_HTTP, true, "the server failed: x (InternalError)", "" },
        };
        struct s3_store *it = store();
        struct err err;

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(cases[0]); idx++) {
                CHECK_INT(
                    judge(it, cases[idx].method, "k", cases[idx].param, &cases[idx].said, &err),
                    OBJECT_FAILED);
                CHECK_ERR(true, err, cases[idx].code, cases[idx].msg);
                CHECK_INT(err.retryable, cases[idx].retryable);
                CHECK_INT(err.http, cases[idx].said.status);
                CHECK(strstr(err.hint, cases[idx].hint) != NULL);
                CHECK(strchr(err.msg, '\n') == NULL);
        }
        store_free(&it->object.store);
}

TEST(what_is_good_is_good)
{
        static const struct said fine[] = {
                { 200, "", { NULL } },
                { 204, "", { NULL } },
                { 206, "bytes", { NULL } },
                { 200, "<CompleteMultipartUploadResult/>", { NULL } },
                { 200, "<DeleteResult><Error><Code>AccessDenied</Code></Error></DeleteResult>",
                    { NULL } },
        };
        struct s3_store *it = store();
        struct err err;

        for (size_t idx = 0; idx < sizeof(fine) / sizeof(fine[0]); idx++)
                CHECK_INT(judge(it, "POST", "k", NULL, &fine[idx], &err), OBJECT_GOOD);
        /* What is not there is removed. */
        struct said missing = { 404, ERROR("NoSuchKey", ""), { NULL } };
        CHECK_INT(judge(it, "DELETE", "k", NULL, &missing, &err), OBJECT_GOOD);
        missing.body = ERROR("NoSuchUpload", "");
        CHECK_INT(judge(it, "DELETE", "k", "uploadId", &missing, &err), OBJECT_GOOD);
        missing.body = ERROR("NoSuchBucket", "");
        CHECK_INT(judge(it, "DELETE", "k", NULL, &missing, &err), OBJECT_FAILED);
        store_free(&it->object.store);
}

TEST(what_is_told_has_no_secret_and_no_excess)
{
        struct said said = { 400, NULL, { NULL } };
        struct s3_store *it = store();
        char body[4096];
        struct err err;

        /* The secret is known once it was used. */
        struct secret *secret = secret_new(S3_TEST_SECRET, strlen(S3_TEST_SECRET), &err);
        snprintf(body, sizeof(body), ERROR("Odd", "a %s b"), S3_TEST_SECRET);
        said.body = body;
        judge(it, "GET", "k", NULL, &said, &err);
        CHECK(strstr(err.msg, "wJalr") == NULL && strstr(err.msg, "a ***") != NULL);
        /* Also where it would be cut. */
        memset(body, 'x', sizeof(body));
        snprintf(body, sizeof(body), ERROR("Odd", "%0*d%s"), 240, 0, S3_TEST_SECRET);
        judge(it, "GET", "k", NULL, &said, &err);
        CHECK(strstr(err.msg, "wJalr") == NULL);
        CHECK(strlen(err.msg) < 400);
        secret_unref(secret);
        store_free(&it->object.store);
}

TEST(another_region_is_learned)
{
        static const struct said ways[] = {
                { 301, ERROR("PermanentRedirect", ""), { "x-amz-bucket-region", "eu-west-1" } },
                { 301, "", { "x-amz-bucket-region", "eu-west-1" } },
                { 400, "", { "x-amz-bucket-region", "eu-west-1" } },
                { 400,
                    "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></"
                    "Error>",
                    { NULL } },
                { 307,
                    "<Error><Code>TemporaryRedirect</Code>"
                    "<Endpoint>bucket.s3-eu-west-1.amazonaws.com</Endpoint></Error>",
                    { NULL } },
                { 307, "", { "location", "https://bucket.s3.eu-west-1.amazonaws.com/k" } },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(ways) / sizeof(ways[0]); idx++) {
                struct s3_store *it = store();
                CHECK_STR(it->region, "us-east-1");
                CHECK_INT(judge(it, "HEAD", "k", NULL, &ways[idx], &err), OBJECT_AGAIN);
                CHECK_STR(it->region, "eu-west-1");
                CHECK_ERR(true, err, ERR_PROTOCOL, "another region");
                CHECK(strstr(err.hint, "say ?region=eu-west-1") != NULL);
                store_free(&it->object.store);
        }
}

TEST(nobody_is_followed_out_of_the_house)
{
        static const struct said ways[] = {
                { 301,
                    "<Error><Code>PermanentRedirect</Code><Endpoint>evil.example</Endpoint></"
                    "Error>",
                    { NULL } },
                { 307, "", { "location", "https://s3.eu-west-1.amazonaws.com.evil.example/k" } },
                { 301, "<Error><Code>PermanentRedirect</Code><Region>a.evil/x</Region></Error>",
                    { NULL } },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(ways) / sizeof(ways[0]); idx++) {
                struct s3_store *it = store();
                CHECK_INT(judge(it, "GET", "k", NULL, &ways[idx], &err), OBJECT_FAILED);
                CHECK_ERR(true, err, ERR_PROTOCOL, "somewhere else");
                CHECK_STR(it->region, "us-east-1");
                store_free(&it->object.store);
        }
}

TEST(another_clock_is_learned)
{
        char date[TIME_HTTP_SIZE];
        struct said said = { 403, ERROR("RequestTimeTooSkewed", ""), { "date", date } };
        struct s3_store *it = store();
        struct err err;

        time_http(time_now_ms() + 3600 * 1000, date);
        CHECK_INT(judge(it, "GET", "k", NULL, &said, &err), OBJECT_AGAIN);
        CHECK(llabs(it->clock_offset_ms - 3600 * 1000) < 60000);
        CHECK_ERR(true, err, ERR_CREDENTIALS, "clock is another one");
        CHECK(strstr(err.hint, " s behind the server's: set it") != NULL);

        /* HEAD does not say why. */
        it->clock_offset_ms = 0;
        said.body = "";
        CHECK_INT(judge(it, "HEAD", "k", NULL, &said, &err), OBJECT_AGAIN);
        CHECK(llabs(it->clock_offset_ms - 3600 * 1000) < 60000);
        /* Now it must be something else. */
        CHECK_INT(judge(it, "HEAD", "k", NULL, &said, &err), OBJECT_FAILED);
        CHECK_ERR(true, err, ERR_PERMISSION, "access denied");
        store_free(&it->object.store);
}

TEST(expired_credentials_that_nobody_renews_are_told)
{
        static const char *const codes[] = { ERROR("ExpiredToken", "x"),
                ERROR("ExpiredTokenException", ""), ERROR("InvalidToken", "x") };
        struct s3_store *it = store();
        struct aws_keys keys = { 0 };
        struct err err;

        CHECK_OK(aws_creds_get(it->creds, &keys, NULL, &err), err);
        memcpy(it->key_id, keys.id, strlen(keys.id) + 1);
        aws_keys_clear(&keys);
        for (size_t idx = 0; idx < sizeof(codes) / sizeof(codes[0]); idx++) {
                struct said said = { 400, codes[idx], { NULL } };
                CHECK_INT(judge(it, "GET", "k", NULL, &said, &err), OBJECT_FAILED);
                CHECK_ERR(true, err, ERR_CREDENTIALS, idx < 2 ? "have expired" : "not accepted");
        }
        store_free(&it->object.store);
}

TEST(an_object_that_exists_is_told_from_one_that_changed)
{
        struct s3_store *it = store();
        struct object_request request;
        struct http_answer answer = { .status = 412 };
        struct err err;

        err_init(&err);
        object_request_init(&request, &it->object, "write", "PUT", "k");
        CHECK_INT(s3_judge(&it->object, &request, &answer, &err), OBJECT_FAILED);
        CHECK_ERR(true, err, ERR_IO, "changed");
        object_request_header(&request, "If-None-Match", "*");
        CHECK_INT(s3_judge(&it->object, &request, &answer, &err), OBJECT_FAILED);
        CHECK_ERR(true, err, ERR_EXISTS, "exists already");
        object_request_clear(&request);
        store_free(&it->object.store);
}

TEST(a_bucket_that_locks_gets_what_it_asks_for)
{
        static const struct said said = { 400,
                ERROR("InvalidRequest",
                    "Content-MD5 OR x-amz-checksum- HTTP header is required for "
                    "Put Object requests with Object Lock parameters"),
                { NULL } };
        struct s3_store *it = store();
        struct object_request request;
        struct http_request sent = { 0 };
        const char *md5 = NULL;
        struct err err;

        CHECK_INT(judge(it, "PUT", "k", NULL, &said, &err), OBJECT_AGAIN);
        object_request_init(&request, &it->object, "write", "PUT", "k");
        request.payload = "abcd";
        request.payload_len = 4;
        CHECK_OK(s3_sign_request(&it->object, &request, &sent, NULL, &err), err);
        for (size_t idx = 0; idx < sent.header_count; idx++) {
                if (strcmp(sent.headers[idx].name, "Content-MD5") == 0)
                        md5 = sent.headers[idx].value;
        }
        CHECK(md5 != NULL);
        CHECK_STR(md5, "4vxxTEcn7pOV8yTNLn8zHw==");
        http_request_clear(&sent);
        object_request_clear(&request);
        store_free(&it->object.store);
}

/* Each allocation. */

static int
sign_it(void *arg, struct err *err)
{
        struct s3_store *it = arg;
        struct object_request request;
        struct http_request sent = { 0 };

        it->day_key.day[0] = '\0'; /* each time the same work */
        object_request_init(&request, &it->object, "write", "PUT", "k");
        object_request_query(&request, "tagging", NULL);
        object_request_header(&request, "x-amz-storage-class", "GLACIER");
        request.payload = "abcd";
        request.payload_len = 4;
        int rc = -1;
        if (request.failed.code != ERR_NONE)
                *err = request.failed;
        else
                rc = s3_sign_request(&it->object, &request, &sent, NULL, err);
        http_request_clear(&sent);
        object_request_clear(&request);
        return rc;
}

TEST(signing_survives_the_failure_of_each_allocation)
{
        struct s3_store *it = store();
        struct err err;

        /* The credentials are found once. */
        err_init(&err);
        CHECK_OK(sign_it(it, &err), err);
        test_each_allocation(sign_it, it);
        store_free(&it->object.store);
}

/* A verdict is given also where the reason cannot be read for want of memory. */
TEST(judging_survives_the_failure_of_each_allocation)
{
        static const struct said said = { 403, ERROR("AccessDenied", "no"), { NULL } };
        struct s3_store *it = store();
        struct err err;

        for (unsigned long n = 1; n < 100; n++) {
                struct object_request request;
                struct http_answer answer = { .status = 403 };

                object_request_init(&request, &it->object, "read", "GET", "k");
                buf_init(&answer.body, 1000);
                CHECK_OK(buf_addstr(&answer.body, said.body, &err), err);
                mem_fail_at(n);
                CHECK_INT(s3_judge(&it->object, &request, &answer, &err), OBJECT_FAILED);
                mem_fail_at(0);
                CHECK_INT(err.code, ERR_PERMISSION);
                buf_free(&answer.body);
                object_request_clear(&request);
        }
        store_free(&it->object.store);
}
