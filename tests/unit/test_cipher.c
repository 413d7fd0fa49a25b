#include "harness/codec_test.h"
#include "moonkeep/cipher.h"
#include "moonkeep/digest.h"
#include "moonkeep/encode.h"

#define LEN 100003

static unsigned char data[LEN], cipher[LEN], plain[LEN];
static const unsigned char key[] = "0123456789abcdef0123456789ABCDEF";

static void
run(enum cipher_way way, size_t key_len, size_t step, const unsigned char *in, unsigned char *out)
{
        struct err err;
        struct cipher_cfb *cfb = cipher_cfb_new(way, key, key_len, &err);

        CHECK_PTR(cfb, err);
        for (size_t at = 0; at < LEN; at += step)
                CHECK_OK(cipher_cfb_update(
                             cfb, in + at, out + at, LEN - at < step ? LEN - at : step, &err),
                    err);
        cipher_cfb_free(cfb);
}

/* The digests are of what `openssl enc -aes-N-cfb -iv 0` makes. */
TEST(cfb_is_that_of_openssl_whatever_the_steps)
{
        static const size_t steps[] = { 1, 3, 15, 16, 17, 8191, 8192, 8193, 50000, LEN };
        static const struct {
                size_t key_len;
                const char *sha256;
        } known[] = {
                { 16, "905523025e3cf980bf985c75f8c9b192846bf015c9cacdcbdfa393de01a46bb0" },
                { 24, "51265a213c04dfaa2f760fd62e6fd3cec6fa18888a747cb5f39a31eef75fdaad" },
                { 32, "af4f6de369ec62e1f0a509cb6b832586fae3659870bebaa9ce8df0d388fb38a8" },
        };
        unsigned char digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        struct err err;

        codec_test_fill(data, LEN);
        for (size_t idx = 0; idx < 3; idx++) {
                for (size_t step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
                        run(CIPHER_ENCRYPT, known[idx].key_len, steps[step], data, cipher);
                        CHECK_OK(sha256_bytes(cipher, LEN, digest, &err), err);
                        hex_encode(digest, SHA256_SIZE, hex);
                        CHECK_STR(hex, known[idx].sha256);
                        run(CIPHER_DECRYPT, known[idx].key_len, steps[step], cipher, plain);
                        CHECK(memcmp(plain, data, LEN) == 0);
                }
        }
}

TEST(cfb_works_in_place)
{
        codec_test_fill(data, LEN);
        run(CIPHER_ENCRYPT, 32, LEN, data, cipher);
        memcpy(plain, data, LEN);
        run(CIPHER_ENCRYPT, 32, 9000, plain, plain);
        CHECK(memcmp(plain, cipher, LEN) == 0);
        run(CIPHER_DECRYPT, 32, 9000, plain, plain);
        CHECK(memcmp(plain, data, LEN) == 0);
}

TEST(ocb_proves_data_and_what_is_beside_it)
{
        unsigned char tag[CIPHER_OCB_TAG], nonce[CIPHER_OCB_NONCE] = "nonce", other[5];
        struct err err;
        struct cipher_ocb *in = cipher_ocb_new(CIPHER_ENCRYPT, key, 32, &err);
        struct cipher_ocb *out = cipher_ocb_new(CIPHER_DECRYPT, key, 32, &err);

        CHECK(in != NULL && out != NULL);
        memcpy(plain, "hello", 5);
        CHECK_OK(cipher_ocb_chunk(in, nonce, "beside", 6, plain, 5, tag, &err), err);
        CHECK(memcmp(plain, "hello", 5) != 0);
        memcpy(other, plain, 5);
        CHECK_OK(cipher_ocb_chunk(out, nonce, "beside", 6, other, 5, tag, &err), err);
        CHECK(memcmp(other, "hello", 5) == 0);

        memcpy(other, plain, 5);
        CHECK_ERR(cipher_ocb_chunk(out, nonce, "besidE", 6, other, 5, tag, &err) < 0, err,
            ERR_CORRUPT, "does not match its tag");
        memcpy(other, plain, 5);
        other[4] ^= 1;
        CHECK(cipher_ocb_chunk(out, nonce, "beside", 6, other, 5, tag, &err) < 0);
        memcpy(other, plain, 5);
        nonce[14] ^= 1;
        CHECK(cipher_ocb_chunk(out, nonce, "beside", 6, other, 5, tag, &err) < 0);
        nonce[14] ^= 1;
        tag[0] ^= 1;
        CHECK(cipher_ocb_chunk(out, nonce, "beside", 6, other, 5, tag, &err) < 0);
        tag[0] ^= 1;
        /* After a failure it works on. */
        memcpy(other, plain, 5);
        CHECK_OK(cipher_ocb_chunk(out, nonce, "beside", 6, other, 5, tag, &err), err);
        cipher_ocb_free(in);
        cipher_ocb_free(out);
}

TEST(keys_of_another_length_are_refused)
{
        struct err err;

        CHECK_ERR(cipher_cfb_new(CIPHER_ENCRYPT, key, 20, &err) == NULL, err, ERR_INVALID, "20");
        CHECK_ERR(cipher_ocb_new(CIPHER_ENCRYPT, key, 0, &err) == NULL, err, ERR_INVALID, "0");
}

static int
run_once(void *arg, struct err *err)
{
        struct cipher_cfb *cfb = cipher_cfb_new(CIPHER_ENCRYPT, key, 32, err);
        struct cipher_ocb *ocb = cfb != NULL ? cipher_ocb_new(CIPHER_DECRYPT, key, 32, err) : NULL;

        (void)arg;
        cipher_cfb_free(cfb);
        cipher_ocb_free(ocb);
        return cfb != NULL && ocb != NULL ? 0 : -1;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
