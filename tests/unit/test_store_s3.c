/*
 * What is particular to S3, at real servers; what every store promises is in
 * test_store_object.c.
 *
 * stores: radosgw swift
 * timeout: 600
 */
#include "harness/s3_test.h"

/* No query, no header. */
static const struct store_pair no_pair;

#define MIB ((size_t)1024 * 1024)

static const char *const servers[] = { "radosgw", "swift" };
#define EACH_SERVER(idx) (size_t idx = 0; idx < sizeof(servers) / sizeof(servers[0]); idx++)

static struct store *
store_of(struct s3_store *it)
{
        return &it->object.store;
}

/* size bytes under key, other ones for another seed. */
static void
put_bytes(struct s3_store *it, const char *key, size_t size, unsigned seed)
{
        char *bytes = mem_alloc(size, NULL);
        struct err err;

        for (size_t idx = 0; idx < size; idx++)
                bytes[idx] = (char)(seed + idx / 251 + idx);
        err_init(&err);
        struct sink *sink = store_create(store_of(it), key, NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, bytes, size, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        mem_free(bytes);
}

static void
check_bytes(struct s3_store *it, const char *key, size_t size, unsigned seed)
{
        char *chunk = mem_alloc(STREAM_CHUNK, NULL);
        struct err err;
        size_t at = 0;
        ssize_t got;

        err_init(&err);
        struct source *src = store_read(store_of(it), key, 0, UINT64_MAX, NULL, &err);
        CHECK_PTR(src, err);
        while ((got = source_read(src, chunk, STREAM_CHUNK, &err)) > 0) {
                for (size_t idx = 0; idx < (size_t)got; idx++, at++) {
                        if (chunk[idx] != (char)(seed + at / 251 + at))
                                CHECK(false); /* not the same bytes */
                }
        }
        CHECK_OK(got, err);
        CHECK_INT(at, size);
        source_free(src);
        mem_free(chunk);
}

static struct store_stat
stat_of(struct s3_store *it, const char *key)
{
        struct store_stat stat;
        struct err err;

        err_init(&err);
        CHECK_OK(store_stat(store_of(it), key, &stat, NULL, &err), err);
        return stat;
}

/* A request in the protocol itself; what it answers is to be cleared. */
static int
call(struct s3_store *it, const char *method, const char *key, struct store_pair query,
    struct store_pair header, struct store_answer *answer, struct err *err)
{
        struct store_call call = { .method = method,
                .key = key,
                .query = &query,
                .query_count = query.name != NULL,
                .headers = &header,
                .header_count = header.name != NULL };

        err_init(err);
        memset(answer, 0, sizeof(*answer));
        return store_call(store_of(it), &call, answer, NULL, err);
}

/* Where it is. */

TEST(a_bucket_may_stand_in_the_name_of_the_host)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;
                        char endpoint[64], url[512];

                        test_store_begin(&server, servers[idx], false);
                        snprintf(endpoint, sizeof(endpoint), "http://localhost%s",
                            strrchr(server.endpoint, ':'));
                        snprintf(url, sizeof(url), "s3://%s/a%%20b?endpoint=%s&addressing=virtual",
                            server.bucket, endpoint);
                        struct s3_store *it = s3_store_of(url);
                        store_suite_put(store_of(it), "k+ \xc3\xa9", "text");
                        store_suite_get(store_of(it), "k+ \xc3\xa9", "text");
                        store_suite_list(store_of(it), "", false, "k+ \xc3\xa9");
                        store_free(store_of(it));
                        test_store_end(&server);
                }
}

TEST(a_wrong_region_is_put_right)
{
        struct test_store server;
        char url[512];

        /* radosgw does not look at it. */
        test_store_begin(&server, "swift", false);
        snprintf(url, sizeof(url), "s3://%s?region=nowhere-1&endpoint=%s", server.bucket,
            server.endpoint);
        struct s3_store *it = s3_store_of(url);
        store_suite_put(store_of(it), "k", "text");
        CHECK_STR(it->region, server.region);
        store_free(store_of(it));
        test_store_end(&server);
}

TEST(a_bucket_that_does_not_exist_is_told)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;
                        struct store_stat stat;
                        char url[512];
                        struct err err;

                        test_store_begin(&server, servers[idx], false);
                        snprintf(url, sizeof(url), "s3://%s-not?endpoint=%s", server.bucket,
                            server.endpoint);
                        struct s3_store *it = s3_store_of(url);
                        err_init(&err);
                        CHECK_ERR(store_suite_try_put(store_of(it), "k", "x", false, &err) < 0, err,
                            ERR_NOT_FOUND, "the bucket does not exist");
                        CHECK(strstr(err.hint, "moonkeep run s3.prepare --store 's3://") != NULL);
                        CHECK_ERR(store_list(store_of(it), "", false, NULL, NULL, NULL, &err) < 0,
                            err, ERR_NOT_FOUND, "the bucket does not exist");
                        CHECK_ERR(store_remove(store_of(it), "k", NULL, &err) < 0, err,
                            ERR_NOT_FOUND, "the bucket does not exist");
                        CHECK_ERR(store_sweep(store_of(it), "", NULL, NULL, &err) < 0, err,
                            ERR_NOT_FOUND, "the bucket does not exist");
                        CHECK_ERR(store_stat(store_of(it), "k", &stat, NULL, &err) < 0, err,
                            ERR_NOT_FOUND, "k");
                        store_free(store_of(it));
                        test_store_end(&server);
                }
}

