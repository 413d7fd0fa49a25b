#include "harness/decrypt_test.h"
#include "harness/gpg_test.h"
#include "moonkeep/encode.h"

/* gpg writes partial bodies of 8 KiB. */
#define SOME 20001

static char data[300001];

static void
from_hex(const char *hex, struct buf *out)
{
        struct err err;
        size_t len = strlen(hex) / 2;
        char *room = buf_reserve(out, len, &err);

        CHECK_PTR(room, err);
        CHECK_OK(hex_decode(hex, 2 * len, (unsigned char *)room, len, &err), err);
        buf_commit(out, len);
}

/* Made by gpg 2.2.40 --symmetric --s2k-count 1024 --compress-algo none, zip, zlib. */
TEST(reads_messages_of_gpg)
{
        static const char *const messages[] = {
                "8c0d04090302c3359571af274d0affd24d01138e5e0684898381619a0b479524d1ab54c6529cf2a673"
                "ef076ed499d3a3acc0e0075e40a05b6e4e438dbd7da4b83d5c0394b92d1bc50a16bdddf80603226970"
                "8004db4e62f21ddb3a4af039",
                "8c0d0409030292dbd20d82d31ef7ffd24601948b8c6a045a8d8e7088a8d1cf1eb4cc7a439c5dd632cf"
                "7c13dc21aaa9060f01993abcb372348f9da9516094fea1a1b0b51f9c881ef7458e21411f423b781748"
                "a07b7f122c",
                "8c0d0409030273c89911ca5949cfffd24c01232e4e48d1912969811c04d541cae9e8a994fc44d58121"
                "dd0a065a4ff4950cce1c7d74155f20d53f44bc597b1b4723bf2067d72975fc4b448cc72bb1997f00d1"
                "3bef0ce5005f50f9af5587",
        };
        struct buf packed;

        buf_init(&packed, PGP_TEST_MAX);
        for (size_t idx = 0; idx < 3; idx++) {
                buf_clear(&packed);
                from_hex(messages[idx], &packed);
                decrypt_test_good(&packed, "one two three one two three\n", 28);
        }
        buf_free(&packed);
}

/* The sample of draft-ietf-openpgp-rfc4880bis-10, appendix A.5: AEAD-OCB, "password". */
TEST(reads_the_sample_of_ocb)
{
        static const char sample[] =
            "c33d05070203089f0b7da3e5ea64779099e326e5400a90936cefb4e8eba08c6773716d1f2714540a38fcac"
            "529949dac529d3de31e15b4aeb729e330033dbedd4490107020e5ed2bc1e470abe8f1d644c7a6c8a567b0f"
            "7701196611a154ba9c2574cd056284a8ef68035c623d93cc708a43211bb6eaf2b27f7c18d571bcd83b20ad"
            "d3a08b73af15b9a098";
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&plain, PGP_TEST_MAX);
        from_hex(sample, &packed);
        CHECK_OK(decrypt_test_as("password", &packed, 0, &plain, &err), err);
        CHECK_STR(plain.data, "Hello, world!\n");
        CHECK_ERR(
            decrypt_test_as("Password", &packed, 0, &plain, &err) < 0, err, ERR_KEY, "not the one");
        buf_free(&packed);
        buf_free(&plain);
}

TEST(reads_what_gpg_writes)
{
        static const char *const compressions[] = { "none", "zip", "zlib" };
        static const char *const ciphers[] = { "AES128", "AES192", "AES256" };
        static const char *const modes[] = { "--s2k-mode 0 --s2k-digest-algo SHA1",
                "--s2k-mode 1 --s2k-digest-algo SHA512",
                "--s2k-mode 3 --s2k-digest-algo SHA256 --s2k-count 65536" };
        char args[200];
        struct buf packed;

        gpg_test_needed();
        codec_test_fill((unsigned char *)data, sizeof(data));
        buf_init(&packed, PGP_TEST_MAX);
        for (size_t one = 0; one < 3; one++) {
                for (size_t two = 0; two < 3; two++) {
                        snprintf(args, sizeof(args),
                            "--symmetric --compress-algo %s --cipher-algo %s %s", compressions[one],
                            ciphers[two], modes[(one + two) % 3]);
                        buf_clear(&packed);
                        CHECK_INT(gpg_test(args, data, SOME, &packed), 0);
                        decrypt_test_good(&packed, data, SOME);
                }
        }
        buf_free(&packed);
}

