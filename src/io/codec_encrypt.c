#include "moonkeep/codec.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/rand.h"
#include "moonkeep/s2k.h"
#include "pgp_mdc.h"
#include "pgp_packet.h"

/*
 * Packets of unknown length are written in pieces of this size.  A piece of
 * plain bytes makes a piece of the encrypted packet and some bytes more.
 */
#define PIECE_LOG 16
#define PIECE ((size_t)1 << PIECE_LOG)

/* AES-256 (RFC 4880, 9.2). */
#define AES256 9
#define KEY_SIZE 32

/* The octet that asks for S2K_COUNT_MAX. */
#define COUNT 0xff

/* In front of the data: binary, no name, no date. */
static const unsigned char literal_head[] = { 'b', 0, 0, 0, 0, 0 };

/* What is put into body beside two pieces, at most. */
#define EXTRA (1 + PGP_MDC_PREFIX + 1 + PGP_LENGTH_MAX + PGP_MDC_SIZE)

/* Hashed and encrypted at once, so that both find the bytes in the first cache. */
#define SLICE ((size_t)8 * 1024)

struct encrypt {
        struct codec codec;
        struct secret *passphrase;
        struct cipher_cfb *cfb; /* NULL before the first step */
        struct sha1 *sha;
        bool literal_begun;
        bool closed; /* everything is in body */
        bool last;   /* the last piece of body is being given */

        /* What waits to be a piece of the literal packet. */
        size_t have;
        unsigned char plain[PIECE];
        /* Of the encrypted packet: up to `given` gone, up to `piece` to be given. */
        size_t given, piece, len;
        unsigned char body[2 * PIECE + EXTRA];
        /* Headers and lengths that are given before. */
        size_t head_given, head_len;
        unsigned char head[64];
};

/* Hash and encrypt len bytes into body. */
static int
add(struct encrypt *it, const unsigned char *data, size_t len, struct err *err)
{
        while (len > 0) {
                size_t slice = len < SLICE ? len : SLICE;
                if (sha1_update(it->sha, data, slice, err) < 0 ||
                    cipher_cfb_update(it->cfb, data, it->body + it->len, slice, err) < 0)
                        return -1;
                it->len += slice;
                data += slice;
                len -= slice;
        }
        return 0;
}

/* A piece of the literal packet; the last one has its exact length. */
static int
add_literal(struct encrypt *it, const unsigned char *data, size_t len, bool last, struct err *err)
{
        static const unsigned char tag = PGP_NEW_HEADER(PGP_LITERAL);
        unsigned char length[PGP_LENGTH_MAX] = { PGP_PARTIAL(PIECE_LOG) };
        size_t length_len = last ? pgp_packet_put_length(length, (uint32_t)len) : 1;

        if (!it->literal_begun && add(it, &tag, 1, err) < 0)
                return -1;
        it->literal_begun = true;
        if (add(it, length, length_len, err) < 0)
                return -1;
        return add(it, data, len, err);
}

/* The packet that says how the key is made, and the beginning of the encrypted one. */
static int
begin(struct encrypt *it, struct err *err)
{
        struct s2k s2k = { .mode = S2K_ITERATED, .hash = S2K_SHA256, .count = s2k_count(COUNT) };
        unsigned char prefix[PGP_MDC_PREFIX], key[KEY_SIZE];
        int rc = -1;

        if (rand_bytes(s2k.salt, S2K_SALT_SIZE, err) < 0 ||
            rand_bytes(prefix, CIPHER_BLOCK, err) < 0)
                return -1;
        memcpy(prefix + CIPHER_BLOCK, prefix + CIPHER_BLOCK - 2, 2);
        if (s2k_derive(&s2k, it->passphrase, key, KEY_SIZE, err) < 0)
                goto out;
        it->sha = sha1_new(err);
        if (it->sha == NULL)
                goto out;
        it->cfb = cipher_cfb_new(CIPHER_ENCRYPT, key, KEY_SIZE, err);
        if (it->cfb == NULL)
                goto out;

        unsigned char *at = it->head;
        *at++ = PGP_NEW_HEADER(PGP_SKESK);
        *at++ = 4 + S2K_SALT_SIZE + 1; /* the length of the rest */
        *at++ = 4;                     /* version */
        *at++ = AES256;
        *at++ = s2k.mode;
        *at++ = s2k.hash;
        memcpy(at, s2k.salt, S2K_SALT_SIZE);
        at += S2K_SALT_SIZE;
        *at++ = COUNT;
        *at++ = PGP_NEW_HEADER(PGP_SEIPD);
        it->head_len = (size_t)(at - it->head);
        it->body[it->len++] = PGP_MDC_VERSION;
        rc = add(it, prefix, sizeof(prefix), err);

out:
        secret_wipe(key, sizeof(key));
        return rc;
}

