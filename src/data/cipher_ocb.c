#include "moonkeep/cipher.h"

#include <limits.h>

#include <openssl/evp.h>

#include "moonkeep/mem.h"
#include "openssl_err.h"

struct cipher_ocb {
        EVP_CIPHER_CTX *ctx;
        enum cipher_way way;
};

static int
broken(struct err *err)
{
        return openssl_err(err, "cannot use AES-OCB");
}

static const EVP_CIPHER *
mode_of(size_t key_len)
{
        switch (key_len) {
        case 16:
                return EVP_aes_128_ocb();
        case 24:
                return EVP_aes_192_ocb();
        case 32:
                return EVP_aes_256_ocb();
        default:
                return NULL;
        }
}

struct cipher_ocb *
cipher_ocb_new(enum cipher_way way, const unsigned char *key, size_t key_len, struct err *err)
{
        const EVP_CIPHER *mode = mode_of(key_len);

        if (mode == NULL) {
                err_set(err, ERR_INVALID, "AES has no keys of %zu bytes", key_len);
                return NULL;
        }
        struct cipher_ocb *ocb = mem_zalloc(sizeof(*ocb), err);
        if (ocb == NULL)
                return NULL;
        ocb->way = way;
        ocb->ctx = EVP_CIPHER_CTX_new();
        if (ocb->ctx == NULL ||
            EVP_CipherInit_ex(ocb->ctx, mode, NULL, NULL, NULL, way == CIPHER_ENCRYPT) != 1 ||
            EVP_CIPHER_CTX_ctrl(ocb->ctx, EVP_CTRL_AEAD_SET_IVLEN, CIPHER_OCB_NONCE, NULL) != 1 ||
            EVP_CipherInit_ex(ocb->ctx, NULL, NULL, key, NULL, -1) != 1) {
                broken(err);
                cipher_ocb_free(ocb);
                return NULL;
        }
        return ocb;
}

int
cipher_ocb_chunk(struct cipher_ocb *ocb, const unsigned char nonce[CIPHER_OCB_NONCE],
    const void *ad, size_t ad_len, unsigned char *data, size_t len,
    unsigned char tag[CIPHER_OCB_TAG], struct err *err)
{
        EVP_CIPHER_CTX *ctx = ocb->ctx;
        bool decrypts = ocb->way == CIPHER_DECRYPT;
        int made, last;

        if (len > INT_MAX || ad_len > INT_MAX)
                return err_set(err, ERR_TOO_BIG, "a chunk of %zu bytes for AES-OCB", len);
        if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, -1) != 1)
                return broken(err);
        if (decrypts && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CIPHER_OCB_TAG, tag) != 1)
                return broken(err);
        if (EVP_CipherUpdate(ctx, NULL, &made, ad, (int)ad_len) != 1)
                return broken(err);
        made = 0;
        if (len > 0 && EVP_CipherUpdate(ctx, data, &made, data, (int)len) != 1)
                return broken(err);
        if (EVP_CipherFinal_ex(ctx, data + made, &last) != 1) {
                if (!decrypts)
                        return broken(err);
                ERR_clear_error();
                return err_set(err, ERR_CORRUPT, "the data does not match its tag");
        }
        if (!decrypts && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CIPHER_OCB_TAG, tag) != 1)
                return broken(err);
        return 0;
}

void
cipher_ocb_free(struct cipher_ocb *ocb)
{
        if (ocb == NULL)
                return;
        EVP_CIPHER_CTX_free(ocb->ctx);
        mem_free(ocb);
}
