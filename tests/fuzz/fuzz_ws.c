/*
 * What a server of WebSockets sends: the answer to an upgrade, and frames.  In
 * whatever pieces the bytes come, they say the same; what was said is in bounds.
 * The first byte says which of the two, the second the size of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/net/ws_reader.h"
#include "../../src/net/ws_upgrade.h"
#include "moonkeep/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The example of RFC 6455. */
#define NONCE "dGhlIHNhbXBsZSBub25jZQ=="
#define PROTOCOLS "v5.channel.k8s.io, v4.channel.k8s.io"

static void
require(int condition)
{
        if (!condition)
                abort();
}

/* What came out, in one text: comparable whatever the pieces. */
struct heard {
        struct buf text;
        int end; /* of the reading: 0, 1 a close frame, -1 */
        bool pong_due;
};

static void
say(struct heard *heard, const void *data, size_t len)
{
        require(buf_add(&heard->text, data, len, NULL) == 0);
}

/* Takes all that can be read; false when nothing more can. */
static bool
drain(struct ws_reader *reader, struct heard *heard)
{
        struct ws_event event;
        struct err err;
        int rc;

        err_init(&err);
        while ((rc = ws_reader_next(reader, &event, &err)) > 0) {
                if (event.kind == WS_CLOSED) {
                        require(reader->will_close && strlen(event.close_reason) <= 123);
                        require(event.close_code >= 0 && event.close_code <= 65535);
                        say(heard, &event.close_code, sizeof(event.close_code));
                        say(heard, event.close_reason, strlen(event.close_reason));
                        heard->end = 1;
                        return false;
                }
                require(event.kind == WS_PIECE);
                require(event.data >= reader->data && event.len <= reader->end);
                say(heard, event.first ? (event.binary ? "[b" : "[t") : "", event.first ? 2 : 0);
                say(heard, event.data, event.len);
                say(heard, "]", event.last ? 1 : 0);
        }
        require(rc == 0 || err.code == ERR_PROTOCOL);
        heard->end = rc;
        return rc == 0;
}

static void
read_frames(const uint8_t *data, size_t size, size_t piece, struct heard *heard)
{
        struct ws_reader reader;

        buf_init(&heard->text, 4 * size + 1024);
        heard->end = 0;
        require(ws_reader_init(&reader, NULL) == 0);
        for (size_t at = 0; at < size;) {
                size_t room;
                unsigned char *to = ws_reader_room(&reader, WS_BUFFER_SIZE, &room, NULL);
                size_t part = size - at < piece ? size - at : piece;
                require(to != NULL && room > 0);
                if (part > room)
                        part = room;
                memcpy(to, data + at, part);
                ws_reader_took(&reader, part);
                at += part;
                require(reader.start <= reader.seen && reader.seen <= reader.end);
                require(reader.ping_len <= WS_CONTROL_MAX);
                if (!drain(&reader, heard))
                        break;
        }
        heard->pong_due = reader.pong_due;
        ws_reader_free(&reader);
}

static void
try_frames(const uint8_t *data, size_t size, size_t piece)
{
        struct heard whole, pieces;

        read_frames(data, size, size, &whole);
        read_frames(data, size, piece, &pieces);
        require(whole.end == pieces.end && whole.text.len == pieces.text.len);
        require(
            whole.text.len == 0 || memcmp(whole.text.data, pieces.text.data, whole.text.len) == 0);
        /* A whole look may see a ping that stands behind what is wrong; never the other way. */
        require(whole.pong_due || !pieces.pong_due);
        buf_free(&whole.text);
        buf_free(&pieces.text);
}

static void
check_answer(struct transfer *transfer, const uint8_t *data, size_t size, size_t piece)
{
        struct http_answer *answer = &transfer->answer;
        struct ws_body body;
        struct err err;

        require(answer->status >= 100 && answer->status <= 599);
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                const struct http_header *header = &answer->headers[idx];
                require(*header->name != '\0' && strpbrk(header->name, " \t\r\n:") == NULL);
                require(strpbrk(header->value, "\r\n") == NULL);
        }
        if (answer->status == 101) {
                err_init(&err);
                char *protocol = ws_answer_check(answer, NONCE, PROTOCOLS, &err);
                require(protocol != NULL || err.code == ERR_PROTOCOL);
                require(
                    protocol == NULL || *protocol == '\0' || strstr(PROTOCOLS, protocol) != NULL);
                mem_free(protocol);
                return;
        }
        ws_body_init(&body, answer);
        for (size_t at = 0; at < size && !body.ended; at += piece)
                ws_body_take(
                    &body, answer, (const char *)data + at, size - at < piece ? size - at : piece);
        require(answer->body.len <= WS_REFUSAL_MAX);
}

static void
try_answer(const uint8_t *data, size_t size, size_t piece)
{
        struct transfer transfer = { .request.method = (char *)(uintptr_t) "connect to",
                .request.answer_max = WS_REFUSAL_MAX,
                .name = (char *)(uintptr_t) "http://host/exec" };
        size_t start = 0, end = 0, used;
        bool complete = false;
        struct err err;

        err_init(&err);
        while (!complete && end < size) {
                end = size - end < piece ? size : end + piece;
                if (ws_answer_take(&transfer, (const char *)data + start, end - start, &used,
                        &complete, &err) < 0) {
                        require(err.code == ERR_PROTOCOL || err.code == ERR_TOO_BIG);
                        break;
                }
                require(used <= end - start);
                start += used;
        }
        if (complete)
                check_answer(&transfer, data + start, size - start, piece);
        http_answer_clear(&transfer.answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 3)
                return 0;
        size_t piece = data[1] != 0 ? data[1] : 1;
        if (data[0] % 2 == 0)
                try_frames(data + 2, size - 2, piece);
        else
                try_answer(data + 2, size - 2, piece);
        return 0;
}
