#include "harness/s3_test.h"

#define LIST "/bucket?encoding-type=url&list-type=2&prefix=p%2F"
#define SHALLOW "/bucket?delimiter=%2F&encoding-type=url&list-type=2&prefix=p%2F"
#define NEXT "/bucket?continuation-token=t%2B1&encoding-type=url&list-type=2&prefix=p%2F"
#define DATE "<LastModified>2026-11-21T02:00:00.000Z</LastModified>"
#define KEY(key, size)                                                                             \
        "<Contents><Key>" key "</Key>" DATE "<ETag>&quot;e&quot;</ETag><Size>" size                \
        "</Size></Contents>"
#define DIR(name) "<CommonPrefixes><Prefix>" name "</Prefix></CommonPrefixes>"
#define PAGE(entries)                                                                              \
        "<ListBucketResult><EncodingType>url</EncodingType>" entries                               \
        "<IsTruncated>false</IsTruncated></ListBucketResult>"
#define MORE(entries, token)                                                                       \
        "<ListBucketResult><EncodingType>url</EncodingType>" entries                               \
        "<IsTruncated>true</IsTruncated><NextContinuationToken>" token                             \
        "</NextContinuationToken></ListBucketResult>"
#define ANSWER(target, xml) "expect GET " target "\n answer 200 application/xml " xml "\n"

static int
ignore(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)arg;
        (void)key;
        (void)stat;
        (void)err;
        return 0;
}

/* What a listing of that script says, with a space between. */
static void
check_keys(const char *script, bool shallow, const char *keys)
{
        start_server(script);
        struct s3_store *it = s3_scripted("");
        store_suite_list(&it->object.store, "", shallow, keys);
        store_free(&it->object.store);
        server_is_content();
}

static void
check_failure(const char *script, enum err_code code, const char *text)
{
        struct err err;

        start_server(script);
        struct s3_store *it = s3_scripted("");
        err_init(&err);
        CHECK_ERR(store_list(&it->object.store, "", false, ignore, NULL, NULL, &err) < 0, err, code,
            text);
        CHECK(strchr(err.msg, '\n') == NULL);
        store_free(&it->object.store);
        server_is_content();
}

TEST(pages_are_one_listing)
{
        check_keys(ANSWER(LIST, MORE(KEY("p%2Fa", "1") KEY("p%2Fb", "2"), "t+1"))
                       ANSWER(NEXT, PAGE(KEY("p%2Fc", "3"))),
            false, "a b c");
        check_keys(ANSWER(LIST, PAGE("")), false, "");
        /* Old versions make pages without keys. */
        check_keys(ANSWER(LIST, MORE("", "t+1")) ANSWER(NEXT, PAGE(KEY("p/c", "3"))), false, "c");
}

TEST(odd_keys_are_read_as_they_are)
{
        check_keys(ANSWER(LIST, PAGE(KEY("p/+", "1") KEY("p/%2B", "1") KEY("p/..", "1")
                                        KEY("p/%2F/x", "1") KEY("p/%C3%A9%01", "1"))),
            false, "  + .. //x \xc3\xa9\x01");
        /* A server that does not encode them. */
        check_keys(ANSWER(LIST, "<ListBucketResult>" KEY("p/a%20+&amp;",
                                    "1") "<IsTruncated>false</IsTruncated></ListBucketResult>"),
            false, "a%20+&");
}

TEST(folders_and_keys_are_in_one_order)
{
        check_keys(ANSWER(SHALLOW, PAGE(KEY("p/a", "1") KEY("p/b.x", "1") KEY("p/c", "1")
                                           DIR("p/a/") DIR("p/b/"))),
            true, "a a/ b.x b/ c");
}

TEST(folders_that_a_console_made_are_no_keys)
{
        check_keys(
            ANSWER(LIST, PAGE(KEY("p/", "0") KEY("p/a/", "0") KEY("p/a/k", "0"))), false, "a/k");
}

struct seen {
        int count;
        struct store_stat stat[4];
};

static int
see(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct seen *seen = arg;

        (void)key;
        (void)err;
        CHECK(seen->count < 4);
        seen->stat[seen->count++] = *stat;
        return 0;
}

