#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/store_suite.h"
#include "harness/test.h"
#include "moonkeep/digest.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"

#define MIB ((size_t)1024 * 1024)

/* Three parts and some more. */
#define LARGE (25 * MIB + 12345)

/* Bytes of an object that is as large and as different as numbers say, from any place on. */
static void
make_bytes(unsigned char *out, size_t len, uint64_t at, uint64_t seed)
{
        while (len > 0) {
                uint64_t word = (at / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;
                size_t skip = at % 8;
                size_t count = 8 - skip < len ? 8 - skip : len;
                word ^= word >> 29;
                word *= UINT64_C(0xbf58476d1ce4e5b9);
                word ^= word >> 32;
                memcpy(out, (const unsigned char *)&word + skip, count);
                out += count;
                at += count;
                len -= count;
        }
}

/* Write len bytes; chunks of an odd size meet the borders of parts nowhere. */
static int
write_bytes(struct sink *sink, uint64_t len, uint64_t seed, struct err *err)
{
        unsigned char chunk[65521];

        for (uint64_t at = 0; at < len;) {
                size_t now = len - at < sizeof(chunk) ? (size_t)(len - at) : sizeof(chunk);
                make_bytes(chunk, now, at, seed);
                if (sink_write(sink, chunk, now, err) < 0)
                        return -1;
                at += now;
        }
        return 0;
}

static int
put_large(struct store *store, const char *key, const struct store_write *how, uint64_t len,
    uint64_t seed, struct err *err)
{
        struct sink *sink = store_create(store, key, how, NULL, err);
        int rc = -1;

        if (sink == NULL)
                return -1;
        if (write_bytes(sink, len, seed, err) == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

/* Compare what src says with the bytes from `at` on; how many there were, or -1. */
static int64_t
compare(struct source *src, uint64_t at, uint64_t seed, struct err *err)
{
        static unsigned char got[65536], want[65536];
        int64_t count = 0;
        ssize_t len;

        while ((len = source_read(src, got, sizeof(got), err)) > 0) {
                make_bytes(want, (size_t)len, at + (uint64_t)count, seed);
                CHECK(memcmp(got, want, (size_t)len) == 0);
                count += len;
        }
        return len < 0 ? -1 : count;
}

static void
check_range(struct store *store, const char *key, uint64_t offset, uint64_t length, uint64_t want,
    uint64_t seed)
{
        struct err err;

        err_init(&err);
        struct source *src = store_read(store, key, offset, length, NULL, &err);
        CHECK_PTR(src, err);
        int64_t count = compare(src, offset, seed, &err);
        CHECK_OK(count >= 0 ? 0 : -1, err);
        CHECK_INT(count, want);
        CHECK_INT(source_bytes(src), want);
        source_free(src);
}

/* The cases. */

static void
an_object_of_several_parts_is_read_as_it_was_written(struct store *store)
{
        struct store_stat stat, made = { 0 };
        struct err err;
        unsigned char chunk[65521];

        err_init(&err);
        struct stream_digest *digest = stream_digest_new(0, true, &err);
        CHECK_PTR(digest, err);
        const struct store_write how = { .digest = digest, .made = &made };
        CHECK_OK(put_large(store, "a/large", &how, LARGE, 1, &err), err);

        CHECK(digest->complete);
        struct parts_digest *parts = parts_digest_new(DIGEST_PART_SIZE, &err);
        struct sha256 *whole = sha256_new(&err);
        CHECK(parts != NULL && whole != NULL);
        for (uint64_t at = 0; at < LARGE; at += sizeof(chunk)) {
                size_t len = LARGE - at < sizeof(chunk) ? (size_t)(LARGE - at) : sizeof(chunk);
                make_bytes(chunk, len, at, 1);
                CHECK(parts_digest_update(parts, chunk, len, &err) == 0);
                CHECK(sha256_update(whole, chunk, len, &err) == 0);
        }
        unsigned char sum[SHA256_SIZE];
        CHECK(parts_digest_final(parts, &err) == 0 && sha256_final(whole, sum, &err) == 0);
        CHECK_INT(parts_digest_count(digest->parts), 4);
        CHECK_INT(parts_digest_bytes(digest->parts), LARGE);
        CHECK(memcmp(parts_digest_root(parts), parts_digest_root(digest->parts), SHA256_SIZE) == 0);
        CHECK(memcmp(sum, digest->whole, SHA256_SIZE) == 0);
        sha256_free(whole);
        parts_digest_free(parts);
        stream_digest_free(digest);

        CHECK_OK(store_stat(store, "a/large", &stat, NULL, &err), err);
        CHECK_INT(stat.size, LARGE);
        if (made.etag[0] != '\0')
                CHECK_STR(made.etag, stat.etag);

        check_range(store, "a/large", 0, UINT64_MAX, LARGE, 1);
        check_range(store, "a/large", 8 * MIB - 3, 7, 7, 1);
        check_range(store, "a/large", 8 * MIB, 8 * MIB, 8 * MIB, 1);
        check_range(store, "a/large", 8 * MIB - 1, 16 * MIB + 2, 16 * MIB + 2, 1);
        check_range(store, "a/large", LARGE - 1, UINT64_MAX, 1, 1);
        check_range(store, "a/large", LARGE, UINT64_MAX, 0, 1);
        struct source *src = store_read(store, "a/large", LARGE - 5, 6, NULL, &err);
        if (src != NULL)
                CHECK(compare(src, LARGE - 5, 1, &err) < 0);
        source_free(src);
        CHECK_INT(err.code, ERR_TRUNCATED);
}

static void
an_object_of_whole_parts_has_no_empty_one(struct store *store)
{
        struct err err;

        err_init(&err);
        CHECK_OK(put_large(store, "one", NULL, 8 * MIB, 2, &err), err);
        check_range(store, "one", 0, UINT64_MAX, 8 * MIB, 2);
        CHECK_OK(put_large(store, "two", NULL, 16 * MIB, 3, &err), err);
        check_range(store, "two", 0, UINT64_MAX, 16 * MIB, 3);
}

static void
reading_may_end_early(struct store *store)
{
        struct err err;
        char byte;

        err_init(&err);
        CHECK_OK(put_large(store, "large", NULL, LARGE, 4, &err), err);
        for (int round = 0; round < 3; round++) {
                struct source *src = store_read(store, "large", 0, UINT64_MAX, NULL, &err);
                CHECK_PTR(src, err);
                CHECK_INT(source_read(src, &byte, 1, &err), 1);
                source_free(src);
        }
        store_suite_put(store, "after", "as ever");
        store_suite_get(store, "after", "as ever");
}

static void
what_is_replaced_while_it_is_read_is_never_mixed(struct store *store)
{
        static unsigned char byte[1], want[1];
        const uint64_t len = 48 * MIB;
        struct err err;

        err_init(&err);
        CHECK_OK(put_large(store, "k", NULL, len, 5, &err), err);
        struct source *src = store_read(store, "k", 0, UINT64_MAX, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, byte, 1, &err), 1);
        make_bytes(want, 1, 0, 5);
        CHECK(byte[0] == want[0]);
        CHECK_OK(put_large(store, "k", NULL, len, 6, &err), err);
        /* Either the old one to its end, or an error. */
        int64_t count = compare(src, 1, 5, &err);
        if (count < 0)
                CHECK_ERR(true, err, ERR_IO, "k");
        else
                CHECK_INT(count, len - 1);
        source_free(src);
        check_range(store, "k", 0, UINT64_MAX, len, 6);
}

static void
a_large_write_without_a_commit_leaves_nothing(struct store *store)
{
        struct err err;

        err_init(&err);
        store_suite_put(store, "large", "old");
        struct sink *sink = store_create(store, "large", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_bytes(sink, LARGE, 7, &err), err);
        store_suite_list(store, "", false, "large");
        sink_free(sink);
        store_suite_get(store, "large", "old");
        sink = store_create(store, "new", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_bytes(sink, LARGE, 7, &err), err);
        sink_free(sink);
        store_suite_list(store, "", false, "large");
        CHECK_OK(store_sweep(store, "", NULL, NULL, &err), err);
        store_suite_list(store, "", false, "large");
        store_suite_get(store, "large", "old");
}

static void
a_token_ends_a_large_write(struct store *store)
{
        struct err err;

        err_init(&err);
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        struct sink *sink = store_create(store, "large", NULL, token, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(write_bytes(sink, LARGE, 8, &err), err);
        cancel_trigger(token);
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_CANCELLED, "");
        sink_free(sink);
        cancel_unref(token);
        store_suite_list(store, "", false, "");
        /* What was under way may have arrived behind the abort. */
        uint64_t removed = 77;
        CHECK_OK(store_sweep(store, "", NULL, NULL, &err), err);
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 0);
        store_suite_list(store, "", false, "");
}

/* A writer of its own process that is killed when it has written len bytes. */
static void
write_and_die(struct store *store, const char *key, uint64_t len, uint64_t seed)
{
        int status;
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
                struct err err;
                err_init(&err);
                struct store *own = store_open(store_url(store), &err);
                struct sink *sink = own != NULL ? store_create(own, key, NULL, NULL, &err) : NULL;
                if (sink != NULL && write_bytes(sink, len, seed, &err) == 0)
                        raise(SIGKILL);
                fprintf(stderr, "  %s\n", err.msg);
                _exit(1);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
a_sweep_removes_what_a_killed_writer_left(struct store *store)
{
        struct err err;
        uint64_t removed = 77;

        err_init(&err);
        store_suite_put(store, "a/k", "old");
        /* Of so much, some parts have arrived. */
        write_and_die(store, "a/k", 64 * MIB, 9);
        write_and_die(store, "b/new", 64 * MIB, 9);
        store_suite_list(store, "", false, "a/k");
        store_suite_get(store, "a/k", "old");
        /* Azure keeps what is not committed with what is, and drops it in its own time. */
        CHECK_OK(store_sweep(store, "a/", &removed, NULL, &err), err);
        CHECK(removed <= 1);
        CHECK_OK(store_sweep(store, "b/", &removed, NULL, &err), err);
        CHECK_INT(removed, 1);
        /* What the dead one had sent before may arrive behind a sweep; then it is over. */
        for (int tries = 0; removed > 0; tries++) {
                CHECK(tries < 10);
                CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        }
        store_suite_list(store, "", false, "a/k");
        store_suite_get(store, "a/k", "old");
}

static void
a_killed_writer_is_gone_on_with(struct store *store)
{
        const struct store_write resume = { .resume = true };
        struct err err;
        uint64_t removed = 77;

        err_init(&err);
        write_and_die(store, "same", 64 * MIB, 10);
        CHECK_OK(put_large(store, "same", &resume, 64 * MIB, 10, &err), err);
        check_range(store, "same", 0, UINT64_MAX, 64 * MIB, 10);
        /* What is there is of another content, or of another size. */
        write_and_die(store, "other", 64 * MIB, 11);
        if (put_large(store, "other", &resume, 30 * MIB, 12, &err) < 0) {
                /* Some servers cannot make do with fewer parts; then it was removed. */
                CHECK_ERR(err.retryable, err, ERR_IO, "other");
                CHECK_OK(put_large(store, "other", &resume, 30 * MIB, 12, &err), err);
        }
        check_range(store, "other", 0, UINT64_MAX, 30 * MIB, 12);
        store_suite_list(store, "", false, "other same");
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        store_suite_list(store, "", false, "other same");
        check_range(store, "same", 0, UINT64_MAX, 64 * MIB, 10);
}

struct user {
        struct store *store;
        int number;
        struct err err;
        bool good;
};

static void *
use(void *arg)
{
        struct user *user = arg;
        char key[32];

        snprintf(key, sizeof(key), "%d/large", user->number);
        if (put_large(user->store, key, NULL, 9 * MIB, (uint64_t)user->number, &user->err) < 0)
                return NULL;
        struct source *src = store_read(user->store, key, 0, UINT64_MAX, NULL, &user->err);
        static _Thread_local unsigned char got[65536], want[65536];
        uint64_t at = 0;
        ssize_t len = -1;
        while (src != NULL && (len = source_read(src, got, sizeof(got), &user->err)) > 0) {
                make_bytes(want, (size_t)len, at, (uint64_t)user->number);
                if (memcmp(got, want, (size_t)len) != 0)
                        break;
                at += (uint64_t)len;
        }
        source_free(src);
        user->good = len == 0 && at == 9 * MIB;
        return NULL;
}

static void
several_threads_write_and_read_large_objects(struct store *store)
{
        struct user users[6];
        pthread_t threads[6];
        struct err err;

        for (int idx = 0; idx < 6; idx++) {
                users[idx] = (struct user){ .store = store, .number = idx };
                CHECK_OK(thread_start(&threads[idx], "user", use, &users[idx], &err), err);
        }
        for (int idx = 0; idx < 6; idx++)
                thread_join(threads[idx]);
        for (int idx = 0; idx < 6; idx++) {
                CHECK_OK(users[idx].err.code == ERR_NONE ? 0 : -1, users[idx].err);
                CHECK(users[idx].good);
        }
}

#define CASE(name, needs)                                                                          \
        {                                                                                          \
#name, name, needs                                                                 \
        }

const struct store_case store_suite_large[] = {
        CASE(an_object_of_several_parts_is_read_as_it_was_written, 0),
        CASE(an_object_of_whole_parts_has_no_empty_one, 0),
        CASE(reading_may_end_early, 0),
        CASE(what_is_replaced_while_it_is_read_is_never_mixed, 0),
        CASE(a_large_write_without_a_commit_leaves_nothing, 0),
        CASE(a_token_ends_a_large_write, 0),
        CASE(a_sweep_removes_what_a_killed_writer_left, STORE_SHARED),
        CASE(a_killed_writer_is_gone_on_with, STORE_SHARED),
        CASE(several_threads_write_and_read_large_objects, 0),
        { NULL, NULL, 0 },
};
