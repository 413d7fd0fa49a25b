#include "harness/object_test.h"
#include "harness/store_suite.h"
#include "moonkeep/stream_driver.h"

/* Ten bytes a piece. */
#define MAX 10

static struct store *inner;

static struct store *
open_span_of(uint64_t max)
{
        struct err err;

        err_init(&err);
        inner = store_mem_open(&err);
        CHECK_PTR(inner, err);
        struct store *store = store_span(inner, max, &err);
        CHECK_PTR(store, err);
        return store;
}

static struct store *
open_span(void)
{
        return open_span_of(MAX);
}

static void
has_size(struct store *store, const char *key, uint64_t size)
{
        struct store_stat stat;
        struct err err;

        err_init(&err);
        CHECK_OK(store_stat(store, key, &stat, NULL, &err), err);
        CHECK_INT(stat.size, size);
}

static void
part_is(struct store *store, uint64_t offset, uint64_t length, const char *text)
{
        struct err err;

        err_init(&err);
        char *got = store_suite_try_get(store, "k", offset, length, &err);
        CHECK_PTR(got, err);
        CHECK_STR(got, text);
        mem_free(got);
}

static void
part_is_truncated(struct store *store, uint64_t offset, uint64_t length)
{
        struct err err;

        err_init(&err);
        CHECK_ERR(
            store_suite_try_get(store, "k", offset, length, &err) == NULL, err, ERR_TRUNCATED, "k");
}

TEST(it_is_a_store_as_any)
{
        struct store *store = open_span();

        conformance(store, store_suite, STORE_FLAT);
        conformance(store, store_suite_keys, STORE_FLAT | STORE_MANY);
        store_free(store);
        store = open_span_of((uint64_t)1024 * 1024 + 1);
        conformance_all(store, STORE_FLAT | STORE_MANY);
        store_free(store);
}

TEST(an_object_that_fits_is_one_object)
{
        struct store *store = open_span();

        store_suite_put(store, "k", "123456789");
        store_suite_list(inner, "", false, "k");
        store_suite_put(store, "k", "1234567890");
        store_suite_list(inner, "", false, "k");
        store_suite_get(store, "k", "1234567890");
        has_size(store, "k", 10);
        store_free(store);
}

TEST(a_larger_object_goes_on_in_others)
{
        struct store *store = open_span();

        store_suite_put(store, "k", "0123456789abcdefghijABC");
        store_suite_list(inner, "", false, "k k.001 k.002");
        store_suite_get(inner, "k", "0123456789");
        store_suite_get(inner, "k.001", "abcdefghij");
        store_suite_get(inner, "k.002", "ABC");
        store_suite_list(store, "", false, "k");
        store_suite_get(store, "k", "0123456789abcdefghijABC");
        has_size(store, "k", 23);
        store_suite_put(store, "k", "0123456789abcdefghij");
        store_suite_list(store, "", false, "k");
        has_size(store, "k", 20);
        store_free(store);
}

TEST(any_part_of_it_is_read)
{
        struct store *store = open_span();

        store_suite_put(store, "k", "0123456789abcdefghijABC");
        part_is(store, 0, UINT64_MAX, "0123456789abcdefghijABC");
        part_is(store, 3, UINT64_MAX, "3456789abcdefghijABC");
        part_is(store, 10, UINT64_MAX, "abcdefghijABC");
        part_is(store, 21, UINT64_MAX, "BC");
        part_is(store, 23, UINT64_MAX, "");
        part_is(store, 0, 10, "0123456789");
        part_is(store, 8, 5, "89abc");
        part_is(store, 8, 15, "89abcdefghijABC");
        part_is(store, 12, 3, "cde");
        part_is(store, 19, 2, "jA");
        part_is(store, 23, 0, "");
        part_is(store, 10, 0, "");
        part_is_truncated(store, 8, 16);
        part_is_truncated(store, 24, UINT64_MAX);
        part_is_truncated(store, 23, 1);

        store_suite_put(store, "k", "0123456789abcdefghij");
        part_is(store, 0, UINT64_MAX, "0123456789abcdefghij");
        part_is(store, 20, UINT64_MAX, "");
        part_is_truncated(store, 20, 1);

        store_suite_put(store, "k", "0123456789");
        store_suite_list(inner, "", false, "k");
        part_is(store, 10, UINT64_MAX, "");
        part_is_truncated(store, 9, 2);
        part_is_truncated(store, 11, UINT64_MAX);
        store_free(store);
}