/* Who asks. */

TEST(a_clock_that_is_an_hour_off_is_put_right)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;
                        struct store_stat stat;
                        struct err err;

                        test_store_begin(&server, servers[idx], false);
                        struct s3_store *it = s3_real(&server, "");
                        it->clock_offset_ms = -3600 * 1000;
                        store_suite_put(store_of(it), "k", "text");
                        CHECK(llabs(it->clock_offset_ms) < 60000);
                        it->clock_offset_ms = 3600 * 1000;
                        /* An error of HEAD does not say why. */
                        err_init(&err);
                        CHECK_OK(store_stat(store_of(it), "k", &stat, NULL, &err), err);
                        CHECK(llabs(it->clock_offset_ms) < 60000);
                        it->clock_offset_ms = 3600 * 1000;
                        store_suite_get(store_of(it), "k", "text");
                        it->clock_offset_ms = -3600 * 1000;
                        store_suite_list(store_of(it), "", false, "k");
                        store_free(store_of(it));
                        test_store_end(&server);
                }
}

/* Nothing of it works, and all of it says why. */
static void
check_refused(struct s3_store *it, enum err_code code, const char *hint)
{
        struct store_stat stat;
        struct err err;

        err_init(&err);
        CHECK_ERR(
            store_suite_try_put(store_of(it), "k", "x", false, &err) < 0, err, code, "write \"");
        CHECK(strstr(err.hint, hint) != NULL);
        CHECK_ERR(store_list(store_of(it), "", false, NULL, NULL, NULL, &err) < 0, err, code,
            "cannot list \"s3://");
        CHECK_ERR(store_remove(store_of(it), "k", NULL, &err) < 0, err, code, "cannot remove \"");
        CHECK_ERR(store_stat(store_of(it), "k", &stat, NULL, &err) < 0, err, ERR_PERMISSION,
            "access denied (HTTP 403)");
        store_free(store_of(it));
}

TEST(a_wrong_secret_is_told)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;

                        test_store_begin(&server, servers[idx], false);
                        setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-anybody", 1);
                        check_refused(s3_real(&server, ""), ERR_CREDENTIALS,
                            "the secret key is not the one of");
                        setenv("AWS_SECRET_ACCESS_KEY", server.secret_key, 1);
                        test_store_end(&server);
                }
}

TEST(an_unknown_access_key_is_told)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;

                        test_store_begin(&server, servers[idx], false);
                        setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY", 1);
                        check_refused(s3_real(&server, ""), ERR_CREDENTIALS, "\"AKIANOBODY\"");
                        setenv("AWS_ACCESS_KEY_ID", server.access_key, 1);
                        test_store_end(&server);
                }
}

TEST(who_may_not_is_told_what_is_missing)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;

                        test_store_begin(&server, servers[idx], false);
                        setenv("AWS_ACCESS_KEY_ID", server.other_access_key, 1);
                        setenv("AWS_SECRET_ACCESS_KEY", server.other_secret_key, 1);
                        check_refused(
                            s3_real(&server, ""), ERR_PERMISSION, "needs s3:PutObject on");
                        setenv("AWS_ACCESS_KEY_ID", server.access_key, 1);
                        setenv("AWS_SECRET_ACCESS_KEY", server.secret_key, 1);
                        test_store_end(&server);
                }
}

/* Copies by the server. */

static void
check_copy(struct s3_store *from, struct s3_store *to, const char *key, size_t size, unsigned seed)
{
        struct store_stat seen = stat_of(from, key);
        struct store_copied copied = { 0 };
        struct err err;

        err_init(&err);
        CHECK_OK(
            store_copy(store_of(from), store_of(to), key, &seen, &copied, NULL, NULL, &err), err);
        CHECK(copied.by_server);
        CHECK_INT(copied.made.size, size);
        CHECK_STR(copied.made.etag, stat_of(to, key).etag);
        check_bytes(to, key, size, seed);
}

