#include "harness/store_suite.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/test.h"
#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

static const struct store_write exclusively = { .exclusive = true };

int
store_suite_try_put(
    struct store *store, const char *key, const char *text, bool exclusive, struct err *err)
{
        struct sink *sink = store_create(store, key, exclusive ? &exclusively : NULL, NULL, err);
        int rc = -1;

        if (sink == NULL)
                return -1;
        if (sink_write(sink, text, strlen(text), err) == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

void
store_suite_put(struct store *store, const char *key, const char *text)
{
        struct err err;

        err_init(&err);
        CHECK_OK(store_suite_try_put(store, key, text, false, &err), err);
}

char *
store_suite_try_get(
    struct store *store, const char *key, uint64_t offset, uint64_t length, struct err *err)
{
        struct source *src = store_read(store, key, offset, length, NULL, err);
        struct buf out;
        char part[7]; /* short, so that there are several reads */
        ssize_t got;

        if (src == NULL)
                return NULL;
        buf_init(&out, 1024 * 1024);
        while ((got = source_read(src, part, sizeof(part), err)) > 0)
                CHECK(buf_add(&out, part, (size_t)got, err) == 0);
        source_free(src);
        if (got < 0) {
                buf_free(&out);
                return NULL;
        }
        CHECK(buf_addstr(&out, "", err) == 0);
        if (out.data == NULL)
                return mem_strdup("", err);
        return buf_detach(&out, err);
}

static void
check_part(struct store *store, const char *key, uint64_t offset, uint64_t length, const char *text)
{
        struct err err;

        err_init(&err);
        char *got = store_suite_try_get(store, key, offset, length, &err);
        CHECK_PTR(got, err);
        CHECK_STR(got, text);
        mem_free(got);
}

void
store_suite_get(struct store *store, const char *key, const char *text)
{
        check_part(store, key, 0, UINT64_MAX, text);
}

static int
collect(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct buf *out = arg;

        CHECK((stat == NULL) == (key[strlen(key) - 1] == '/'));
        if (out->len > 0 && buf_addstr(out, " ", err) < 0)
                return -1;
        return buf_addstr(out, key, err);
}

void
store_suite_list(struct store *store, const char *prefix, bool shallow, const char *keys)
{
        struct err err;
        struct buf out;

        err_init(&err);
        buf_init(&out, 1024 * 1024);
        CHECK_OK(store_list(store, prefix, shallow, collect, &out, NULL, &err), err);
        CHECK_STR(out.data != NULL ? out.data : "", keys);
        buf_free(&out);
}

static void
drop(struct store *store, const char *key)
{
        struct err err;

        err_init(&err);
        CHECK_OK(store_remove(store, key, NULL, &err), err);
}

bool
store_suite_exists(struct store *store, const char *key)
{
        struct store_stat stat;
        struct err err;

        err_init(&err);
        if (store_stat(store, key, &stat, NULL, &err) == 0)
                return true;
        CHECK_INT(err.code, ERR_NOT_FOUND);
        return false;
}

/* The cases. */

static void
what_is_written_can_be_read(struct store *store)
{
        store_suite_put(store, "a/b/c", "hello");
        store_suite_get(store, "a/b/c", "hello");
        store_suite_put(store, "empty", "");
        store_suite_get(store, "empty", "");
        store_suite_put(store, "a/b/with space \xc3\xa9 %41+&?#", "odd");
        store_suite_get(store, "a/b/with space \xc3\xa9 %41+&?#", "odd");
        store_suite_list(store, "a/b/", false, "a/b/c a/b/with space \xc3\xa9 %41+&?#");
}

static void
parts_can_be_read(struct store *store)
{
        struct err err;

        store_suite_put(store, "k", "0123456789abcdef");
        check_part(store, "k", 0, 4, "0123");
        check_part(store, "k", 4, 9, "456789abc");
        check_part(store, "k", 10, UINT64_MAX, "abcdef");
        check_part(store, "k", 16, UINT64_MAX, "");
        check_part(store, "k", 3, 0, "");
        err_init(&err);
        CHECK_ERR(store_suite_try_get(store, "k", 10, 7, &err) == NULL, err, ERR_TRUNCATED, "k");
        CHECK_ERR(
            store_suite_try_get(store, "k", 17, UINT64_MAX, &err) == NULL, err, ERR_TRUNCATED, "k");
}

static void
stat_knows_size_and_time(struct store *store)
{
        struct store_stat stat = { 0 };
        struct err err;

        err_init(&err);
        int64_t before = time_now_ms();
        store_suite_put(store, "x/y", "12345");
        CHECK_OK(store_stat(store, "x/y", &stat, NULL, &err), err);
        CHECK_INT(stat.size, 5);
        CHECK(stat.mtime_ms >= before - 60000 && stat.mtime_ms <= time_now_ms() + 60000);
}

static void
a_missing_key_is_not_found(struct store *store)
{
        struct store_stat stat = { .size = 77, .mtime_ms = 77 };
        struct err err;

        store_suite_put(store, "a/b", "1");
        err_init(&err);
        CHECK_ERR(store_stat(store, "a/c", &stat, NULL, &err) < 0, err, ERR_NOT_FOUND, "a/c");
        CHECK_INT(stat.size, 77);
        CHECK_ERR(store_stat(store, "z/c", &stat, NULL, &err) < 0, err, ERR_NOT_FOUND, "z/c");
        CHECK_ERR(store_stat(store, "a", &stat, NULL, &err) < 0, err, ERR_NOT_FOUND, "a\"");
        CHECK_ERR(store_stat(store, "a/b/c", &stat, NULL, &err) < 0, err, ERR_NOT_FOUND, "a/b/c");
        CHECK_ERR(store_suite_try_get(store, "a/c", 0, UINT64_MAX, &err) == NULL, err,
            ERR_NOT_FOUND, "a/c");
        CHECK_ERR(store_suite_try_get(store, "a", 0, UINT64_MAX, &err) == NULL, err, ERR_NOT_FOUND,
            "a\"");
        /* To remove it is a success. */
        drop(store, "a/c");
        drop(store, "z/c");
        drop(store, "a");
        drop(store, "a/b/c");
        CHECK(store_suite_exists(store, "a/b"));
}

static void
nothing_is_visible_before_the_commit(struct store *store)
{
        struct err err;

        err_init(&err);
        store_suite_put(store, "d/old", "old");
        struct sink *sink = store_create(store, "d/new", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        struct sink *again = store_create(store, "d/old", NULL, NULL, &err);
        CHECK_PTR(again, err);
        CHECK_OK(sink_write(sink, "new", 3, &err), err);
        CHECK_OK(sink_write(again, "changed", 7, &err), err);
        store_suite_list(store, "", false, "d/old");
        CHECK(!store_suite_exists(store, "d/new"));
        store_suite_get(store, "d/old", "old");
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        store_suite_list(store, "", false, "d/new d/old");
        /* Without a commit nothing has happened. */
        sink_free(again);
        store_suite_get(store, "d/old", "old");
}

static void
a_write_without_a_commit_leaves_nothing(struct store *store)
{
        struct err err;

        err_init(&err);
        struct sink *sink = store_create(store, "p/q/r", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "x", 1, &err), err);
        sink_free(sink);
        store_suite_list(store, "", false, "");
        store_suite_list(store, "", true, "");
}

static void
a_key_is_replaced_as_a_whole(struct store *store)
{
        store_suite_put(store, "k", "a long first text");
        store_suite_put(store, "k", "short");
        store_suite_get(store, "k", "short");
}

static void
an_exclusive_write_never_replaces(struct store *store)
{
        struct err err;

        if ((store_capabilities(store) & STORE_EXCLUSIVE) == 0)
                return;
        err_init(&err);
        CHECK_OK(store_suite_try_put(store, "locks/1", "mine", true, &err), err);
        CHECK_ERR(store_suite_try_put(store, "locks/1", "yours", true, &err) < 0, err, ERR_EXISTS,
            "locks/1");
        store_suite_get(store, "locks/1", "mine");
        store_suite_list(store, "", false, "locks/1");

        /* It is the commit that decides. */
        struct sink *one = store_create(store, "locks/2", &exclusively, NULL, &err);
        struct sink *two = store_create(store, "locks/2", &exclusively, NULL, &err);
        CHECK_PTR(one, err);
        CHECK_PTR(two, err);
        CHECK_OK(sink_write(one, "one", 3, &err), err);
        CHECK_OK(sink_write(two, "two", 3, &err), err);
        CHECK_OK(sink_commit(two, &err), err);
        CHECK_ERR(sink_commit(one, &err) < 0, err, ERR_EXISTS, "locks/2");
        sink_free(one);
        sink_free(two);
        store_suite_get(store, "locks/2", "two");
}

static void
a_removed_key_is_gone(struct store *store)
{
        store_suite_put(store, "a/b/c", "1");
        store_suite_put(store, "a/d", "2");
        drop(store, "a/b/c");
        CHECK(!store_suite_exists(store, "a/b/c"));
        store_suite_list(store, "", false, "a/d");
        store_suite_list(store, "a/", true, "a/d");
        drop(store, "a/d");
        store_suite_list(store, "", true, "");
        store_suite_put(store, "a", "now a key");
        store_suite_get(store, "a", "now a key");
}

static void
a_listing_is_in_the_order_of_the_bytes(struct store *store)
{
        static const char *const keys[] = { "a/b", "a-b", "a.b", "a0", "a/a/z", "a/a-", "B", "b",
                "a b", "a/\xc3\xa9", "a/z", "a/a0/x" };

        for (size_t idx = 0; idx < sizeof(keys) / sizeof(keys[0]); idx++)
                store_suite_put(store, keys[idx], "x");
        store_suite_list(
            store, "", false, "B a b a-b a.b a/a- a/a/z a/a0/x a/b a/z a/\xc3\xa9 a0 b");
        store_suite_list(store, "", true, "B a b a-b a.b a/ a0 b");
        store_suite_list(store, "a/", true, "a/a- a/a/ a/a0/ a/b a/z a/\xc3\xa9");
        store_suite_list(store, "a/a/", false, "a/a/z");
}

static void
a_prefix_that_does_not_exist_lists_nothing(struct store *store)
{
        store_suite_put(store, "a/b", "x");
        store_suite_list(store, "b/", false, "");
        store_suite_list(store, "a/b/", false, "");
        store_suite_list(store, "a/b/c/", true, "");
        store_suite_list(store, "aa/", false, "");
}

static int
add_size(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        uint64_t *sum = arg;

        (void)err;
        CHECK(stat != NULL && stat->mtime_ms > 0);
        CHECK(stat->size == strlen(key));
        *sum += stat->size;
        return 0;
}

static void
a_listing_has_sizes(struct store *store)
{
        uint64_t sum = 0;
        struct err err;

        store_suite_put(store, "one", "123");
        store_suite_put(store, "t/two", "12345");
        err_init(&err);
        CHECK_OK(store_list(store, "", false, add_size, &sum, NULL, &err), err);
        CHECK_INT(sum, 8);
}

static int
stop_at_second(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        int *calls = arg;

        (void)stat;
        return ++*calls == 2 ? err_set(err, ERR_REFUSED, "enough at %s", key) : 0;
}

static void
a_listing_can_be_stopped(struct store *store)
{
        struct err err;
        int calls = 0;

        store_suite_put(store, "1", "");
        store_suite_put(store, "2/x", "");
        store_suite_put(store, "3", "");
        err_init(&err);
        CHECK_ERR(store_list(store, "", false, stop_at_second, &calls, NULL, &err) < 0, err,
            ERR_REFUSED, "enough at 2/x");
        CHECK_INT(calls, 2);
        CHECK(strstr(err.msg, "enough") == err.msg);
}

static int
remove_it(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)stat;
        return store_remove(arg, key, NULL, err);
}

static void
keys_may_be_removed_while_they_are_listed(struct store *store)
{
        struct err err;
        char key[32];

        for (int idx = 0; idx < 60; idx++) {
                snprintf(key, sizeof(key), "%d/%d/k", idx % 7, idx);
                store_suite_put(store, key, "x");
        }
        err_init(&err);
        CHECK_OK(store_list(store, "", false, remove_it, store, NULL, &err), err);
        store_suite_list(store, "", false, "");
}

static void
a_set_token_ends_every_operation(struct store *store)
{
        struct store_stat stat;
        struct err err;
        uint64_t count = 77;

        err_init(&err);
        store_suite_put(store, "k", "x");
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        struct sink *sink = store_create(store, "new", NULL, token, &err);
        CHECK_PTR(sink, err);
        struct source *src = store_read(store, "k", 0, UINT64_MAX, token, &err);
        CHECK_PTR(src, err);
        cancel_trigger(token);

        char byte;
        CHECK_ERR(source_read(src, &byte, 1, &err) < 0, err, ERR_CANCELLED, "");
        source_free(src);
        CHECK_ERR(sink_write(sink, "x", 1, &err) < 0, err, ERR_CANCELLED, "");
        sink_free(sink);
        CHECK_ERR(store_stat(store, "k", &stat, token, &err) < 0, err, ERR_CANCELLED, "");
        CHECK_ERR(store_read(store, "k", 0, 1, token, &err) == NULL, err, ERR_CANCELLED, "");
        CHECK_ERR(store_create(store, "k", NULL, token, &err) == NULL, err, ERR_CANCELLED, "");
        CHECK_ERR(store_remove(store, "k", token, &err) < 0, err, ERR_CANCELLED, "");
        CHECK_ERR(store_sweep(store, "", &count, token, &err) < 0, err, ERR_CANCELLED, "");
        CHECK_INT(count, 77);
        CHECK_ERR(
            store_list(store, "", false, collect, NULL, token, &err) < 0, err, ERR_CANCELLED, "");
        cancel_unref(token);
        store_suite_list(store, "", false, "k");
}

static void
what_is_no_key_is_refused(struct store *store)
{
        static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.",
                "a/..", "a/../b", "../a", "a/./b" };
        struct store_stat stat;
        struct err err;

