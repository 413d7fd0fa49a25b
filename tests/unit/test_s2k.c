#include "harness/test.h"

#include "moonkeep/encode.h"
#include "moonkeep/s2k.h"

static const struct s2k iterated = { S2K_ITERATED, S2K_SHA256, "saltsalt", 65536 };

static int
derive(const struct s2k *s2k, const char *pass, size_t key_len, char *hex, struct err *err)
{
        unsigned char key[S2K_KEY_MAX];
        struct secret *secret = secret_new(pass, strlen(pass), err);

        if (secret == NULL)
                return -1;
        int rc = s2k_derive(s2k, secret, key, key_len, err);
        secret_unref(secret);
        if (rc == 0)
                hex_encode(key, key_len, hex);
        return rc;
}

/* What RFC 4880, 3.7.1 says, computed by another program. */
TEST(keys_are_as_the_standard_says)
{
        static const struct {
                struct s2k s2k;
                const char *key;
        } known[] = {
                { { S2K_SIMPLE, S2K_SHA1, "saltsalt", 0 },
                    "084a3501edef6845f2f1e4198ec3a2b81cf5c6bc991597b5733d8f2af5183970" },
                { { S2K_SALTED, S2K_SHA1, "saltsalt", 0 },
                    "df12af12cb39af0e6abc3583102bf3c43fc55d3a6d957899c8a21da0a4303e27" },
                { { S2K_ITERATED, S2K_SHA1, "saltsalt", 1024 },
                    "80a1e37a10bc70d0a07646de5bc38f74fa9304c27d46b16a90ced7ef6ed222c9" },
                { { S2K_ITERATED, S2K_SHA224, "saltsalt", 65536 },
                    "f8d75220d95630d966e743fe71b9484cf4dfafb6d769c49f66d77e7734fbe181" },
                { { S2K_ITERATED, S2K_SHA256, "saltsalt", 65536 },
                    "8c400d64eb130bfe64b3e7d4d3d21f872318572382c686362d2420d569b5ee7c" },
                { { S2K_SALTED, S2K_SHA384, "saltsalt", 0 },
                    "853f7f73941d8bfbcee71d52e4ffe5651fe300e5465b5461834c90e0f172300c" },
                { { S2K_ITERATED, S2K_SHA512, "saltsalt", 100000 },
                    "2d5859e94db28ed700dddd65c9d3cae7955feeb368124bebcd7c589be83db960" },
        };
        char hex[2 * S2K_KEY_MAX + 1];
        struct err err;

        for (size_t idx = 0; idx < sizeof(known) / sizeof(known[0]); idx++) {
                CHECK_OK(derive(&known[idx].s2k, "sesame", 32, hex, &err), err);
                CHECK_STR(hex, known[idx].key);
        }
}

TEST(counts_of_one_octet)
{
        CHECK_INT(s2k_count(0), 1024);
        CHECK_INT(s2k_count(0x60), 65536);
        CHECK_INT(s2k_count(0xff), S2K_COUNT_MAX);
}

TEST(a_passphrase_longer_than_the_count_is_hashed_whole)
{
        char one[129], two[129], pass[2001];
        struct s2k s2k = iterated;
        struct err err;

        memset(pass, 'x', 2000);
        pass[2000] = '\0';
        s2k.count = 1024;
        CHECK_OK(derive(&s2k, pass, 16, one, &err), err);
        pass[1999] = 'y';
        CHECK_OK(derive(&s2k, pass, 16, two, &err), err);
        CHECK(strcmp(one, two) != 0);
}

TEST(other_ways_are_refused)
{
        char hex[2 * S2K_KEY_MAX + 1];
        struct s2k s2k = iterated;
        struct err err;

        s2k.hash = 1;
        CHECK_ERR(derive(&s2k, "x", 16, hex, &err) < 0, err, ERR_UNSUPPORTED, "hash");
        s2k = iterated;
        s2k.mode = 2;
        CHECK_ERR(derive(&s2k, "x", 16, hex, &err) < 0, err, ERR_UNSUPPORTED, "S2K 2");
        s2k = iterated;
        CHECK_ERR(derive(&s2k, "x", S2K_KEY_MAX + 1, hex, &err) < 0, err, ERR_INVALID, "too long");
}

/* It is in the manifests of backups: it never changes. */
TEST(the_id_of_a_key_is_what_the_docs_say)
{
        char id[S2K_KEY_ID_SIZE];
        struct err err;
        struct secret *secret = secret_new("sesame", 6, &err);

        CHECK_PTR(secret, err);
        CHECK_OK(s2k_key_id(secret, id, &err), err);
        CHECK_STR(id, "b747707822499c6a");
        secret_unref(secret);
}

static int
run_once(void *arg, struct err *err)
{
        char hex[2 * S2K_KEY_MAX + 1];

        (void)arg;
        return derive(&iterated, "sesame", 32, hex, err);
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
