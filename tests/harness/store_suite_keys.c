#include <stdio.h>

#include "harness/store_suite.h"
#include "harness/test.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"

/* In the order of their bytes. */
static const char *const odd_keys[] = {
        " ",
        " a ",
        "!$&'()*+,;=:@-._~",
        "\"quotes\" and 'quotes'",
        "#?%",
        "%20",
        "%2e%2e/x",
        "%41",
        "+",
        "..x/.y/...z",
        "<&>]]>&amp;",
        "?acl",
        "?uploads=&x=y/z",
        "[a]{b}^`|",
        "a b/c  d/ e ",
        "a+b",
        "e\xcc\x81", /* e with an accent, in two ways */
        "\xc3\xa9",
        "\xe2\x82\xac/\xf0\x9f\x8c\x99",
};

static void
odd_keys_are_kept(struct store *store)
{
        const size_t count = sizeof(odd_keys) / sizeof(odd_keys[0]);
        char all[2048] = "", text[8];
        struct store_stat stat;
        struct err err;

        err_init(&err);
        for (size_t idx = 0; idx < count; idx++) {
                snprintf(text, sizeof(text), "%zu", idx);
                store_suite_put(store, odd_keys[idx], text);
                if (idx > 0)
                        strcat(all, " ");
                strcat(all, odd_keys[idx]);
        }
        store_suite_list(store, "", false, all);
        store_suite_list(store, "a b/", true, "a b/c  d/");
        store_suite_list(store, "a b/c  d/", false, "a b/c  d/ e ");
        store_suite_list(store, "?uploads=&x=y/", false, "?uploads=&x=y/z");
        store_suite_list(store, "%2e%2e/", true, "%2e%2e/x");
        for (size_t idx = 0; idx < count; idx++) {
                snprintf(text, sizeof(text), "%zu", idx);
                store_suite_get(store, odd_keys[idx], text);
                CHECK_OK(store_stat(store, odd_keys[idx], &stat, NULL, &err), err);
                CHECK_INT(stat.size, strlen(text));
        }
        for (size_t idx = 0; idx < count; idx++) {
                CHECK_OK(store_remove(store, odd_keys[idx], NULL, &err), err);
                CHECK(!store_suite_exists(store, odd_keys[idx]));
        }
        store_suite_list(store, "", false, "");
}

static void
a_key_can_be_a_folder_too(struct store *store)
{
        store_suite_put(store, "a", "1");
        store_suite_put(store, "a/b", "2");
        store_suite_put(store, "a/b/c", "3");
        store_suite_list(store, "", false, "a a/b a/b/c");
        store_suite_list(store, "", true, "a a/");
        store_suite_list(store, "a/", true, "a/b a/b/");
        store_suite_get(store, "a", "1");
        store_suite_get(store, "a/b", "2");
}

static void
a_key_has_so_many_bytes_and_no_more(struct store *store)
{
        char key[STORE_KEY_MAX + 2];
        struct err err;

        err_init(&err);
        for (size_t idx = 0; idx < STORE_KEY_MAX + 1; idx++)
                key[idx] = idx % 100 == 99 ? '/' : 'k';
        key[STORE_KEY_MAX + 1] = '\0';
        CHECK_ERR(store_create(store, key, NULL, NULL, &err) == NULL, err, ERR_INVALID,
            "longer than 1024 bytes");
        key[STORE_KEY_MAX] = '\0';
        store_suite_put(store, key, "long");
        store_suite_get(store, key, "long");
        store_suite_list(store, "", false, key);
        CHECK_OK(store_remove(store, key, NULL, &err), err);
        CHECK(!store_suite_exists(store, key));
}

static void
a_key_may_have_one_long_part(struct store *store)
{
        char key[STORE_KEY_MAX + 1];

        memset(key, '+', STORE_KEY_MAX);
        key[STORE_KEY_MAX] = '\0';
        store_suite_put(store, key, "long");
        store_suite_get(store, key, "long");
        store_suite_list(store, "", true, key);
}

/* More than two pages of any server. */
#define MANY 2500
#define WRITERS 8

struct worker {
        struct store *store;
        int number;
        bool removes;
        struct err err;
};

static void
key_of(int number, char out[32])
{
        snprintf(
            out, 32, "%s/%c/%05d", number % 2 == 0 ? "even" : "odd", 'a' + number % 10 / 2, number);
}

static void *
work(void *arg)
{
        struct worker *worker = arg;
        char key[32];

        for (int number = worker->number; number < MANY; number += WRITERS) {
                key_of(number, key);
                int rc = worker->removes
                             ? store_remove(worker->store, key, NULL, &worker->err)
                             : store_suite_try_put(worker->store, key, key, false, &worker->err);
                if (rc < 0)
                        break;
        }
        return NULL;
}

static void
work_together(struct store *store, bool removes)
{
        struct worker workers[WRITERS];
        pthread_t threads[WRITERS];
        struct err err;

        for (int idx = 0; idx < WRITERS; idx++) {
                workers[idx] = (struct worker){ .store = store, .number = idx, .removes = removes };
                err_init(&workers[idx].err);
                CHECK_OK(thread_start(&threads[idx], "writer", work, &workers[idx], &err), err);
        }
        for (int idx = 0; idx < WRITERS; idx++)
                thread_join(threads[idx]);
        for (int idx = 0; idx < WRITERS; idx++)
                CHECK_OK(workers[idx].err.code == ERR_NONE ? 0 : -1, workers[idx].err);
}

struct seen {
        char last[STORE_KEY_MAX + 1];
        int count;
};

static int
see(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct seen *seen = arg;

        (void)err;
        CHECK(strcmp(key, seen->last) > 0);
        CHECK(stat == NULL || stat->size == strlen(key));
        snprintf(seen->last, sizeof(seen->last), "%s", key);
        seen->count++;
        return 0;
}

static int
count(struct store *store, const char *prefix, bool shallow)
{
        struct seen seen = { 0 };
        struct err err;

        err_init(&err);
        CHECK_OK(store_list(store, prefix, shallow, see, &seen, NULL, &err), err);
        return seen.count;
}

static void
many_keys_are_listed_in_order(struct store *store)
{
        work_together(store, false);
        CHECK_INT(count(store, "", false), MANY);
        CHECK_INT(count(store, "odd/", false), MANY / 2);
        CHECK_INT(count(store, "odd/c/", true), MANY / 10);
        CHECK_INT(count(store, "even/", true), 5);
        store_suite_list(store, "", true, "even/ odd/");
        work_together(store, true);
        CHECK_INT(count(store, "", false), 0);
}

#define CASE(name, needs)                                                                          \
        {                                                                                          \
#name, name, needs                                                                 \
        }

const struct store_case store_suite_keys[] = {
        CASE(odd_keys_are_kept, 0),
        CASE(a_key_can_be_a_folder_too, STORE_FLAT),
        CASE(a_key_has_so_many_bytes_and_no_more, STORE_LONG),
        CASE(a_key_may_have_one_long_part, STORE_FLAT | STORE_LONG),
        CASE(many_keys_are_listed_in_order, STORE_MANY),
        { NULL, NULL, 0 },
};
