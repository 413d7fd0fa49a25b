/*
 * HMAC with SHA-256 (RFC 2104): what requests to object stores are signed with.
 */
#ifndef MOONKEEP_HMAC_H
#define MOONKEEP_HMAC_H

#include <stddef.h>

#include "moonkeep/digest.h"
#include "moonkeep/err.h"

/* hmac_sha256: of len bytes, with a key of key_len bytes (at most HMAC_KEY_MAX). */
#define HMAC_KEY_MAX ((size_t)1024 * 1024)
int hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[SHA256_SIZE], struct err *err);

#endif
