/*
 * A listing that is pulled: it runs on a thread of its own, a bounded number
 * of keys ahead of its reader, so that its memory does not grow with its length.
 */
#ifndef MOONKEEP_STORE_WALK_H
#define MOONKEEP_STORE_WALK_H

#include "moonkeep/buf.h"
#include "moonkeep/store.h"

/* Keys with what is known of them, in little space. */
struct store_batch {
        struct buf bytes;
        size_t count;
};

/* store_batch_init: an empty batch of at most max bytes. */
void store_batch_init(struct store_batch *batch, size_t max);
void store_batch_free(struct store_batch *batch);

/* store_batch_add: add a key; stat is NULL for a folded name.  ERR_TOO_BIG past its bound. */
int store_batch_add(
    struct store_batch *batch, const char *key, const struct store_stat *stat, struct err *err);

/*
 * store_batch_next: the entry at *at (0: the first); moves *at on.  Returns its
 * key (borrowed), NULL behind the last.  *folded: *stat was not set.
 */
const char *store_batch_next(
    const struct store_batch *batch, size_t *at, struct store_stat *stat, bool *folded);

struct store_walk;

/* store_walk_new: begin a listing, as store_list would.  store outlives the walk. */
struct store_walk *store_walk_new(
    struct store *store, const char *prefix, bool shallow, struct cancel *cancel, struct err *err);

/*
 * store_walk_next: wait for more keys.  Returns 1 with the next of them in
 * batch (initialised by the caller; its contents are replaced), 0 behind the
 * last, when the listing is known to be complete, or -1; both stick.
 */
int store_walk_next(struct store_walk *walk, struct store_batch *batch, struct err *err);

/* store_walk_free: end the listing, wherever it is.  NULL is fine. */
void store_walk_free(struct store_walk *walk);

#endif
