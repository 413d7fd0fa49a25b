#include "ws_reader.h"

#include <string.h>

#include "moonkeep/mem.h"

#define CODE_NONE 1005

int
ws_reader_init(struct ws_reader *reader, struct err *err)
{
        memset(reader, 0, sizeof(*reader));
        reader->data = mem_alloc(WS_BUFFER_SIZE, err);
        if (reader->data == NULL)
                return -1;
        reader->cap = WS_BUFFER_SIZE;
        return 0;
}

void
ws_reader_free(struct ws_reader *reader)
{
        mem_free(reader->data);
        memset(reader, 0, sizeof(*reader));
}

/* What was grown for bytes that had to wait goes when they have gone. */
static void
shrink(struct ws_reader *reader)
{
        unsigned char *data =
            reader->cap > WS_BUFFER_SIZE ? mem_realloc(reader->data, WS_BUFFER_SIZE, NULL) : NULL;

        if (data != NULL) {
                reader->data = data;
                reader->cap = WS_BUFFER_SIZE;
        }
}

unsigned char *
ws_reader_room(struct ws_reader *reader, size_t max, size_t *len, struct err *err)
{
        size_t waiting = reader->end - reader->start;

        if (waiting == 0)
                shrink(reader);
        /* What is left of a frame moves to the front, so that the whole buffer takes the next. */
        if (reader->start > 0 &&
            (waiting <= WS_HEADER_MAX + WS_CONTROL_MAX || reader->end == reader->cap)) {
                memmove(reader->data, reader->data + reader->start, waiting);
                reader->seen -= reader->start;
                reader->end = waiting;
                reader->start = 0;
        }
        if (reader->end == reader->cap && reader->cap < max) {
                size_t cap = reader->cap * 2 < max ? reader->cap * 2 : max;
                unsigned char *data = mem_realloc(reader->data, cap, err);
                if (data == NULL)
                        return NULL;
                reader->data = data;
                reader->cap = cap;
        }
        *len = reader->cap - reader->end;
        return reader->data + reader->end;
}

/* A control frame that is all there, with its payload. */
static void
heed(struct ws_reader *reader, const struct ws_frame *frame, const unsigned char *payload)
{
        if (frame->opcode == WS_CLOSE) {
                reader->will_close = true;
                reader->seen_all = true;
        } else if (frame->opcode == WS_PING) {
                /* Of several, the last one is to be answered (RFC 6455, 5.5.3). */
                memcpy(reader->ping, payload, frame->len);
                reader->ping_len = frame->len;
                reader->pong_due = true;
        }
}

void
ws_reader_took(struct ws_reader *reader, size_t len)
{
        struct ws_frame frame;

        reader->end += len;
        while (!reader->seen_all && reader->seen < reader->end) {
                const unsigned char *data = reader->data + reader->seen;
                size_t there = reader->end - reader->seen;
                if (reader->seen_left > 0) {
                        size_t part = reader->seen_left < there ? reader->seen_left : there;
                        reader->seen_left -= part;
                        reader->seen += part;
                        continue;
                }
                int rc = ws_frame_parse(data, there, &frame, NULL);
                if (rc == 0)
                        return;
                if (rc < 0) {
                        /* The other walk will say so. */
                        reader->seen_all = true;
                } else if (!ws_is_control(&frame)) {
                        reader->seen += frame.header_len;
                        reader->seen_left = frame.len;
                } else if (there < frame.header_len + frame.len) {
                        return;
                } else {
                        heed(reader, &frame, data + frame.header_len);
                        reader->seen += frame.header_len + frame.len;
                }
        }
}

static int
take_close(struct ws_reader *reader, const unsigned char *payload, size_t len, struct err *err)
{
        struct ws_event *close = &reader->close;

        if (len == 1)
                return err_set(err, ERR_PROTOCOL, "a close frame with half a code");
        close->kind = WS_CLOSED;
        close->close_code = len >= 2 ? payload[0] << 8 | payload[1] : CODE_NONE;
        /* It stands in messages: one line, and nothing that is not plain text. */
        for (size_t idx = 2; idx < len; idx++) {
                unsigned char byte = payload[idx];
                close->close_reason[idx - 2] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
        }
        reader->has_close = true;
        return 0;
}

static int
begin_frame(struct ws_reader *reader, const struct ws_frame *frame, struct err *err)
{
        if (frame->opcode == WS_CONTINUATION && !reader->in_message)
                return err_set(err, ERR_PROTOCOL, "a continuation of no message");
        if (frame->opcode != WS_CONTINUATION && reader->in_message)
                return err_set(err, ERR_PROTOCOL, "a message inside another one");
        if (frame->opcode != WS_CONTINUATION) {
                reader->first = true;
                reader->binary = frame->opcode == WS_BINARY;
        }
        reader->in_message = !frame->fin;
        reader->fin = frame->fin;
        reader->left = frame->len;
        return 0;
}

/* What is there of the frame; all of an empty one. */
static void
hand_out(struct ws_reader *reader, struct ws_event *out)
{
        size_t there = reader->end - reader->start;
        size_t len = reader->left < there ? (size_t)reader->left : there;

        memset(out, 0, sizeof(*out));
        out->kind = WS_PIECE;
        out->data = reader->data + reader->start;
        out->len = len;
        out->binary = reader->binary;
        out->first = reader->first;
        reader->start += len;
        reader->left -= len;
        reader->first = false;
        out->last = reader->fin && reader->left == 0;
}

int
ws_reader_next(struct ws_reader *reader, struct ws_event *out, struct err *err)
{
        struct ws_frame frame;

        while (!reader->has_close) {
                const unsigned char *data = reader->data + reader->start;
                size_t there = reader->end - reader->start;
                if (reader->left > 0) {
                        if (there == 0)
                                return 0;
                        hand_out(reader, out);
                        return 1;
                }
                int rc = ws_frame_parse(data, there, &frame, err);
                if (rc <= 0)
                        return rc;
                size_t whole = frame.header_len + frame.len;
                if (!ws_is_control(&frame)) {
                        if (begin_frame(reader, &frame, err) < 0)
                                return -1;
                        reader->start += frame.header_len;
                        if (frame.len == 0) {
                                hand_out(reader, out);
                                return 1;
                        }
                        continue;
                }
                if (there < whole)
                        return 0;
                if (frame.opcode == WS_CLOSE &&
                    take_close(reader, data + frame.header_len, frame.len, err) < 0)
                        return -1;
                reader->start += whole;
        }
        *out = reader->close;
        return 1;
}
