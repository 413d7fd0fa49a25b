/*
 * OpenPGP's way from a passphrase to a key (RFC 4880, 3.7.1, whose numbers
 * are those of the enums).
 */
#ifndef MOONKEEP_S2K_H
#define MOONKEEP_S2K_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"
#include "moonkeep/secret.h"

enum s2k_mode {
        S2K_SIMPLE = 0,
        S2K_SALTED = 1,
        S2K_ITERATED = 3
};

enum s2k_hash {
        S2K_SHA1 = 2,
        S2K_SHA256 = 8,
        S2K_SHA384 = 9,
        S2K_SHA512 = 10,
        S2K_SHA224 = 11
};

#define S2K_SALT_SIZE 8

/* The most bytes that a count in a packet (one octet) can ask for. */
#define S2K_COUNT_MAX 65011712

struct s2k {
        unsigned char mode; /* an s2k_mode, */
        unsigned char hash; /* an s2k_hash, or what a packet had there */
        unsigned char salt[S2K_SALT_SIZE];
        uint64_t count; /* bytes that are hashed, for S2K_ITERATED */
};

/* s2k_count: the count that one octet of a packet stands for. */
uint64_t s2k_count(unsigned char octet);

/* The longest key that is made, in bytes. */
#define S2K_KEY_MAX 64

/* s2k_derive: a key of key_len bytes; ERR_UNSUPPORTED for another mode or hash. */
int s2k_derive(const struct s2k *s2k, const struct secret *passphrase, unsigned char *key,
    size_t key_len, struct err *err);

/*
 * s2k_key_id: 16 hex digits and a NUL that tell passphrases apart: the first 8
 * bytes of the SHA-256 of 32 bytes that S2K_ITERATED makes with SHA-256, the
 * salt "moonkeep" and 4 x S2K_COUNT_MAX bytes.  Trying a passphrase by it costs
 * four times as much as by a message.
 */
#define S2K_KEY_ID_SIZE 17
int s2k_key_id(const struct secret *passphrase, char id[S2K_KEY_ID_SIZE], struct err *err);

#endif
