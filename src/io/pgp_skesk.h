/*
 * From passphrases to session keys: the packet SKESK (RFC 4880, 5.3), and its
 * version 5, which gpg 2.3 writes beside data encrypted with OCB.
 */
#ifndef MOONKEEP_IO_PGP_SKESK_H
#define MOONKEEP_IO_PGP_SKESK_H

#include <stddef.h>

#include "moonkeep/cipher.h"
#include "moonkeep/s2k.h"

/* Bound on such a packet, in bytes; the longest one has 90. */
#define PGP_SKESK_MAX 256

/* Version and names of algorithms in front of the S2K, which are proven by OCB, and the tag. */
#define PGP_SKESK_AD 4

/* OCB, as a number of an AEAD algorithm. */
#define PGP_OCB 2

struct pgp_skesk {
        unsigned char version; /* 4 or 5 */
        unsigned char cipher;
        struct s2k s2k;
        unsigned char ad[PGP_SKESK_AD];
        unsigned char nonce[CIPHER_OCB_NONCE];
        unsigned char esk[1 + CIPHER_KEY_MAX + CIPHER_OCB_TAG]; /* the encrypted session key */
        size_t esk_len; /* 0: the key of the passphrase is the session key */
};

struct pgp_key {
        unsigned char bytes[CIPHER_KEY_MAX];
        size_t len;
};

/* pgp_cipher_key_len: the length of a cipher's keys; ERR_UNSUPPORTED and 0 for one that is not AES.
 */
size_t pgp_cipher_key_len(unsigned char cipher, struct err *err);

/* pgp_skesk_parse: ERR_UNSUPPORTED for what is not supported, ERR_CORRUPT for what cannot be. */
int pgp_skesk_parse(
    struct pgp_skesk *skesk, const unsigned char *body, size_t len, struct err *err);

/*
 * pgp_skesk_open: the session key that a passphrase gives.  Returns 1; 0 when
 * it is seen that it is not the right passphrase; -1 on error.
 */
int pgp_skesk_open(const struct pgp_skesk *skesk, const struct secret *passphrase,
    struct pgp_key *key, struct err *err);

#endif
