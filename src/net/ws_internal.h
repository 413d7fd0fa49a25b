/*
 * A WebSocket, shared by ws.c and ws_*.c.
 *
 * libcurl connects (names, addresses, proxies, TLS) and moves bytes; all else is
 * ours.  A connect-only handle works only as long as it stays in the multi
 * handle that connected it.
 */
#ifndef MOONKEEP_NET_WS_INTERNAL_H
#define MOONKEEP_NET_WS_INTERNAL_H

#include "http_internal.h"
#include "moonkeep/ws.h"
#include "ws_reader.h"

/* What is masked and sent at once: fewer, larger writes; a message of 128 KiB in one of them. */
#define WS_OUT_SIZE ((size_t)128 * 1024 + 64)

/* Keys for so many frames are asked for at once. */
#define WS_KEYS 64

struct ws {
        struct transfer transfer; /* how it is connected, and whom messages name */
        CURLM *multi;
        struct cancel *cancel;
        int fd;
        char *protocol;
        int64_t stall_ms;
        int64_t patience_ms; /* as stall_ms, where something is sent */
        int64_t ping_ms;
        int watch_fd; /* or -1 */
        short watch_events;

        struct ws_reader reader;
        bool ended; /* nothing more will come */
        CURLcode end_result;
        char end_reason[160]; /* or "" */
        int64_t heard_ms;     /* when the last byte came */
        int64_t silent_ms;    /* so long was waited since the last byte, either way */
        size_t burst;         /* bytes that came since the last wait */
        struct err read_err;  /* sticks */
        struct err write_err; /* sticks: a frame may have been sent in part */

        unsigned char *out;     /* WS_OUT_SIZE */
        size_t out_at, out_len; /* of a frame that goes while we wait for something else */
        bool wants_room;
        unsigned char control[WS_HEADER_MAX + WS_CONTROL_MAX];
        size_t control_len, control_at; /* one that is being sent */
        int64_t pinged_ms;
        bool ping_due;
        bool close_due;
        int close_code; /* 0: none is said */
        bool close_sent;
        unsigned char keys[WS_KEYS][WS_KEY_SIZE];
        unsigned keys_left;
};

/* ws_fill: what has come, to the reader, without waiting, until max wait there.  ERR_NOMEM. */
int ws_fill(struct ws *ws, size_t max, struct err *err);

/*
 * ws_wait: until something comes, can be sent (if wanted), the watched
 * descriptor is ready, or ms passed (-1: no limit); of a stream that comes in
 * steps, a moment for more of them.  Returns 1, 0 when the time passed, -1
 * ERR_CANCELLED.
 */
int ws_wait(struct ws *ws, bool to_write, int64_t ms, struct err *err);

/* ws_put: all of it, however long that takes; what comes meanwhile is kept. */
int ws_put(struct ws *ws, const void *data, size_t len, struct err *err);

/* ws_put_some: as much as goes without waiting; *put may be 0. */
int ws_put_some(struct ws *ws, const void *data, size_t len, size_t *put, struct err *err);

/* ws_out_waits: has a frame of ws_send_some not gone yet? */
bool ws_out_waits(const struct ws *ws);

/* ws_out_try: send of it what goes without waiting. */
int ws_out_try(struct ws *ws, struct err *err);

/* ws_stalled: the error for so long without a byte. */
int ws_stalled(const struct ws *ws, const char *what, int64_t ms, struct err *err);

/* ws_key: the key of one frame. */
int ws_key(struct ws *ws, unsigned char out[WS_KEY_SIZE], struct err *err);

/* ws_control_waits: is a control frame sent in part, or to be sent? */
bool ws_control_waits(const struct ws *ws);

/* ws_control_try: send control frames that are due, as far as it goes without waiting. */
int ws_control_try(struct ws *ws, struct err *err);

/* ws_control_put: send them all. */
int ws_control_put(struct ws *ws, struct err *err);

#endif