TEST(what_is_only_named_so_is_an_object_of_its_own)
{
        struct store *store = open_span();

        store_suite_put(inner, "short", "123");
        store_suite_put(inner, "short.001", "4");
        store_suite_put(inner, "alone.001", "4");
        store_suite_put(inner, "full", "0123456789");
        store_suite_put(inner, "full.001", "abc");
        store_suite_put(inner, "full.002", "after the end");
        store_suite_put(inner, "full.01", "no piece");
        store_suite_put(inner, "full.001x", "no piece");
        store_suite_put(inner, "full-too", "between");
        store_suite_put(inner, "full/below", "below");
        store_suite_list(store, "", false,
            "alone.001 full full-too full.001x full.002 full.01 full/below short short.001");
        has_size(store, "full", 13);
        has_size(store, "short", 3);
        store_suite_get(store, "short", "123");
        store_suite_get(store, "full", "0123456789abc");
        store_suite_get(store, "alone.001", "4");

        struct err err;
        err_init(&err);
        CHECK_OK(store_remove(store, "short", NULL, &err), err);
        CHECK_OK(store_remove(store, "full", NULL, &err), err);
        CHECK_OK(store_remove(store, "not-there", NULL, &err), err);
        store_suite_list(
            inner, "", false, "alone.001 full-too full.001x full.002 full.01 full/below short.001");
        store_free(store);
}

TEST(an_object_larger_than_ours_is_one_object)
{
        struct store *store = open_span();

        store_suite_put(inner, "k", "0123456789abc");
        store_suite_put(inner, "k.001", "other");
        store_suite_list(store, "", false, "k k.001");
        has_size(store, "k", 13);
        part_is(store, 11, UINT64_MAX, "bc");
        part_is(store, 5, 8, "56789abc");
        part_is(store, 0, UINT64_MAX, "0123456789abc");
        part_is_truncated(store, 5, 9);
        store_free(store);
}

TEST(what_an_older_object_left_is_no_piece_of_the_new_one)
{
        struct store *store = open_span();

        store_suite_put(inner, "k.001", "left");
        store_suite_put(store, "k", "0123456789");
        has_size(store, "k", 10);
        store_suite_put(inner, "k.002", "left");
        store_suite_put(store, "k", "0123456789abcdefghij");
        has_size(store, "k", 20);
        store_free(store);
}

TEST(nothing_is_visible_before_the_commit_and_nothing_stays_without)
{
        struct store *store = open_span();
        struct err err;

        err_init(&err);
        struct sink *sink = store_create(store, "k", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "0123456789abcdefghijABC", 23, &err), err);
        store_suite_list(inner, "", false, "");
        sink_free(sink);
        store_suite_list(inner, "", false, "");
        store_free(store);
}

TEST(a_name_without_room_for_an_ending_has_one_piece)
{
        struct store *store = open_span();
        char key[STORE_KEY_MAX + 1];
        struct err err;

        err_init(&err);
        memset(key, 'k', sizeof(key) - 1);
        key[sizeof(key) - 1] = '\0';
        store_suite_put(store, key, "0123456789");
        has_size(store, key, 10);
        CHECK_ERR(store_suite_try_put(store, key, "0123456789a", false, &err) < 0, err, ERR_INVALID,
            "several pieces");
        store_free(store);
}

TEST(an_exclusive_object_is_one_object)
{
        struct store *store = open_span();
        struct err err;

        err_init(&err);
        CHECK_OK(store_suite_try_put(store, "k", "0123456789abc", true, &err), err);
        store_suite_list(inner, "", false, "k");
        CHECK_ERR(store_suite_try_put(store, "k", "x", true, &err) < 0, err, ERR_EXISTS, "");
        store_free(store);
}

static const struct store_ops *real_ops;
static struct sink_ops failing_sink;

static int
fail_commit(struct sink *sink, struct err *err)
{
        (void)sink;
        return err_set(err, ERR_NETWORK, "the network is down");
}

static struct sink *
create_failing(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        struct sink *sink = real_ops->create(store, key, how, cancel, err);

        if (sink != NULL) {
                failing_sink = *sink->ops;
                failing_sink.commit = fail_commit;
                sink->ops = &failing_sink;
        }
        return sink;
}

