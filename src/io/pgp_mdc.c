/*
 * Symmetrically Encrypted Integrity Protected Data, version 1 (RFC 4880, 5.13):
 * CFB, and at the end of the plain bytes the SHA-1 of all before.
 */
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/sha1.h"
#include "pgp_mdc.h"
#include "pgp_opener.h"

/* Bytes that are decrypted at once. */
#define PIECE ((size_t)64 * 1024)

struct mdc {
        struct pgp_opener opener;
        struct cipher_cfb *cfb;
        struct sha1 *sha;
        size_t have; /* bytes of buf; those that may be of the MDC are held back */
        size_t given;
        unsigned char buf[PIECE + PGP_MDC_SIZE];
};

int
pgp_mdc_fits(const unsigned char head[PGP_OPENER_HEAD], const struct pgp_key *key, struct err *err)
{
        unsigned char prefix[PGP_MDC_PREFIX];
        struct cipher_cfb *cfb = cipher_cfb_new(CIPHER_DECRYPT, key->bytes, key->len, err);

        if (cfb == NULL)
                return -1;
        int rc = cipher_cfb_update(cfb, head + 1, prefix, PGP_MDC_PREFIX, err);
        cipher_cfb_free(cfb);
        if (rc < 0)
                return -1;
        /* Its last two bytes repeat the two before. */
        return prefix[14] == prefix[16] && prefix[15] == prefix[17];
}

static ssize_t
mdc_feed(struct pgp_opener *opener, const unsigned char *in, size_t len, struct err *err)
{
        struct mdc *it = (struct mdc *)opener;

        memmove(it->buf, it->buf + it->given, it->have - it->given);
        it->have -= it->given;
        len = len < sizeof(it->buf) - it->have ? len : sizeof(it->buf) - it->have;
        if (cipher_cfb_update(it->cfb, in, it->buf + it->have, len, err) < 0)
                return -1;
        it->have += len;
        it->given = it->have > PGP_MDC_SIZE ? it->have - PGP_MDC_SIZE : 0;
        if (sha1_update(it->sha, it->buf, it->given, err) < 0)
                return -1;
        opener->plain = it->buf;
        opener->len = it->given;
        return (ssize_t)len;
}

static int
mdc_finish(struct pgp_opener *opener, struct err *err)
{
        struct mdc *it = (struct mdc *)opener;
        const unsigned char *mdc = it->buf + it->given;
        unsigned char digest[SHA1_SIZE];

        if (it->have - it->given < PGP_MDC_SIZE)
                return err_set(err, ERR_CORRUPT, "the encrypted data is too short for its digest");
        if (sha1_update(it->sha, mdc, PGP_MDC_HEAD, err) < 0 ||
            sha1_final(it->sha, digest, err) < 0)
                return -1;
        if (memcmp(mdc, pgp_mdc_head, PGP_MDC_HEAD) != 0 ||
            memcmp(mdc + PGP_MDC_HEAD, digest, SHA1_SIZE) != 0)
                return err_set(err, ERR_CORRUPT, "the encrypted data does not match its digest");
        return 0;
}

static void
mdc_free(struct pgp_opener *opener)
{
        struct mdc *it = (struct mdc *)opener;

        cipher_cfb_free(it->cfb);
        sha1_free(it->sha);
        mem_free(it);
}

static const struct pgp_opener_ops mdc_ops = { mdc_feed, mdc_finish, mdc_free };

struct pgp_opener *
pgp_mdc_new(const unsigned char head[PGP_OPENER_HEAD], const struct pgp_key *key, struct err *err)
{
        unsigned char prefix[PGP_MDC_PREFIX];
        struct mdc *it = mem_alloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->opener = (struct pgp_opener){ &mdc_ops, NULL, 0 };
        it->have = it->given = 0;
        it->sha = sha1_new(err);
        it->cfb = cipher_cfb_new(CIPHER_DECRYPT, key->bytes, key->len, err);
        if (it->sha == NULL || it->cfb == NULL)
                goto fail;
        if (cipher_cfb_update(it->cfb, head + 1, prefix, PGP_MDC_PREFIX, err) < 0 ||
            sha1_update(it->sha, prefix, PGP_MDC_PREFIX, err) < 0)
                goto fail;
        return &it->opener;

fail:
        mdc_free(&it->opener);
        return NULL;
}
