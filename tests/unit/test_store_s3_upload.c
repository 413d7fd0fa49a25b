#include "harness/s3_test.h"

/* Objects of 10 bytes in parts of 4: "abcd", "efgh", "ij". */
#define MD5_1 "e2fc714c4727ee9395f324cd2e7f331f"
#define MD5_2 "1f7690ebdd9b4caf8fab49ca1757bf27"
#define MD5_3 "7bed657a775c37c2570786d0cbeefd88"
#define ETAG "446feba4c1b5cc7ad93bf4d44a0e36ac-3"

#define XML(status, xml) " answer " #status " application/xml " xml "\n"
#define ERROR(status, code) XML(status, "<Error><Code>" code "</Code></Error>")
#define BEGIN                                                                                      \
        "expect POST /bucket/p/k?uploads=\n" XML(200,                                              \
            "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></"                            \
            "InitiateMultipartUploadResult>")
#define PART_LINE(number) "anytime PUT /bucket/p/k?partNumber=" #number "&uploadId=u%2F1\n"
#define PART(number, body, md5)                                                                    \
        PART_LINE(number)                                                                          \
        " expect-body " body "\n header ETag: \"" md5 "\"\n answer 200 text/plain\n"
#define PARTS PART(1, "abcd", MD5_1) PART(2, "efgh", MD5_2) PART(3, "ij", MD5_3)
#define COMPLETE "expect POST /bucket/p/k?uploadId=u%2F1\n"
#define COMPLETED XML(200, "<CompleteMultipartUploadResult/>")
#define HEAD(size, etag)                                                                           \
        "expect HEAD /bucket/p/k\n answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: " #size       \
        "\\r\\nLast-Modified: Sat, 21 Nov 2026 02:00:00 GMT\\r\\nETag: \\\"" etag                  \
        "\\\"\\r\\n\\r\\n\"\n"
#define ABORT "expect DELETE /bucket/p/k?uploadId=u%2F1\n answer 204 text/plain\n"

