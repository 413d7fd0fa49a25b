/*
 * A connection to one of our scripts: its start, the lines in which it speaks,
 * signs of life, stall.  Internal to far.
 */
#ifndef IO_FAR_LINK_H
#define IO_FAR_LINK_H

#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/far.h"

#define FAR_MARK_SIZE 33 /* 128 random bits in hex, with the NUL */

/* The far end said that it is done, but part of what it sent is not here for so long, or for
 * the stall time where that is shorter. */
#define FAR_SETTLE_MS 10000

struct far_link {
        struct far *far;
        struct far_host *host;
        char mark[FAR_MARK_SIZE];
        int64_t stall_ms; /* <= 0: none */
        /* Waited for in vain since anything came, and since output came that is not our script's.
         */
        int64_t silent_ms;
        int64_t quiet_ms;
        int64_t asked_ms; /* when a sign of life was asked for last */
        bool ended;
        int status;
        struct buf raw;       /* standard error, not yet divided */
        struct buf words;     /* what others than our script said there; its beginning */
        uint64_t other_bytes; /* all that they said */
        /* A line of our script: its first word, and what is behind it. */
        int (*line)(void *arg, const char *word, const char *rest, struct err *err);
        /* If not NULL, gets what others say on standard error, instead of words. */
        int (*other)(void *arg, const char *data, size_t len, struct err *err);
        void *arg;
};

/*
 * far_link_open: start script with args (NULL-terminated, any bytes) as $1, $2...;
 * line, other and arg of link are set before.  On failure nothing has to be closed.
 */
int far_link_open(struct far_link *link, struct far_host *host, const char *script,
    const char *const *args, int64_t stall_ms, struct cancel *cancel, struct err *err);
void far_link_close(struct far_link *link);

/*
 * far_link_next: what comes next within wait_ms (-1: until something comes): as
 * far_next, but FAR_ERR has no data: what was said is handled.
 */
int far_link_next(struct far_link *link, int wait_ms, struct far_event *out, struct err *err);

int far_link_send(struct far_link *link, const void *data, size_t len, struct err *err);

/*
 * far_link_send_some: as far_send_some, inside a frame: between it and the frame's last byte
 * link->far->wants_room has to be set, so that far_link_next asks nothing in the middle, and
 * returns FAR_NOTHING when there may be room.
 */
int far_link_send_some(
    struct far_link *link, const void *data, size_t len, size_t *sent, struct err *err);

/* far_link_said: the words of others for a message: one line, bounded. */
#define FAR_SAID_SIZE 400
const char *far_link_said(const struct far_link *link, char out[FAR_SAID_SIZE]);

/*
 * far_link_failed: what a tool said there as an error: ERR_FULL, ERR_PERMISSION,
 * ERR_EXISTS, ERR_NOT_FOUND where its words are known, else ERR_IO.  status 0: not known yet.
 */
int far_link_failed(const struct far_link *link, const char *tool, int status, struct err *err);

/* far_link_refused: the error of a line "refuse WHY" about path. */
int far_link_refused(const char *why, const char *path, struct err *err);

/* far_link_early_end: the error of an end that should not have come yet. */
int far_link_early_end(const struct far_link *link, struct err *err);

/* far_mark: a new mark. */
int far_mark(char out[FAR_MARK_SIZE], struct err *err);

/* far_quote: text as one word of a shell; appended to out. */
int far_quote(struct buf *out, const char *text, size_t len, struct err *err);

#endif
