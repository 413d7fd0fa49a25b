/*
 * OpenPGP messages made by hand: any packet in any form, with little hashing.
 */
#ifndef TESTS_HARNESS_PGP_TEST_H
#define TESTS_HARNESS_PGP_TEST_H

#include <stdlib.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/cipher.h"
#include "moonkeep/s2k.h"
#include "moonkeep/sha1.h"

#define PGP_TEST_MAX ((size_t)64 * 1024 * 1024)
#define PGP_TEST_PASS "sesame"

/* What fails here is no subject of a test. */
#define PGP_MUST(ok)                                                                               \
        do {                                                                                       \
                if (!(ok))                                                                         \
                        abort();                                                                   \
        } while (0)

static inline void
pgp_test_add(struct buf *out, const void *data, size_t len)
{
        PGP_MUST(buf_add(out, data, len, NULL) == 0);
}

static inline void
pgp_test_byte(struct buf *out, unsigned byte)
{
        unsigned char octet = (unsigned char)byte;

        pgp_test_add(out, &octet, 1);
}

/* A length of four octets, behind the 255 of the new format or not. */
static inline void
pgp_test_length4(struct buf *out, size_t len)
{
        for (int shift = 24; shift >= 0; shift -= 8)
                pgp_test_byte(out, (unsigned)(len >> shift) & 255);
}

/* pgp_test_packet: a packet of the new format, its length in five octets. */
static inline void
pgp_test_packet(struct buf *out, unsigned tag, const void *body, size_t len)
{
        pgp_test_byte(out, 0xc0 | tag);
        pgp_test_byte(out, 255);
        pgp_test_length4(out, len);
        pgp_test_add(out, body, len);
}

/* pgp_test_pieces: the same in pieces of 1 << log bytes, and the rest. */
static inline void
pgp_test_pieces(struct buf *out, unsigned tag, const char *body, size_t len, unsigned log)
{
        pgp_test_byte(out, 0xc0 | tag);
        for (; len >= (size_t)1 << log; body += (size_t)1 << log, len -= (size_t)1 << log) {
                pgp_test_byte(out, 224 | log);
                pgp_test_add(out, body, (size_t)1 << log);
        }
        pgp_test_byte(out, 255);
        pgp_test_length4(out, len);
        pgp_test_add(out, body, len);
}

/* pgp_test_literal: the body of a literal packet: binary, named "n". */
static inline void
pgp_test_literal(struct buf *out, const void *data, size_t len)
{
        pgp_test_add(out, "b\1n\1\2\3\4", 7);
        pgp_test_add(out, data, len);
}

/* A plain message: one literal packet. */
static inline void
pgp_test_plain(struct buf *out, const void *data, size_t len)
{
        struct buf body;

        buf_init(&body, PGP_TEST_MAX);
        pgp_test_literal(&body, data, len);
        pgp_test_packet(out, 11, body.data, body.len);
        buf_free(&body);
}

struct pgp_test_key {
        unsigned char cipher; /* 7, 8, 9 */
        unsigned char bytes[CIPHER_KEY_MAX];
        size_t len;
};

/*
 * pgp_test_skesk: a packet for a passphrase, by that S2K, and the key that it
 * gives.  session: the key that it is to give, or NULL.  aead: version 5, which
 * needs a session key.
 */
static inline struct pgp_test_key
pgp_test_skesk(struct buf *out, const char *pass, enum s2k_mode mode, enum s2k_hash hash,
    unsigned char cipher, const struct pgp_test_key *session, bool aead)
{
        struct s2k s2k = { (unsigned char)mode, (unsigned char)hash, "saltsalt", s2k_count(0) };
        struct pgp_test_key key = { .cipher = cipher, .len = (size_t)(cipher - 5) * 8 };
        struct secret *secret = secret_new(pass, strlen(pass), NULL);
        unsigned char esk[1 + CIPHER_KEY_MAX + CIPHER_OCB_TAG];
        struct buf body;

        PGP_MUST(secret != NULL && s2k_derive(&s2k, secret, key.bytes, key.len, NULL) == 0);
        secret_unref(secret);
        buf_init(&body, 1000);
        pgp_test_byte(&body, aead ? 5 : 4);
        pgp_test_byte(&body, cipher);
        if (aead)
                pgp_test_byte(&body, 2);
        pgp_test_byte(&body, mode);
        pgp_test_byte(&body, hash);
        if (mode != S2K_SIMPLE)
                pgp_test_add(&body, s2k.salt, S2K_SALT_SIZE);
        if (mode == S2K_ITERATED)
                pgp_test_byte(&body, 0);
        if (aead) {
                static const unsigned char nonce[CIPHER_OCB_NONCE] = "a nonce 15 long";
                unsigned char ad[] = { 0xc3, 5, cipher, 2 };
                struct cipher_ocb *ocb = cipher_ocb_new(CIPHER_ENCRYPT, key.bytes, key.len, NULL);
                memcpy(esk, session->bytes, session->len);
                PGP_MUST(cipher_ocb_chunk(ocb, nonce, ad, sizeof(ad), esk, session->len,
                             esk + session->len, NULL) == 0);
                cipher_ocb_free(ocb);
                pgp_test_add(&body, nonce, sizeof(nonce));
                pgp_test_add(&body, esk, session->len + CIPHER_OCB_TAG);
        } else if (session != NULL) {
                struct cipher_cfb *cfb = cipher_cfb_new(CIPHER_ENCRYPT, key.bytes, key.len, NULL);
                esk[0] = session->cipher;
                memcpy(esk + 1, session->bytes, session->len);
                PGP_MUST(cipher_cfb_update(cfb, esk, esk, 1 + session->len, NULL) == 0);
                cipher_cfb_free(cfb);
                pgp_test_add(&body, esk, 1 + session->len);
        }
        pgp_test_packet(out, 3, body.data, body.len);
        buf_free(&body);
        return session != NULL ? *session : key;
}