TEST(a_listing_says_what_is_known_of_a_key)
{
        struct seen seen = { 0 };
        struct err err;

        start_server(ANSWER(LIST,
            PAGE(KEY("p/a", "9999999999") "<Contents><Key>p/b</Key>" DATE
                                          "<Size>0</Size><StorageClass>GLACIER</StorageClass></"
                                          "Contents>"
                                          "<Contents><Key>p/c</Key>" DATE
                                          "<Size>0</Size><StorageClass>DEEP_ARCHIVE</StorageClass>"
                                          "<RestoreStatus><IsRestoreInProgress>false</"
                                          "IsRestoreInProgress></RestoreStatus></Contents>"
                                          "<Contents><Key>p/d</Key>" DATE
                                          "<Size>0</Size><StorageClass>GLACIER_IR</StorageClass></"
                                          "Contents>")));
        struct s3_store *it = s3_scripted("");
        err_init(&err);
        CHECK_OK(store_list(&it->object.store, "", false, see, &seen, NULL, &err), err);
        CHECK_INT(seen.count, 4);
        CHECK(seen.stat[0].size == 9999999999);
        CHECK_INT(seen.stat[0].mtime_ms, 1795226400000);
        CHECK_STR(seen.stat[0].etag, "e");
        CHECK(!seen.stat[0].archived && seen.stat[1].archived);
        CHECK(!seen.stat[2].archived && !seen.stat[3].archived);
        store_free(&it->object.store);
        server_is_content();
}

TEST(a_listing_that_breaks_off_is_no_short_list)
{
        check_failure(ANSWER(LIST, MORE(KEY("p/a", "1"), "")), ERR_PROTOCOL, "how to go on");
        check_failure(ANSWER(LIST, "<ListBucketResult>" KEY("p/a", "1") "</ListBucketResult>"),
            ERR_PROTOCOL, "whether there are more");
        check_failure(ANSWER(LIST, MORE(KEY("p/a", "1"), "t+1"))
                          ANSWER(NEXT, MORE(KEY("p/b", "1"), "t+1")),
            ERR_PROTOCOL, "goes on with itself");
        check_failure(ANSWER(LIST, MORE(KEY("p/a", "1"), "t+1"))
                          ANSWER(NEXT, PAGE(KEY("p/a", "1"))),
            ERR_PROTOCOL, "in another order");
        check_failure(
            ANSWER(LIST, PAGE(KEY("p/b", "1") KEY("p/a", "1"))), ERR_PROTOCOL, "in another order");
        check_failure(ANSWER(LIST, MORE(KEY("p/a", "1"), "t+1"))
                          ANSWER(NEXT, PAGE(KEY("q/b", "1"))),
            ERR_PROTOCOL, "nobody asked for");
        check_failure(ANSWER(LIST, "<ListBucketResult>" KEY("p/a", "1")), ERR_PROTOCOL, "no XML");
        check_failure(ANSWER(LIST, ""), ERR_PROTOCOL, "no XML");
        check_failure(ANSWER(LIST, "<LifecycleConfiguration/>"), ERR_PROTOCOL,
            "the answer is a \"LifecycleConfiguration\"");
        check_failure(ANSWER(LIST, MORE(KEY("p/a", "1"), "t+1")) "expect GET " NEXT
                                                                 "\n answer 404 application/xml "
                                                                 "<Error><Code>NoSuchBucket</Code>"
                                                                 "</Error>\n",
            ERR_NOT_FOUND, "the bucket does not exist");
}

TEST(entries_that_are_none_are_told)
{
        check_failure(ANSWER(LIST, PAGE("<Contents><Size>1</Size>" DATE "</Contents>")),
            ERR_PROTOCOL, "an entry has no name");
        check_failure(ANSWER(LIST, PAGE(KEY("p/a", "-1"))), ERR_PROTOCOL, "no size or no date");
        check_failure(ANSWER(LIST, PAGE(KEY("p/a", "99999999999999999999"))), ERR_PROTOCOL,
            "no size or no date");
        check_failure(ANSWER(LIST, PAGE("<Contents><Key>p/a</Key><Size>1</Size></Contents>")),
            ERR_PROTOCOL, "no size or no date");
        check_failure(ANSWER(LIST, PAGE(KEY("p/%zz", "1"))), ERR_INVALID, "broken % escape");
        check_failure(ANSWER(LIST, PAGE(KEY("p/%00", "1"))), ERR_INVALID, "a NUL in it");
}

