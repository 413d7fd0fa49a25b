/*
 * What a server's bytes mean, as they come: pieces of messages, and what
 * control frames ask for.  No connection: bytes are put in, events taken out.
 *
 * Two walks go over the same bytes.  The first sees each frame as soon as it is
 * there, so that a ping is answered and an end known of while messages wait to be
 * read; the second hands the messages out.
 */
#ifndef MOONKEEP_NET_WS_READER_H
#define MOONKEEP_NET_WS_READER_H

#include "moonkeep/ws.h"
#include "ws_frame.h"

/* The buffer while nothing has to wait in it. */
#define WS_BUFFER_SIZE ((size_t)256 * 1024)

struct ws_reader {
        unsigned char *data;
        size_t cap;
        size_t start;       /* of what is not handed out */
        size_t seen;        /* by the first walk */
        size_t end;         /* start <= seen <= end */
        uint64_t seen_left; /* of the payload that the first walk is in */
        bool seen_all;      /* nothing behind this is of interest: a close frame, or an error */

        uint64_t left; /* of the payload that the second walk is in */
        bool fin;
        bool in_message;
        bool first;
        bool binary;
        bool has_close; /* the close frame has been handed out: */
        struct ws_event close;

        bool will_close; /* a close frame is among what waits */
        bool pong_due;
        unsigned char ping[WS_CONTROL_MAX]; /* what it has to say */
        size_t ping_len;
};

int ws_reader_init(struct ws_reader *reader, struct err *err);
void ws_reader_free(struct ws_reader *reader);

/*
 * ws_reader_room: where the next bytes go: *len of them, 0 when max wait already.
 * NULL and ERR_NOMEM.  What was handed out before is gone.
 */
unsigned char *ws_reader_room(struct ws_reader *reader, size_t max, size_t *len, struct err *err);

/* ws_reader_took: len bytes were put there. */
void ws_reader_took(struct ws_reader *reader, size_t len);

/* ws_reader_next: the next piece, or the close frame.  Returns 1; 0 when more is needed; -1
 * ERR_PROTOCOL. */
int ws_reader_next(struct ws_reader *reader, struct ws_event *out, struct err *err);

#endif
