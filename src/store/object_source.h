/*
 * One object being read: its ranges, shared by object_source.c and object_range.c.
 */
#ifndef MOONKEEP_STORE_OBJECT_SOURCE_H
#define MOONKEEP_STORE_OBJECT_SOURCE_H

#include "moonkeep/stream_driver.h"
#include "object_internal.h"

struct object_source;

/* Bytes of the object from offset on, asked for in one request, again where it broke. */
struct object_range {
        struct object_source *it;
        uint64_t offset; /* in the object */
        uint64_t len;    /* until the first answer of all: how much is asked for */
        uint64_t got;    /* bytes received */
        uint64_t taken;  /* ... and read */
        uint64_t start;  /* got, when the request under way was sent */
        uint64_t skip;   /* bytes to drop of an answer that begins too early */
        char *data;      /* from taken on in a stream without ranges, else all of it */
        size_t cap;
        bool pooled;
        bool under_way;
        bool begun;     /* the answer under way was looked at */
        unsigned tried; /* requests in a row that brought next to nothing */
};

struct object_source {
        struct source source;
        struct object_store *store;
        struct object_lane *lane; /* NULL once all is received */
        struct cancel *cancel;
        char *key;
        uint64_t offset, length; /* as asked for; length of the rest once known */
        uint64_t size;           /* of the object */
        char etag[STORE_ETAG_MAX + 1];
        bool known;     /* size, etag and length are */
        bool is_stream; /* the server knows no ranges: one answer from the start, of any length */
        bool has_size;  /* ... and said its length */
        bool closing;

        struct object_range *ranges; /* a ring of range_cap, in the order of the object */
        size_t range_cap, head, count;
        unsigned under_way;
        uint64_t next;     /* offset of the first byte that is in no range yet */
        uint64_t unlooked; /* bytes delivered since the loop was run last */
        bool failed;
        struct err failure;
};

/* object_range_start: ask for what is missing of it. */
int object_range_start(struct object_range *range, struct err *err);

/* object_range_clear: release its buffer. */
void object_range_clear(struct object_range *range);

/*
 * object_source_learn: the first answer says how large the object is; then
 * how much there is to read.  ERR_TRUNCATED when that is less than was asked for.
 */
int object_source_learn(struct object_source *it, uint64_t size, struct err *err);

#endif
