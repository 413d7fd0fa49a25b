/*
 * Frames of WebSockets (RFC 6455, section 5), as bytes: no connection, no state.
 */
#ifndef MOONKEEP_NET_WS_FRAME_H
#define MOONKEEP_NET_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"

enum ws_opcode {
        WS_CONTINUATION = 0,
        WS_TEXT = 1,
        WS_BINARY = 2,
        WS_CLOSE = 8,
        WS_PING = 9,
        WS_PONG = 10
};

#define WS_HEADER_MAX 14
#define WS_CONTROL_MAX 125
#define WS_KEY_SIZE 4

struct ws_frame {
        bool fin;
        enum ws_opcode opcode;
        uint64_t len;
        size_t header_len;
};

static inline bool
ws_is_control(const struct ws_frame *frame)
{
        return frame->opcode >= WS_CLOSE;
}

/*
 * ws_frame_parse: the header of a frame of a server.  Returns 1; 0 when it is
 * not all there; -1 with ERR_PROTOCOL, as soon as it can be told.
 */
int ws_frame_parse(const unsigned char *data, size_t len, struct ws_frame *out, struct err *err);

/* ws_frame_build: the header of a whole message or a control frame; returns its length. */
size_t ws_frame_build(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len,
    const unsigned char key[WS_KEY_SIZE]);

/* ws_frame_mask: len bytes that begin at that offset of the frame, masked; out may be in. */
void ws_frame_mask(unsigned char *out, const unsigned char *in, size_t len,
    const unsigned char key[WS_KEY_SIZE], uint64_t offset);

#endif
