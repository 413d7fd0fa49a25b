/*
 * MD5, where a protocol asks for it (Content-MD5, ETags of S3): against
 * accidents on the way, never against anybody.
 */
#ifndef MOONKEEP_MD5_H
#define MOONKEEP_MD5_H

#include <stddef.h>

#include "moonkeep/err.h"

#define MD5_SIZE 16

/* md5_bytes: the digest of len bytes; ERR_UNSUPPORTED where the system forbids MD5 (FIPS). */
int md5_bytes(const void *data, size_t len, unsigned char out[MD5_SIZE], struct err *err);

#endif