TEST(reads_what_gpg_writes_by_default_of_any_size)
{
        static const size_t sizes[] = { 0, 1, 8191, 8192, 8193, 300000 };
        struct buf packed;

        gpg_test_needed();
        codec_test_fill((unsigned char *)data, sizeof(data));
        buf_init(&packed, PGP_TEST_MAX);
        for (size_t idx = 0; idx < sizeof(sizes) / sizeof(sizes[0]); idx++) {
                buf_clear(&packed);
                CHECK_INT(gpg_test("--symmetric --s2k-count 65536", data, sizes[idx], &packed), 0);
                decrypt_test_good(&packed, data, sizes[idx]);
        }
        buf_free(&packed);
}

TEST(reads_many_megabytes_of_gpg)
{
        size_t len = 20 * 1024 * 1024 + 1;
        unsigned char *big = malloc(len);
        struct err err;
        struct buf packed, plain;

        gpg_test_needed();
        CHECK(big != NULL);
        codec_test_fill(big, len);
        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&plain, PGP_TEST_MAX);
        CHECK_INT(gpg_test("--symmetric", big, len, &packed), 0);
        CHECK_OK(decrypt_test_run(&packed, 0, &plain, &err), err);
        CHECK_INT(plain.len, len);
        CHECK(memcmp(plain.data, big, len) == 0);
        buf_free(&packed);
        buf_free(&plain);
        free(big);
}

TEST(what_gpg_writes_and_is_not_supported_is_named)
{
        struct buf packed;

        gpg_test_needed();
        buf_init(&packed, PGP_TEST_MAX);
        CHECK_INT(gpg_test("--symmetric --cipher-algo CAST5", "x", 1, &packed), 0);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "encrypted with CAST5");
        buf_clear(&packed);
        CHECK_INT(gpg_test("--symmetric --cipher-algo TWOFISH", "x", 1, &packed), 0);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "encrypted with Twofish");
        buf_clear(&packed);
        CHECK_INT(gpg_test("--symmetric --compress-algo bzip2", "x", 1, &packed), 0);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "BZIP2");
        buf_clear(&packed);
        CHECK_INT(gpg_test("--symmetric --textmode", "x", 1, &packed), 0);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "text");
        buf_clear(&packed);
        CHECK_INT(
            gpg_test("--symmetric --rfc2440 --disable-mdc --cipher-algo AES", "x", 1, &packed), 0);
        if ((packed.data[15] & 0x7c) >> 2 == 9)
                decrypt_test_bad(&packed, ERR_UNSUPPORTED, "without a proof");
        buf_clear(&packed);
        CHECK_INT(gpg_test("--symmetric --armor", "x", 1, &packed), 0);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "ASCII armor");
        buf_free(&packed);
}

TEST(what_is_made_by_hand_is_read_by_gpg_too)
{
        struct pgp_test_key session = { 9, "thirty-two bytes of session key!", 32 };
        struct buf packed, body, inner, plain;

        gpg_test_needed();
        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&body, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        buf_init(&plain, PGP_TEST_MAX);
        pgp_test_plain(&inner, "hello", 5);
        pgp_test_message(&packed, inner.data, inner.len);
        CHECK_INT(gpg_test("--decrypt", packed.data, packed.len, &plain), 0);
        CHECK_STR(plain.data, "hello");

        buf_clear(&packed);
        buf_clear(&plain);
        pgp_test_skesk(&packed, PGP_TEST_PASS, S2K_ITERATED, S2K_SHA1, 9, &session, true);
        pgp_test_aead(&body, &session, inner.data, inner.len, 0);
        pgp_test_packet(&packed, 20, body.data, body.len);
        /* Versions of gpg that do not know OCB say so. */
        if (gpg_test("--decrypt", packed.data, packed.len, &plain) == 0)
                CHECK_STR(plain.data, "hello");
        buf_free(&packed);
        buf_free(&body);
        buf_free(&inner);
        buf_free(&plain);
}
