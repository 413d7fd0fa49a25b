/*
 * Real object stores for tests: what tests/servers/stores tells of them (a test
 * that uses one says "stores: NAME..." in its first 20 lines), and a bucket
 * (container) of one's own in them.
 */
#ifndef TESTS_HARNESS_STORES_H
#define TESTS_HARNESS_STORES_H

#include <stdbool.h>

#include "moonkeep/store.h"

struct test_store {
        char name[16]; /* "radosgw", "swift", "azurite" */
        bool azure;
        char endpoint[256]; /* http or https, as asked for */
        char ca_file[512];
        char region[64];
        char bucket[64];
        char access_key[128], secret_key[128];
        char other_access_key[128], other_secret_key[128]; /* may not touch the bucket */
        char account[128], key[256];
};

/*
 * test_store_begin: what there is to know of the store of that name; skips the
 * test when it is not up.  Sets the environment that the drivers find their
 * credentials in, and makes the bucket, which goes with the test, whatever happens.
 */
void test_store_begin(struct test_store *it, const char *name, bool https);

/* test_store_end: remove the bucket, with all that is in it. */
void test_store_end(struct test_store *it);

/*
 * test_store_url: its URL; endpoint NULL: it->endpoint; options are added as
 * they stand ("&stall=1"), or NULL.  Valid until the next call.
 */
const char *test_store_url(
    const struct test_store *it, const char *endpoint, const char *prefix, const char *options);

/* test_store_open: the store at that URL. */
struct store *test_store_open(
    const struct test_store *it, const char *endpoint, const char *prefix, const char *options);

#endif
