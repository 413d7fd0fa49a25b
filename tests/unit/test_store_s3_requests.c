/* Requests to S3 that are refused at first: credentials, regions, clocks; and each allocation. */
#include "harness/s3_test.h"

#include <sys/stat.h>

#define ERROR(status, code)                                                                        \
        " answer " #status " application/xml <Error><Code>" code "</Code><Message>m</Message>"     \
        "</Error>\n"
#define LISTED                                                                                     \
        " answer 200 application/xml <ListBucketResult><IsTruncated>false</IsTruncated>"           \
        "</ListBucketResult>\n"
#define LIST "expect GET /bucket?encoding-type=url&list-type=2&prefix=p%2F\n"
#define TOKEN(n) " expect-header x-amz-security-token: token-" #n "\n"

/* A profile whose command prints other keys each time: id-1 with token-1, ... */
static struct s3_store *
with_process(void)
{
        const char *command = test_path("print-keys");
        char url[256];

        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        unsetenv("AWS_ACCESS_KEY_ID");
        unsetenv("AWS_SECRET_ACCESS_KEY");
        FILE *file = fopen(command, "we");
        CHECK(file != NULL);
        fprintf(file,
            "#!/bin/sh\n"
            "echo x >>%s/count\n"
            "n=$(wc -l <%s/count)\n"
            "printf '{\"Version\":1,\"AccessKeyId\":\"id-%%d\",\"SecretAccessKey\":\"secret-%%d\","
            "\"SessionToken\":\"token-%%d\",\"Expiration\":\"2099-01-01T00:00:00Z\"}' $n $n $n\n",
            test_dir(), test_dir());
        CHECK(fclose(file) == 0 && chmod(command, 0700) == 0);
        file = fopen(test_path("no-config"), "we");
        CHECK(file != NULL);
        fprintf(file, "[default]\ncredential_process = %s\n", command);
        CHECK(fclose(file) == 0);
        snprintf(
            url, sizeof(url), "s3://bucket/p?endpoint=http://127.0.0.1:%d&stall=10", server_port);
        return s3_store_of(url);
}

static int
ignore(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)arg;
        (void)key;
        (void)stat;
        (void)err;
        return 0;
}

static int
list(struct s3_store *it, struct err *err)
{
        err_init(err);
        return store_list(&it->object.store, "", false, ignore, NULL, NULL, err);
}

TEST(credentials_that_have_expired_are_renewed)
{
        struct err err;

        start_server(
            LIST TOKEN(1) ERROR(400, "ExpiredToken") LIST TOKEN(2) LISTED LIST TOKEN(2) LISTED);
        struct s3_store *it = with_process();
        CHECK_OK(list(it, &err), err);
        CHECK_OK(list(it, &err), err);
        store_free(&it->object.store);
        server_is_content();
}

TEST(an_error_of_head_may_mean_that_they_have_expired)
{
        struct store_stat stat;
        struct err err;

        start_server("expect HEAD /bucket/p/k\n" TOKEN(1) " answer 400 text/plain\n"
                                                          "expect HEAD /bucket/p/k\n" TOKEN(
                                                              2) " answer 404 text/plain\n");
        struct s3_store *it = with_process();
        err_init(&err);
        CHECK_ERR(store_stat(&it->object.store, "k", &stat, NULL, &err) < 0, err, ERR_NOT_FOUND,
            "cannot look at \"p/k\"");
        store_free(&it->object.store);
        server_is_content();
}