        err_init(&err);
        store_suite_put(store, "a/b", "x");
        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                CHECK_ERR(
                    store_stat(store, bad[idx], &stat, NULL, &err) < 0, err, ERR_INVALID, "key");
                CHECK_ERR(
                    store_read(store, bad[idx], 0, 1, NULL, &err) == NULL, err, ERR_INVALID, "key");
                CHECK_ERR(store_create(store, bad[idx], NULL, NULL, &err) == NULL, err, ERR_INVALID,
                    "key");
                CHECK_ERR(store_remove(store, bad[idx], NULL, &err) < 0, err, ERR_INVALID, "key");
        }
        CHECK_ERR(store_list(store, "a", false, collect, NULL, NULL, &err) < 0, err, ERR_INVALID,
            "prefix");
        CHECK_ERR(
            store_list(store, "/", false, collect, NULL, NULL, &err) < 0, err, ERR_INVALID, "key");
        CHECK_ERR(store_list(store, "../", false, collect, NULL, NULL, &err) < 0, err, ERR_INVALID,
            "key");
        CHECK_ERR(store_sweep(store, "a", NULL, NULL, &err) < 0, err, ERR_INVALID, "prefix");
}

static void
a_sweep_leaves_the_keys(struct store *store)
{
        struct err err;
        uint64_t removed = 77;

        err_init(&err);
        store_suite_put(store, "a/b", "x");
        store_suite_put(store, "c", "y");
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 0);
        CHECK_OK(store_sweep(store, "nothing/here/", NULL, NULL, &err), err);
        store_suite_list(store, "", false, "a/b c");
}