TEST(the_server_copies_within_a_service)
{
        for
                EACH_SERVER(idx)
                {
                        struct test_store server;
                        struct store_copied copied;
                        struct err err;

                        test_store_begin(&server, servers[idx], false);
                        struct s3_store *from = s3_real(&server, "");
                        struct s3_store *to =
                            s3_store_of(test_store_url(&server, NULL, "other", ""));
                        put_bytes(from, "a/odd +%\xc3\xa9", 1000, 1);
                        check_copy(from, to, "a/odd +%\xc3\xa9", 1000, 1);
                        put_bytes(from, "parts", 20 * MIB, 2);
                        check_copy(from, to, "parts", 20 * MIB, 2);

                        /* In three pieces. */
                        to->object.part_size = MIB / 2;
                        check_copy(from, to, "parts", 20 * MIB, 2);

                        /* What was listed is what is copied, or nothing. */
                        struct store_stat seen = stat_of(from, "parts");
                        put_bytes(from, "parts", 20 * MIB, 3);
                        err_init(&err);
                        CHECK_ERR(store_copy(store_of(from), store_of(to), "parts", &seen, &copied,
                                      NULL, NULL, &err) < 0,
                            err, ERR_IO, "parts");
                        CHECK(err.retryable);
                        check_bytes(to, "parts", 20 * MIB, 2);
                        CHECK_OK(store_remove(store_of(from), "parts", NULL, &err), err);
                        CHECK_ERR(store_copy(store_of(from), store_of(to), "parts", &seen, &copied,
                                      NULL, NULL, &err) < 0,
                            err, ERR_NOT_FOUND, "parts");
                        store_free(store_of(from));
                        store_free(store_of(to));
                        test_store_end(&server);
                }
}

/* Requests of the protocol itself. */

TEST(what_needs_an_md5_gets_one)
{
        static const char body[] = "<Delete><Object><Key>some/prefix/a</Key></Object>"
                                   "<Object><Key>some/prefix/b</Key></Object></Delete>";

        for
                EACH_SERVER(idx)
                {
                        const struct store_pair query = { .name = "delete" };
                        const struct store_call call = { .method = "POST",
                                .query = &query,
                                .query_count = 1,
                                .body = body,
                                .body_len = strlen(body) };
                        struct store_answer answer;
                        struct test_store server;
                        struct err err;

                        test_store_begin(&server, servers[idx], false);
                        struct s3_store *it = s3_real(&server, "");
                        store_suite_put(store_of(it), "a", "1");
                        store_suite_put(store_of(it), "b", "2");
                        store_suite_put(store_of(it), "c", "3");
                        err_init(&err);
                        CHECK_OK(store_call(store_of(it), &call, &answer, NULL, &err), err);
                        CHECK(strstr(answer.body.data, "<DeleteResult") != NULL);
                        store_answer_clear(&answer);
                        store_suite_list(store_of(it), "", false, "c");
                        store_free(store_of(it));
                        test_store_end(&server);
                }
}

/* What objects are to be: radosgw does it, swift does not. */

TEST(classes_and_tags_are_kept)
{
        struct test_store server;
        struct store_answer answer;
        struct err err;

        test_store_begin(&server, "radosgw", false);
        struct s3_store *it = s3_real(&server, "&class=STANDARD_IA&tags=team=ops,env=a%20b%2B");
        store_suite_put(store_of(it), "k", "text");
        put_bytes(it, "parts", 9 * MIB, 1);
        static const char *const keys[] = { "k", "parts" };
        for (size_t idx = 0; idx < 2; idx++) {
                CHECK_OK(call(it, "GET", keys[idx], (struct store_pair){ .name = "tagging" },
                             no_pair, &answer, &err),
                    err);
                CHECK(strstr(answer.body.data, "<Key>team</Key><Value>ops</Value>") != NULL);
                CHECK(strstr(answer.body.data, "<Key>env</Key><Value>a b+</Value>") != NULL);
                store_answer_clear(&answer);
                CHECK_OK(call(it, "HEAD", keys[idx], no_pair, no_pair, &answer, &err), err);
                CHECK(strstr(answer.headers, "x-amz-storage-class: STANDARD_IA\n") != NULL);
                store_answer_clear(&answer);
        }
        store_free(store_of(it));

        it = s3_real(&server, "&class=WHATEVER");
        CHECK_ERR(store_suite_try_put(store_of(it), "k2", "x", false, &err) < 0, err, ERR_INVALID,
            "cannot write \"some/prefix/k2\": the server refuses");
        store_free(store_of(it));
        test_store_end(&server);
}

TEST(archives_are_told_from_the_rest)
{
        struct test_store server;

        test_store_begin(&server, "radosgw", false);
        struct s3_store *it = s3_real(&server, "&class=GLACIER");
        store_suite_put(store_of(it), "small", "text");
        put_bytes(it, "large", 9 * MIB, 1);
        CHECK(!stat_of(it, "small").archived);
        CHECK(stat_of(it, "large").archived);
        store_free(store_of(it));
        test_store_end(&server);
}

