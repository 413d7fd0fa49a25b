#include "harness/decrypt_test.h"

static char data[70000];

TEST(the_key_may_be_made_in_every_way)
{
        static const enum s2k_mode modes[] = { S2K_SIMPLE, S2K_SALTED, S2K_ITERATED };
        static const enum s2k_hash hashes[] = { S2K_SHA1, S2K_SHA224, S2K_SHA256, S2K_SHA384,
                S2K_SHA512 };
        struct pgp_test_key session = { 8, "a session key of 24 byte", 24 };
        struct buf packed, body, inner;

        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&body, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        pgp_test_plain(&inner, "hello", 5);
        for (size_t idx = 0; idx < 90; idx++) {
                struct pgp_test_key key;
                buf_clear(&packed);
                buf_clear(&body);
                key = pgp_test_skesk(&packed, PGP_TEST_PASS, modes[idx % 3], hashes[idx / 3 % 5],
                    (unsigned char)(7 + idx / 15 % 3), idx / 45 == 0 ? NULL : &session, false);
                pgp_test_mdc(&body, &key, inner.data, inner.len);
                pgp_test_packet(&packed, 18, body.data, body.len);
                decrypt_test_good(&packed, "hello", 5);
        }
        buf_free(&packed);
        buf_free(&body);
        buf_free(&inner);
}

TEST(one_of_several_passphrases_is_enough)
{
        struct pgp_test_key session = { 7, "sixteen bytes...", 16 };
        struct err err;
        struct buf packed, body, inner, plain;

        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&body, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        buf_init(&plain, PGP_TEST_MAX);
        pgp_test_plain(&inner, "hello", 5);
        for (int aead = 0; aead < 2; aead++) {
                buf_clear(&packed);
                buf_clear(&body);
                /* For a public key, a passphrase in an unknown way, and two of which one is ours.
                 */
                pgp_test_packet(&packed, 1, "\3whatever is in there", 21);
                pgp_test_packet(&packed, 3, "\4\3\0\2", 4);
                pgp_test_packet(&packed, 10, "PGP", 3);
                pgp_test_skesk(&packed, "another", S2K_SALTED, S2K_SHA1, 9, &session, aead != 0);
                pgp_test_skesk(
                    &packed, PGP_TEST_PASS, S2K_SALTED, S2K_SHA1, 9, &session, aead != 0);
                if (aead)
                        pgp_test_aead(&body, &session, inner.data, inner.len, 0);
                else
                        pgp_test_mdc(&body, &session, inner.data, inner.len);
                pgp_test_packet(&packed, aead ? 20 : 18, body.data, body.len);
                decrypt_test_good(&packed, "hello", 5);
                CHECK_OK(decrypt_test_as("another", &packed, 0, &plain, &err), err);
                CHECK_ERR(decrypt_test_as("neither", &packed, 0, &plain, &err) < 0, err, ERR_KEY,
                    "not the one");
        }
        buf_free(&packed);
        buf_free(&body);
        buf_free(&inner);
        buf_free(&plain);
}

TEST(packets_may_come_in_pieces_of_any_size_and_in_the_old_form)
{
        struct pgp_test_key key;
        struct buf packed, body, inner, literal;

        codec_test_fill((unsigned char *)data, sizeof(data));
        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&body, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        buf_init(&literal, PGP_TEST_MAX);
        pgp_test_literal(&literal, data, 3000);
        for (unsigned log = 0; log < 12; log++) {
                buf_clear(&packed);
                buf_clear(&body);
                buf_clear(&inner);
                pgp_test_pieces(&inner, 11, literal.data, literal.len, log);
                key = pgp_test_skesk(&packed, PGP_TEST_PASS, S2K_SALTED, S2K_SHA1, 9, NULL, false);
                pgp_test_mdc(&body, &key, inner.data, inner.len);
                pgp_test_pieces(&packed, 18, body.data, body.len, (log + 5) % 12);
                decrypt_test_good(&packed, data, 3000);
        }

        /* The old format: a length of one, two or four octets, or up to the end. */
        for (unsigned kind = 0; kind < 4; kind++) {
                size_t len = kind == 0 ? 100 : 3000, total = 7 + len;
                buf_clear(&inner);
                pgp_test_byte(&inner, 0x80 | 11 << 2 | kind);
                for (unsigned left = kind < 3 ? 1u << kind : 0; left > 0; left--)
                        pgp_test_byte(&inner, (unsigned)(total >> 8 * (left - 1)) & 255);
                pgp_test_add(&inner, literal.data, total);
                buf_clear(&packed);
                pgp_test_message(&packed, inner.data, inner.len);
                decrypt_test_good(&packed, data, len);
        }
        buf_free(&packed);
        buf_free(&body);
        buf_free(&inner);
        buf_free(&literal);
}

TEST(signatures_and_markers_are_passed_over)
{
        struct buf packed, inner;

        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        pgp_test_packet(&inner, 10, "PGP", 3);
        pgp_test_packet(&inner, 4, "\3\0\10\1abcdefgh\1", 13);
        pgp_test_plain(&inner, "hello", 5);
        pgp_test_packet(&inner, 2, "no signature at all", 19);
        pgp_test_packet(&inner, 21, "", 0);
        pgp_test_message(&packed, inner.data, inner.len);
        decrypt_test_good(&packed, "hello", 5);
        buf_free(&packed);
        buf_free(&inner);
}

