#include "moonkeep/ws.h"

#include <string.h>

#include "moonkeep/time.h"
#include "ws_internal.h"

const char *
ws_protocol(const struct ws *ws)
{
        return ws->protocol;
}

void
ws_watch(struct ws *ws, int fd, short events)
{
        ws->watch_fd = fd;
        ws->watch_events = events;
}

void
ws_patience(struct ws *ws, int64_t ms)
{
        ws->patience_ms = ms > 0 ? ms : ws->stall_ms;
}

void
ws_want_room(struct ws *ws, bool wanted)
{
        ws->wants_room = wanted;
}

/* Remember an error, and report it. */
static int
stick(struct err *kept, struct err *err)
{
        if (err != NULL)
                *err = *kept;
        return -1;
}

/* Reading. */

static int
broke_off(struct ws *ws, struct err *err)
{
        err_set(err, ERR_TRUNCATED,
            "cannot read from \"%s\": the connection ended without a close frame%s",
            ws->transfer.name, ws->end_reason);
        err->retryable = true;
        return -1;
}

/* The server's close frame is answered with its own code, if it gets through. */
static void
answer_close(struct ws *ws, const struct ws_event *event)
{
        if (ws->close_sent || ws->close_due || ws->write_err.code != ERR_NONE)
                return;
        ws->close_due = true;
        ws->close_code = event->close_code == 1005 ? 0 : event->close_code;
        (void)ws_control_try(ws, &ws->write_err);
}

/* What is due of control frames; that it cannot be sent shows by what comes, or does not. */
static void
send_control(struct ws *ws)
{
        int64_t heard = ws->heard_ms > ws->pinged_ms ? ws->heard_ms : ws->pinged_ms;

        if (ws->write_err.code != ERR_NONE)
                return;
        if (ws->ping_ms > 0 && time_mono_ms() - heard >= ws->ping_ms && !ws_control_waits(ws))
                ws->ping_due = true;
        (void)ws_control_try(ws, &ws->write_err);
}

static int64_t
earlier(int64_t ms, int64_t other)
{
        if (other < 0)
                other = 0;
        return ms < 0 || other < ms ? other : ms;
}

/* A server that does not read has the time of ws_send. */
static int64_t
patience(const struct ws *ws)
{
        return ws->write_err.code == ERR_NONE && ws_out_waits(ws) ? ws->patience_ms : ws->stall_ms;
}

/* Would ws_send_some take something?  What cannot be sent any more it says. */
static bool
has_room(const struct ws *ws)
{
        return ws->write_err.code != ERR_NONE || (!ws_out_waits(ws) && !ws_control_waits(ws));
}

/* How long to wait: for the caller, the stall, the next ping. */
static int64_t
time_left(const struct ws *ws, int64_t now, int64_t deadline)
{
        int64_t heard = ws->heard_ms > ws->pinged_ms ? ws->heard_ms : ws->pinged_ms;
        int64_t left = -1, stall_ms = patience(ws);

        if (deadline >= 0)
                left = earlier(left, deadline - now);
        if (stall_ms > 0)
                left = earlier(left, stall_ms - ws->silent_ms);
        if (ws->ping_ms > 0 && ws->write_err.code == ERR_NONE && !ws->close_sent &&
            !ws_control_waits(ws))
                left = earlier(left, heard + ws->ping_ms - now);
        return left;
}

static int
nothing(struct ws_event *out)
{
        memset(out, 0, sizeof(*out));
        return 0;
}

/* The next event, or WS_NOTHING at the deadline (-1: none). */
static int
next(struct ws *ws, int64_t deadline, struct ws_event *out, struct err *err)
{
        bool is_over = false, is_late = false;

        for (;;) {
                int rc = ws_reader_next(&ws->reader, out, err);
                if (rc < 0)
                        return err_prefix(err, "cannot read from \"%s\"", ws->transfer.name);
                if (rc > 0)
                        break;
                if (is_late)
                        return nothing(out);
                size_t before = ws->reader.end - ws->reader.start;
                if (ws_fill(ws, ws->reader.cap, err) < 0)
                        return -1;
                send_control(ws);
                int64_t now = time_mono_ms();
                bool is_time = deadline >= 0 && now >= deadline;
                if (ws->reader.end - ws->reader.start > before) {
                        /* Pings may come faster than they are read. */
                        if (cancel_check(ws->cancel, err) < 0)
                                return -1;
                        is_late = is_time || ws->watch_fd >= 0;
                        continue;
                }
                if (ws->ended)
                        return broke_off(ws, err);
                if (is_over || is_time || (ws->wants_room && has_room(ws)))
                        return nothing(out);
                if (patience(ws) > 0 && ws->silent_ms >= patience(ws))
                        return ws_stalled(
                            ws, ws_out_waits(ws) ? "send to" : "read from", patience(ws), err);
                bool to_write = !has_room(ws);
                rc = ws_wait(ws, to_write, time_left(ws, now, deadline), err);
                if (rc < 0)
                        return -1;
                /* The watched descriptor is looked for by who watches it. */
                is_over = rc > 0 && ws->watch_fd >= 0;
        }
        if (out->kind == WS_CLOSED)
                answer_close(ws, out);
        return 0;
}

