#include "harness/decrypt_test.h"

static char data[300];

/* A small message, with MDC or OCB; *head: how much of it is not proven by anything. */
static void
small_message(bool aead, struct buf *packed, size_t *head)
{
        struct pgp_test_key session = { 9, "thirty-two bytes of session key!", 32 };
        struct buf body, inner;

        buf_init(&body, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        pgp_test_plain(&inner, data, 150);
        if (aead) {
                pgp_test_skesk(packed, PGP_TEST_PASS, S2K_SALTED, S2K_SHA1, 9, &session, true);
                pgp_test_aead(&body, &session, inner.data, inner.len, 0);
                /* Version, cipher, mode and size of the chunks. */
                *head = packed->len + 6 + 4;
        } else {
                session =
                    pgp_test_skesk(packed, PGP_TEST_PASS, S2K_ITERATED, S2K_SHA256, 9, NULL, false);
                pgp_test_mdc(&body, &session, inner.data, inner.len);
                /* The version, and the prefix that tells keys apart. */
                *head = packed->len + 6 + 19;
        }
        pgp_test_packet(packed, aead ? 20 : 18, body.data, body.len);
        buf_free(&body);
        buf_free(&inner);
}

TEST(every_cut_is_truncated)
{
        struct buf packed;
        size_t head;

        codec_test_fill((unsigned char *)data, sizeof(data));
        buf_init(&packed, PGP_TEST_MAX);
        for (int aead = 0; aead < 2; aead++) {
                buf_clear(&packed);
                small_message(aead != 0, &packed, &head);
                decrypt_test_good(&packed, data, 150);
                for (size_t len = 0; len < packed.len; len++) {
                        struct buf cut = { .data = packed.data, .len = len };
                        decrypt_test_bad(&cut, ERR_TRUNCATED, "too early");
                }
        }
        buf_free(&packed);
}

TEST(every_flipped_bit_is_found)
{
        struct err err;
        struct buf packed, plain;
        size_t head;

        codec_test_fill((unsigned char *)data, sizeof(data));
        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&plain, PGP_TEST_MAX);
        for (int aead = 0; aead < 2; aead++) {
                buf_clear(&packed);
                small_message(aead != 0, &packed, &head);
                for (size_t bit = 0; bit < 8 * packed.len; bit++) {
                        packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ 1 << bit % 8);
                        CHECK(decrypt_test_run(&packed, 0, &plain, &err) < 0);
                        /* In front: another salt is another key, another length a cut, ... */
                        if (bit / 8 >= head)
                                CHECK_ERR(true, err, ERR_CORRUPT, "");
                        packed.data[bit / 8] = (char)(packed.data[bit / 8] ^ 1 << bit % 8);
                }
        }
        buf_free(&packed);
        buf_free(&plain);
}

TEST(a_message_that_is_broken_by_its_sender_is_corrupt)
{
        struct buf inner;

        buf_init(&inner, PGP_TEST_MAX);
        decrypt_test_inside(&inner, ERR_CORRUPT, "it holds no data");
        pgp_test_packet(&inner, 10, "PGP", 3);
        decrypt_test_inside(&inner, ERR_CORRUPT, "it holds no data");
        pgp_test_plain(&inner, "hello", 5);
        inner.len--;
        decrypt_test_inside(&inner, ERR_CORRUPT, "it ends too early");
        inner.len -= 5 + 7;
        decrypt_test_inside(&inner, ERR_CORRUPT, "it ends too early");
        inner.len -= 2;
        decrypt_test_inside(&inner, ERR_CORRUPT, "it ends too early");
        buf_clear(&inner);
        pgp_test_packet(&inner, 11, "b\5na", 4);
        decrypt_test_inside(&inner, ERR_CORRUPT, "it ends too early");
        buf_clear(&inner);
        pgp_test_plain(&inner, "hello", 5);
        pgp_test_plain(&inner, "hello", 5);
        decrypt_test_inside(&inner, ERR_CORRUPT, "more than one packet has data");
        buf_clear(&inner);
        pgp_test_plain(&inner, "hello", 5);
        pgp_test_byte(&inner, 'x');
        decrypt_test_inside(&inner, ERR_CORRUPT, "no packet begins");
        buf_clear(&inner);
        pgp_test_packet(&inner, 18, "hello", 5);
        decrypt_test_inside(&inner, ERR_CORRUPT, "cannot be there");
        buf_clear(&inner);
        pgp_test_pieces(&inner, 10, "PGP", 3, 0);
        decrypt_test_inside(&inner, ERR_CORRUPT, "impossible length");
        buf_free(&inner);
}

