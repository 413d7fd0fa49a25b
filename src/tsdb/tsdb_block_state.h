/*
 * A block while it is checked: what is known of it so far.
 */
#ifndef MOONKEEP_TSDB_BLOCK_STATE_H
#define MOONKEEP_TSDB_BLOCK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "tsdb_internal.h"

struct tsdb_block_state {
        struct tsdb_block block; /* what the caller gets; complete after tsdb_block_judge */
        struct tsdb_meta meta;
        struct tsdb_index index;
        bool has_meta;
        bool has_index;
        bool has_tombstones;
        uint64_t samples;
        struct tsdb_bag chunks;
        unsigned char *seen; /* a bit for each segment number; seen_size bytes */
        size_t seen_size;
        uint32_t segments;     /* how many were seen */
        uint32_t last_segment; /* the highest number of them */
};

struct tsdb_block_state *tsdb_block_new(const char *ulid, struct err *err);
void tsdb_block_free(struct tsdb_block_state *state);

/* tsdb_block_add_segment: a segment begins; each number at most once. */
int tsdb_block_add_segment(struct tsdb_block_state *state, uint32_t number, struct err *err);

/* tsdb_block_judge: all files were seen: is the block whole, and do its parts agree? */
int tsdb_block_judge(struct tsdb_block_state *state, struct err *err);

#endif
