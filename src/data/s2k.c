#include "moonkeep/s2k.h"

#include <string.h>

#include <openssl/evp.h>

#include "moonkeep/digest.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "openssl_err.h"

/* Salt and passphrase are repeated up to this size, so that they are hashed in large pieces. */
#define REPEATED ((size_t)16 * 1024)

static const EVP_MD *
hash_of(unsigned char hash)
{
        switch (hash) {
        case S2K_SHA1:
                return EVP_sha1();
        case S2K_SHA256:
                return EVP_sha256();
        case S2K_SHA384:
                return EVP_sha384();
        case S2K_SHA512:
                return EVP_sha512();
        case S2K_SHA224:
                return EVP_sha224();
        default:
                return NULL;
        }
}

uint64_t
s2k_count(unsigned char octet)
{
        return (uint64_t)(16 + (octet & 15)) << ((octet >> 4) + 6);
}

/* What is hashed: total bytes of one piece (len bytes) over and over. */
struct material {
        unsigned char *piece;
        size_t len;
        uint64_t total;
};

static int
gather(const struct s2k *s2k, const struct secret *passphrase, struct material *it, struct err *err)
{
        size_t pass_len, salt_len = s2k->mode == S2K_SIMPLE ? 0 : S2K_SALT_SIZE;
        const char *pass = secret_bytes(passphrase, &pass_len);
        size_t once = salt_len + pass_len;
        size_t times = once != 0 && once < REPEATED ? REPEATED / once : 1;

        it->len = once * times;
        /* Salt and passphrase are hashed whole at least once. */
        it->total = s2k->mode == S2K_ITERATED && s2k->count > once ? s2k->count : once;
        it->piece = mem_alloc(it->len + 1, err);
        if (it->piece == NULL)
                return -1;
        for (size_t at = 0; at < it->len; at += once) {
                memcpy(it->piece + at, s2k->salt, salt_len);
                memcpy(it->piece + at + salt_len, pass, pass_len);
        }
        return 0;
}

/* Round n gives further bytes of the key: its hash begins with n bytes of zero. */
static int
hash_round(EVP_MD_CTX *ctx, const EVP_MD *md, const struct material *it, size_t round,
    unsigned char out[EVP_MAX_MD_SIZE])
{
        static const unsigned char zeros[S2K_KEY_MAX];
        uint64_t left = it->total;

        if (EVP_DigestInit_ex(ctx, md, NULL) != 1 || EVP_DigestUpdate(ctx, zeros, round) != 1)
                return -1;
        while (left > 0) {
                size_t len = left < it->len ? (size_t)left : it->len;
                if (EVP_DigestUpdate(ctx, it->piece, len) != 1)
                        return -1;
                left -= len;
        }
        return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : -1;
}

int
s2k_derive(const struct s2k *s2k, const struct secret *passphrase, unsigned char *key,
    size_t key_len, struct err *err)
{
        const EVP_MD *md = hash_of(s2k->hash);
        unsigned char made[EVP_MAX_MD_SIZE];
        struct material material;
        int rc = -1;

        if (s2k->mode != S2K_SIMPLE && s2k->mode != S2K_SALTED && s2k->mode != S2K_ITERATED)
                return err_set(err, ERR_UNSUPPORTED,
                    "a key made of a passphrase in a way that is not supported (S2K %d)",
                    s2k->mode);
        if (key_len > S2K_KEY_MAX)
                return err_set(err, ERR_INVALID, "a key of %zu bytes is too long", key_len);
        if (md == NULL)
                return err_set(err, ERR_UNSUPPORTED,
                    "a key made of a passphrase with a hash that is not supported (%d)", s2k->hash);
        if (gather(s2k, passphrase, &material, err) < 0)
                return -1;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        if (ctx == NULL) {
                openssl_err(err, "cannot make a key of a passphrase");
                goto out;
        }
        size_t size = (size_t)EVP_MD_get_size(md);
        for (size_t at = 0, round = 0; at < key_len; at += size, round++) {
                if (hash_round(ctx, md, &material, round, made) < 0) {
                        openssl_err(err, "cannot make a key of a passphrase");
                        goto out;
                }
                memcpy(key + at, made, key_len - at < size ? key_len - at : size);
        }
        rc = 0;

out:
        EVP_MD_CTX_free(ctx);
        secret_wipe(made, sizeof(made));
        secret_wipe(material.piece, material.len);
        mem_free(material.piece);
        return rc;
}

int
s2k_key_id(const struct secret *passphrase, char id[S2K_KEY_ID_SIZE], struct err *err)
{
        static const struct s2k s2k = { .mode = S2K_ITERATED,
                .hash = S2K_SHA256,
                .salt = { 'm', 'o', 'o', 'n', 'k', 'e', 'e', 'p' },
                .count = (uint64_t)4 * S2K_COUNT_MAX };
        unsigned char key[32], digest[SHA256_SIZE];
        int rc = -1;

        if (s2k_derive(&s2k, passphrase, key, sizeof(key), err) == 0 &&
            sha256_bytes(key, sizeof(key), digest, err) == 0) {
                hex_encode(digest, (S2K_KEY_ID_SIZE - 1) / 2, id);
                rc = 0;
        }
        secret_wipe(key, sizeof(key));
        return rc;
}
