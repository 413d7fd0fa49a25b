/*
 * WebSocket of the API server for tests (RFC 6455), the server's side.
 */
#ifndef TESTS_KUBE_API_FRAMES_H
#define TESTS_KUBE_API_FRAMES_H

#include "servers/kube_api/http.h"

#define API_MESSAGE_MAX ((size_t)32 * 1024 * 1024)

enum api_opcode {
        API_CONTINUATION = 0,
        API_TEXT = 1,
        API_BINARY = 2,
        API_CLOSE = 8,
        API_PING = 9,
        API_PONG = 10
};

struct api_frame {
        int opcode;
        bool fin;
        unsigned char *data; /* unmasked; valid until api_frame_done */
        size_t len;
        size_t whole; /* with its head */
};

/*
 * api_upgrade: answer 101 with the first of the client's protocols that the
 * server speaks ("v5.channel.k8s.io v4.channel.k8s.io"), or refuse; extra is
 * sent in the same segment behind the answer.  NULL when it was refused.
 *
 * Faults: upgrade wrong-accept | no-protocol | extra | NAME (of a protocol).
 */
const char *api_upgrade(struct api_conn *conn, const char *spoken, const struct buf *extra);

/* api_add_frame: append a frame; flags are the bits of its first byte: 0x80 for the last fragment.
 */
void api_add_frame(
    struct buf *out, int flags, const void *head, size_t head_len, const void *data, size_t len);

/* api_next_frame: out of conn->in: 1, 0 when more has to come, -1 when it breaks the protocol. */
int api_next_frame(struct api_conn *conn, struct api_frame *frame);
void api_frame_done(struct api_conn *conn, const struct api_frame *frame);

#endif
