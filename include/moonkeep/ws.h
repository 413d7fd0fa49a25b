/*
 * WebSocket connections of a client (RFC 6455), for worker threads: calls
 * block, and one thread at a time has a connection.
 *
 * Text and binary messages come in pieces as they arrive, so that a message of
 * any size takes no memory.  Pings are answered, and sent, by whatever call
 * waits.  A connection that ends without a close frame ends in an error.
 */
#ifndef MOONKEEP_WS_H
#define MOONKEEP_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/http.h"

struct ws;

struct ws_request {
        const char *url;             /* http or https */
        struct http_header *headers; /* borrowed for the call */
        size_t header_count;
        const char *protocols;    /* "v5.channel.k8s.io, v4.channel.k8s.io", as offered */
        struct http_route *route; /* or NULL */
        int64_t stall_ms; /* waited so long for a byte (a pong is one): ERR_TIMEOUT; 0: no limit */
        int64_t ping_ms;  /* so often when nothing comes; 0: never */
};

/*
 * ws_open: connect, upgrade, and check the answer (Sec-WebSocket-Accept, a
 * protocol out of those offered; bytes behind the answer belong to the first frame).
 *
 * Where the server answers anything but 101, that is ERR_HTTP with err->http,
 * and *refused (if not NULL; then to be cleared) is its answer, with a body of
 * at most 64 KiB.  ERR_PROTOCOL: an upgrade that breaks the protocol.
 * ERR_NETWORK, ERR_TLS, ERR_TIMEOUT, ERR_CANCELLED as http_start.
 */
struct ws *ws_open(const struct ws_request *request, struct cancel *cancel,
    struct http_answer *refused, struct err *err);

/* ws_protocol: what the server chose, "" when nothing. */
const char *ws_protocol(const struct ws *ws);

enum ws_kind {
        WS_NOTHING, /* wait_ms passed, or only control frames came */
        WS_PIECE,   /* a piece of a message */
        WS_CLOSED   /* the server sent a close frame, which has been answered; sticks */
};

struct ws_event {
        enum ws_kind kind;
        const unsigned char *data; /* WS_PIECE: valid until the next call with this ws */
        size_t len;                /* may be 0 */
        bool binary;
        bool first;     /* the message begins with this piece */
        bool last;      /* it is complete with it */
        int close_code; /* WS_CLOSED: 1000 ...; 1005 when the frame had none */
        char close_reason[124];
};

/*
 * ws_next: wait for the next piece, at most wait_ms (-1: until stall_ms).
 * ERR_TRUNCATED: the connection ended without a close frame; ERR_PROTOCOL: what
 * RFC 6455 forbids (masked frames, reserved bits and opcodes, a fragmented or long
 * control frame, a continuation of nothing, a length past 2^63); errors stick.
 */
int ws_next(struct ws *ws, int wait_ms, struct ws_event *out, struct err *err);

/* Bound on what ws_send keeps for ws_next while the server does not read. */
#define WS_HELD_MAX ((size_t)8 * 1024 * 1024)

/*
 * ws_send: one binary message of head_len bytes of head and then len of data.
 * Waits until all is handed to the connection.  What comes meanwhile is kept
 * for ws_next; ERR_PROTOCOL when it grows past WS_HELD_MAX.  ERR_NETWORK: the
 * connection broke, or the server has sent a close frame.  Errors stick for
 * sending; what came before them can still be read: it may say why.
 */
int ws_send(struct ws *ws, const void *head, size_t head_len, const void *data, size_t len,
    struct err *err);

/*
 * ws_send_some: the same without waiting: one message of head and of as much data as is
 * taken: *taken, at most WS_SOME_MAX, and 0 while what was taken before has not all gone.  It
 * goes while ws_next waits.  Nothing is kept: the caller reads meanwhile.  ERR as ws_send.
 */
#define WS_SOME_MAX ((size_t)128 * 1024 - 64)
int ws_send_some(struct ws *ws, const void *head, size_t head_len, const void *data, size_t len,
    size_t *taken, struct err *err);

/* ws_want_room: a ws_next that would wait returns WS_NOTHING, too, once ws_send_some would take. */
void ws_want_room(struct ws *ws, bool wanted);

/*
 * ws_patience: from now on ws_send waits so long for the server to take a byte, in
 * place of stall_ms, which 0 stands for.
 */
void ws_patience(struct ws *ws, int64_t ms);

/*
 * ws_watch: a descriptor whose poll(2) events end the wait of ws_next, too, with
 * WS_NOTHING; -1: none.  It must stay open as long.
 */
void ws_watch(struct ws *ws, int fd, short events);

/* ws_close: send a close frame (once); what comes can still be read. */
int ws_close(struct ws *ws, int code, struct err *err);

/* ws_free: end the connection and release it.  NULL is fine. */
void ws_free(struct ws *ws);

#endif
