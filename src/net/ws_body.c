#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ws_upgrade.h"

void
ws_body_init(struct ws_body *body, const struct http_answer *answer)
{
        const char *length = http_answer_header(answer, "content-length");
        const char *coding = http_answer_header(answer, "transfer-encoding");

        memset(body, 0, sizeof(*body));
        body->framing = WS_BODY_CLOSE;
        if (coding != NULL) {
                if (strcasecmp(coding, "chunked") == 0)
                        body->framing = WS_BODY_CHUNKED;
        } else if (length != NULL && isdigit((unsigned char)*length)) {
                body->framing = WS_BODY_LENGTH;
                body->left = strtoull(length, NULL, 10);
        }
        body->ended = answer->status == 204 || answer->status == 304 ||
                      (body->framing == WS_BODY_LENGTH && body->left == 0);
}

static void
keep(struct ws_body *body, struct http_answer *answer, const char *data, size_t len)
{
        size_t room = answer->body.max - answer->body.len;

        if (buf_add(&answer->body, data, len < room ? len : room, NULL) < 0 || len >= room)
                body->ended = true;
}

/* The size of a chunk; what is no digit ends it, and what stands behind is of no interest. */
static void
take_size(struct ws_body *body, char byte)
{
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, tolower((unsigned char)byte), 16);

        if (digit != NULL && body->left <= UINT64_MAX >> 8) {
                body->left = body->left << 4 | (uint64_t)(digit - digits);
                body->has_digits = true;
        } else if (digit != NULL || !body->has_digits) {
                body->ended = true;
        } else {
                body->state = WS_CHUNK_LINE;
        }
}

static size_t
take_chunked(struct ws_body *body, struct http_answer *answer, const char *data, size_t len)
{
        size_t part = 1;

        switch (body->state) {
        case WS_CHUNK_SIZE:
                take_size(body, *data);
                if (body->state == WS_CHUNK_SIZE || *data != '\n')
                        break;
                /* fall through */
        case WS_CHUNK_LINE:
                if (*data != '\n')
                        break;
                body->ended = body->left == 0;
                body->state = WS_CHUNK_DATA;
                break;
        case WS_CHUNK_DATA:
                part = body->left < len ? (size_t)body->left : len;
                keep(body, answer, data, part);
                body->left -= part;
                if (body->left == 0)
                        body->state = WS_CHUNK_END;
                break;
        case WS_CHUNK_END:
                if (*data != '\n')
                        break;
                body->state = WS_CHUNK_SIZE;
                body->has_digits = false;
                break;
        }
        return part;
}

void
ws_body_take(struct ws_body *body, struct http_answer *answer, const char *data, size_t len)
{
        while (len > 0 && !body->ended) {
                size_t part = len;
                if (body->framing == WS_BODY_CHUNKED) {
                        part = take_chunked(body, answer, data, len);
                } else {
                        if (body->framing == WS_BODY_LENGTH && part > body->left)
                                part = (size_t)body->left;
                        keep(body, answer, data, part);
                        body->left -= part;
                        if (body->framing == WS_BODY_LENGTH && body->left == 0)
                                body->ended = true;
                }
                data += part;
                len -= part;
        }
}
