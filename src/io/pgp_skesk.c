#include "pgp_skesk.h"

#include <string.h>

#include "pgp_packet.h"

size_t
pgp_cipher_key_len(unsigned char cipher, struct err *err)
{
        /* RFC 4880, 9.2. */
        static const char *const others[] = { "no cipher", "IDEA", "3DES", "CAST5",
                "Blowfish", [10] = "Twofish", "Camellia", "Camellia", "Camellia" };

        switch (cipher) {
        case 7:
                return 16;
        case 8:
                return 24;
        case 9:
                return 32;
        default:
                if (cipher < sizeof(others) / sizeof(others[0]) && others[cipher] != NULL)
                        err_set(err, ERR_UNSUPPORTED, "encrypted with %s; only AES is supported",
                            others[cipher]);
                else
                        err_set(err, ERR_UNSUPPORTED,
                            "encrypted with an unknown cipher (%d); only AES is supported", cipher);
                return 0;
        }
}

/* What is left of a packet's body; take fails when it is too short. */
struct rest {
        const unsigned char *at;
        size_t len;
};

static int
take(struct rest *rest, void *out, size_t len, struct err *err)
{
        if (rest->len < len)
                return err_set(err, ERR_CORRUPT, "the packet of a session key is too short");
        memcpy(out, rest->at, len);
        rest->at += len;
        rest->len -= len;
        return 0;
}

static int
parse_s2k(struct s2k *s2k, struct rest *rest, struct err *err)
{
        unsigned char count = 0;

        if (take(rest, &s2k->mode, 1, err) < 0)
                return -1;
        if (s2k->mode != S2K_SIMPLE && s2k->mode != S2K_SALTED && s2k->mode != S2K_ITERATED)
                return err_set(err, ERR_UNSUPPORTED,
                    "its key is made of a passphrase in a way that is not supported (S2K %d)",
                    s2k->mode);
        if (take(rest, &s2k->hash, 1, err) < 0)
                return -1;
        if (s2k->mode != S2K_SIMPLE && take(rest, s2k->salt, S2K_SALT_SIZE, err) < 0)
                return -1;
        if (s2k->mode == S2K_ITERATED && take(rest, &count, 1, err) < 0)
                return -1;
        s2k->count = s2k->mode == S2K_ITERATED ? s2k_count(count) : 0;
        return 0;
}

int
pgp_skesk_parse(struct pgp_skesk *skesk, const unsigned char *body, size_t len, struct err *err)
{
        struct rest rest = { body, len };
        unsigned char aead = 0;

        memset(skesk, 0, sizeof(*skesk));
        if (take(&rest, &skesk->version, 1, err) < 0)
                return -1;
        if (skesk->version != 4 && skesk->version != 5)
                return err_set(err, ERR_UNSUPPORTED,
                    "the packet of its session key is of version %d, which is not supported",
                    skesk->version);
        if (take(&rest, &skesk->cipher, 1, err) < 0)
                return -1;
        size_t key_len = pgp_cipher_key_len(skesk->cipher, err);
        if (key_len == 0)
                return -1;
        if (skesk->version == 5) {
                if (take(&rest, &aead, 1, err) < 0)
                        return -1;
                if (aead != PGP_OCB)
                        return err_set(err, ERR_UNSUPPORTED,
                            "encrypted in an AEAD mode that is not supported (%d); OCB is", aead);
        }
        if (parse_s2k(&skesk->s2k, &rest, err) < 0)
                return -1;
        memcpy(skesk->ad,
            (unsigned char[]){ PGP_NEW_HEADER(PGP_SKESK), skesk->version, skesk->cipher, aead },
            PGP_SKESK_AD);
        if (skesk->version == 5 && take(&rest, skesk->nonce, CIPHER_OCB_NONCE, err) < 0)
                return -1;
        if (rest.len > sizeof(skesk->esk) ||
            (skesk->version == 5 && rest.len < 16 + CIPHER_OCB_TAG))
                return err_set(err, ERR_CORRUPT, "an impossible length of a session key");
        skesk->esk_len = rest.len;
        return take(&rest, skesk->esk, rest.len, err);
}

/* Version 4 (RFC 4880, 5.3): a cipher and a key, which only prove themselves by being possible. */
static int
open_cfb(
    const struct pgp_skesk *skesk, const struct pgp_key *kek, struct pgp_key *key, struct err *err)
{
        unsigned char plain[sizeof(skesk->esk)];
        int rc = -1;
        struct cipher_cfb *cfb = cipher_cfb_new(CIPHER_DECRYPT, kek->bytes, kek->len, err);

        if (cfb == NULL)
                return -1;
        if (cipher_cfb_update(cfb, skesk->esk, plain, skesk->esk_len, err) < 0)
                goto out;
        size_t key_len = pgp_cipher_key_len(plain[0], NULL);
        rc = key_len != 0 && key_len == skesk->esk_len - 1;
        if (rc == 1) {
                memcpy(key->bytes, plain + 1, key_len);
                key->len = key_len;
        }

out:
        secret_wipe(plain, sizeof(plain));
        cipher_cfb_free(cfb);
        return rc;
}

/* Version 5: a key, and a tag that proves it. */
static int
open_ocb(
    const struct pgp_skesk *skesk, const struct pgp_key *kek, struct pgp_key *key, struct err *err)
{
        unsigned char plain[sizeof(skesk->esk)];
        size_t key_len = skesk->esk_len - CIPHER_OCB_TAG;
        struct err why;
        int rc = -1;
        struct cipher_ocb *ocb = cipher_ocb_new(CIPHER_DECRYPT, kek->bytes, kek->len, err);

        if (ocb == NULL)
                return -1;
        err_init(&why);
        memcpy(plain, skesk->esk, skesk->esk_len);
        if (cipher_ocb_chunk(ocb, skesk->nonce, skesk->ad, PGP_SKESK_AD, plain, key_len,
                plain + key_len, &why) == 0) {
                rc = key_len == 16 || key_len == 24 || key_len == 32;
                if (rc == 1)
                        memcpy(key->bytes, plain, key_len);
                key->len = key_len;
        } else if (why.code == ERR_CORRUPT) {
                rc = 0;
        } else {
                *err = why;
        }
        secret_wipe(plain, sizeof(plain));
        cipher_ocb_free(ocb);
        return rc;
}

int
pgp_skesk_open(const struct pgp_skesk *skesk, const struct secret *passphrase, struct pgp_key *key,
    struct err *err)
{
        struct pgp_key kek = { .len = pgp_cipher_key_len(skesk->cipher, err) };
        int rc = 1;

        if (kek.len == 0 || s2k_derive(&skesk->s2k, passphrase, kek.bytes, kek.len, err) < 0)
                return -1;
        if (skesk->esk_len == 0)
                *key = kek;
        else if (skesk->version == 4)
                rc = open_cfb(skesk, &kek, key, err);
        else
                rc = open_ocb(skesk, &kek, key, err);
        secret_wipe(&kek, sizeof(kek));
        return rc;
}
