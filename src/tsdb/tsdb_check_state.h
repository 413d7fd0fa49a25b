/*
 * A check while it runs.
 */
#ifndef MOONKEEP_TSDB_CHECK_STATE_H
#define MOONKEEP_TSDB_CHECK_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/digest.h"
#include "tsdb_block_state.h"
#include "tsdb_internal.h"

struct tsdb_check {
        char *spool_dir;
        struct cancel *cancel;
        struct tsdb_block_state **blocks; /* sorted by ULID until the check is finished */
        size_t count;
        size_t cap;
        uint64_t ignored;
        bool finished;
        struct err defect; /* the first one: it sticks */

        /* The file that is fed at the moment. */
        struct tsdb_block_state *state;
        struct tsdb_name name;
        uint64_t size;
        struct sha256 *sha; /* of meta.json and tombstones */
        struct buf meta;
        int spool;
        struct tsdb_segment segment;
        struct tsdb_tombstones tombs;
};

/* tsdb_check_block: the block with that name, made where it is new. */
struct tsdb_block_state *tsdb_check_block(
    struct tsdb_check *check, const char *ulid, struct err *err);

/*
 * A file of a block is fed: begin, its bytes in any slices, end.  Errors say
 * in which file of which block they are, and stick to the check.
 */
int tsdb_feed_begin(
    struct tsdb_check *check, const struct tsdb_name *name, uint64_t size, struct err *err);
int tsdb_feed_push(struct tsdb_check *check, const void *data, size_t len, struct err *err);
int tsdb_feed_end(struct tsdb_check *check, struct err *err);

/* tsdb_feed_index: the index of a block, read in place instead. */
int tsdb_feed_index(
    struct tsdb_check *check, const struct tsdb_name *name, int fd, uint64_t size, struct err *err);

/* tsdb_feed_fail: err is about the file of that name: complete it, keep it.  Returns -1. */
int tsdb_feed_fail(struct tsdb_check *check, const struct tsdb_name *name, struct err *err);

#endif
