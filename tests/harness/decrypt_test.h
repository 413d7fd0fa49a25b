/*
 * What the tests of the decrypter share.
 */
#ifndef TESTS_HARNESS_DECRYPT_TEST_H
#define TESTS_HARNESS_DECRYPT_TEST_H

#include "harness/codec_test.h"
#include "harness/pgp_test.h"

/* Reads of any size, the first is as large as it can be. */
static const size_t decrypt_test_steps[] = { 0, 1, 2, 13, 1000 };
#define DECRYPT_TEST_STEPS (sizeof(decrypt_test_steps) / sizeof(decrypt_test_steps[0]))

static inline int
decrypt_test_as(
    const char *pass, const struct buf *packed, size_t step, struct buf *plain, struct err *err)
{
        struct secret *secret = secret_new(pass, strlen(pass), err);

        if (secret == NULL)
                return -1;
        buf_clear(plain);
        int rc = codec_test_run(codec_decrypt_new(secret, err), packed->data, packed->len, step,
            step != 0 ? step : STREAM_CHUNK, plain, err);
        secret_unref(secret);
        return rc;
}

static inline int
decrypt_test_run(const struct buf *packed, size_t step, struct buf *plain, struct err *err)
{
        err_init(err);
        return decrypt_test_as(PGP_TEST_PASS, packed, step, plain, err);
}

/* decrypt_test_good: the message is the data, however it is read. */
static inline void
decrypt_test_good(const struct buf *packed, const void *want, size_t len)
{
        struct err err;
        struct buf plain;

        buf_init(&plain, PGP_TEST_MAX);
        for (size_t idx = 0; idx < DECRYPT_TEST_STEPS; idx++) {
                CHECK_OK(decrypt_test_run(packed, decrypt_test_steps[idx], &plain, &err), err);
                CHECK_INT(plain.len, len);
                CHECK(len == 0 || memcmp(plain.data, want, len) == 0);
        }
        buf_free(&plain);
}

static inline void
decrypt_test_bad(const struct buf *packed, enum err_code code, const char *text)
{
        struct err err;
        struct buf plain;

        buf_init(&plain, PGP_TEST_MAX);
        for (size_t idx = 0; idx < DECRYPT_TEST_STEPS; idx++)
                CHECK_ERR(decrypt_test_run(packed, decrypt_test_steps[idx], &plain, &err) < 0, err,
                    code, text);
        buf_free(&plain);
}

/* decrypt_test_inside: the message with those packets in it is bad. */
static inline void
decrypt_test_inside(const struct buf *packets, enum err_code code, const char *text)
{
        struct buf packed;

        buf_init(&packed, PGP_TEST_MAX);
        pgp_test_message(&packed, packets->data, packets->len);
        decrypt_test_bad(&packed, code, text);
        buf_free(&packed);
}

#endif
