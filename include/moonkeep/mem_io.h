/*
 * Memory as streams.
 */
#ifndef MOONKEEP_MEM_IO_H
#define MOONKEEP_MEM_IO_H

#include "moonkeep/buf.h"
#include "moonkeep/stream.h"

/* mem_source: a copy of len bytes as a source. */
struct source *mem_source(const void *data, size_t len, struct err *err);

/*
 * mem_sink: appends to a buffer of its own with the given maximum; on commit
 * the bytes are appended to out, which must outlive the sink.
 */
struct sink *mem_sink(struct buf *out, size_t max, struct err *err);

#endif
