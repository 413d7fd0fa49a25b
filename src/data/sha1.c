#include "moonkeep/sha1.h"

#include <openssl/evp.h>

#include "moonkeep/mem.h"
#include "openssl_err.h"

struct sha1 {
        EVP_MD_CTX *ctx;
};

static int
broken(struct err *err)
{
        return openssl_err(err, "cannot compute a SHA-1");
}

struct sha1 *
sha1_new(struct err *err)
{
        struct sha1 *sha = mem_zalloc(sizeof(*sha), err);

        if (sha == NULL)
                return NULL;
        sha->ctx = EVP_MD_CTX_new();
        if (sha->ctx == NULL || EVP_DigestInit_ex(sha->ctx, EVP_sha1(), NULL) != 1) {
                broken(err);
                sha1_free(sha);
                return NULL;
        }
        return sha;
}

int
sha1_update(struct sha1 *sha, const void *data, size_t len, struct err *err)
{
        return EVP_DigestUpdate(sha->ctx, data, len) == 1 ? 0 : broken(err);
}

int
sha1_final(struct sha1 *sha, unsigned char out[SHA1_SIZE], struct err *err)
{
        return EVP_DigestFinal_ex(sha->ctx, out, NULL) == 1 ? 0 : broken(err);
}

void
sha1_free(struct sha1 *sha)
{
        if (sha == NULL)
                return;
        EVP_MD_CTX_free(sha->ctx);
        mem_free(sha);
}
