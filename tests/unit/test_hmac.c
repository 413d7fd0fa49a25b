#include "harness/test.h"
#include "moonkeep/encode.h"
#include "moonkeep/hmac.h"

static void
check(const void *key, size_t key_len, const void *data, size_t len, const char *want)
{
        unsigned char mac[SHA256_SIZE];
        char text[SHA256_HEX_SIZE];
        struct err err;

        CHECK_OK(hmac_sha256(key, key_len, data, len, mac, &err), err);
        hex_encode(mac, sizeof(mac), text);
        CHECK_STR(text, want);
}

/* RFC 4231, test cases 1, 2, 3, 6 and 7. */
TEST(has_the_known_answers)
{
        static const char long_data[] =
            "This is a test using a larger than block-size key and a larger than block-size data. "
            "The key needs to be hashed before being used by the HMAC algorithm.";
        unsigned char key[131], data[50];

        memset(key, 0x0b, 20);
        check(key, 20, "Hi There", 8,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        check("Jefe", 4, "what do ya want for nothing?", 28,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        memset(key, 0xaa, sizeof(key));
        memset(data, 0xdd, sizeof(data));
        check(key, 20, data, sizeof(data),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
        check(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        check(key, sizeof(key), long_data, strlen(long_data),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(of_nothing_with_no_key_is_defined)
{
        check("", 0, "", 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
        check(NULL, 0, NULL, 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(a_key_has_a_bound)
{
        unsigned char mac[SHA256_SIZE];
        struct err err;

        CHECK_ERR(hmac_sha256("", HMAC_KEY_MAX + 1, "", 0, mac, &err) < 0, err, ERR_TOO_BIG,
            "more than 1048576 bytes");
}