TEST(compressed_data_is_proven_to_its_end)
{
        /* "hello" as literal data named "n", uncompressed and stored by zlib. */
        static const char plain[] = "\xcb\x0c"
                                    "b\1n\1\2\3\4hello";
        struct buf packed, inner, body;

        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        buf_init(&body, PGP_TEST_MAX);
        pgp_test_byte(&body, 0);
        pgp_test_add(&body, plain, sizeof(plain) - 1);
        pgp_test_packet(&inner, 8, body.data, body.len);
        pgp_test_message(&packed, inner.data, inner.len);
        decrypt_test_good(&packed, "hello", 5);

        /* Up to the end of its surroundings, and compressed once more. */
        buf_clear(&inner);
        pgp_test_byte(&inner, 0xa3);
        pgp_test_add(&inner, body.data, body.len);
        buf_clear(&packed);
        pgp_test_message(&packed, inner.data, inner.len);
        decrypt_test_good(&packed, "hello", 5);
        buf_clear(&packed);
        pgp_test_byte(&packed, 0);
        pgp_test_add(&packed, inner.data, inner.len);
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, packed.data, packed.len);
        decrypt_test_inside(&inner, ERR_UNSUPPORTED, "more than once");

        static const char zlib[] = "\2\x78\x01\x01\x0e\x00\xf1\xff\xcb\x0c"
                                   "b\1n\1\2\3\4hello"
                                   "\x1b\x20\x03\xc7";
        size_t len = sizeof(zlib) - 1;
        buf_clear(&inner);
        buf_clear(&packed);
        pgp_test_packet(&inner, 8, zlib, len);
        pgp_test_message(&packed, inner.data, inner.len);
        decrypt_test_good(&packed, "hello", 5);
        inner.data[inner.len - 1] ^= 1;
        decrypt_test_inside(&inner, ERR_CORRUPT, "checksum");
        inner.data[inner.len - 1] ^= 1;
        inner.data[7] ^= 1;
        decrypt_test_inside(&inner, ERR_CORRUPT, "an invalid header");
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, zlib, len - 1);
        decrypt_test_inside(&inner, ERR_CORRUPT, "ends too early");
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, zlib, 1);
        decrypt_test_inside(&inner, ERR_CORRUPT, "ends too early");
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, zlib, 0);
        decrypt_test_inside(&inner, ERR_CORRUPT, "ends too early");
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, zlib, len + 1);
        decrypt_test_inside(&inner, ERR_CORRUPT, "bytes behind the compressed data");
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, "\3BZh9", 5);
        decrypt_test_inside(&inner, ERR_UNSUPPORTED, "BZIP2");
        buf_clear(&inner);
        pgp_test_packet(&inner, 8, "\7what", 5);
        decrypt_test_inside(&inner, ERR_UNSUPPORTED, "unknown way (7)");
        buf_free(&packed);
        buf_free(&inner);
        buf_free(&body);
}

TEST(chunks_of_ocb_of_any_number_are_read)
{
        static const size_t sizes[] = { 0, 1, 55, 56, 57, 63, 64, 127, 128, 129, 1000, 70000 };
        struct pgp_test_key session = { 9, "thirty-two bytes of session key!", 32 };
        struct buf packed, body, inner;

        codec_test_fill((unsigned char *)data, sizeof(data));
        buf_init(&packed, PGP_TEST_MAX);
        buf_init(&body, PGP_TEST_MAX);
        buf_init(&inner, PGP_TEST_MAX);
        for (unsigned char octet = 0; octet < 3; octet++) {
                for (size_t idx = 0; idx < sizeof(sizes) / sizeof(sizes[0]); idx++) {
                        buf_clear(&packed);
                        buf_clear(&body);
                        buf_clear(&inner);
                        pgp_test_plain(&inner, data, sizes[idx]);
                        pgp_test_skesk(
                            &packed, PGP_TEST_PASS, S2K_SALTED, S2K_SHA1, 9, &session, true);
                        pgp_test_aead(&body, &session, inner.data, inner.len, octet);
                        pgp_test_pieces(&packed, 20, body.data, body.len, 9);
                        decrypt_test_good(&packed, data, sizes[idx]);
                }
        }

        /* Chunks that would take more memory than we give. */
        buf_clear(&packed);
        body.data[3] = 17;
        pgp_test_skesk(&packed, PGP_TEST_PASS, S2K_SALTED, S2K_SHA1, 9, &session, true);
        pgp_test_packet(&packed, 20, body.data, body.len);
        decrypt_test_bad(&packed, ERR_TOO_BIG, "more than 4 MiB");
        /* EAX. */
        buf_clear(&packed);
        body.data[2] = 1;
        pgp_test_skesk(&packed, PGP_TEST_PASS, S2K_SALTED, S2K_SHA1, 9, &session, true);
        pgp_test_packet(&packed, 20, body.data, body.len);
        decrypt_test_bad(&packed, ERR_UNSUPPORTED, "mode 1");
        buf_free(&packed);
        buf_free(&body);
        buf_free(&inner);
}
