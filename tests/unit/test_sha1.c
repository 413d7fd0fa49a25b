#include "harness/test.h"

#include "moonkeep/encode.h"
#include "moonkeep/sha1.h"

/* FIPS 180. */
TEST(digests_are_as_the_standard_says)
{
        unsigned char digest[SHA1_SIZE];
        char hex[2 * SHA1_SIZE + 1];
        struct err err;
        struct sha1 *sha = sha1_new(&err);

        CHECK_PTR(sha, err);
        CHECK_OK(sha1_update(sha, "a", 1, &err), err);
        CHECK_OK(sha1_update(sha, "bc", 2, &err), err);
        CHECK_OK(sha1_final(sha, digest, &err), err);
        sha1_free(sha);
        hex_encode(digest, sizeof(digest), hex);
        CHECK_STR(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static int
run_once(void *arg, struct err *err)
{
        struct sha1 *sha = sha1_new(err);

        (void)arg;
        sha1_free(sha);
        return sha != NULL ? 0 : -1;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
