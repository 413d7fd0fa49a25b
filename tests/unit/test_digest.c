#include "harness/test.h"
#include "moonkeep/digest.h"
#include "moonkeep/encode.h"

static void
check_hex(const unsigned char digest[SHA256_SIZE], const char *want)
{
        char text[SHA256_HEX_SIZE];

        hex_encode(digest, SHA256_SIZE, text);
        CHECK_STR(text, want);
}

static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char of_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(has_the_known_answers)
{
        struct err err;
        unsigned char digest[SHA256_SIZE];

        CHECK_OK(sha256_bytes("", 0, digest, &err), err);
        check_hex(digest, of_nothing);
        CHECK_OK(sha256_bytes(NULL, 0, digest, &err), err);
        check_hex(digest, of_nothing);
        CHECK_OK(sha256_bytes("abc", 3, digest, &err), err);
        check_hex(digest, of_abc);
}

TEST(final_starts_anew)
{
        struct err err;
        unsigned char digest[SHA256_SIZE];
        struct sha256 *sha = sha256_new(&err);

        CHECK_PTR(sha, err);
        for (int round = 0; round < 3; round++) {
                CHECK_OK(sha256_update(sha, "a", 1, &err), err);
                CHECK_OK(sha256_update(sha, "", 0, &err), err);
                CHECK_OK(sha256_update(sha, "bc", 2, &err), err);
                CHECK_OK(sha256_final(sha, digest, &err), err);
                check_hex(digest, of_abc);
                CHECK_OK(sha256_final(sha, digest, &err), err);
                check_hex(digest, of_nothing);
        }
        sha256_free(sha);
        sha256_free(NULL);
}

static int
digest_some(void *arg, struct err *err)
{
        unsigned char digest[SHA256_SIZE];

        (void)arg;
        return sha256_bytes("abc", 3, digest, err);
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(digest_some, NULL);
}