TEST(an_xml_bomb_is_refused)
{
        check_failure(
            ANSWER(LIST, "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]>"
                         "<ListBucketResult>&c;</ListBucketResult>"),
            ERR_PROTOCOL, "no XML");
}

TEST(a_page_that_is_cut_or_slow_is_asked_for_again)
{
        check_keys("expect GET " LIST "\n answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: "
                   "100\\r\\n\\r\\n<List\"\n close\n"
                   "expect GET " LIST "\n answer 503 application/xml "
                   "<Error><Code>SlowDown</Code></Error>\n" ANSWER(LIST, PAGE(KEY("p/a", "1"))),
            false, "a");
}

static int
count_them(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)key;
        (void)stat;
        (void)err;
        ++*(int *)arg;
        return 0;
}

/* A bucket with 20,000 keys at the server that makes them up, in 2,000 pages. */
static struct s3_store *
large_bucket(const char *stop_after)
{
        const char *argv[] = { NULL, "--keys", "20000", "--page", "10", "--stop-after", stop_after,
                NULL };
        char url[128];

        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        server_port = launch("s3_listing", argv, &server_pid);
        snprintf(url, sizeof(url), "s3://bucket?endpoint=http://127.0.0.1:%d", server_port);
        return s3_store_of(url);
}

TEST(thousands_of_pages_are_one_listing)
{
        struct s3_store *it = large_bucket("-1");
        int count = 0;
        struct err err;

        err_init(&err);
        CHECK_OK(store_list(&it->object.store, "", false, count_them, &count, NULL, &err), err);
        CHECK_INT(count, 20000);
        store_free(&it->object.store);
        end_server();
}

TEST(a_page_that_is_always_cut_ends_the_listing)
{
        struct s3_store *it = large_bucket("3");
        int count = 0;
        struct err err;

        err_init(&err);
        CHECK_ERR(store_list(&it->object.store, "", false, count_them, &count, NULL, &err) < 0, err,
            ERR_TRUNCATED, "cannot list \"s3://bucket?endpoint=");
        CHECK_INT(count, 30);
        store_free(&it->object.store);
        end_server();
}

static int
stop_at_once(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)arg;
        (void)stat;
        return err_set(err, ERR_INTERNAL, "stopped at %s", key);
}

TEST(a_listing_can_be_stopped)
{
        struct s3_store *it = large_bucket("-1");
        struct err err;

        err_init(&err);
        CHECK_ERR(store_list(&it->object.store, "", false, stop_at_once, NULL, NULL, &err) < 0, err,
            ERR_INTERNAL, "stopped at folder-000/object-00000000.bin");
        store_free(&it->object.store);
        end_server();
}

/* Unfinished uploads. */

#define UPLOADS "/bucket?encoding-type=url&prefix=p%2Fa%2F&uploads="
#define UPLOADS2                                                                                   \
        "/bucket?encoding-type=url&key-marker=p%2Fa%2Fy&prefix=p%2Fa%2F&upload-id-marker=2&"       \
        "uploads="
#define UPLOAD(key, id)                                                                            \
        "<Upload><Key>" key "</Key><UploadId>" id                                                  \
        "</UploadId><Initiated>2026-11-21T02:00:00.000Z</Initiated></Upload>"
#define UPLOADS_PAGE(entries)                                                                      \
        "<ListMultipartUploadsResult>" entries                                                     \
        "<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
#define UPLOADS_MORE(entries, key, id)                                                             \
        "<ListMultipartUploadsResult>" entries                                                     \
        "<IsTruncated>true</IsTruncated><NextKeyMarker>" key                                       \
        "</NextKeyMarker><NextUploadIdMarker>" id                                                  \
        "</NextUploadIdMarker></ListMultipartUploadsResult>"

TEST(a_sweep_aborts_what_is_unfinished_below_the_prefix)
{
        uint64_t removed = 77;
        struct err err;

        start_server("expect GET " UPLOADS "\n answer 200 application/xml " UPLOADS_MORE(
            UPLOAD("p/a/x", "1") UPLOAD("p/b", "9"), "p/a/y",
            "2") "\n"
                 "expect DELETE /bucket/p/a/x?uploadId=1\n answer 204 text/plain\n"
                 "expect GET " UPLOADS2
                 "\n answer 200 application/xml " UPLOADS_PAGE(UPLOAD("p/a/z",
                     "3")) "\n"
                           "expect DELETE /bucket/p/a/z?uploadId=3\n answer 404 application/xml "
                           "<Error><Code>NoSuchUpload</Code></Error>\n");
        struct s3_store *it = s3_scripted("");
        err_init(&err);
        CHECK_OK(store_sweep(&it->object.store, "a/", &removed, NULL, &err), err);
        CHECK_INT(removed, 2);
        store_free(&it->object.store);
        server_is_content();
}