struct writer {
        struct store *store;
        int number;
        int wins;
        struct err err;
};

/* Each round: who gets the key?  The winner takes it away again. */
static void *
compete(void *arg)
{
        struct writer *writer = arg;
        char text[16];

        snprintf(text, sizeof(text), "%d", writer->number);
        for (int round = 0; round < 40; round++) {
                struct err err;
                err_init(&err);
                if (store_suite_try_put(writer->store, "locks/x/1", text, true, &err) == 0) {
                        writer->wins++;
                        if (store_remove(writer->store, "locks/x/1", NULL, &writer->err) < 0)
                                return NULL;
                } else if (err.code != ERR_EXISTS) {
                        writer->err = err;
                        return NULL;
                }
        }
        return NULL;
}

static void
several_threads_may_use_a_store(struct store *store)
{
        struct writer writers[4];
        pthread_t threads[4];
        struct err err;
        int wins = 0;

        if ((store_capabilities(store) & STORE_EXCLUSIVE) == 0)
                return;
        store_suite_put(store, "other", "x");
        for (int idx = 0; idx < 4; idx++) {
                err_init(&writers[idx].err);
                writers[idx].store = store;
                writers[idx].number = idx;
                writers[idx].wins = 0;
                CHECK_OK(thread_start(&threads[idx], "writer", compete, &writers[idx], &err), err);
        }
        for (int idx = 0; idx < 4; idx++) {
                thread_join(threads[idx]);
                CHECK_OK(writers[idx].err.code == ERR_NONE ? 0 : -1, writers[idx].err);
                wins += writers[idx].wins;
        }
        CHECK(wins > 0);
        store_suite_list(store, "", false, "other");
}