TEST(credentials_that_expire_in_the_middle_of_an_upload_are_renewed)
{
        struct err err;

        start_server("expect POST /bucket/p/k?uploads=\n" TOKEN(
            1) " answer 200 application/xml <InitiateMultipartUploadResult><UploadId>u</UploadId>"
               "</InitiateMultipartUploadResult>\n"
               "expect PUT /bucket/p/k?partNumber=1&uploadId=u\n" TOKEN(
                   1) " header ETag: \"x\"\n answer 200 text/plain\n"
                      "expect PUT /bucket/p/k?partNumber=2&uploadId=u\n" TOKEN(1)
                          ERROR(403, "ExpiredToken") "expect PUT "
                                                     "/bucket/p/k?partNumber=2&uploadId=u\n" TOKEN(
                                                         2) " expect-body efgh\n header ETag: "
                                                            "\"y\"\n answer 200 text/plain\n"
                                                            "expect POST "
                                                            "/bucket/p/k?uploadId=u\n" TOKEN(
                                                                2) " answer 200 application/xml "
                                                                   "<CompleteMultipartUploadResult/"
                                                                   ">\n"
                                                                   "expect HEAD "
                                                                   "/bucket/p/k\n" TOKEN(
                                                                       2) " answer-raw \"HTTP/1.1 "
                                                                          "200 "
                                                                          "OK\\r\\nContent-Length: "
                                                                          "8\\r\\nLast-Modified: "
                                                                          "Sat, 21 Nov 2026 "
                                                                          "02:00:00 "
                                                                          "GMT\\r\\n\\r\\n\"\n");
        struct s3_store *it = with_process();
        it->object.part_size = 4;
        it->object.connections = 1;
        err_init(&err);
        CHECK_OK(store_suite_try_put(&it->object.store, "k", "abcdefgh", false, &err), err);
        store_free(&it->object.store);
        server_is_content();
}

TEST(credentials_that_stay_expired_end_it)
{
        struct err err;

        start_server("always GET /bucket*\n" ERROR(400, "ExpiredToken"));
        struct s3_store *it = with_process();
        CHECK_ERR(list(it, &err) < 0, err, ERR_CREDENTIALS, "the credentials have expired");
        CHECK(strstr(err.msg, "secret-") == NULL && strstr(err.msg, "token-") == NULL);
        store_free(&it->object.store);
        end_server();

        start_server(LIST ERROR(400, "ExpiredToken"));
        it = s3_scripted("");
        CHECK_ERR(list(it, &err) < 0, err, ERR_CREDENTIALS, "the credentials have expired");
        CHECK(!err.retryable);
        store_free(&it->object.store);
        server_is_content();
}

TEST(a_region_is_looked_for_once)
{
        struct err err;

        start_server(LIST " header x-amz-bucket-region: eu-west-1\n" ERROR(301, "PermanentRedirect")
                LIST LISTED LIST LISTED);
        struct s3_store *it = s3_scripted("");
        CHECK_OK(list(it, &err), err);
        CHECK_STR(it->region, "eu-west-1");
        CHECK_OK(list(it, &err), err);
        store_free(&it->object.store);
        server_is_content();
}

TEST(a_bucket_that_is_nowhere_ends_it)
{
        struct err err;

        start_server("always GET /bucket*\n header x-amz-bucket-region: eu-west-1\n" ERROR(
            301, "PermanentRedirect"));
        struct s3_store *it = s3_scripted("");
        CHECK_ERR(list(it, &err) < 0, err, ERR_PROTOCOL, "the bucket is in another region");
        CHECK(strstr(err.hint, "in the region \"eu-west-1\", which the endpoint") != NULL);
        store_free(&it->object.store);
        end_server();
}

TEST(a_clock_is_put_right_once)
{
        char script[1024], date[TIME_HTTP_SIZE];
        struct err err;

        time_http(time_now_ms() - 7200 * 1000, date);
        snprintf(script, sizeof(script), "%s header Date: %s\n%s%s", LIST, date,
            ERROR(403, "RequestTimeTooSkewed"), LIST LISTED);
        start_server(script);
        struct s3_store *it = s3_scripted("");
        CHECK_OK(list(it, &err), err);
        CHECK(llabs(it->clock_offset_ms + 7200 * 1000) < 60000);
        store_free(&it->object.store);
        server_is_content();

        snprintf(script, sizeof(script),
            "always GET /bucket*\n header Date: %s\n" ERROR(403, "RequestTimeTooSkewed"), date);
        start_server(script);
        it = s3_scripted("");
        CHECK_ERR(list(it, &err) < 0, err, ERR_CREDENTIALS, "the server's clock is another one");
        CHECK(strstr(err.hint, "s ahead of the server's: set it") != NULL);
        store_free(&it->object.store);
        end_server();
}

