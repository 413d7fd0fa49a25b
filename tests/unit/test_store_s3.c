/*
 * S3 at real servers.
 *
 * stores: radosgw swift
 * timeout: 600
 */
#include "harness/s3_test.h"

#include "moonkeep/rand.h"

/* Servers. */

static void
check_suite(const char *name, bool https, const char *options)
{
        struct test_store server;

        test_store_begin(&server, name, https);
        struct store *store = test_store_open(&server, NULL, "some/prefix", options);
        conformance(store, store_suite, 0);
        store_free(store);
        test_store_end(&server);
}

TEST(radosgw_keeps_what_every_store_promises)
{
        check_suite("radosgw", false, NULL);
}

TEST(radosgw_keeps_it_over_https_too)
{
        check_suite("radosgw", true, NULL);
}

TEST(swift_keeps_what_every_store_promises)
{
        check_suite("swift", false, NULL);
}

TEST(swift_keeps_it_over_https_too)
{
        check_suite("swift", true, NULL);
}