/* Of a larger object nothing is left that looks like a whole one. */
TEST(a_commit_that_fails_leaves_no_half_of_what_was_there)
{
        struct store *store = open_span();
        struct store_ops failing = *inner->ops;
        struct err err;

        err_init(&err);
        store_suite_put(store, "k", "0123456789abcdefghijABC");
        real_ops = inner->ops;
        failing.create = create_failing;
        inner->ops = &failing;
        CHECK_ERR(store_suite_try_put(store, "k", "ABCDEFGHIJ", false, &err) < 0, err, ERR_NETWORK,
            "the network is down");
        inner->ops = real_ops;
        store_suite_list(store, "", false, "k.002");
        store_free(store);
}

/* Over a directory, whose names have no room: what fails leaves nothing. */
TEST(a_commit_that_fails_leaves_nothing)
{
        struct err err;

        err_init(&err);
        inner = store_file_open(test_path("store"), &err);
        CHECK_PTR(inner, err);
        struct store *store = store_span(inner, MAX, &err);
        CHECK_PTR(store, err);
        struct sink *sink = store_create(store, "k", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "0123456789abcdefghijABC", 23, &err), err);
        /* The last piece finds a folder in its place. */
        store_suite_put(inner, "k.002/in-the-way", "x");
        CHECK(sink_commit(sink, &err) < 0);
        sink_free(sink);
        store_suite_list(inner, "", false, "k.002/in-the-way");
        store_free(store);
}

/* Digests, where the driver takes them: each byte is hashed once, in the piece that it is in. */

static struct sink *
object_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        return object_sink((struct object_store *)store, key, how, cancel, err);
}

static int
object_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer;

        object_request_init(&request, (struct object_store *)store, "remove", "DELETE", key);
        if (object_call((struct object_store *)store, &request, cancel, &answer, err) < 0)
                return -1;
        http_answer_clear(&answer);
        return 0;
}

static void
leave(struct store *store)
{
        (void)store;
}

static const struct store_ops object_ops = {
        .name = "plain",
        .stat = plain_stat,
        .create = object_create,
        .remove = object_remove,
        .free = leave,
        .digests = true,
};

/* len bytes of the pattern through a span of 2 parts a piece. */
static void
digests_are_right(size_t len, size_t part_size, const char *script)
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

        open_object_store(script);
        object.store.ops = &object_ops;
        struct store *store = store_span(&object.store, 2 * TEST_PART, &err);
        CHECK_PTR(store, err);
        how.digest = stream_digest_new(part_size, true, &err);
        CHECK_PTR(how.digest, err);
        struct sink *sink = store_create(store, "k", &how, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, data, len, &err), err);
        CHECK(!how.digest->complete);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        CHECK(how.digest->complete);
        CHECK(memcmp(how.digest->whole, whole, SHA256_SIZE) == 0);
        CHECK_INT(parts_digest_bytes(how.digest->parts), len);
        CHECK_INT(parts_digest_count(how.digest->parts), parts_digest_count(want));
        CHECK(memcmp(parts_digest_root(how.digest->parts), parts_digest_root(want), SHA256_SIZE) ==
              0);
        stream_digest_free(how.digest);
        parts_digest_free(want);
        mem_free(data);
        store_free(store);
        close_object_store();
}

#define UPLOADS                                                                                    \
        "always POST *\nanswer 200 text/plain ID\n"                                                \
        "always PUT *\nheader ETag: t\nanswer 200 text/plain\n"

TEST(digests_go_on_over_the_pieces)
{
        static const char script[] =
            UPLOADS "expect DELETE /p/k\nanswer 204 text/plain\n"
                    "expect PUT /p/k.002\nexpect-pattern 262144-299999\n"
                    "answer 200 text/plain\n"
                    "expect POST /p/k?complete=ID\nanswer 200 text/plain\n";

        digests_are_right(300000, TEST_PART, script);
        /* Parts that do not end where pieces do. */
        digests_are_right(300000, 50000, script);
}

TEST(digests_of_one_piece_are_its_own)
{
        digests_are_right(1000, TEST_PART, "expect PUT /p/k\nanswer 200 text/plain\n");
}
