/*
 * A growing byte buffer with a maximum that is stated when it is made.
 * Reaching the maximum is the ordinary error ERR_TOO_BIG.
 */
#ifndef MOONKEEP_BUF_H
#define MOONKEEP_BUF_H

#include <stddef.h>

#include "moonkeep/err.h"

struct buf {
        char *data; /* len bytes; always followed by a NUL once anything was added */
        size_t len;
        size_t cap;
        size_t max;
};

/* buf_init: an empty buffer of at most max bytes; allocates nothing. */
void buf_init(struct buf *buf, size_t max);

/* buf_free: release the bytes; the buffer is empty and usable afterwards. */
void buf_free(struct buf *buf);

/* buf_add, buf_addstr, buf_addf: append.  Unchanged on failure. */
int buf_add(struct buf *buf, const void *data, size_t len, struct err *err);
int buf_addstr(struct buf *buf, const char *text, struct err *err);
int buf_addf(struct buf *buf, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * buf_reserve: room for at least len more bytes at the returned address, to
 * be filled by the caller and made part of the buffer with buf_commit.
 */
char *buf_reserve(struct buf *buf, size_t len, struct err *err);
void buf_commit(struct buf *buf, size_t len);

/* buf_consume: drop the first len bytes. */
void buf_consume(struct buf *buf, size_t len);

/* buf_clear: drop all bytes, keep the memory. */
void buf_clear(struct buf *buf);

/* buf_detach: the bytes as a malloc'd, NUL-terminated string; the buffer is empty then. */
char *buf_detach(struct buf *buf, struct err *err);

#endif