TEST(what_may_be_tried_again_is_and_what_may_not_is_not)
{
        struct err err;

        start_server(LIST ERROR(503, "SlowDown") LIST ERROR(500, "InternalError") LIST
            " answer 429 text/plain\n" LIST " answer-raw \"HTTP/1.1 200 O\"\n reset\n" LIST LISTED);
        struct s3_store *it = s3_scripted("");
        CHECK_OK(list(it, &err), err);
        store_free(&it->object.store);
        server_is_content();

        start_server(LIST ERROR(503, "SlowDown") LIST ERROR(503, "SlowDown"));
        it = s3_scripted("&attempts=2");
        CHECK_ERR(list(it, &err) < 0, err, ERR_HTTP, "tried 2 times: the server wants fewer");
        CHECK(err.retryable);
        store_free(&it->object.store);
        server_is_content();

        start_server(LIST ERROR(403, "AccessDenied"));
        it = s3_scripted("");
        CHECK_ERR(list(it, &err) < 0, err, ERR_PERMISSION, "access denied: m (AccessDenied)");
        CHECK(strstr(err.hint, "s3:ListBucket on the bucket \"bucket\"") != NULL);
        store_free(&it->object.store);
        server_is_content();
}

/* A proxy's page, with the secret that it might have seen. */
TEST(what_is_no_answer_of_s3_is_told_in_one_line)
{
        struct err err;

        start_server("expect DELETE /bucket/p/k\n answer 418 text/html <html><head><title>No "
                     "entry</title></head><body>" S3_TEST_SECRET "</body></html>\n");
        struct s3_store *it = s3_scripted("");
        err_init(&err);
        CHECK_ERR(store_remove(&it->object.store, "k", NULL, &err) < 0, err, ERR_HTTP,
            "cannot remove \"p/k\": the server refuses: No entry ");
        CHECK(strstr(err.msg, "wJalr") == NULL);
        store_free(&it->object.store);
        server_is_content();
}

/* Each allocation. */

static int
use(void *arg, struct err *err)
{
        struct s3_store *it = arg;
        struct store_stat stat;
        uint64_t removed;

        if (list(it, err) < 0 || store_stat(&it->object.store, "k", &stat, NULL, err) < 0 ||
            store_remove(&it->object.store, "k", NULL, err) < 0 ||
            store_sweep(&it->object.store, "", &removed, NULL, err) < 0)
                return -1;
        return 0;
}

TEST(survives_the_failure_of_each_allocation)
{
        start_server("forever\n"
                     "always GET /bucket?encoding-type=url&list-type=2*\n"
                     " answer 200 application/xml <ListBucketResult><EncodingType>url"
                     "</EncodingType><Contents><Key>p/k</Key><Size>1</Size><LastModified>"
                     "2026-11-21T02:00:00.000Z</LastModified></Contents><IsTruncated>false"
                     "</IsTruncated></ListBucketResult>\n"
                     "always GET /bucket?encoding-type=url&prefix=p%2F&uploads=\n"
                     " answer 200 application/xml <ListMultipartUploadsResult><Upload><Key>p/k"
                     "</Key><UploadId>1</UploadId><Initiated>2026-11-21T02:00:00.000Z</Initiated>"
                     "</Upload><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>\n"
                     "always HEAD /bucket/p/k\n answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: "
                     "1\\r\\nLast-Modified: Sat, 21 Nov 2026 02:00:00 GMT\\r\\n\\r\\n\"\n"
                     "always DELETE /bucket/p/k*\n answer 204 text/plain\n");
        struct s3_store *it = s3_scripted("&attempts=1");
        struct err err;

        /* Keys are found and connections made once. */
        CHECK_OK(use(it, &err), err);
        test_each_allocation(use, it);
        store_free(&it->object.store);
        end_server();
}
