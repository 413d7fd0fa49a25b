#include "harness/test.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/store_driver.h"
#include "moonkeep/store_walk.h"

#define BATCH_MAX ((size_t)8 * 1024 * 1024)

/* A store that lists `total` keys; then, by `last`, its end, a failure, or a wait for its token. */
struct lister {
        struct store store;
        int total;
        enum {
                ENDS,
                FAILS,
                WAITS
        } last;
        _Atomic int listed;
};

static int
lister_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        struct lister *it = (struct lister *)store;
        struct store_stat stat = { .size = 7, .mtime_ms = 1234, .etag = "a tag" };
        char key[64];

        for (int idx = 0; idx < it->total; idx++) {
                snprintf(key, sizeof(key), "%s%08d%s", prefix, idx, shallow ? "/" : "");
                stat.archived = idx % 2 != 0;
                if (fn(arg, key, shallow ? NULL : &stat, err) < 0)
                        return -1;
                atomic_fetch_add(&it->listed, 1);
        }
        if (it->last == FAILS)
                return err_set(err, ERR_NETWORK, "the listing broke off");
        if (it->last == WAITS)
                return cancel_wait_fd(cancel, -1, POLLIN, -1, err);
        return 0;
}

static const struct store_ops lister_ops = { .name = "lister", .list = lister_list };

static struct lister
lister(int total)
{
        return (struct lister){ .store = { .ops = &lister_ops, .url = "lister" }, .total = total };
}

/* Read all that comes: how many keys, all as lister_list made them; *result is the last answer. */
static int
read_all(struct store_walk *walk, bool shallow, int *result, struct err *err)
{
        struct store_batch batch;
        struct store_stat stat;
        bool folded;
        char want[64];
        int count = 0;

        store_batch_init(&batch, BATCH_MAX);
        while ((*result = store_walk_next(walk, &batch, err)) == 1) {
                const char *key;
                size_t at = 0, in_batch = 0;
                while ((key = store_batch_next(&batch, &at, &stat, &folded)) != NULL) {
                        snprintf(want, sizeof(want), "p/%08d%s", count, shallow ? "/" : "");
                        CHECK_STR(key, want);
                        CHECK(folded == shallow);
                        if (!folded) {
                                CHECK_INT(stat.size, 7);
                                CHECK_INT(stat.mtime_ms, 1234);
                                CHECK_STR(stat.etag, "a tag");
                                CHECK(stat.archived == (count % 2 != 0));
                        }
                        count++;
                        in_batch++;
                }
                CHECK_INT(in_batch, batch.count);
                CHECK(in_batch > 0 && in_batch <= 1000);
        }
        store_batch_free(&batch);
        return count;
}

TEST(all_keys_come_in_order_however_many)
{
        static const int totals[] = { 0, 1, 999, 1000, 1001, 25000 };
        struct err err;

        for (size_t idx = 0; idx < sizeof(totals) / sizeof(totals[0]); idx++) {
                for (int shallow = 0; shallow < 2; shallow++) {
                        struct lister store = lister(totals[idx]);
                        int result;
                        err_init(&err);
                        struct store_walk *walk =
                            store_walk_new(&store.store, "p/", shallow != 0, NULL, &err);
                        CHECK_PTR(walk, err);
                        CHECK_INT(read_all(walk, shallow != 0, &result, &err), totals[idx]);
                        CHECK_INT(result, 0);
                        store_walk_free(walk);
                }
        }
}

TEST(a_listing_that_breaks_off_is_an_error_that_stays)
{
        struct lister store = lister(1500);
        struct store_batch batch;
        struct err err;
        int result;

        err_init(&err);
        store.last = FAILS;
        struct store_walk *walk = store_walk_new(&store.store, "p/", false, NULL, &err);
        CHECK_INT(read_all(walk, false, &result, &err), 1500);
        CHECK_INT(result, -1);
        CHECK_STR(err.msg, "the listing broke off");
        store_batch_init(&batch, BATCH_MAX);
        CHECK_INT(store_walk_next(walk, &batch, &err), -1);
        CHECK_INT(err.code, ERR_NETWORK);
        store_walk_free(walk);
}

TEST(a_listing_does_not_run_far_ahead_of_its_reader)
{
        struct lister store = lister(1000000);
        struct store_batch batch;
        struct err err;

        err_init(&err);
        struct store_walk *walk = store_walk_new(&store.store, "p/", false, NULL, &err);
        store_batch_init(&batch, BATCH_MAX);
        CHECK_INT(store_walk_next(walk, &batch, &err), 1);
        store_batch_free(&batch);
        store_walk_free(walk);
        CHECK(atomic_load(&store.listed) <= 3000);
}

TEST(a_cancel_or_a_free_ends_a_listing_that_waits)
{
        struct lister store = lister(10);
        struct store_batch batch;
        struct err err;

        err_init(&err);
        store.last = WAITS;
        struct store_walk *walk = store_walk_new(&store.store, "p/", false, NULL, &err);
        store_walk_free(walk);

        struct cancel *token = cancel_new(NULL, &err);
        walk = store_walk_new(&store.store, "p/", false, token, &err);
        cancel_trigger(token);
        store_batch_init(&batch, BATCH_MAX);
        int result = store_walk_next(walk, &batch, &err);
        if (result == 1)
                result = store_walk_next(walk, &batch, &err);
        CHECK_INT(result, -1);
        CHECK_INT(err.code, ERR_CANCELLED);
        store_batch_free(&batch);
        store_walk_free(walk);
        cancel_unref(token);
}

TEST(what_is_no_prefix_is_refused)
{
        struct lister store = lister(1);
        struct err err;
        int result;

        err_init(&err);
        struct store_walk *walk = store_walk_new(&store.store, "p", false, NULL, &err);
        CHECK_INT(read_all(walk, false, &result, &err), 0);
        CHECK_INT(result, -1);
        CHECK_INT(err.code, ERR_INVALID);
        store_walk_free(walk);
}

TEST(a_batch_keeps_its_bound_and_whole_entries)
{
        struct store_batch batch;
        struct store_stat stat = { .etag = "tag" };
        struct err err;
        bool folded;
        size_t at = 0;

        err_init(&err);
        store_batch_init(&batch, 100);
        int added = 0;
        while (store_batch_add(&batch, "a key of some length", &stat, &err) == 0)
                added++;
        CHECK_INT(err.code, ERR_TOO_BIG);
        CHECK_INT(batch.count, added);
        CHECK(added > 0);
        while (store_batch_next(&batch, &at, &stat, &folded) != NULL)
                added--;
        CHECK_INT(added, 0);
        store_batch_free(&batch);
}

static int
walk_once(void *arg, struct err *err)
{
        struct lister store = lister(1100);
        int result;

        (void)arg;
        struct store_walk *walk = store_walk_new(&store.store, "p/", false, NULL, err);
        if (walk == NULL)
                return -1;
        read_all(walk, false, &result, err);
        store_walk_free(walk);
        return result;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(walk_once, NULL);
}
