/*
 * The headers, padding and end of a tar that is written, by libarchive.
 * Internal to the tar modules.
 *
 * What it writes waits in a small buffer to be taken out, but for the data of
 * files, which its owner has and passes on.
 */
#ifndef IO_TAR_WRITER_H
#define IO_TAR_WRITER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "moonkeep/buf.h"

struct archive;
struct archive_entry;

struct tar_writer {
        struct archive *archive; /* NULL: not open */
        struct archive_entry *entry;
        struct buf pending;
        size_t pending_pos;
        const char *direct; /* data that its owner passes on */
        size_t direct_len;
        bool has_other_bytes; /* the names of the current entry are not ASCII */
        bool dropped;
        struct err failure; /* of the write callback */
};

/* tar_writer_init: allocates nothing; tar_writer_open comes before all below. */
void tar_writer_init(struct tar_writer *writer);
int tar_writer_open(struct tar_writer *writer, struct err *err);
void tar_writer_free(struct tar_writer *writer);

/* tar_writer_take: up to cap bytes of what waits; 0 when nothing does. */
size_t tar_writer_take(struct tar_writer *writer, void *buf, size_t cap);

/*
 * tar_writer_header: an entry begins.  link: the target of a symbolic or hard
 * link, or NULL: then a regular file's st_size bytes follow.
 */
int tar_writer_header(struct tar_writer *writer, const char *path, const char *link,
    const struct stat *st, struct err *err);

/* tar_writer_data: the owner passes on len bytes of the entry's data; nothing waits. */
int tar_writer_data(struct tar_writer *writer, const void *data, size_t len, struct err *err);

/* tar_writer_end_data: all data of the entry was passed on: its padding. */
int tar_writer_end_data(struct tar_writer *writer, struct err *err);

/* tar_writer_close: there is no further entry: the end blocks. */
int tar_writer_close(struct tar_writer *writer, struct err *err);

#endif
