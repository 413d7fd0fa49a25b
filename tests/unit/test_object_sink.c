#include "harness/object_test.h"

#include "../../src/store/object_pool.h"
#include "moonkeep/mem_io.h"

/* Write len bytes of the pattern, in pieces of an odd size. */
static int
write_pattern(struct sink *sink, size_t len, struct err *err)
{
        char piece[7919];

        for (size_t at = 0; at < len;) {
                size_t now = len - at < sizeof(piece) ? len - at : sizeof(piece);
                for (size_t idx = 0; idx < now; idx++)
                        piece[idx] = pattern(at + idx);
                if (sink_write(sink, piece, now, err) < 0)
                        return -1;
                at += now;
        }
        return 0;
}

static int
put_object(const struct store_write *how, size_t len, struct err *err)
{
        static const struct store_write ordinary;

        err_init(err);
        struct sink *sink = object_sink(&object, "k", how != NULL ? how : &ordinary, NULL, err);
        if (sink == NULL)
                return -1;
        int rc = write_pattern(sink, len, err);
        if (rc == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

static void
writes(const char *script, size_t len)
{
        struct err err;

        open_object_store(script);
        CHECK_OK(put_object(NULL, len, &err), err);
        close_object_store();
}

static void
cannot_write(const char *script, size_t len, enum err_code code, const char *text)
{
        struct err err;

        open_object_store(script);
        CHECK_ERR(put_object(NULL, len, &err) < 0, err, code, text);
        close_object_store();
}

#define BEGIN "expect POST /p/k?begin\nanswer 200 text/plain ID\n"
#define PART_1                                                                                     \
        "anytime PUT /p/k?part=1&id=ID\nexpect-pattern 0-65535\nheader ETag: t1\n"                 \
        "answer 200 text/plain\n"
#define PART_2                                                                                     \
        "anytime PUT /p/k?part=2&id=ID\nexpect-pattern 65536-131071\nheader ETag: t2\n"            \
        "answer 200 text/plain\n"
#define PART_3                                                                                     \
        "anytime PUT /p/k?part=3&id=ID\nexpect-pattern 131072-149999\nheader ETag: t3\n"           \
        "answer 200 text/plain\n"
#define COMPLETE "expect POST /p/k?complete=ID\nexpect-body t1,t2,t3\nanswer 200 text/plain\n"
#define ABORT "expect DELETE /p/k?abort=ID\nanswer 204 text/plain\n"

/* In one request. */

TEST(an_empty_object_is_one_request)
{
        writes(
            "expect PUT /p/k\nexpect-header Content-Length: 0\nexpect-header X-Sha256: e3b0c442\n"
            "answer 200 text/plain\n",
            0);
}

TEST(a_small_object_is_one_request_with_the_commit)
{
        struct err err;

        err_init(&err);
        open_object_store("expect PUT /p/k\nexpect-pattern 0-99\nexpect-no-header If-None-Match\n"
                          "answer 200 text/plain\n");
        static const struct store_write ordinary;
        struct sink *sink = object_sink(&object, "k", &ordinary, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_pattern(sink, 100, &err), err);
        CHECK_INT(signed_count, 0);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        close_object_store();
}

TEST(an_object_of_one_part_is_one_request)
{
        writes("expect PUT /p/k\nexpect-pattern 0-65535\nanswer 200 text/plain\n", 65536);
}

TEST(what_is_not_committed_is_not_sent)
{
        struct err err;

        err_init(&err);
        open_object_store("forever\n");
        static const struct store_write ordinary;
        struct sink *sink = object_sink(&object, "k", &ordinary, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_pattern(sink, 65536, &err), err);
        sink_free(sink);
        CHECK_INT(signed_count, 0);
        drop_object_store();
}

/* In parts. */

TEST(one_byte_more_than_a_part_is_an_upload_in_parts)
{
        writes(BEGIN PART_1
            "anytime PUT /p/k?part=2&id=ID\nexpect-pattern 65536-65536\nheader ETag: t2\n"
            "answer 200 text/plain\n"
            "expect POST /p/k?complete=ID\nexpect-body t1,t2\nanswer 200 text/plain\n",
            65537);
}

TEST(a_large_object_is_an_upload_in_parts)
{
        writes(BEGIN PART_1 PART_2 PART_3 COMPLETE, 150000);
}

TEST(full_parts_only_leave_no_empty_one)
{
        writes(BEGIN PART_1 PART_2
            "expect POST /p/k?complete=ID\nexpect-body t1,t2\nanswer 200 text/plain\n",
            131072);
}

TEST(parts_are_sent_again_each_for_itself)
{
        writes(BEGIN "anytime PUT /p/k?part=1&id=ID\ncut-request 1000\n"
                     "anytime PUT /p/k?part=1&id=ID\nanswer 500 text/plain\n" PART_1
                     "anytime PUT /p/k?part=2&id=ID\nheader Retry-After: 0\n"
                     "answer 503 text/plain\n" PART_2 PART_3 COMPLETE,
            150000);
}

TEST(an_upload_is_begun_and_completed_again)
{
        writes("expect POST /p/k?begin\nanswer 500 text/plain\n" BEGIN PART_1 PART_2 PART_3
               "expect POST /p/k?complete=ID\nanswer 200 text/plain error\n" COMPLETE,
            150000);
}

TEST(parts_that_the_server_has_are_not_sent)
{
        struct store_write how = { .resume = true };
        struct err err;

        open_object_store(BEGIN PART_2 PART_3
            "expect POST /p/k?complete=ID\nexpect-body known,t2,t3\nanswer 200 text/plain\n");
        CHECK_OK(put_object(&how, 150000, &err), err);
        close_object_store();
}

/* Failures. */

TEST(a_refusal_is_told_with_the_commit)
{
        cannot_write("expect PUT /p/k\nanswer 403 text/plain\n", 10, ERR_PERMISSION,
            "cannot write \"p/k\": HTTP status 403");
}

TEST(an_upload_that_cannot_begin_is_not_aborted)
{
        cannot_write(
            "expect POST /p/k?begin\nanswer 403 text/plain\n", 150000, ERR_PERMISSION, "p/k");
}

TEST(a_part_that_fails_aborts_the_upload)
{
        cannot_write(BEGIN
            "expect PUT /p/k?part=1&id=ID\nanswer 403 text/plain\n"
            "always PUT /p/k?part=2&id=ID\nheader ETag: t2\nanswer 200 text/plain\n"
            "always PUT /p/k?part=3&id=ID\nheader ETag: t3\nanswer 200 text/plain\n" ABORT,
            150000, ERR_PERMISSION, "cannot write \"p/k\"");
}

TEST(a_part_that_fails_often_aborts_the_upload)
{
        cannot_write(BEGIN
            "expect PUT /p/k?part=1&id=ID\nanswer 500 text/plain\n"
            "expect PUT /p/k?part=1&id=ID\nanswer 500 text/plain\n"
            "expect PUT /p/k?part=1&id=ID\nanswer 500 text/plain\n"
            "always PUT /p/k?part=2&id=ID\nheader ETag: t2\nanswer 200 text/plain\n"
            "always PUT /p/k?part=3&id=ID\nheader ETag: t3\nanswer 200 text/plain\n" ABORT,
            150000, ERR_HTTP, "cannot write \"p/k\", tried 3 times: HTTP status 500");
}

TEST(a_part_without_a_tag_aborts_the_upload)
{
        cannot_write(BEGIN
            "expect PUT /p/k?part=1&id=ID\nanswer 200 text/plain\n"
            "always PUT /p/k?part=2&id=ID\nheader ETag: t2\nanswer 200 text/plain\n" ABORT,
            100000, ERR_PROTOCOL, "no tag");
}

TEST(a_completion_that_fails_aborts_the_upload)
{
        cannot_write(BEGIN PART_1 PART_2 PART_3
            "expect POST /p/k?complete=ID\nanswer 403 text/plain\n" ABORT,
            150000, ERR_PERMISSION, "cannot complete \"p/k\"");
}

TEST(a_failure_sticks_and_ends_the_writing_early)
{
        struct err err;

        err_init(&err);
        open_object_store(BEGIN "expect PUT /p/k?part=1&id=ID\nanswer 403 text/plain\n"
                                "always PUT *\nheader ETag: t\nanswer 200 text/plain\n" ABORT);
        static const struct store_write ordinary;
        struct sink *sink = object_sink(&object, "k", &ordinary, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK(write_pattern(sink, (size_t)16 * 1024 * 1024, &err) < 0);
        CHECK_INT(err.code, ERR_PERMISSION);
        CHECK(sink_bytes(sink) < (size_t)2 * 1024 * 1024);
        CHECK_ERR(sink_write(sink, "x", 1, &err) < 0, err, ERR_PERMISSION, "403");
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_PERMISSION, "403");
        sink_free(sink);
        close_object_store();
}

TEST(what_is_dropped_is_aborted)
{
        struct err err;

        err_init(&err);
        open_object_store(BEGIN "always PUT *\nwait-close\n" ABORT);
        static const struct store_write ordinary;
        struct sink *sink = object_sink(&object, "k", &ordinary, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_pattern(sink, 140000, &err), err);
        sink_free(sink);
        CHECK_INT(object.idle_count, 1);
        close_object_store();
}

TEST(what_is_cancelled_is_aborted_all_the_same)
{
        struct err err;

        err_init(&err);
        struct cancel *cancel = cancel_new(NULL, &err);
        CHECK_PTR(cancel, err);
        open_object_store(BEGIN "always PUT *\nwait-close\n" ABORT);
        static const struct store_write ordinary;
        struct sink *sink = object_sink(&object, "k", &ordinary, cancel, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_pattern(sink, 140000, &err), err);
        cancel_trigger(cancel);
        CHECK_ERR(sink_write(sink, "x", 1, &err) < 0, err, ERR_CANCELLED, "");
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_CANCELLED, "");
        sink_free(sink);
        cancel_unref(cancel);
        close_object_store();
}

/* Memory. */

TEST(a_writer_waits_when_all_buffers_are_in_use)
{
        struct err err;

        err_init(&err);
        open_object_store(BEGIN "always PUT *\nheader ETag: t\nanswer 200 text/plain\n"
                                "expect POST /p/k?complete=ID\nanswer 200 text/plain\n");
        static const struct store_write ordinary;
        struct sink *sink = object_sink(&object, "k", &ordinary, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_pattern(sink, (size_t)8 * 1024 * 1024, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        close_object_store();
}

TEST(a_copy_reads_into_the_parts_themselves)
{
        static const struct store_write ordinary;
        char *data = mem_alloc(150000, NULL);
        size_t room = 0;
        struct err err;

        err_init(&err);
        for (size_t at = 0; at < 150000; at++)
                data[at] = pattern(at);
        open_object_store(BEGIN PART_1 PART_2 PART_3 COMPLETE);
        struct source *src = mem_source(data + 10, 150000 - 10, &err);
        CHECK_PTR(src, err);
        struct sink *sink = object_sink(&object, "k", &ordinary, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK(sink_room(sink, &room) == NULL);
        CHECK_OK(sink_write(sink, data, 10, &err), err);
        char *place = sink_room(sink, &room);
        CHECK(place != NULL && room == TEST_PART - 10);
        CHECK_OK(stream_copy(src, sink, NULL, NULL, NULL, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        CHECK(sink_room(sink, &room) == NULL);
        sink_free(sink);
        source_free(src);
        mem_free(data);
        close_object_store();
}

/* Exclusive. */

static void
writes_exclusively(const char *script, enum err_code code, const char *text)
{
        struct store_write how = { .exclusive = true };
        struct err err;

        open_object_store(script);
        object.patience.stall_ms = 2000;
        int rc = put_object(&how, 100, &err);
        if (code == ERR_NONE)
                CHECK_OK(rc, err);
        else
                CHECK_ERR(rc < 0, err, code, text);
        close_object_store();
}

#define EXCLUSIVE "expect PUT /p/k\nexpect-header If-None-Match: *\nexpect-pattern 0-99\n"

TEST(an_exclusive_write_is_one_request)
{
        writes_exclusively(EXCLUSIVE "answer 200 text/plain\n", ERR_NONE, NULL);
}

TEST(what_exists_is_left_alone)
{
        writes_exclusively(EXCLUSIVE "answer 412 text/plain\n", ERR_EXISTS,
            "cannot write \"p/k\": HTTP status 412");
}

TEST(an_exclusive_write_that_broke_off_finds_its_own_bytes)
{
        writes_exclusively(
            EXCLUSIVE "reset\nexpect GET /p/k\nanswer-range 0-99/100\n", ERR_NONE, "");
        writes_exclusively(EXCLUSIVE
            "answer 500 text/plain\nexpect GET /p/k\nanswer-range 0-99/100\n",
            ERR_NONE, "");
        writes_exclusively(
            EXCLUSIVE "wait-close\nexpect GET /p/k\nanswer-range 0-99/100\n", ERR_NONE, "");
}

TEST(an_exclusive_write_that_broke_off_finds_the_bytes_of_others)
{
        writes_exclusively(EXCLUSIVE
            "reset\nexpect GET /p/k\nheader ETag: o\nanswer 200 text/plain others\n",
            ERR_EXISTS, "cannot write \"p/k\": it exists already");
        writes_exclusively(EXCLUSIVE "reset\nexpect GET /p/k\nanswer-range 0-100/101\n", ERR_EXISTS,
            "it exists already");
        writes_exclusively(
            EXCLUSIVE "reset\nexpect GET /p/k\nanswer-range 0-98/99\n", ERR_EXISTS, "");
}

TEST(an_exclusive_write_that_broke_off_and_left_nothing_is_sent_again)
{
        writes_exclusively(EXCLUSIVE "reset\nexpect GET /p/k\nanswer 404 text/plain\n" EXCLUSIVE
                                     "answer 200 text/plain\n",
            ERR_NONE, "");
        /* The first one took effect late. */
        writes_exclusively(EXCLUSIVE
            "reset\nexpect GET /p/k\nanswer 404 text/plain\n" EXCLUSIVE
            "answer 412 text/plain\nexpect GET /p/k\nanswer-range 0-99/100\n",
            ERR_NONE, "");
}

TEST(an_exclusive_write_of_which_nothing_can_be_known_fails)
{
        writes_exclusively(EXCLUSIVE "reset\nexpect GET /p/k\nanswer 403 text/plain\n", ERR_NETWORK,
            "cannot write \"p/k\"");
}

TEST(an_exclusive_object_may_be_larger_than_a_part)
{
        struct store_write how = { .exclusive = true };
        struct err err;

        open_object_store("expect PUT /p/k\nexpect-header If-None-Match: *\n"
                          "expect-pattern 0-199999\nexpect-no-header X-Sha256\n"
                          "answer 200 text/plain\n");
        CHECK_OK(put_object(&how, 200000, &err), err);
        close_object_store();
}

TEST(an_exclusive_object_has_a_bound)
{
        struct store_write how = { .exclusive = true };
        size_t len = (size_t)1024 * 1024;
        char *data = mem_alloc(len, NULL);
        struct err err;

        err_init(&err);
        open_object_store("forever\n");
        memset(data, 'x', len);
        struct sink *sink = object_sink(&object, "k", &how, NULL, &err);
        CHECK_PTR(sink, err);
        for (size_t at = 0; at < STORE_EXCLUSIVE_MAX; at += len)
                CHECK_OK(sink_write(sink, data, len, &err), err);
        CHECK_ERR(sink_write(sink, data, 1, &err) < 0, err, ERR_TOO_BIG, "67108864 bytes");
        sink_free(sink);
        mem_free(data);
        drop_object_store();
}

/* Digests. */

static void
digests_of(size_t len, size_t part_size, const char *script)
{
        struct store_write how = { 0 };
        unsigned char whole[SHA256_SIZE];
        char *data = mem_alloc(len, NULL);
        struct err err;

        err_init(&err);
        for (size_t at = 0; at < len; at++)
                data[at] = pattern(at);
        CHECK_OK(sha256_bytes(data, len, whole, &err), err);
        struct parts_digest *want = parts_digest_new(part_size, &err);
        CHECK_OK(parts_digest_update(want, data, len, &err), err);
        CHECK_OK(parts_digest_final(want, &err), err);

        how.digest = stream_digest_new(part_size, true, &err);
        CHECK_PTR(how.digest, err);
        open_object_store(script);
        CHECK_OK(put_object(&how, len, &err), err);
        CHECK(how.digest->complete);
        CHECK(memcmp(how.digest->whole, whole, SHA256_SIZE) == 0);
        CHECK_INT(parts_digest_count(how.digest->parts), parts_digest_count(want));
        CHECK(memcmp(parts_digest_root(how.digest->parts), parts_digest_root(want), SHA256_SIZE) ==
              0);
        close_object_store();
        stream_digest_free(how.digest);
        parts_digest_free(want);
        mem_free(data);
}

TEST(the_digests_of_the_caller_sign_the_parts)
{
        digests_of(150000, TEST_PART, BEGIN PART_1 PART_2 PART_3 COMPLETE);
        digests_of(100, TEST_PART, "expect PUT /p/k\nanswer 200 text/plain\n");
}

TEST(parts_of_another_size_have_digests_of_their_own)
{
        digests_of(150000, 50000, BEGIN PART_1 PART_2 PART_3 COMPLETE);
}

TEST(each_part_is_signed_with_its_digest)
{
        char data[1], hex[3 * 8 + 1];
        unsigned char sha[SHA256_SIZE];
        char script[2048];
        struct err err;

        /* The second part is one byte. */
        err_init(&err);
        data[0] = pattern(65536);
        CHECK_OK(sha256_bytes(data, 1, sha, &err), err);
        snprintf(hex, sizeof(hex), "%02x%02x%02x%02x", sha[0], sha[1], sha[2], sha[3]);
        snprintf(script, sizeof(script),
            BEGIN PART_1 "anytime PUT /p/k?part=2&id=ID\nexpect-header X-Sha256: %s\n"
                         "header ETag: t2\nanswer 200 text/plain\n"
                         "expect POST /p/k?complete=ID\nanswer 200 text/plain\n",
            hex);
        writes(script, 65537);
}

TEST(digests_are_not_complete_without_the_commit)
{
        struct store_write how = { 0 };
        struct err err;

        err_init(&err);
        how.digest = stream_digest_new(TEST_PART, false, &err);
        CHECK_PTR(how.digest, err);
        open_object_store("expect PUT /p/k\nanswer 403 text/plain\n");
        CHECK(put_object(&how, 100, &err) < 0);
        CHECK(!how.digest->complete);
        close_object_store();
        stream_digest_free(how.digest);
}

static int
open_and_write(void *arg, struct err *err)
{
        (void)arg;
        object_store_clear(&object);
        object_pool_drain();
        make_object_store();
        object.patience.attempts = 1;
        object.connections = 1;
        return put_object(NULL, 100000, err);
}

TEST(survives_the_failure_of_each_allocation)
{
        open_object_store("always POST /p/k?begin\nanswer 200 text/plain ID\n"
                          "always PUT *\nheader ETag: t1\nanswer 200 text/plain\n"
                          "always POST *\nanswer 200 text/plain\n"
                          "always DELETE *\nanswer 204 text/plain\n");
        test_each_allocation(open_and_write, NULL);
        drop_object_store();
}