static void
check_encrypted(const struct test_store *server, const char *options, const char *header)
{
        struct s3_store *it = s3_real(server, options);
        struct store_answer answer;
        struct err err;

        store_suite_put(store_of(it), "k", "0123456789");
        store_suite_get(store_of(it), "k", "0123456789");
        char *part = store_suite_try_get(store_of(it), "k", 3, 4, &err);
        CHECK_STR(part, "3456");
        mem_free(part);
        put_bytes(it, "parts", 17 * MIB, 1);
        check_bytes(it, "parts", 17 * MIB, 1);
        CHECK_INT(stat_of(it, "parts").size, 17 * MIB);
        store_suite_list(store_of(it), "", false, "k parts");
        if (header != NULL) {
                CHECK_OK(call(it, "HEAD", "parts", no_pair, no_pair, &answer, &err), err);
                CHECK(strstr(answer.headers, header) != NULL);
                store_answer_clear(&answer);
        }
        store_free(store_of(it));
}

TEST(objects_are_encrypted_as_asked_for)
{
        struct test_store server;

        test_store_begin(&server, "radosgw", true);
        check_encrypted(&server, "&sse=AES256", NULL);
        check_encrypted(
            &server, "&sse=aws:kms&kms_key=testkey-1", "x-amz-server-side-encryption: aws:kms\n");
        test_store_end(&server);
}

TEST(a_key_of_the_customer_opens_and_another_does_not)
{
        struct test_store server;
        struct err err;

        setenv("MOONKEEP_SSE_CUSTOMER_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 1);
        test_store_begin(&server, "radosgw", true);
        check_encrypted(&server, "&sse=customer", NULL);

        struct s3_store *it = s3_real(&server, "");
        CHECK(store_suite_try_get(store_of(it), "k", 0, UINT64_MAX, &err) == NULL);
        CHECK_ERR(true, err, ERR_KEY, "k\"");
        CHECK(strstr(err.hint, "sse=customer") != NULL);
        store_free(store_of(it));

        setenv("MOONKEEP_SSE_CUSTOMER_KEY", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", 1);
        it = s3_real(&server, "&sse=customer");
        CHECK(store_suite_try_get(store_of(it), "k", 0, UINT64_MAX, &err) == NULL);
        CHECK(strstr(err.msg, "QUFBQUFB") == NULL);
        store_free(store_of(it));
        test_store_end(&server);
}

/* Locked objects. */

static void
say(struct s3_store *it, const char *method, const char *key, struct store_pair query,
    struct store_pair header)
{
        struct store_answer answer;
        struct err err;

        CHECK_OK(call(it, method, key, query, header, &answer, &err), err);
        store_answer_clear(&answer);
}

/* Remove a version of a locked object, as who may do that. */
static void
unlock(struct s3_store *it, const char *key)
{
        struct store_answer answer;
        struct err err;
        char version[128];

        CHECK_OK(call(it, "HEAD", key, no_pair, no_pair, &answer, &err), err);
        const char *at = strstr(answer.headers, "x-amz-version-id: ");
        CHECK(at != NULL && sscanf(at, "x-amz-version-id: %127s", version) == 1);
        store_answer_clear(&answer);
        CHECK(call(it, "DELETE", key, (struct store_pair){ .name = "versionId", .value = version },
                  no_pair, &answer, &err) < 0);
        CHECK_INT(err.code, ERR_PERMISSION);
        say(it, "DELETE", key, (struct store_pair){ .name = "versionId", .value = version },
            (struct store_pair){ .name = "x-amz-bypass-governance-retention", .value = "true" });
}

TEST(what_is_to_be_retained_is_locked)
{
        struct test_store server;
        struct store_answer answer;
        struct err err;
        char url[512];

        test_store_begin(&server, "radosgw", false);
        snprintf(url, sizeof(url), "s3://%s-lock?endpoint=%s&retain=1&tags=a=b", server.bucket,
            server.endpoint);
        struct s3_store *it = s3_store_of(url);
        say(it, "PUT", NULL, no_pair,
            (struct store_pair){ .name = "x-amz-bucket-object-lock-enabled", .value = "true" });
        store_suite_put(store_of(it), "k", "text");
        put_bytes(it, "parts", 9 * MIB, 1);
        static const char *const keys[] = { "k", "parts" };
        for (size_t idx = 0; idx < 2; idx++) {
                CHECK_OK(call(it, "GET", keys[idx], (struct store_pair){ .name = "retention" },
                             no_pair, &answer, &err),
                    err);
                CHECK(strstr(answer.body.data, "<Mode>GOVERNANCE</Mode>") != NULL);
                store_answer_clear(&answer);
                unlock(it, keys[idx]);
        }
        say(it, "DELETE", NULL, no_pair, no_pair);
        store_free(store_of(it));
        test_store_end(&server);
}
