/*
 * How a WebSocket begins (RFC 6455, section 4): our request, and the server's
 * answer from its bytes.
 */
#ifndef MOONKEEP_NET_WS_UPGRADE_H
#define MOONKEEP_NET_WS_UPGRADE_H

#include "http_internal.h"
#include "moonkeep/ws.h"

/* What the server has to prove that it read the request: the base64 of 16 bytes, and a NUL. */
#define WS_NONCE_SIZE 25

/* Bound on what is kept of the body of a refusal. */
#define WS_REFUSAL_MAX ((size_t)64 * 1024)

/* ws_nonce: a new one. */
int ws_nonce(char out[WS_NONCE_SIZE], struct err *err);

/*
 * ws_request_head: the request for transfer->url, appended to out, which does not
 * move (headers may be secret).
 */
int ws_request_head(const struct transfer *transfer, const struct ws_request *request,
    const char *nonce, struct buf *out, struct err *err);

/*
 * ws_answer_take: lines of the head of the answer, into transfer->answer.
 * *used: how much of data that was; *complete: the head is over, and what follows
 * is not its.  ERR_PROTOCOL: this is no HTTP.  ERR_TOO_BIG.
 */
int ws_answer_take(struct transfer *transfer, const char *data, size_t len, size_t *used,
    bool *complete, struct err *err);

/*
 * ws_answer_check: is this 101 the answer to that request?  Returns a copy of the
 * protocol, "" for none, or NULL with ERR_PROTOCOL.
 */
char *ws_answer_check(
    const struct http_answer *answer, const char *nonce, const char *protocols, struct err *err);

/* The body of an answer that is no upgrade. */
struct ws_body {
        enum {
                WS_BODY_LENGTH,
                WS_BODY_CHUNKED,
                WS_BODY_CLOSE
        } framing;
        uint64_t left; /* of it, or of the chunk */
        enum {
                WS_CHUNK_SIZE,
                WS_CHUNK_LINE,
                WS_CHUNK_DATA,
                WS_CHUNK_END
        } state;
        bool has_digits;
        bool ended; /* or is not worth more reading */
};

void ws_body_init(struct ws_body *body, const struct http_answer *answer);

/* ws_body_take: more of it, into answer->body as far as that has room. */
void ws_body_take(struct ws_body *body, struct http_answer *answer, const char *data, size_t len);

#endif
