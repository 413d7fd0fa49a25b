/*
 * What one of our scripts sends, as a source whose end is proven: it is whole,
 * its sender said that it succeeded, with FAR_DIGEST both ends took the same
 * SHA-256; then we say "ok", and only then does the script end with 0.
 * Internal to far.
 */
#ifndef IO_FAR_OUTPUT_H
#define IO_FAR_OUTPUT_H

#include "far_link.h"
#include "moonkeep/digest.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/stream_driver.h"

struct far_output;

struct far_output_ops {
        struct source_ops source; /* read is far_output_read */
        /* Bytes came; or NULL. */
        int (*take)(struct far_output *out, const void *data, size_t len, struct err *err);
        /* Has all come? */
        bool (*is_whole)(const struct far_output *out);
        /* A defect that shows at once; or NULL. */
        int (*look)(struct far_output *out, struct err *err);
        /* The sender is done, and what came is not whole: the error. */
        int (*cut)(struct far_output *out, struct err *err);
        /* Behind the proven end; or NULL. */
        int (*at_end)(struct far_output *out, struct err *err);
};

/* Its first member is the source; embedded as the first member of a driver's. */
struct far_output {
        struct source source;
        const struct far_output_ops *ops;
        struct far_link link;
        struct sha256 *sha;        /* NULL: structure only */
        char *path;                /* for messages */
        const unsigned char *data; /* came, and is not handed out yet */
        size_t len;
        uint64_t came;
        bool has_status; /* the sender said that it is done: set by the line's handler */
        bool has_sum;
        bool acked;
        unsigned char sum[SHA256_SIZE];
};

/* far_output_init: out is all zero.  On failure, too, far_output_clear releases what there is. */
int far_output_init(struct far_output *out, const struct far_output_ops *ops, const char *path,
    enum far_proof proof, struct err *err);
void far_output_clear(struct far_output *out);

/* far_output_sum: the line "sum HEX". */
int far_output_sum(struct far_output *out, const char *hex, struct err *err);

/* far_output_is_proven: is all that can be known known, and in order? */
int far_output_is_proven(const struct far_output *out, bool *proven, struct err *err);

ssize_t far_output_read(struct source *src, void *buf, size_t cap, struct err *err);

#endif
