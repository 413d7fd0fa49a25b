/*
 * Bytes into one of our scripts, in frames, and what it says of them.
 * Internal to far.
 */
#ifndef IO_FAR_UPLOAD_H
#define IO_FAR_UPLOAD_H

#include "far_link.h"
#include "moonkeep/digest.h"
#include "moonkeep/far_stream.h"

struct far_upload {
        struct far_link link;
        const char *path; /* for messages */
        const char *tool; /* that takes the bytes there */
        /* If not NULL: what to send for the end, "0\n" and more, once src has ended. */
        const char *(*last_line)(void *arg);
        void *arg;
        struct sha256 *sha; /* NULL: structure only */
        uint64_t sent;
        uint64_t frames, frames_came;
        uint64_t stored; /* what it says to have; UINT64_MAX: it does not say */
        int tool_status; /* -1 until it is known */
        bool ready;
        bool all_came;
        bool done;
        bool has_sum;
        unsigned char sum[SHA256_SIZE];
};

/* far_upload_run: send src (taken) to script, to the end that both ends agree on. */
int far_upload_run(struct far_upload *upload, struct source *src, struct far_host *host,
    const char *script, const char *const *args, enum far_proof proof, int64_t stall_ms,
    struct cancel *cancel, struct err *err);

#endif
