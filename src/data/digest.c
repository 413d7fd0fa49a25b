#include "moonkeep/digest.h"

#include <string.h>

#include <openssl/evp.h>

#include "moonkeep/mem.h"
#include "openssl_err.h"

struct sha256 {
        EVP_MD_CTX *ctx;
};

static int
broken(struct err *err)
{
        return openssl_err(err, "cannot compute a SHA-256");
}

struct sha256 *
sha256_new(struct err *err)
{
        struct sha256 *sha = mem_zalloc(sizeof(*sha), err);

        if (sha == NULL)
                return NULL;
        sha->ctx = EVP_MD_CTX_new();
        if (sha->ctx == NULL) {
                broken(err);
                goto fail;
        }
        if (EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) != 1) {
                broken(err);
                goto fail;
        }
        return sha;

fail:
        sha256_free(sha);
        return NULL;
}

int
sha256_update(struct sha256 *sha, const void *data, size_t len, struct err *err)
{
        return EVP_DigestUpdate(sha->ctx, data, len) == 1 ? 0 : broken(err);
}

int
sha256_final(struct sha256 *sha, unsigned char out[SHA256_SIZE], struct err *err)
{
        unsigned char digest[SHA256_SIZE];

        if (EVP_DigestFinal_ex(sha->ctx, digest, NULL) != 1)
                return broken(err);
        /* No type: the one that it has, without looking up an implementation again. */
        if (EVP_DigestInit_ex(sha->ctx, NULL, NULL) != 1)
                return broken(err);
        memcpy(out, digest, SHA256_SIZE);
        return 0;
}

int
sha256_so_far(const struct sha256 *sha, unsigned char out[SHA256_SIZE], struct err *err)
{
        EVP_MD_CTX *copy = EVP_MD_CTX_new();
        int rc = -1;

        if (copy != NULL && EVP_MD_CTX_copy_ex(copy, sha->ctx) == 1 &&
            EVP_DigestFinal_ex(copy, out, NULL) == 1)
                rc = 0;
        EVP_MD_CTX_free(copy);
        return rc == 0 ? 0 : broken(err);
}

void
sha256_free(struct sha256 *sha)
{
        if (sha == NULL)
                return;
        EVP_MD_CTX_free(sha->ctx);
        mem_free(sha);
}

int
sha256_bytes(const void *data, size_t len, unsigned char out[SHA256_SIZE], struct err *err)
{
        struct sha256 *sha = sha256_new(err);
        int rc = -1;

        if (sha == NULL)
                return -1;
        if (sha256_update(sha, data, len, err) == 0)
                rc = sha256_final(sha, out, err);
        sha256_free(sha);
        return rc;
}
