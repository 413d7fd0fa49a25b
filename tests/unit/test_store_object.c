/*
 * What every store promises, kept by the drivers for object stores with real
 * servers, over http and https.
 * stores: radosgw swift azurite
 * timeout: 600
 * begins early
 */
#include "harness/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness/store_suite.h"
#include "harness/stores.h"

/* Bound on one test, in seconds: many keys take swift minutes. */
#define TEST_S 400

static unsigned
traits_of(const char *name)
{
        const char *all = getenv("FAULT_ALL");
        unsigned traits = STORE_FLAT | STORE_SHARED;

        if (strcmp(name, "radosgw") == 0 || (all != NULL && *all != '\0'))
                traits |= STORE_MANY;
        /* Here swift encrypts, and keeps the key several times where ext4 has room for 4 KiB. */
        if (strcmp(name, "swift") != 0)
                traits |= STORE_LONG;
        return traits;
}

/* What runs through no other code of ours is not run again, many times slower. */
static void
skip_when_sanitized(const char *name, bool https)
{
        const char *sanitizer = getenv("SANITIZER");

        if (sanitizer != NULL && *sanitizer != '\0' && (https || strcmp(name, "swift") == 0))
                SKIP("not with sanitizers");
}

static void
keeps(const char *name, bool https, const struct store_case *cases)
{
        struct test_store it;

        skip_when_sanitized(name, https);
        alarm(TEST_S);
        test_store_begin(&it, name, https);
        struct store *store = test_store_open(&it, NULL, "", NULL);
        conformance(store, cases, traits_of(name));
        store_free(store);
        test_store_end(&it);
}

#define KEEPS(store)                                                                               \
        TEST(store##_keeps_what_every_store_promises)                                              \
        {                                                                                          \
                keeps(#store, false, store_suite);                                                 \
        }                                                                                          \
        TEST(store##_keeps_it_over_https)                                                          \
        {                                                                                          \
                keeps(#store, true, store_suite);                                                  \
        }                                                                                          \
        TEST(store##_keeps_large_objects)                                                          \
        {                                                                                          \
                keeps(#store, false, store_suite_large);                                           \
        }                                                                                          \
        TEST(store##_keeps_odd_and_many_keys)                                                      \
        {                                                                                          \
                keeps(#store, false, store_suite_keys);                                            \
        }

KEEPS(radosgw)
KEEPS(swift)
KEEPS(azurite)

TEST(radosgw_keeps_large_objects_over_https)
{
        keeps("radosgw", true, store_suite_large);
}

/* A prefix is a store of its own, and what is beside it another's. */
static void
prefix_is_a_store(const char *name)
{
        struct test_store it;

        test_store_begin(&it, name, false);
        struct store *all = test_store_open(&it, NULL, "", NULL);
        struct store *some = test_store_open(&it, NULL, "a/b%20%2Bc", NULL);
        store_suite_put(all, "a/b +c", "1");
        store_suite_put(all, "a/b +c-d", "2");
        store_suite_put(all, "a/z", "3");
        store_suite_list(some, "", false, "");
        store_suite_put(some, "k", "4");
        store_suite_put(some, "x/y", "5");
        store_suite_list(some, "", false, "k x/y");
        store_suite_list(some, "", true, "k x/");
        store_suite_list(some, "x/", false, "x/y");
        store_suite_get(all, "a/b +c/x/y", "5");
        store_suite_list(all, "", false, "a/b +c a/b +c-d a/b +c/k a/b +c/x/y a/z");
        store_free(some);
        store_free(all);
        test_store_end(&it);
}

TEST(a_prefix_is_a_store_in_radosgw)
{
        prefix_is_a_store("radosgw");
}

TEST(a_prefix_is_a_store_in_swift)
{
        prefix_is_a_store("swift");
}

TEST(a_prefix_is_a_store_in_azurite)
{
        prefix_is_a_store("azurite");
}
