#include "harness/test.h"

#include "harness/store_suite.h"
#include "moonkeep/store_driver.h"

static struct store *
made(void)
{
        struct err err;

        err_init(&err);
        struct store *store = store_mem_open(&err);
        CHECK_PTR(store, err);
        return store;
}

TEST(memory_keeps_what_every_store_promises)
{
        struct store *store = made();

        conformance_all(store, STORE_FLAT | STORE_LONG | STORE_MANY);
        store_free(store);
}

TEST(what_is_read_stays_while_it_is_replaced_and_when_the_store_goes)
{
        struct store *store = made();
        struct err err;
        char text[8] = "";

        err_init(&err);
        store_suite_put(store, "k", "before");
        struct source *src = store_read(store, "k", 0, UINT64_MAX, NULL, &err);
        CHECK_PTR(src, err);
        struct sink *sink = store_create(store, "late", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_INT(source_read(src, text, 3, &err), 3);
        store_suite_put(store, "k", "AFTER");
        store_suite_get(store, "k", "AFTER");
        store_free(store);
        CHECK_INT(source_read(src, text + 3, 4, &err), 3);
        CHECK_STR(text, "before");
        CHECK_OK(sink_commit(sink, &err), err);
        source_free(src);
        sink_free(sink);
}

TEST(the_store_says_what_was_made)
{
        struct store *store = made();
        struct store_stat stat, now;
        const struct store_write how = { .made = &stat };
        struct err err;

        err_init(&err);
        struct sink *sink = store_create(store, "k", &how, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "12345", 5, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        CHECK_OK(store_stat(store, "k", &now, NULL, &err), err);
        CHECK_INT(stat.size, 5);
        CHECK_INT(stat.mtime_ms, now.mtime_ms);
        store_free(store);
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
use_store(void *arg, struct err *err)
{
        struct store *store = store_mem_open(err);
        struct source *src = NULL;
        int rc = -1;

        (void)arg;
        if (store == NULL)
                return -1;
        if (store_suite_try_put(store, "a/k", "text", false, err) < 0 ||
            store_suite_try_put(store, "a/k", "more", false, err) < 0 ||
            store_suite_try_put(store, "b", "text", true, err) < 0 ||
            store_list(store, "", true, ignore, NULL, NULL, err) < 0)
                goto done;
        src = store_read(store, "a/k", 0, 1, NULL, err);
        if (src != NULL && store_remove(store, "a/k", NULL, err) == 0)
                rc = 0;
        source_free(src);

done:
        store_free(store);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        test_each_allocation(use_store, NULL);
}