const struct store_case store_suite[] = {
#define CASE(name)                                                                                 \
        {                                                                                          \
#name, name, 0                                                                     \
        }
        CASE(what_is_written_can_be_read),
        CASE(parts_can_be_read),
        CASE(stat_knows_size_and_time),
        CASE(a_missing_key_is_not_found),
        CASE(nothing_is_visible_before_the_commit),
        CASE(a_write_without_a_commit_leaves_nothing),
        CASE(a_key_is_replaced_as_a_whole),
        CASE(an_exclusive_write_never_replaces),
        CASE(a_removed_key_is_gone),
        CASE(a_listing_is_in_the_order_of_the_bytes),
        CASE(a_prefix_that_does_not_exist_lists_nothing),
        CASE(a_listing_has_sizes),
        CASE(a_listing_can_be_stopped),
        CASE(keys_may_be_removed_while_they_are_listed),
        CASE(a_set_token_ends_every_operation),
        CASE(what_is_no_key_is_refused),
        CASE(a_sweep_leaves_the_keys),
        CASE(several_threads_may_use_a_store),
        { NULL, NULL, 0 },
};

void
conformance(struct store *store, const struct store_case *cases, unsigned traits)
{
        struct err err;

        for (const struct store_case *at = cases; at->name != NULL; at++) {
                if ((at->needs & ~traits) != 0)
                        continue;
                fprintf(stderr, "  store case %s\n", at->name);
                at->run(store);
                err_init(&err);
                CHECK_OK(store_list(store, "", false, remove_it, store, NULL, &err), err);
                store_suite_list(store, "", true, "");
        }
}

void
conformance_all(struct store *store, unsigned traits)
{
        conformance(store, store_suite, traits);
        conformance(store, store_suite_large, traits);
        conformance(store, store_suite_keys, traits);
}