TEST(other_data_is_no_openpgp_data)
{
        static const char *const others[] = { "plain text", "-", "--", "-----BEGIN CERTIFICATE",
                "\x28\xb5\x2f\xfd zstd", "\x1f\x8b gzip", "\xff\xff\xff", "\x80\x80",
                "\xfe\x05 pad" };
        struct buf other;

        buf_init(&other, PGP_TEST_MAX);
        for (size_t idx = 0; idx < sizeof(others) / sizeof(others[0]); idx++) {
                buf_clear(&other);
                pgp_test_add(&other, others[idx], strlen(others[idx]));
                decrypt_test_bad(&other, ERR_CORRUPT, "this is not OpenPGP data");
        }
        buf_clear(&other);
        pgp_test_plain(&other, "hello", 5);
        decrypt_test_bad(&other, ERR_CORRUPT, "not encrypted");
        buf_free(&other);
}

TEST(other_openpgp_data_is_named)
{
        struct buf packed;

        buf_init(&packed, PGP_TEST_MAX);
        pgp_test_packet(&packed, 1, "\3whatever is in there", 21);
        pgp_test_packet(&packed, 18, "\1 which is long enough to be it", 32);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "public key");
        buf_clear(&packed);
        pgp_test_packet(&packed, 18, "\1 which is long enough to be it", 32);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "does not say how");
        buf_clear(&packed);
        pgp_test_packet(&packed, 18, "\2 which is long enough to be it", 32);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "version 2");
        buf_clear(&packed);
        pgp_test_packet(&packed, 18, "\1 short", 7);
        decrypt_test_bad(&packed, ERR_CORRUPT, "too short");
        buf_clear(&packed);
        pgp_test_packet(&packed, 9, "whatever", 8);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "without a proof");
        buf_clear(&packed);
        pgp_test_packet(&packed, 3, "\6whatever", 9);
        pgp_test_packet(&packed, 18, "\1 which is long enough to be it", 32);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "version 6");
        buf_clear(&packed);
        pgp_test_packet(&packed, 3, "\4\x09\4\1", 4);
        pgp_test_packet(&packed, 18, "\1 which is long enough to be it", 32);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "S2K 4");
        buf_clear(&packed);
        pgp_test_packet(&packed, 3, "\4\x09\1\1saltsalt", 12);
        pgp_test_packet(&packed, 18, "\1 which is long enough to be it", 32);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "hash");
        buf_free(&packed);
}

TEST(lengths_from_outside_are_bounded)
{
        struct buf packed;

        buf_init(&packed, PGP_TEST_MAX);
        pgp_test_packet(&packed, 3, data, 257);
        decrypt_test_bad(&packed, ERR_CORRUPT, "impossible length");
        buf_clear(&packed);
        pgp_test_packet(&packed, 3, "\4\x09\0", 3);
        decrypt_test_bad(&packed, ERR_CORRUPT, "too short");
        buf_clear(&packed);
        pgp_test_pieces(&packed, 10, "PGP", 3, 0);
        decrypt_test_bad(&packed, ERR_CORRUPT, "impossible length");
        buf_clear(&packed);
        pgp_test_add(&packed, "\xca\xff\x7f\xff\xff\xff", 6);
        decrypt_test_bad(&packed, ERR_CORRUPT, "impossible length");
        buf_clear(&packed);
        for (int idx = 0; idx < 17; idx++)
                pgp_test_packet(&packed, 3, "\4\x09\0\2", 4);
        decrypt_test_bad(&packed, ERR_TOO_BIG, "more than 16 passphrases");
        buf_free(&packed);
}

TEST(bytes_behind_the_end_are_corrupt)
{
        struct buf packed;
        size_t head;

        buf_init(&packed, PGP_TEST_MAX);
        for (int aead = 0; aead < 2; aead++) {
                buf_clear(&packed);
                small_message(aead != 0, &packed, &head);
                pgp_test_byte(&packed, 0xca);
                decrypt_test_bad(&packed, ERR_CORRUPT, "behind the end");
        }
        buf_free(&packed);
}

static int
run_once(void *arg, struct err *err)
{
        struct buf out;

        buf_init(&out, PGP_TEST_MAX);
        int rc = decrypt_test_as(PGP_TEST_PASS, arg, 0, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        struct buf packed, inner;
        size_t head;

        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        pgp_test_packet(&inner, 8, "\0\xcb\6b\0\1\2\3\4", 9);
        pgp_test_message(&packed, inner.data, inner.len);
        test_each_allocation(run_once, &packed);
        buf_clear(&packed);
        small_message(true, &packed, &head);
        test_each_allocation(run_once, &packed);
        buf_free(&packed);
        buf_free(&inner);
}