/* pgp_test_mdc: the body of a packet SEIPD (tag 18) with the plain packets in it. */
static inline void
pgp_test_mdc(struct buf *out, const struct pgp_test_key *key, const void *plain, size_t len)
{
        struct cipher_cfb *cfb = cipher_cfb_new(CIPHER_ENCRYPT, key->bytes, key->len, NULL);
        struct sha1 *sha = sha1_new(NULL);
        unsigned char digest[SHA1_SIZE];

        PGP_MUST(cfb != NULL && sha != NULL);
        pgp_test_byte(out, 1);
        size_t start = out->len;
        pgp_test_add(out, "0123456789abcdefef", 18);
        pgp_test_add(out, plain, len);
        pgp_test_add(out, "\xd3\x14", 2);
        PGP_MUST(sha1_update(sha, out->data + start, out->len - start, NULL) == 0);
        PGP_MUST(sha1_final(sha, digest, NULL) == 0);
        pgp_test_add(out, digest, sizeof(digest));
        unsigned char *at = (unsigned char *)out->data + start;
        PGP_MUST(cipher_cfb_update(cfb, at, at, out->len - start, NULL) == 0);
        sha1_free(sha);
        cipher_cfb_free(cfb);
}

/* pgp_test_aead: the body of a packet 20 with OCB, in chunks of 64 << octet bytes. */
static inline void
pgp_test_aead(struct buf *out, const struct pgp_test_key *key, const char *plain, size_t len,
    unsigned char octet)
{
        struct cipher_ocb *ocb = cipher_ocb_new(CIPHER_ENCRYPT, key->bytes, key->len, NULL);
        unsigned char ad[21] = { 0xd4, 1, key->cipher, 2, octet };
        unsigned char nonce[CIPHER_OCB_NONCE] = "another nonce 1", tag[CIPHER_OCB_TAG];
        size_t total = len, index = 0;

        PGP_MUST(ocb != NULL);
        pgp_test_add(out, ad + 1, 4);
        pgp_test_add(out, nonce, sizeof(nonce));
        for (;; index++) {
                size_t piece = len < (size_t)64 << octet ? len : (size_t)64 << octet;
                unsigned char this_nonce[CIPHER_OCB_NONCE];
                unsigned char data[1];
                memcpy(this_nonce, nonce, sizeof(nonce));
                /* As many as fit into two bytes are enough for a test. */
                this_nonce[13] ^= (unsigned char)(index >> 8);
                this_nonce[14] ^= (unsigned char)index;
                ad[11] = (unsigned char)(index >> 8);
                ad[12] = (unsigned char)index;
                for (int at = 0; at < 8; at++)
                        ad[13 + at] = (unsigned char)(total >> (56 - 8 * at));
                size_t start = out->len;
                pgp_test_add(out, plain, piece);
                unsigned char *at = piece != 0 ? (unsigned char *)out->data + start : data;
                PGP_MUST(cipher_ocb_chunk(
                             ocb, this_nonce, ad, piece != 0 ? 13 : 21, at, piece, tag, NULL) == 0);
                pgp_test_add(out, tag, sizeof(tag));
                if (piece == 0)
                        break;
                plain += piece;
                len -= piece;
        }
        cipher_ocb_free(ocb);
}

/* pgp_test_message: plain packets in a message with MDC for PGP_TEST_PASS. */
static inline void
pgp_test_message(struct buf *out, const void *plain, size_t len)
{
        struct pgp_test_key key =
            pgp_test_skesk(out, PGP_TEST_PASS, S2K_ITERATED, S2K_SHA256, 9, NULL, false);
        struct buf body;

        buf_init(&body, PGP_TEST_MAX);
        pgp_test_mdc(&body, &key, plain, len);
        pgp_test_packet(out, 18, body.data, body.len);
        buf_free(&body);
}

#endif