static void
check_sweep(const char *script, enum err_code code, const char *text, const char *hint)
{
        struct err err;

        start_server(script);
        struct s3_store *it = s3_scripted("");
        err_init(&err);
        CHECK_ERR(store_sweep(&it->object.store, "a/", NULL, NULL, &err) < 0, err, code, text);
        CHECK(strstr(err.hint, hint) != NULL);
        store_free(&it->object.store);
        server_is_content();
}

TEST(a_sweep_that_cannot_be_done_is_told)
{
        check_sweep("expect GET " UPLOADS
                    "\n answer 403 application/xml <Error><Code>AccessDenied</Code></Error>\n",
            ERR_PERMISSION, "cannot list the unfinished uploads of",
            "s3:ListBucketMultipartUploads");
        check_sweep("expect GET " UPLOADS
                    "\n answer 200 application/xml " UPLOADS_PAGE(UPLOAD("p/a/x",
                        "1")) "\n"
                              "expect DELETE /bucket/p/a/x?uploadId=1\n answer 403 application/xml "
                              "<Error><Code>AccessDenied</Code></Error>\n",
            ERR_PERMISSION, "cannot abort the unfinished upload of \"p/a/x\"",
            "s3:AbortMultipartUpload");
        check_sweep("expect GET " UPLOADS "\n answer 200 application/xml " UPLOADS_MORE("", "p/a/y",
                        "2") "\n"
                             "expect GET " UPLOADS2
                             "\n answer 200 application/xml " UPLOADS_MORE("", "p/a/y", "2") "\n",
            ERR_PROTOCOL, "goes on with itself", "");
        check_sweep("expect GET " UPLOADS
                    "\n answer 200 application/xml <ListMultipartUploadsResult/>\n",
            ERR_PROTOCOL, "how to go on", "");
        check_sweep("expect GET " UPLOADS "\n answer 200 application/xml <ListBucketResult/>\n",
            ERR_PROTOCOL, "not a \"ListMultipartUploadsResult\"", "");
}

/* One object. */

static struct store_stat
stat_of(const char *headers)
{
        struct store_stat stat;
        char script[1024];
        struct err err;

        snprintf(script, sizeof(script),
            "expect HEAD /bucket/p/k\n answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n"
            "Last-Modified: Sat, 21 Nov 2026 02:00:00 GMT\\r\\nETag: \\\"e-2\\\"\\r\\n%s\\r\\n\"\n",
            headers);
        start_server(script);
        struct s3_store *it = s3_scripted("");
        err_init(&err);
        CHECK_OK(store_stat(&it->object.store, "k", &stat, NULL, &err), err);
        store_free(&it->object.store);
        server_is_content();
        return stat;
}

TEST(a_key_can_be_looked_at)
{
        struct store_stat stat = stat_of("");

        CHECK_INT(stat.size, 5);
        CHECK_INT(stat.mtime_ms, 1795226400000);
        CHECK_STR(stat.etag, "e-2");
        CHECK(!stat.archived);
        CHECK(stat_of("x-amz-storage-class: GLACIER\\r\\n").archived);
        CHECK(stat_of("x-amz-storage-class: GLACIER\\r\\nx-amz-restore: "
                      "ongoing-request=\\\"true\\\"\\r\\n")
                  .archived);
        CHECK(!stat_of("x-amz-storage-class: DEEP_ARCHIVE\\r\\nx-amz-restore: "
                       "ongoing-request=\\\"false\\\", expiry-date=\\\"x\\\"\\r\\n")
                   .archived);
        CHECK(stat_of("x-amz-storage-class: INTELLIGENT_TIERING\\r\\nx-amz-archive-status: "
                      "ARCHIVE_ACCESS\\r\\n")
                  .archived);
        CHECK(!stat_of("x-amz-storage-class: GLACIER_IR\\r\\n").archived);
}
