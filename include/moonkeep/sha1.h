/*
 * SHA-1, for formats that ask for it (OpenPGP's modification detection).  It
 * proves nothing against who can choose the bytes: use digest.h wherever
 * there is a choice.
 */
#ifndef MOONKEEP_SHA1_H
#define MOONKEEP_SHA1_H

#include <stddef.h>

#include "moonkeep/err.h"

#define SHA1_SIZE 20

struct sha1;

struct sha1 *sha1_new(struct err *err);
int sha1_update(struct sha1 *sha, const void *data, size_t len, struct err *err);
/* sha1_final: the digest of all since sha1_new; nothing may follow. */
int sha1_final(struct sha1 *sha, unsigned char out[SHA1_SIZE], struct err *err);
void sha1_free(struct sha1 *sha);

#endif
