/*
 * One object being written, shared by object_sink*.c.
 */
#ifndef MOONKEEP_STORE_OBJECT_SINK_H
#define MOONKEEP_STORE_OBJECT_SINK_H

#include "moonkeep/stream_driver.h"
#include "object_internal.h"

struct object_sink;

/* A part under way; or a place for one. */
struct object_part {
        struct object_sink *it;
        char *data; /* NULL: the place is free */
        size_t len;
        size_t number;
        unsigned char sha256[SHA256_SIZE]; /* a copy: the list of digests moves as it grows */
};

struct object_sink {
        struct sink sink;
        struct object_store *store;
        struct object_lane *lane; /* from the beginning of an upload on */
        struct cancel *cancel;
        struct stream_digest *digest; /* the caller's, or NULL */
        struct parts_digest *own;     /* where the caller's has no digests of our parts */
        struct sha256 *whole;         /* NULL unless wanted */
        struct object_upload upload;
        bool begun;
        bool committed;

        char *data; /* what is being filled */
        size_t len, cap;
        bool pooled;

        struct object_part *parts; /* part_count places */
        size_t part_count;
        unsigned under_way;
        size_t unlooked; /* bytes taken since the loop was run last */
        bool failed;
        struct err failure;
};

/* object_sink_sha256: the digest of part `number`, or NULL where none is needed. */
const unsigned char *object_sink_sha256(const struct object_sink *it, size_t number);

/* object_sink_put_whole: the object in one request, from what is in the buffer. */
int object_sink_put_whole(struct object_sink *it, struct err *err);

/* object_sink_send: send the buffer as the next part.  There is no buffer then. */
int object_sink_send(struct object_sink *it, struct err *err);

/* object_sink_look: let go on what is under way; wait for the end of one of them? */
int object_sink_look(struct object_sink *it, bool wait, struct err *err);

/* object_sink_complete: wait for all parts, and make the object of them. */
int object_sink_complete(struct object_sink *it, struct err *err);

/* object_sink_give_up: end what is under way, and abort the upload. */
void object_sink_give_up(struct object_sink *it);

#endif
