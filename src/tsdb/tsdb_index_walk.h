/*
 * The walk over an index: its parts in the order of the file, and what they
 * say of each other.
 */
#ifndef MOONKEEP_TSDB_INDEX_WALK_H
#define MOONKEEP_TSDB_INDEX_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "tsdb_cursor.h"
#include "tsdb_internal.h"

/* A name in a sorted list, of which the first TSDB_TAKE_MAX bytes are compared. */
struct tsdb_text {
        unsigned char *data; /* TSDB_TAKE_MAX bytes */
        size_t kept;
        uint64_t len;
};

struct tsdb_index_walk {
        struct tsdb_cursor cur;
        struct tsdb_index *out;
        uint64_t symbols;
        uint64_t series_from; /* the file's bytes with the series entries */
        uint64_t series_to;
        struct tsdb_bag expected_postings; /* each series id, once per label and once more */
        struct tsdb_bag postings;          /* the ids in all postings lists */
        struct tsdb_bag lists;             /* where postings lists begin */
        struct tsdb_bag listed;            /* where the offset table says that they do */
        struct tsdb_bag label_indices;
        struct tsdb_bag label_listed;
        struct tsdb_text name; /* the last ones that were read */
        struct tsdb_text value;
        unsigned char *texts; /* memory of both */
};

/*
 * Each reads one part of the file; the cursor's range is that part, and what
 * is left of it behind the last section must be zero.
 */
int tsdb_index_symbols(struct tsdb_index_walk *walk, struct err *err);
int tsdb_index_series(struct tsdb_index_walk *walk, struct err *err);
int tsdb_index_label_indices(struct tsdb_index_walk *walk, struct err *err);
int tsdb_index_postings(struct tsdb_index_walk *walk, struct err *err);
int tsdb_index_label_table(struct tsdb_index_walk *walk, struct err *err);
int tsdb_index_postings_table(struct tsdb_index_walk *walk, struct err *err);

/*
 * tsdb_text_read: the next string, a length and its bytes; *order says how it
 * compares with the one that was in text before (<0: it comes before that).
 */
int tsdb_text_read(struct tsdb_cursor *cur, struct tsdb_text *text, int *order, struct err *err);

#endif
