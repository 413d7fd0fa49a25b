/*
 * Data encrypted with AEAD, packet 20, as gpg 2.3 and later write it: chunks of
 * one size, each with a tag, and at the end a tag of the whole length.  The
 * format is of draft-ietf-openpgp-rfc4880bis-10, 5.16.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "pgp_opener.h"
#include "pgp_packet.h"

#define VERSION 1

/* Size of chunks: 64 << octet; the largest that are taken are the 4 MiB that gpg makes. */
#define CHUNK_LOG_BASE 6
#define CHUNK_OCTET_MAX 16

#define TAG CIPHER_OCB_TAG
#define NUMBER 8

struct aead {
        struct pgp_opener opener;
        struct cipher_ocb *ocb;
        /* What each tag proves beside the data: the packet's head, a chunk's number, the length. */
        unsigned char ad[5 + NUMBER + NUMBER];
        unsigned char nonce[CIPHER_OCB_NONCE];
        uint64_t index; /* of the next chunk */
        uint64_t total; /* plain bytes before it */
        size_t chunk_size;
        size_t have; /* bytes of buf */
        size_t given;
        unsigned char buf[]; /* a chunk, its tag, and what may be the last tag */
};

static void
put_number(unsigned char *at, uint64_t value)
{
        for (int idx = NUMBER - 1; idx >= 0; idx--, value >>= 8)
                at[idx] = (unsigned char)value;
}

/* Decrypt len bytes with the tag behind them as the next chunk; last: the tag of the whole. */
static int
open_chunk(struct aead *it, unsigned char *data, size_t len, bool last, struct err *err)
{
        unsigned char nonce[CIPHER_OCB_NONCE], number[NUMBER];

        put_number(number, it->index);
        memcpy(nonce, it->nonce, sizeof(nonce));
        for (size_t idx = 0; idx < NUMBER; idx++)
                nonce[sizeof(nonce) - NUMBER + idx] ^= number[idx];
        memcpy(it->ad + 5, number, NUMBER);
        put_number(it->ad + 5 + NUMBER, it->total);
        if (cipher_ocb_chunk(it->ocb, nonce, it->ad, last ? sizeof(it->ad) : 5 + NUMBER, data, len,
                data + len, err) < 0) {
                err_prefix(err, "chunk %llu of the encrypted data", (unsigned long long)it->index);
                return -1;
        }
        it->index++;
        it->total += len;
        return 0;
}

static ssize_t
aead_feed(struct pgp_opener *opener, const unsigned char *in, size_t len, struct err *err)
{
        struct aead *it = (struct aead *)opener;
        size_t full = it->chunk_size + 2 * TAG;

        memmove(it->buf, it->buf + it->given, it->have - it->given);
        it->have -= it->given;
        it->given = 0;
        len = len < full - it->have ? len : full - it->have;
        memcpy(it->buf + it->have, in, len);
        it->have += len;
        if (it->have == full) {
                if (open_chunk(it, it->buf, it->chunk_size, false, err) < 0)
                        return -1;
                opener->plain = it->buf;
                opener->len = it->chunk_size;
                it->given = it->chunk_size + TAG;
        }
        return (ssize_t)len;
}

static int
aead_finish(struct pgp_opener *opener, struct err *err)
{
        struct aead *it = (struct aead *)opener;
        unsigned char *rest = it->buf + it->given;
        size_t len = it->have - it->given;

        if (len < TAG || (len > TAG && len <= 2 * TAG))
                return err_set(err, ERR_CORRUPT, "the encrypted data is too short for its tags");
        if (len > TAG) {
                opener->plain = rest;
                opener->len = len - 2 * TAG;
                if (open_chunk(it, rest, len - 2 * TAG, false, err) < 0)
                        return -1;
        }
        return open_chunk(it, rest + len - TAG, 0, true, err);
}

static void
aead_free(struct pgp_opener *opener)
{
        struct aead *it = (struct aead *)opener;

        cipher_ocb_free(it->ocb);
        mem_free(it);
}

static const struct pgp_opener_ops aead_ops = { aead_feed, aead_finish, aead_free };

struct pgp_opener *
pgp_aead_new(const unsigned char head[PGP_OPENER_HEAD], const struct pgp_key *key, struct err *err)
{
        if (head[0] != VERSION || head[2] != PGP_OCB) {
                err_set(err, ERR_UNSUPPORTED,
                    "encrypted in an AEAD mode that is not supported (version %d, mode %d)",
                    head[0], head[2]);
                return NULL;
        }
        size_t key_len = pgp_cipher_key_len(head[1], err);
        if (key_len == 0)
                return NULL;
        if (key_len != key->len) {
                err_set(err, ERR_CORRUPT, "the session key does not fit the cipher");
                return NULL;
        }
        if (head[3] > CHUNK_OCTET_MAX) {
                err_set(err, ERR_TOO_BIG, "encrypted in chunks of more than %d MiB",
                    1 << (CHUNK_LOG_BASE + CHUNK_OCTET_MAX - 20));
                return NULL;
        }

        size_t chunk_size = (size_t)1 << (head[3] + CHUNK_LOG_BASE);
        struct aead *it = mem_alloc(sizeof(*it) + chunk_size + 2 * TAG, err);
        if (it == NULL)
                return NULL;
        memset(it, 0, sizeof(*it));
        it->opener.ops = &aead_ops;
        it->chunk_size = chunk_size;
        it->ad[0] = PGP_NEW_HEADER(PGP_AEAD);
        memcpy(it->ad + 1, head, 4);
        memcpy(it->nonce, head + 4, sizeof(it->nonce));
        it->ocb = cipher_ocb_new(CIPHER_DECRYPT, key->bytes, key->len, err);
        if (it->ocb == NULL) {
                aead_free(&it->opener);
                return NULL;
        }
        return &it->opener;
}
