/*
 * What the files of the TSDB check share: the parts of a block, each checked
 * by a file of its own, and the small arithmetic of the formats.
 */
#ifndef MOONKEEP_TSDB_INTERNAL_H
#define MOONKEEP_TSDB_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/tsdb.h"

/* Segments are named by six digits; Prometheus refers to them by number - 1. */
#define TSDB_SEGMENT_MAX 999999

#define TSDB_META_MAX ((size_t)64 * 1024 * 1024)

/* The longest encoding of a 64-bit variable-length integer, in bytes. */
#define TSDB_VARINT_MAX 10

static inline uint32_t
tsdb_be32(const unsigned char *at)
{
        return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t
tsdb_be64(const unsigned char *at)
{
        return (uint64_t)tsdb_be32(at) << 32 | tsdb_be32(at + 4);
}

/*
 * A bag of 64-bit keys in constant memory: how many, and the sum of their
 * mixed values.  Equal bags hold the same keys as often; different ones are
 * told apart unless 64 bits collide.
 */
struct tsdb_bag {
        uint64_t count;
        uint64_t sum;
};

static inline void
tsdb_bag_add(struct tsdb_bag *bag, uint64_t key, uint64_t times)
{
        /* splitmix64's mixing: a sum of these has no use for sums of the plain keys. */
        uint64_t mixed = key + UINT64_C(0x9e3779b97f4a7c15);

        mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
        bag->sum += (mixed ^ (mixed >> 31)) * times;
        bag->count += times;
}

static inline bool
tsdb_bag_equal(const struct tsdb_bag *left, const struct tsdb_bag *right)
{
        return left->count == right->count && left->sum == right->sum;
}

/* What meta.json says. */
struct tsdb_meta {
        char ulid[TSDB_ULID_SIZE];
        int64_t min_time_ms;
        int64_t max_time_ms;
        uint64_t num_samples;
        uint64_t num_series;
        uint64_t num_chunks;
        uint64_t num_tombstones;
        int level;
};

/* tsdb_meta_parse: ERR_CORRUPT, or ERR_UNSUPPORTED for another version. */
int tsdb_meta_parse(const char *text, size_t len, struct tsdb_meta *out, struct err *err);

/*
 * A chunk segment, pushed through in any slices.  size is what its container
 * says; chunks are added to the bag as (number - 1) << 32 | offset, which is
 * how an index refers to them.
 */
struct tsdb_segment {
        uint32_t number;
        uint64_t size;
        uint64_t pos; /* bytes pushed so far */
        uint64_t samples;
        struct tsdb_bag chunks;

        int state;
        unsigned char hold[8]; /* a header, a length or a checksum that is not complete yet */
        size_t held;
        uint64_t chunk_at;
        uint64_t data_len;     /* of the chunk: without its encoding byte */
        uint64_t body_pos;     /* how much of encoding and data has passed */
        unsigned char head[3]; /* the encoding byte and the sample count */
        uint32_t crc;
};

void tsdb_segment_begin(struct tsdb_segment *seg, uint32_t number, uint64_t size);
int tsdb_segment_push(struct tsdb_segment *seg, const void *data, size_t len, struct err *err);
int tsdb_segment_end(struct tsdb_segment *seg, struct err *err);

/* A tombstones file, pushed through in any slices. */
struct tsdb_tombstones {
        uint64_t size;
        uint64_t pos;
        uint64_t count;

        unsigned char header[5];
        unsigned char stored[4];
        uint32_t crc;
        unsigned field;     /* of the record: series, minimum, maximum */
        unsigned field_len; /* bytes of that field so far */
        uint64_t record_at;
        uint64_t bad_at; /* where a field was too long, or 0 */
};

int tsdb_tombstones_begin(struct tsdb_tombstones *tombs, uint64_t size, struct err *err);
int tsdb_tombstones_push(
    struct tsdb_tombstones *tombs, const void *data, size_t len, struct err *err);
int tsdb_tombstones_end(struct tsdb_tombstones *tombs, struct err *err);

/* What an index that is sound in itself says of the rest of its block. */
struct tsdb_index {
        uint64_t series;
        struct tsdb_bag chunks; /* the references */
        uint32_t last_segment;  /* the highest number that is referred to, 0: none */
        int64_t min_time_ms;    /* over all chunks; of no meaning without any */
        int64_t max_time_ms;
};

/* tsdb_index_check: size bytes of fd, from its start, through pread only. */
int tsdb_index_check(
    int fd, uint64_t size, struct cancel *cancel, struct tsdb_index *out, struct err *err);

/* What a name inside a directory of blocks is. */
enum tsdb_kind {
        TSDB_FOREIGN,   /* nothing that a block consists of */
        TSDB_PLAIN_DIR, /* a directory that belongs there: the root, ULID/chunks */
        TSDB_BLOCK,     /* ULID itself */
        TSDB_META,
        TSDB_INDEX,
        TSDB_TOMBSTONES,
        TSDB_SEGMENT
};

struct tsdb_name {
        enum tsdb_kind kind;
        char ulid[TSDB_ULID_SIZE]; /* the block that it is in, or "" */
        uint32_t segment;          /* TSDB_SEGMENT: its number; 0: digits, but not a proper name */
};

/* tsdb_is_ulid: 26 characters of the alphabet, not above 128 bits. */
bool tsdb_is_ulid(const char *text, size_t len);

void tsdb_name_parse(const char *name, size_t len, struct tsdb_name *out);

#endif