/* The last piece of the literal packet, and the digest of all. */
static int
close_body(struct encrypt *it, struct err *err)
{
        unsigned char digest[SHA1_SIZE];

        if (add_literal(it, it->plain, it->have, true, err) < 0 ||
            add(it, pgp_mdc_head, PGP_MDC_HEAD, err) < 0 || sha1_final(it->sha, digest, err) < 0 ||
            cipher_cfb_update(it->cfb, digest, it->body + it->len, SHA1_SIZE, err) < 0)
                return -1;
        it->len += SHA1_SIZE;
        it->closed = true;
        return 0;
}

static void
copy(const unsigned char *from, size_t *at, size_t end, struct codec_io *io)
{
        size_t len = end - *at < io->out_len ? end - *at : io->out_len;

        memcpy(io->out, from + *at, len);
        *at += len;
        io->out += len;
        io->out_len -= len;
}

/* Give what is ready; false when there is no more room. */
static bool
give(struct encrypt *it, struct codec_io *io)
{
        for (;;) {
                copy(it->head, &it->head_given, it->head_len, io);
                if (it->head_given < it->head_len)
                        return false;
                copy(it->body, &it->given, it->piece, io);
                if (it->given < it->piece)
                        return false;
                if (it->last || (!it->closed && it->len - it->given < PIECE))
                        return true;

                /* The next piece, behind its length. */
                size_t left = it->len - it->given;
                it->last = left < PIECE;
                it->piece = it->given + (it->last ? left : PIECE);
                it->head[0] = PGP_PARTIAL(PIECE_LOG);
                it->head_len = it->last ? pgp_packet_put_length(it->head, (uint32_t)left) : 1;
                it->head_given = 0;
        }
}

/* Make body of some input; false when that takes more of it. */
static int
take(struct encrypt *it, struct codec_io *io, bool ended, struct err *err)
{
        memmove(it->body, it->body + it->given, it->len - it->given);
        it->len -= it->given;
        it->given = it->piece = 0;

        if (it->have == 0 && io->in_len >= PIECE) {
                if (add_literal(it, io->in, PIECE, false, err) < 0)
                        return -1;
                io->in += PIECE;
                io->in_len -= PIECE;
                return 1;
        }
        size_t len = io->in_len < PIECE - it->have ? io->in_len : PIECE - it->have;
        memcpy(it->plain + it->have, io->in, len);
        it->have += len;
        io->in += len;
        io->in_len -= len;
        if (it->have == PIECE) {
                it->have = 0;
                return add_literal(it, it->plain, PIECE, false, err) < 0 ? -1 : 1;
        }
        if (!ended)
                return 0;
        return close_body(it, err) < 0 ? -1 : 1;
}

static int
encrypt_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct encrypt *it = (struct encrypt *)codec;
        int moved;

        if (it->cfb == NULL && begin(it, err) < 0)
                return -1;
        do {
                if (!give(it, io))
                        return CODEC_MORE;
                if (it->last)
                        return CODEC_DONE;
                moved = take(it, io, ended, err);
        } while (moved > 0);
        return moved < 0 ? -1 : CODEC_MORE;
}

static void
encrypt_free(struct codec *codec)
{
        struct encrypt *it = (struct encrypt *)codec;

        cipher_cfb_free(it->cfb);
        sha1_free(it->sha);
        secret_unref(it->passphrase);
        mem_free(it);
}

static const struct codec_ops encrypt_ops = { "encrypt", encrypt_step, encrypt_free };

struct codec *
codec_encrypt_new(struct secret *passphrase, struct err *err)
{
        struct encrypt *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->codec.ops = &encrypt_ops;
        memcpy(it->plain, literal_head, sizeof(literal_head));
        it->have = sizeof(literal_head);
        it->passphrase = secret_ref(passphrase);
        return &it->codec;
}
