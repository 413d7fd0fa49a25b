/*
 * Proof that what claims to be Prometheus TSDB blocks can be read: meta.json,
 * the index's sections and table of contents, every chunk's CRC, tombstones.
 *
 * Formats: prometheus/prometheus tsdb/docs/format/{index,chunks,tombstones}.md.
 */
#ifndef MOONKEEP_TSDB_H
#define MOONKEEP_TSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/digest.h"
#include "moonkeep/err.h"
#include "moonkeep/tar.h"

#define TSDB_ULID_SIZE 27 /* with the NUL */

/* What a checked block is, from its meta.json and from counting. */
struct tsdb_block {
        char ulid[TSDB_ULID_SIZE];
        int64_t min_time_ms;
        int64_t max_time_ms;
        uint64_t num_samples;    /* meta.json's; equal to what the chunks hold */
        uint64_t num_series;     /* equal to what the index holds */
        uint64_t num_chunks;     /* equal to what the chunk segments and the index hold */
        uint64_t num_tombstones; /* what the tombstones file holds */
        int level;               /* compaction.level; 0 where there is none */
        uint64_t bytes;          /* of the block's four kinds of files */
        char meta_sha256[SHA256_HEX_SIZE];
        char tombstones_sha256[SHA256_HEX_SIZE]; /* "" where there is no such file */
};

/*
 * A check over the files of any number of blocks, fed in any order of files
 * with names ULID/meta.json, ULID/index, ULID/tombstones, ULID/chunks/NNNNNN
 * (a leading "./" is ignored).  Chunk segments are checked as they stream by,
 * in constant memory; an index is spooled to an unlinked temporary file below
 * spool_dir, since it can only be read from its end (spool_dir may be NULL
 * where only tsdb_check_dir feeds the check).  Other names are counted and
 * otherwise ignored (wal/, chunks_head/, lock, ULID.tmp-for-creation ...).
 *
 * The first defect ends the check with ERR_CORRUPT, naming block, file, byte
 * offset and what was expected.  A format version or chunk encoding that is
 * not known, and a file of a block that is a link, is ERR_UNSUPPORTED: nothing
 * is proven of such a block.  docs/design/tsdb-check.md says what is proven.
 */
struct tsdb_check;
struct tsdb_check *tsdb_check_new(const char *spool_dir, struct cancel *cancel, struct err *err);

/* tsdb_check_watcher: feed it from a tar (see tar.h); check must outlive the tar's reader. */
struct tar_watcher tsdb_check_watcher(struct tsdb_check *check);

/*
 * tsdb_check_dir: feed it from a directory of blocks, read in place.  A file
 * that changes meanwhile is a defect; what is not below a block's directory
 * counts as one ignored name each, without looking into it.
 */
int tsdb_check_dir(struct tsdb_check *check, const char *dir, struct err *err);

/*
 * tsdb_check_finish: all files were given: each block must be whole, and its
 * parts must agree (segments referenced by the index exist and are long
 * enough; counts equal meta.json's).  Then the blocks are valid, sorted by
 * (min_time_ms, ulid).
 */
int tsdb_check_finish(struct tsdb_check *check, struct err *err);

/* The getters are for after tsdb_check_finish; the blocks belong to check. */
size_t tsdb_check_count(const struct tsdb_check *check);
const struct tsdb_block *tsdb_check_at(const struct tsdb_check *check, size_t idx);
/* tsdb_check_ignored: how many names were no part of a block. */
uint64_t tsdb_check_ignored(const struct tsdb_check *check);
void tsdb_check_free(struct tsdb_check *check);

#endif