int
ws_next(struct ws *ws, int wait_ms, struct ws_event *out, struct err *err)
{
        struct ws_event event;

        if (ws->read_err.code != ERR_NONE)
                return stick(&ws->read_err, err);
        if (cancel_check(ws->cancel, &ws->read_err) < 0 ||
            next(ws, wait_ms < 0 ? -1 : time_mono_ms() + wait_ms, &event, &ws->read_err) < 0)
                return stick(&ws->read_err, err);
        *out = event;
        return 0;
}

/* Sending. */

/* A frame is masked into ws->out, which is sent whenever it is full, and at the end. */
struct frame {
        unsigned char key[WS_KEY_SIZE];
        uint64_t masked;
        size_t waits; /* in ws->out */
};

static int
put_part(struct ws *ws, struct frame *frame, const unsigned char *data, size_t len, struct err *err)
{
        while (len > 0) {
                size_t part = WS_OUT_SIZE - frame->waits;
                if (part == 0) {
                        if (ws_put(ws, ws->out, WS_OUT_SIZE, err) < 0)
                                return -1;
                        frame->waits = 0;
                        continue;
                }
                if (part > len)
                        part = len;
                ws_frame_mask(ws->out + frame->waits, data, part, frame->key, frame->masked);
                frame->masked += part;
                frame->waits += part;
                data += part;
                len -= part;
        }
        return 0;
}

static int
put_message(
    struct ws *ws, const void *head, size_t head_len, const void *data, size_t len, struct err *err)
{
        struct frame frame = { .masked = 0 };

        if (ws_control_put(ws, err) < 0 || ws_key(ws, frame.key, err) < 0)
                return -1;
        frame.waits = ws_frame_build(ws->out, WS_BINARY, (uint64_t)head_len + len, frame.key);
        if (put_part(ws, &frame, head, head_len, err) < 0 ||
            put_part(ws, &frame, data, len, err) < 0 || ws_put(ws, ws->out, frame.waits, err) < 0)
                return -1;
        return ws_control_try(ws, err);
}

/* Whether sending makes sense; what has come is looked at for that. */
static int
may_send(struct ws *ws, struct err *err)
{
        if (ws->close_sent || ws->close_due)
                return err_set(err, ERR_INTERNAL, "cannot send to \"%s\": it has been closed by us",
                    ws->transfer.name);
        /* Pings are found here, too, when a caller only ever sends. */
        if (cancel_check(ws->cancel, err) < 0 || ws_fill(ws, ws->reader.cap, err) < 0)
                return -1;
        if (!ws->reader.will_close && !ws->ended)
                return 0;
        err_set(err, ERR_NETWORK, "cannot send to \"%s\": the server ended the connection%s",
            ws->transfer.name, ws->end_reason);
        err->retryable = true;
        return -1;
}

int
ws_send(
    struct ws *ws, const void *head, size_t head_len, const void *data, size_t len, struct err *err)
{
        if (ws->write_err.code != ERR_NONE || may_send(ws, &ws->write_err) < 0 ||
            put_message(ws, head, head_len, data, len, &ws->write_err) < 0)
                return stick(&ws->write_err, err);
        return 0;
}

/* A frame of what fits into ws->out, where none waits. */
static int
begin_message(
    struct ws *ws, const void *head, size_t head_len, const void *data, size_t len, struct err *err)
{
        struct frame frame = { .masked = 0 };

        if (ws_key(ws, frame.key, err) < 0)
                return -1;
        frame.waits = ws_frame_build(ws->out, WS_BINARY, (uint64_t)head_len + len, frame.key);
        if (put_part(ws, &frame, head, head_len, err) < 0 ||
            put_part(ws, &frame, data, len, err) < 0)
                return -1;
        ws->out_at = 0;
        ws->out_len = frame.waits;
        return ws_out_try(ws, err);
}

int
ws_send_some(struct ws *ws, const void *head, size_t head_len, const void *data, size_t len,
    size_t *taken, struct err *err)
{
        *taken = 0;
        if (ws->write_err.code != ERR_NONE || may_send(ws, &ws->write_err) < 0 ||
            ws_control_try(ws, &ws->write_err) < 0)
                return stick(&ws->write_err, err);
        if (!has_room(ws))
                return 0;
        if (len > WS_SOME_MAX - head_len)
                len = WS_SOME_MAX - head_len;
        if (begin_message(ws, head, head_len, data, len, &ws->write_err) < 0)
                return stick(&ws->write_err, err);
        *taken = len;
        return 0;
}

int
ws_close(struct ws *ws, int code, struct err *err)
{
        if (ws->close_sent || ws->close_due)
                return 0;
        if (ws->write_err.code != ERR_NONE)
                return stick(&ws->write_err, err);
        ws->close_due = true;
        ws->close_code = code;
        return ws_control_put(ws, &ws->write_err) < 0 ? stick(&ws->write_err, err) : 0;
}
