/*
 * SHA-256, and the digest of an artifact: the list of SHA-256 of its parts of
 * a fixed size, with a root over that list.
 */
#ifndef MOONKEEP_DIGEST_H
#define MOONKEEP_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/err.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

struct sha256;

struct sha256 *sha256_new(struct err *err);
int sha256_update(struct sha256 *sha, const void *data, size_t len, struct err *err);
/* sha256_final: the digest of all since sha256_new or the last sha256_final; starts anew. */
int sha256_final(struct sha256 *sha, unsigned char out[SHA256_SIZE], struct err *err);
/* sha256_so_far: the same, and goes on. */
int sha256_so_far(const struct sha256 *sha, unsigned char out[SHA256_SIZE], struct err *err);
void sha256_free(struct sha256 *sha);

/* sha256_bytes: the digest of len bytes. */
int sha256_bytes(const void *data, size_t len, unsigned char out[SHA256_SIZE], struct err *err);

/* Size of the parts that moonkeep writes, in bytes. */
#define DIGEST_PART_SIZE ((size_t)8 * 1024 * 1024)

/*
 * Most parts of one artifact: 838 GB in parts of DIGEST_PART_SIZE.  Many more
 * would not fit into a line of a journal (lua/recipe/journal.lua), where each
 * takes 67 bytes.  Stores with lower limits divide an artifact by themselves.
 */
#define DIGEST_PARTS_MAX 100000

/*
 * A parts digest: every full part and the last, shorter one (if not empty)
 * has a SHA-256; the root is the SHA-256 of these digests, as raw bytes, in
 * order.  An artifact of 0 bytes has no parts.
 */
struct parts_digest;

struct parts_digest *parts_digest_new(size_t part_size, struct err *err);
int parts_digest_update(struct parts_digest *pd, const void *data, size_t len, struct err *err);
/*
 * parts_digest_append: the parts of next (final) follow on those of pd, which has
 * full parts only, of the same size; ERR_INVALID otherwise.
 */
int parts_digest_append(struct parts_digest *pd, const struct parts_digest *next, struct err *err);
/* parts_digest_final: end the last part; then the getters below are valid. */
int parts_digest_final(struct parts_digest *pd, struct err *err);
uint64_t parts_digest_bytes(const struct parts_digest *pd);
size_t parts_digest_part_size(const struct parts_digest *pd);
size_t parts_digest_count(const struct parts_digest *pd);
/* parts_digest_at: the digest of part idx, SHA256_SIZE raw bytes, borrowed. */
const unsigned char *parts_digest_at(const struct parts_digest *pd, size_t idx);
const unsigned char *parts_digest_root(const struct parts_digest *pd);
void parts_digest_free(struct parts_digest *pd);

#endif
