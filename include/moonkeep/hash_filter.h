/*
 * A filter that passes bytes on unchanged and digests them on the way.
 */
#ifndef MOONKEEP_HASH_FILTER_H
#define MOONKEEP_HASH_FILTER_H

#include <stdbool.h>

#include "moonkeep/digest.h"
#include "moonkeep/stream.h"

/*
 * The digests of a stream.  Made by the owner before the stream, filled while
 * it runs, valid when `complete`.  The owner keeps it until the stream is freed.
 */
struct stream_digest {
        struct parts_digest *parts;       /* part digests and root */
        unsigned char whole[SHA256_SIZE]; /* of all bytes; only if want_whole */
        bool want_whole;
        bool complete; /* the stream reached its end */
};

/* stream_digest_new: parts of part_size bytes (0: DIGEST_PART_SIZE). */
struct stream_digest *stream_digest_new(size_t part_size, bool want_whole, struct err *err);
void stream_digest_free(struct stream_digest *digest);

/* hash_source: digest what is read from src into digest.  Takes src (on failure, too). */
struct source *hash_source(struct source *src, struct stream_digest *digest, struct err *err);

/*
 * hash_sink: digest what is written through it to inner into digest, which is
 * complete after the commit.  Takes inner (on failure, too).
 */
struct sink *hash_sink(struct sink *inner, struct stream_digest *digest, struct err *err);

/*
 * expect_source: like hash_source, and compares: each part as soon as it is
 * complete with the expected digests (count x SHA256_SIZE raw bytes,
 * borrowed), and the length with expected_bytes.  A difference is ERR_CORRUPT
 * and says which part and which byte range; a count that does not fit the length
 * is ERR_INVALID.  part_size 0 is DIGEST_PART_SIZE.  Takes src (on failure,
 * too).
 */
struct source *expect_source(struct source *src, const unsigned char *expected, size_t count,
    size_t part_size, uint64_t expected_bytes, struct err *err);

#endif
