/*
 * AES as OpenPGP uses it: CFB, which encrypts a stream and proves nothing, and
 * OCB, which proves each chunk.  Keys have 16, 24 or 32 bytes.
 */
#ifndef MOONKEEP_CIPHER_H
#define MOONKEEP_CIPHER_H

#include <stdbool.h>
#include <stddef.h>

#include "moonkeep/err.h"

#define CIPHER_BLOCK 16
#define CIPHER_KEY_MAX 32

enum cipher_way {
        CIPHER_ENCRYPT,
        CIPHER_DECRYPT
};

/*
 * AES in full-block CFB mode from an initialisation vector of zeros, as RFC
 * 4880, 5.13 has it, where a random prefix takes the vector's part.
 */
struct cipher_cfb;

struct cipher_cfb *cipher_cfb_new(
    enum cipher_way way, const unsigned char *key, size_t key_len, struct err *err);

/* cipher_cfb_update: len bytes from in to out, which may be the same; any lengths in a row. */
int cipher_cfb_update(struct cipher_cfb *cfb, const unsigned char *in, unsigned char *out,
    size_t len, struct err *err);

/* cipher_cfb_free: release and wipe.  NULL is fine. */
void cipher_cfb_free(struct cipher_cfb *cfb);

/* AES-OCB (RFC 7253) with nonces and tags of these sizes. */
#define CIPHER_OCB_NONCE 15
#define CIPHER_OCB_TAG 16

struct cipher_ocb;

struct cipher_ocb *cipher_ocb_new(
    enum cipher_way way, const unsigned char *key, size_t key_len, struct err *err);

/*
 * cipher_ocb_chunk: len bytes of data in place, and ad_len bytes beside it
 * that are only proven.  Encrypting fills tag; decrypting compares it, and
 * fails with ERR_CORRUPT (data is of no use then).
 */
int cipher_ocb_chunk(struct cipher_ocb *ocb, const unsigned char nonce[CIPHER_OCB_NONCE],
    const void *ad, size_t ad_len, unsigned char *data, size_t len,
    unsigned char tag[CIPHER_OCB_TAG], struct err *err);

/* cipher_ocb_free: release and wipe.  NULL is fine. */
void cipher_ocb_free(struct cipher_ocb *ocb);

#endif