static int
upload(struct s3_store *it, const struct store_write *how, struct err *err)
{
        it->object.part_size = 4;
        err_init(err);
        struct sink *sink = store_create(&it->object.store, "k", how, NULL, err);
        int rc = -1;

        if (sink == NULL)
                return -1;
        if (sink_write(sink, "abcdefghij", 10, err) == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

static void
check_upload(const char *script, const char *options, const struct store_write *how)
{
        struct err err;

        start_server(script);
        struct s3_store *it = s3_scripted(options);
        CHECK_OK(upload(it, how, &err), err);
        store_free(&it->object.store);
        server_is_content();
}

static struct err
check_failure(
    const char *script, const struct store_write *how, enum err_code code, const char *text)
{
        struct err err;

        start_server(script);
        struct s3_store *it = s3_scripted("");
        CHECK_ERR(upload(it, how, &err) < 0, err, code, text);
        store_free(&it->object.store);
        server_is_content();
        return err;
}

TEST(an_object_is_written_in_parts)
{
        check_upload(BEGIN PARTS COMPLETE
            " expect-body <CompleteMultipartUpload>"
            "<Part><PartNumber>1</PartNumber><ETag>&quot;" MD5_1 "&quot;</ETag></Part>"
            "<Part><PartNumber>2</PartNumber><ETag>&quot;" MD5_2 "&quot;</ETag></Part>"
            "<Part><PartNumber>3</PartNumber><ETag>&quot;" MD5_3 "&quot;</ETag></Part>"
            "</CompleteMultipartUpload>\n" COMPLETED HEAD(10, ETAG),
            "", NULL);
}

TEST(each_request_is_signed_with_the_digest_of_what_it_sends)
{
        check_upload(BEGIN
            " expect-header x-amz-content-sha256: "
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" PART(1, "abcd",
                MD5_1) " expect-header x-amz-content-sha256: "
                       "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589\n"
                       " expect-no-header Content-MD5\n"
                       " expect-no-header Transfer-Encoding\n" PART(2, "efgh", MD5_2)
                           PART(3, "ij", MD5_3) COMPLETE COMPLETED HEAD(10, ETAG),
            "", NULL);
}

TEST(what_an_object_is_to_be_is_said_once)
{
        static const char key[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

        check_upload(
            "expect POST /bucket/p/k?uploads=\n"
            " expect-header x-amz-storage-class: GLACIER\n"
            " expect-header x-amz-tagging: team=ops&env=a%20b\n"
            " expect-header x-amz-server-side-encryption: aws:kms\n"
            " expect-header x-amz-server-side-encryption-aws-kms-key-id: key\n"
            " expect-header x-amz-object-lock-mode: COMPLIANCE\n" XML(200,
                "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></"
                "InitiateMultipartUploadResult>") PART(1, "abcd",
                MD5_1) " expect-header Content-MD5: 4vxxTEcn7pOV8yTNLn8zHw==\n"
                       " expect-no-header x-amz-storage-class\n"
                       " expect-no-header x-amz-tagging\n" PART(2, "efgh", MD5_2)
                           PART(3, "ij", MD5_3) COMPLETE COMPLETED HEAD(10,
                               ETAG) " expect-no-header x-amz-tagging\n"
                                     "expect PUT /bucket/p/k?tagging=\n expect-body "
                                     "<Tagging><TagSet><Tag><Key>team</Key>"
                                     "<Value>ops</Value></Tag><Tag><Key>env</"
                                     "Key><Value>a b</Value></Tag></TagSet>"
                                     "</Tagging>\n" ERROR(501,
                                         "NotImplemented") "expect PUT /bucket/p/k?retention=\n "
                                                           "answer 200 text/plain\n",
            "&class=GLACIER&tags=team=ops,env=a%20b&sse=aws:kms&kms_key=key&retain=1&retain_mode="
            "compliance",
            NULL);

        setenv("MOONKEEP_SSE_CUSTOMER_KEY", key, 1);
#define CUSTOMER                                                                                   \
        " expect-header x-amz-server-side-encryption-customer-algorithm: AES256\n"                 \
        " expect-header x-amz-server-side-encryption-customer-key: "                               \
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"                                           \
        " expect-header x-amz-server-side-encryption-customer-key-MD5: "                           \
        "hRasmdxgYDKV3nvbahU1MA==\n"
        /* ETags are no MD5 then. */
        check_upload(BEGIN CUSTOMER PART(1, "abcd", "x") CUSTOMER PART(2, "efgh", "y")
                         CUSTOMER PART(3, "ij", "z") CUSTOMER COMPLETE COMPLETED HEAD(10, "q-3")
                             CUSTOMER,
            "&sse=customer", NULL);
}

TEST(small_objects_are_not_put_into_an_archive)
{
        struct err err;

        start_server("expect PUT /bucket/p/manifest.json\n expect-no-header x-amz-storage-class\n"
                     " expect-header If-None-Match: *\n answer 200 text/plain\n"
                     "expect PUT /bucket/p/k\n expect-no-header x-amz-storage-class\n"
                     " expect-no-header If-None-Match\n answer 200 text/plain\n");
        struct s3_store *it = s3_scripted("&class=DEEP_ARCHIVE");
        err_init(&err);
        CHECK_OK(store_suite_try_put(&it->object.store, "manifest.json", "{}", true, &err), err);
        CHECK_OK(store_suite_try_put(&it->object.store, "k", "text", false, &err), err);
        store_free(&it->object.store);
        server_is_content();
}

/* Beginning and parts. */

TEST(an_upload_that_cannot_begin_is_told)
{
        struct err err =
            check_failure("expect POST /bucket/p/k?uploads=\n" ERROR(403, "AccessDenied"), NULL,
                ERR_PERMISSION, "cannot write \"p/k\": access denied (AccessDenied)");
        CHECK(strstr(err.hint, "s3:PutObject on the bucket \"bucket\"") != NULL);
        check_failure(
            "expect POST /bucket/p/k?uploads=\n" XML(200, "<InitiateMultipartUploadResult/>"), NULL,
            ERR_PROTOCOL, "begins an upload without an id");
        check_failure("expect POST /bucket/p/k?uploads=\n" XML(200, "<html>"), NULL, ERR_PROTOCOL,
            "the answer is no XML");
}

/* The others may have come by then, or not. */
#define OTHERS                                                                                     \
        "always PUT /bucket/p/k?partNumber=1&uploadId=u%2F1\n header ETag: \"x\"\n answer 200 "    \
        "text/plain\n"                                                                             \
        "always PUT /bucket/p/k?partNumber=3&uploadId=u%2F1\n header ETag: \"x\"\n answer 200 "    \
        "text/plain\n"

TEST(an_upload_that_fails_is_aborted)
{
        check_failure(OTHERS BEGIN PART_LINE(2) ERROR(400, "EntityTooSmall") ABORT, NULL,
            ERR_INVALID, "cannot write \"p/k\": the server refuses (EntityTooSmall)");
        check_failure(OTHERS BEGIN PART_LINE(2) " answer 200 text/plain\n" ABORT, NULL,
            ERR_PROTOCOL, "gives it no ETag");
}

TEST(a_part_is_sent_again)
{
        check_upload(BEGIN PART(1, "abcd", MD5_1) PART_LINE(2) ERROR(503, "SlowDown") PART_LINE(
                         2) " answer-raw \"HTTP/1.1 200 OK\\r\\n\"\n reset\n" PART(2, "efgh", MD5_2)
                         PART(3, "ij", MD5_3) COMPLETE COMPLETED HEAD(10, ETAG),
            "", NULL);
}

/* Completing. */

TEST(an_error_in_a_200_is_an_error)
{
        check_upload(BEGIN PARTS COMPLETE ERROR(200, "InternalError")
                         COMPLETE ERROR(200, "SlowDown") COMPLETE COMPLETED HEAD(10, ETAG),
            "", NULL);
        check_failure(BEGIN PARTS COMPLETE ERROR(200, "InvalidPart") ABORT, NULL, ERR_IO,
            "cannot complete the upload of \"p/k\": a part of the upload is missing");
}

TEST(an_answer_that_got_lost_is_settled_by_what_is_there)
{
        check_upload(BEGIN PARTS COMPLETE " reset\n" COMPLETE ERROR(404, "NoSuchUpload")
                         HEAD(10, ETAG),
            "", NULL);
        /* What was there before has the same size, but is not it. */
        check_failure(BEGIN PARTS COMPLETE " reset\n" COMPLETE ERROR(404, "NoSuchUpload")
                          HEAD(10, "446feba4c1b5cc7ad93bf4d44a0e36ad-3") ABORT,
            NULL, ERR_NOT_FOUND, "there is no such upload any more");
        check_failure(BEGIN PARTS COMPLETE " reset\n" COMPLETE ERROR(404,
                          "NoSuchUpload") "expect HEAD /bucket/p/k\n answer 404 text/plain\n" ABORT,
            NULL, ERR_NOT_FOUND, "there is no such upload any more");
        /* What says nothing is no answer. */
        check_upload(BEGIN PARTS COMPLETE XML(200, "") HEAD(10, ETAG), "", NULL);
        check_failure(BEGIN PARTS COMPLETE XML(200, "<html/>") HEAD(9, ETAG) ABORT, NULL,
            ERR_PROTOCOL, "not a \"CompleteMultipartUploadResult\"");
}

/* What an ETag does not prove, its time does not contradict. */
TEST(an_answer_that_got_lost_is_settled_by_time_where_etags_say_nothing)
{
        char script[4096], date[TIME_HTTP_SIZE];
        struct err err;

        for (int old = 0; old < 2; old++) {
                time_http(time_now_ms() - (old ? 3600 * 1000 : 0), date);
                snprintf(script, sizeof(script), "%s%s%s%s",
                    BEGIN PARTS COMPLETE " reset\n" COMPLETE ERROR(404,
                        "NoSuchUpload") "expect HEAD /bucket/p/k\n answer-raw \"HTTP/1.1 200 "
                                        "OK\\r\\n"
                                        "Content-Length: 10\\r\\nETag: 0-3\\r\\nLast-Modified: ",
                    date, "\\r\\n\\r\\n\"\n", old ? ABORT : "");
                start_server(script);
                struct s3_store *it = s3_scripted("&sse=aws:kms");
                int rc = upload(it, NULL, &err);
                store_free(&it->object.store);
                server_is_content();
                if (old)
                        CHECK_ERR(rc < 0, err, ERR_NOT_FOUND, "no such upload any more");
                else
                        CHECK_OK(rc, err);
        }
}

TEST(what_was_made_is_compared)
{
        check_failure(BEGIN PARTS COMPLETE COMPLETED HEAD(9, ETAG) ABORT, NULL, ERR_CORRUPT,
            "cannot write \"p/k\": the server has 9 bytes of 10");
}

TEST(what_was_made_is_told)
{
        struct store_stat made = { 0 };
        struct store_write how = { .made = &made };

        check_upload(BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG), "", &how);
        CHECK_STR(made.etag, ETAG);
        CHECK_INT(made.size, 10);
}

/* Going on with an earlier upload. */

#define UPLOADS "expect GET /bucket?encoding-type=url&prefix=p%2Fk&uploads=\n"
#define UPLOAD(key, id, began)                                                                     \
        "<Upload><Key>" key "</Key><UploadId>" id "</UploadId><Initiated>2026-11-21T" began        \
        ":00.000Z</Initiated></Upload>"
#define UPLOADED(entries)                                                                          \
        XML(200, "<ListMultipartUploadsResult>" entries                                            \
                 "<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>")
#define FOUND UPLOADS UPLOADED(UPLOAD("p/k", "u/1", "02:00"))
#define KNOWN(number, size, md5)                                                                   \
        "<Part><PartNumber>" #number "</PartNumber><Size>" #size "</Size><ETag>&quot;" md5         \
        "&quot;</ETag></Part>"
#define LIST_PARTS "expect GET /bucket/p/k?uploadId=u%2F1\n"
#define LISTED(entries)                                                                            \
        XML(200, "<ListPartsResult>" entries "<IsTruncated>false</IsTruncated></ListPartsResult>")

static const struct store_write resume = { .resume = true };

TEST(parts_that_are_there_are_not_sent_again)
{
        check_upload(UPLOADS UPLOADED(UPLOAD("p/k", "old", "01:00") UPLOAD("p/k", "u/1", "02:00")
                             UPLOAD("p/k2", "other", "03:00"))
                         LIST_PARTS LISTED(KNOWN(1, 4, MD5_1) KNOWN(3, 2, MD5_3))
                             PART(2, "efgh", MD5_2) COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
        check_upload(
            FOUND LIST_PARTS XML(200,
                "<ListPartsResult>" KNOWN(1, 4,
                    MD5_1) "<IsTruncated>true</IsTruncated>"
                           "<NextPartNumberMarker>1</NextPartNumberMarker></"
                           "ListPartsResult>") "expect GET "
                                               "/bucket/p/"
                                               "k?part-number-marker=1&uploadId=u%"
                                               "2F1\n" LISTED(KNOWN(2, 4, MD5_2) KNOWN(3, 2, MD5_3))
                                                   COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
}

TEST(parts_that_are_something_else_are_sent_again)
{
        check_upload(FOUND LIST_PARTS LISTED(KNOWN(1, 4, MD5_2) KNOWN(2, 3, MD5_2)
                             KNOWN(3, 2, "opaque")) PARTS COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
}

TEST(without_an_upload_to_go_on_with_a_new_one_begins)
{
        check_upload(
            UPLOADS UPLOADED("") BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG), "", &resume);
        check_upload(UPLOADS ERROR(403, "AccessDenied")
                         BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
        check_upload(UPLOADS XML(200, "<ListBucketResult/>")
                         BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
        check_upload(FOUND LIST_PARTS ERROR(404, "NoSuchUpload")
                         BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
        check_upload(FOUND LIST_PARTS LISTED(KNOWN(10001, 4, MD5_1))
                         BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG),
            "", &resume);
        /* One of another class is no good. */
        check_upload(
            UPLOADS UPLOADED("<Upload><Key>p/k</Key><UploadId>u/2</UploadId><StorageClass>STANDARD"
                             "</StorageClass><Initiated>2026-11-21T02:00:00.000Z</Initiated></"
                             "Upload>") BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG),
            "&class=STANDARD_IA", &resume);
}

TEST(an_upload_with_another_encryption_is_not_gone_on_with)
{
        check_upload(BEGIN PARTS COMPLETE COMPLETED HEAD(10, "0-3"), "&sse=aws:kms", &resume);
}

TEST(parts_that_are_too_many_for_the_server_mean_once_more)
{
        struct err err = check_failure(FOUND LIST_PARTS LISTED(KNOWN(4, 4, MD5_1))
                                           PARTS COMPLETE ERROR(400, "InvalidPart") ABORT,
            &resume, ERR_IO, "has other parts than these, and is removed now");
        CHECK(err.retryable);
}

TEST(an_upload_that_was_not_asked_to_go_on_begins_anew)
{
        check_upload(BEGIN PARTS COMPLETE COMPLETED HEAD(10, ETAG), "", NULL);
}

/* Each allocation. */

static int
upload_and_copy(void *arg, struct err *err)
{
        static const struct store_stat seen = { .size = 10, .etag = "e" };
        struct s3_store *it = arg;
        struct store_stat made;

        if (upload(it, &resume, err) < 0)
                return -1;
        int rc = s3_copy(&it->object.store, &it->object.store, "k", &seen, &made, NULL, err);
        return rc == 1 ? 0 : -1;
}

/* All goes well; the one part that is there already is another one. */
static const char willing[] =
    "always GET /bucket?encoding-type=url&prefix=p%2Fk&uploads=\n" UPLOADED(
        UPLOAD("p/k", "u/1", "02:00")) "always GET /bucket/p/k?uploadId=u%2F1\n" LISTED(KNOWN(1, 3,
        MD5_1)) "always PUT /bucket/p/k?partNumber=*\n"
                " header ETag: \"x\"\n"
                " answer 200 text/plain\n"
                "always POST /bucket/p/k?uploadId=u%2F1\n" COMPLETED
                "always PUT /bucket/p/k?tagging=\n"
                " answer 200 text/plain\n"
                "always PUT /bucket/p/k\n" XML(200, "<CopyObjectResult><ETag>e</ETag></"
                                                    "CopyObjectResult>") "always DELETE "
                                                                         "/bucket/p/"
                                                                         "k?uploadId=u%2F1\n"
                                                                         " answer 204 text/plain\n"
                                                                         "always HEAD /bucket/p/k\n"
                                                                         " answer-raw \"HTTP/1.1 "
                                                                         "200 "
                                                                         "OK\\r\\nContent-Length: "
                                                                         "10\\r\\n"
                                                                         "Last-Modified: Sat, 21 "
                                                                         "Nov 2026 02:00:00 "
                                                                         "GMT\\r\\n\\r\\n\"\n";

TEST(survives_the_failure_of_each_allocation)
{
        struct err err;

        start_server(willing);
        struct s3_store *it = s3_scripted("&attempts=1&tags=a=b&class=GLACIER");
        CHECK_OK(upload_and_copy(it, &err), err);
        test_each_allocation(upload_and_copy, it);
        store_free(&it->object.store);
        end_server();
}
