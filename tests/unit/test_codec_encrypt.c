#include "harness/gpg_test.h"

#define MAX ((size_t)16 * 1024 * 1024)
#define PIECE 65536

static unsigned char data[5000003];
static const size_t steps[] = { 0, 1, 7, 1000, PIECE, PIECE + 1 };
#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* Around the pieces of the literal packet, of which the first has 6 bytes less, and of the outer.
 */
static const size_t lengths[] = { 0, 1, 2, 185, 186, 187, 8377, 8378, 8379, PIECE - 50, PIECE - 49,
        PIECE - 48, PIECE - 47, PIECE - 31, PIECE - 30, PIECE - 28, PIECE - 7, PIECE - 6, PIECE - 5,
        PIECE, 2 * PIECE - 7, 2 * PIECE - 6, 2 * PIECE - 5, 3 * PIECE, 1000000 };
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static int
pack(size_t len, size_t in_step, size_t out_step, struct buf *packed, struct err *err)
{
        struct secret *secret = secret_new(PGP_TEST_PASS, strlen(PGP_TEST_PASS), err);

        if (secret == NULL)
                return -1;
        buf_clear(packed);
        int rc = codec_test_run(
            codec_encrypt_new(secret, err), data, len, in_step, out_step, packed, err);
        secret_unref(secret);
        return rc;
}

static int
unpack(const char *pass, const struct buf *packed, struct buf *plain, struct err *err)
{
        struct secret *secret = secret_new(pass, strlen(pass), err);

        CHECK_PTR(secret, *err);
        buf_clear(plain);
        err_init(err);
        int rc = codec_test_run(
            codec_decrypt_new(secret, err), packed->data, packed->len, 0, STREAM_CHUNK, plain, err);
        secret_unref(secret);
        return rc;
}

TEST(what_is_encrypted_is_decrypted_whatever_its_length)
{
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t idx = 0; idx < LENGTHS; idx++) {
                CHECK_OK(pack(lengths[idx], 0, STREAM_CHUNK, &packed, &err), err);
                CHECK(packed.len > lengths[idx]);
                CHECK_OK(unpack(PGP_TEST_PASS, &packed, &plain, &err), err);
                CHECK_INT(plain.len, lengths[idx]);
                CHECK(plain.len == 0 || memcmp(plain.data, data, plain.len) == 0);
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(the_sizes_of_reads_do_not_matter)
{
        struct err err;
        struct buf packed, plain;

        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t in = 0; in < STEPS; in++) {
                for (size_t out = 0; out < 3; out++) {
                        CHECK_OK(pack(2 * PIECE + 77, steps[in],
                                     steps[out] != 0 ? steps[out] : STREAM_CHUNK, &packed, &err),
                            err);
                        CHECK_OK(unpack(PGP_TEST_PASS, &packed, &plain, &err), err);
                        CHECK_INT(plain.len, 2 * PIECE + 77);
                        CHECK(memcmp(plain.data, data, plain.len) == 0);
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(gpg_decrypts_it)
{
        static const size_t some[] = { 0, 1, 186, PIECE - 31, PIECE - 6, 2 * PIECE - 6,
                sizeof(data) };
        struct err err;
        struct buf packed, plain;

        gpg_test_needed();
        codec_test_fill(data, sizeof(data));
        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        for (size_t idx = 0; idx < sizeof(some) / sizeof(some[0]); idx++) {
                CHECK_OK(pack(some[idx], 0, STREAM_CHUNK, &packed, &err), err);
                buf_clear(&plain);
                CHECK_INT(gpg_test("--decrypt", packed.data, packed.len, &plain), 0);
                CHECK_INT(plain.len, some[idx]);
                CHECK(plain.len == 0 || memcmp(plain.data, data, plain.len) == 0);
        }

        /* A byte that is changed is noticed by gpg, too. */
        packed.data[packed.len / 2] ^= 1;
        buf_clear(&plain);
        CHECK(gpg_test("--decrypt", packed.data, packed.len, &plain) != 0);
        buf_free(&packed);
        buf_free(&plain);
}

TEST(another_key_is_told)
{
        struct err err;
        struct buf packed, plain;

        buf_init(&packed, MAX);
        buf_init(&plain, MAX);
        CHECK_OK(pack(1000, 0, STREAM_CHUNK, &packed, &err), err);
        CHECK_ERR(unpack("Sesame", &packed, &plain, &err) < 0, err, ERR_KEY, "not the one");
        CHECK_INT(plain.len, 0);
        buf_free(&packed);
        buf_free(&plain);
}

TEST(equal_input_is_different_output)
{
        struct err err;
        struct buf one, two;

        buf_init(&one, MAX);
        buf_init(&two, MAX);
        CHECK_OK(pack(1000, 0, STREAM_CHUNK, &one, &err), err);
        CHECK_OK(pack(1000, 0, STREAM_CHUNK, &two, &err), err);
        CHECK_INT(one.len, two.len);
        /* The salt, and behind the headers everything. */
        CHECK(memcmp(one.data + 6, two.data + 6, 8) != 0);
        size_t same = 0;
        for (size_t at = 20; at < one.len; at++)
                same += one.data[at] == two.data[at];
        CHECK(same < one.len / 10);
        buf_free(&one);
        buf_free(&two);
}

static int
run_once(void *arg, struct err *err)
{
        struct buf out;

        (void)arg;
        buf_init(&out, MAX);
        int rc = pack(100, 0, 1000, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
