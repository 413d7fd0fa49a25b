/*
 * A forward reader over a file through a window of constant size, which keeps
 * the CRC-32C of what it passes.
 */
#ifndef MOONKEEP_TSDB_CURSOR_H
#define MOONKEEP_TSDB_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"

/* The most that tsdb_cursor_take gives at once, in bytes. */
#define TSDB_TAKE_MAX ((size_t)64 * 1024)

struct tsdb_cursor {
        int fd;
        uint64_t size; /* of the file */
        struct cancel *cancel;
        unsigned char *buf;
        uint64_t buf_at; /* where in the file buf[0] is */
        size_t buf_len;
        uint64_t pos;
        uint64_t end;    /* reading past it is ERR_CORRUPT */
        uint64_t crc_at; /* crc covers all before it since the section's begin */
        uint32_t crc;
};

int tsdb_cursor_init(
    struct tsdb_cursor *cur, int fd, uint64_t size, struct cancel *cancel, struct err *err);
void tsdb_cursor_free(struct tsdb_cursor *cur);

/* tsdb_cursor_range: go on at byte from, and not past byte end (both inside the file). */
void tsdb_cursor_range(struct tsdb_cursor *cur, uint64_t from, uint64_t end);

/* tsdb_cursor_fill: let len <= TSDB_TAKE_MAX bytes from pos be in the window. */
int tsdb_cursor_fill(struct tsdb_cursor *cur, size_t len, struct err *err);

/* tsdb_cursor_take: pass len <= TSDB_TAKE_MAX bytes; valid until the next call. */
const unsigned char *tsdb_cursor_take(struct tsdb_cursor *cur, size_t len, struct err *err);

int tsdb_cursor_skip(struct tsdb_cursor *cur, uint64_t len, struct err *err);

/* tsdb_cursor_zeros: pass the bytes up to byte end, all of which must be zero. */
int tsdb_cursor_zeros(struct tsdb_cursor *cur, uint64_t end, struct err *err);

int tsdb_cursor_be32(struct tsdb_cursor *cur, uint32_t *out, struct err *err);

/* tsdb_cursor_uvarint: at most 64 bits, in the shortest form (as it is always written). */
int tsdb_cursor_uvarint(struct tsdb_cursor *cur, uint64_t *out, struct err *err);
/* tsdb_cursor_varint: signed, zig-zag. */
int tsdb_cursor_varint(struct tsdb_cursor *cur, int64_t *out, struct err *err);

/*
 * A section: len bytes and their checksum.  Between begin and end the cursor
 * reads only these bytes.  end takes the result of reading them (0 or -1 with
 * err): a checksum that does not match is told instead of what the damage made
 * of the contents, which must otherwise be well-formed and read to their last
 * byte.  what: "series entry", for the message.
 */
struct tsdb_section {
        const char *what;
        uint64_t at; /* where its length field is */
        uint64_t end;
        uint64_t outer_end;
};

int tsdb_section_begin(struct tsdb_cursor *cur, struct tsdb_section *section, const char *what,
    uint64_t at, uint64_t len, struct err *err);
int tsdb_section_end(
    struct tsdb_cursor *cur, const struct tsdb_section *section, int rc, struct err *err);

/* tsdb_section_begin32: begin where the length is the next four bytes. */
int tsdb_section_begin32(
    struct tsdb_cursor *cur, struct tsdb_section *section, const char *what, struct err *err);

#endif
