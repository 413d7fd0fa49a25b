#include "moonkeep/cipher.h"

#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "moonkeep/mem.h"
#include "moonkeep/secret.h"
#include "openssl_err.h"

/* Bytes that go through the cipher at once; with what they become they fit into the first cache. */
#define BATCH ((size_t)8 * 1024)

/*
 * OpenSSL's own CFB goes block by block.  With S(i) the bytes that block i is
 * combined with, C(i) = P(i) ^ S(i) and S(i + 1) = E(C(i)).  To decrypt, the
 * ciphertext is there, and all S follow from it by ECB, several blocks at a
 * time.  To encrypt, S(i + 1) = E(P(i) ^ S(i)) is what CBC makes of the plain
 * blocks, with S(1) as its vector.  Either way the input goes through one
 * fast mode and gives the S of the blocks that follow.
 */
struct cipher_cfb {
        EVP_CIPHER_CTX *ctx;
        size_t used;                       /* bytes of the first block of stream that are used up */
        unsigned char block[CIPHER_BLOCK]; /* the input of these bytes */
        unsigned char stream[CIPHER_BLOCK + BATCH];
};

static int
broken(struct err *err)
{
        return openssl_err(err, "cannot use AES");
}

static const EVP_CIPHER *
mode_of(enum cipher_way way, size_t key_len)
{
        switch (key_len) {
        case 16:
                return way == CIPHER_ENCRYPT ? EVP_aes_128_cbc() : EVP_aes_128_ecb();
        case 24:
                return way == CIPHER_ENCRYPT ? EVP_aes_192_cbc() : EVP_aes_192_ecb();
        case 32:
                return way == CIPHER_ENCRYPT ? EVP_aes_256_cbc() : EVP_aes_256_ecb();
        default:
                return NULL;
        }
}

/* Whole blocks in: the stream behind its first block is made of them. */
static int
feed(struct cipher_cfb *cfb, const unsigned char *in, size_t len, struct err *err)
{
        int made;

        if (EVP_EncryptUpdate(cfb->ctx, cfb->stream + CIPHER_BLOCK, &made, in, (int)len) != 1 ||
            (size_t)made != len)
                return broken(err);
        return 0;
}

struct cipher_cfb *
cipher_cfb_new(enum cipher_way way, const unsigned char *key, size_t key_len, struct err *err)
{
        static const unsigned char zeros[CIPHER_BLOCK];
        const EVP_CIPHER *mode = mode_of(way, key_len);
        struct cipher_cfb *cfb;

        if (mode == NULL) {
                err_set(err, ERR_INVALID, "AES has no keys of %zu bytes", key_len);
                return NULL;
        }
        cfb = mem_zalloc(sizeof(*cfb), err);
        if (cfb == NULL)
                return NULL;
        cfb->ctx = EVP_CIPHER_CTX_new();
        if (cfb->ctx == NULL || EVP_EncryptInit_ex(cfb->ctx, mode, NULL, key, zeros) != 1 ||
            EVP_CIPHER_CTX_set_padding(cfb->ctx, 0) != 1) {
                broken(err);
                goto fail;
        }
        /* The vector, encrypted, is the stream of the first block. */
        if (feed(cfb, zeros, CIPHER_BLOCK, err) < 0)
                goto fail;
        memcpy(cfb->stream, cfb->stream + CIPHER_BLOCK, CIPHER_BLOCK);
        return cfb;

fail:
        cipher_cfb_free(cfb);
        return NULL;
}

static void
combine(const unsigned char *in, const unsigned char *stream, unsigned char *out, size_t len)
{
        size_t at = 0;

        for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
                uint64_t word, other;
                memcpy(&word, in + at, sizeof(word));
                memcpy(&other, stream + at, sizeof(other));
                word ^= other;
                memcpy(out + at, &word, sizeof(word));
        }
        for (; at < len; at++)
                out[at] = in[at] ^ stream[at];
}

/* Bytes of one block that begins or ends in the middle of an update. */
static int
update_part(struct cipher_cfb *cfb, const unsigned char *in, unsigned char *out, size_t len,
    struct err *err)
{
        memcpy(cfb->block + cfb->used, in, len);
        combine(in, cfb->stream + cfb->used, out, len);
        cfb->used += len;
        if (cfb->used < CIPHER_BLOCK)
                return 0;
        cfb->used = 0;
        if (feed(cfb, cfb->block, CIPHER_BLOCK, err) < 0)
                return -1;
        memcpy(cfb->stream, cfb->stream + CIPHER_BLOCK, CIPHER_BLOCK);
        return 0;
}

int
cipher_cfb_update(struct cipher_cfb *cfb, const unsigned char *in, unsigned char *out, size_t len,
    struct err *err)
{
        while (len > 0) {
                size_t piece;

                if (cfb->used > 0 || len < CIPHER_BLOCK) {
                        piece = CIPHER_BLOCK - cfb->used < len ? CIPHER_BLOCK - cfb->used : len;
                        if (update_part(cfb, in, out, piece, err) < 0)
                                return -1;
                } else {
                        piece = len < BATCH ? len - len % CIPHER_BLOCK : BATCH;
                        if (feed(cfb, in, piece, err) < 0)
                                return -1;
                        combine(in, cfb->stream, out, piece);
                        memcpy(cfb->stream, cfb->stream + piece, CIPHER_BLOCK);
                }
                in += piece;
                out += piece;
                len -= piece;
        }
        return 0;
}

void
cipher_cfb_free(struct cipher_cfb *cfb)
{
        if (cfb == NULL)
                return;
        EVP_CIPHER_CTX_free(cfb->ctx);
        secret_wipe(cfb, sizeof(*cfb));
        mem_free(cfb);
}
