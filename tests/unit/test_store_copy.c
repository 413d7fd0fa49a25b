#include "harness/test.h"

#include "harness/store_suite.h"
#include "moonkeep/store_driver.h"

struct pair {
        struct store *from;
        struct store *to;
};

static struct pair
open_pair(void)
{
        struct pair pair;
        struct err err;

        err_init(&err);
        CHECK_PTR((pair.from = store_open(test_path("from"), &err)), err);
        CHECK_PTR((pair.to = store_open(test_path("to"), &err)), err);
        return pair;
}

static void
close_pair(struct pair pair)
{
        store_free(pair.from);
        store_free(pair.to);
}

static struct store_stat
seen(struct store *store, const char *key)
{
        struct store_stat stat;
        struct err err;

        err_init(&err);
        CHECK_OK(store_stat(store, key, &stat, NULL, &err), err);
        return stat;
}

static int
copy(struct pair pair, const char *key, const struct store_stat *stat, struct store_copied *out,
    struct err *err)
{
        err_init(err);
        return store_copy(pair.from, pair.to, key, stat, out, NULL, NULL, err);
}

TEST(an_object_is_copied_and_described_as_the_target_has_it)
{
        struct pair pair = open_pair();
        struct store_copied out;
        struct err err;

        store_suite_put(pair.from, "a/b", "text");
        const struct store_stat stat = seen(pair.from, "a/b");
        CHECK_OK(copy(pair, "a/b", &stat, &out, &err), err);
        store_suite_get(pair.to, "a/b", "text");
        const struct store_stat made = seen(pair.to, "a/b");
        CHECK_INT(out.made.size, 4);
        CHECK_INT(out.made.mtime_ms, made.mtime_ms);
        CHECK(!out.by_server);
        close_pair(pair);
}

TEST(objects_of_any_size_are_copied_whole)
{
        static char text[300001];
        struct pair pair = open_pair();
        struct err err;

        for (size_t len = 0; len < sizeof(text) - 1; len = len * 3 + 7) {
                struct progress progress = { 0 };
                struct store_copied out;
                memset(text, 'a' + (int)(len % 26), len);
                text[len] = '\0';
                store_suite_put(pair.from, "a", text);
                const struct store_stat stat = seen(pair.from, "a");
                err_init(&err);
                CHECK_OK(
                    store_copy(pair.from, pair.to, "a", &stat, &out, &progress, NULL, &err), err);
                store_suite_get(pair.to, "a", text);
                CHECK_INT(atomic_load(&progress.bytes_in), len);
                CHECK_INT(atomic_load(&progress.bytes_out), len);
        }
        close_pair(pair);
}

TEST(what_was_changed_meanwhile_is_not_copied)
{
        struct pair pair = open_pair();
        struct store_copied out = { .by_server = true };
        struct store_stat stat;
        struct err err;

        store_suite_put(pair.from, "a", "text");
        store_suite_put(pair.to, "a", "old");
        stat = seen(pair.from, "a");
        stat.size++;
        CHECK_ERR(copy(pair, "a", &stat, &out, &err) < 0, err, ERR_IO, "it was changed meanwhile");
        CHECK(err.retryable);
        stat.size -= 2;
        CHECK_ERR(copy(pair, "a", &stat, &out, &err) < 0, err, ERR_IO, "it was changed meanwhile");
        stat = seen(pair.from, "a");
        stat.mtime_ms--;
        CHECK_ERR(copy(pair, "a", &stat, &out, &err) < 0, err, ERR_IO, "it was changed meanwhile");
        store_suite_get(pair.to, "a", "old");
        store_suite_list(pair.to, "", false, "a");
        CHECK(out.by_server && out.made.size == 0);
        close_pair(pair);
}

TEST(what_cannot_be_read_or_written_leaves_nothing)
{
        struct pair pair = open_pair();
        struct store_stat stat = { .size = 4 };
        struct store_copied out;
        struct err err;

        store_suite_put(pair.from, "a", "text");
        store_suite_put(pair.to, "b", "text");
        CHECK_ERR(copy(pair, "z", &stat, &out, &err) < 0, err, ERR_NOT_FOUND, "z");
        CHECK_ERR(copy(pair, "../a", &stat, &out, &err) < 0, err, ERR_INVALID, "no key");
        store_suite_put(pair.from, "b/c", "text");
        stat = seen(pair.from, "b/c");
        CHECK_ERR(copy(pair, "b/c", &stat, &out, &err) < 0, err, ERR_INVALID, "is a file");
        store_suite_list(pair.to, "", false, "b");
        close_pair(pair);
}

/* A driver whose server copies: what it answers is taken from `answer`. */
static int answer;

static int
server_copy(struct store *to, struct store *from, const char *key, const struct store_stat *stat,
    struct store_stat *made, struct cancel *cancel, struct err *err)
{
        (void)to;
        (void)from;
        (void)stat;
        (void)cancel;
        if (answer < 0)
                return err_set(err, ERR_PERMISSION, "cannot copy \"%s\": access denied", key);
        if (answer > 0)
                memcpy(made->etag, "tag", sizeof("tag"));
        return answer;
}

TEST(a_server_that_can_copies_and_else_it_is_done_here)
{
        struct pair pair = open_pair();
        struct store_copied out;
        struct err err;

        struct store_ops ops = *pair.to->ops;
        ops.copy = server_copy;
        store_suite_put(pair.from, "a", "text");
        const struct store_stat stat = seen(pair.from, "a");
        pair.to->ops = &ops;
        answer = 1;
        CHECK_OK(copy(pair, "a", &stat, &out, &err), err);
        CHECK(!out.by_server); /* of another driver */

        pair.from->ops = &ops;
        CHECK_OK(copy(pair, "a", &stat, &out, &err), err);
        CHECK(out.by_server);
        CHECK_STR(out.made.etag, "tag");
        CHECK_INT(out.made.size, 4);
        answer = 0;
        CHECK_OK(copy(pair, "a", &stat, &out, &err), err);
        CHECK(!out.by_server);
        answer = -1;
        CHECK_ERR(copy(pair, "a", &stat, &out, &err) < 0, err, ERR_PERMISSION, "access denied");
        close_pair(pair);
}
