/*
 * Streams.  A source is read; a filter is a source that wraps a source; a
 * sink takes writes and then a commit.  Data is pulled by one copy loop.
 *
 * Streams block and belong to one thread at a time.  They end early when the
 * cancel token that they were made with is set.
 */
#ifndef MOONKEEP_STREAM_H
#define MOONKEEP_STREAM_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"

/* The size of the buffers between streams, in bytes. */
#define STREAM_CHUNK ((size_t)256 * 1024)

struct source;

/*
 * source_read: up to cap bytes (cap > 0) into buf.
 *
 * Returns the number of bytes (short reads are normal), 0 at the end, -1 on
 * error.  The end is only reported when the stream is known to be complete:
 * whatever that source can know (length, digest, exit status) has been
 * checked.  End and error stick: further calls return the same result.
 */
ssize_t source_read(struct source *src, void *buf, size_t cap, struct err *err);

/* source_bytes: how many bytes have been read from src so far. */
uint64_t source_bytes(const struct source *src);

/* source_free: release src and everything that it wraps.  NULL is fine. */
void source_free(struct source *src);

struct sink;

/*
 * sink_room: memory of the sink for the next bytes, *len of them (> 0); NULL when
 * it has none to give now.  What is written from there is not copied.
 */
void *sink_room(struct sink *sink, size_t *len);

/* sink_write: all len bytes, or -1.  An error sticks. */
int sink_write(struct sink *sink, const void *data, size_t len, struct err *err);

/*
 * sink_commit: make what was written visible and durable.  Only this does;
 * it is called once, after the source has said that it is complete.
 */
int sink_commit(struct sink *sink, struct err *err);

/* sink_bytes: how many bytes have been written to sink so far. */
uint64_t sink_bytes(const struct sink *sink);

/* sink_free: release; without a commit before, nothing of it stays.  NULL is fine. */
void sink_free(struct sink *sink);

/*
 * Progress of a copy, read by other threads while it runs.
 */
struct progress {
        _Atomic uint64_t bytes_in;  /* read at the origin of the data */
        _Atomic uint64_t bytes_out; /* written to the sink */
        _Atomic uint64_t total;     /* expected bytes_in, 0 when unknown */
};

/*
 * stream_copy: read src to its verified end and write all of it to sink.
 * Does not commit.  progress may be NULL; *bytes (may be NULL) is how much.
 */
int stream_copy(struct source *src, struct sink *sink, struct progress *progress,
    struct cancel *cancel, uint64_t *bytes, struct err *err);

/* stream_drain: read src to its verified end and drop the bytes. */
int stream_drain(
    struct source *src, struct progress *progress, struct cancel *cancel, struct err *err);

/*
 * Constructors of filters nest, as in codec_source(file_source(...), ...): a
 * NULL source passes through, and the err of the inner one stays.
 */

/*
 * progress_source: counts what passes into progress->bytes_in.  Takes src (on
 * failure, too).  progress must outlive the source.
 */
struct source *progress_source(struct source *src, struct progress *progress, struct err *err);

/*
 * readahead_source: a thread of its own reads src ahead into a ring of
 * chunks x STREAM_CHUNK bytes (at least 2, at most 256 chunks).  Takes src (on
 * failure, too).
 *
 * source_free waits for the thread, and the thread for src: who frees it
 * before its end triggers the token that src was made with first, so that a
 * read that waits (for a network, a process) ends at once.
 */
struct source *readahead_source(
    struct source *src, unsigned chunks, struct cancel *cancel, struct err *err);

#endif
