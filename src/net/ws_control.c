/*
 * Control frames that we send: between the frames of messages, one at a time,
 * each from a place that does not move until it has gone.
 */
#include <string.h>

#include "moonkeep/time.h"
#include "ws_internal.h"

bool
ws_control_waits(const struct ws *ws)
{
        return ws->control_at < ws->control_len ||
               (!ws->close_sent && (ws->close_due || ws->ping_due || ws->reader.pong_due));
}

static int
build(
    struct ws *ws, enum ws_opcode opcode, const unsigned char *payload, size_t len, struct err *err)
{
        unsigned char key[WS_KEY_SIZE];

        if (ws_key(ws, key, err) < 0)
                return -1;
        size_t header_len = ws_frame_build(ws->control, opcode, len, key);
        ws_frame_mask(ws->control + header_len, payload, len, key, 0);
        ws->control_at = 0;
        ws->control_len = header_len + len;
        return 0;
}

/* The next one that is due.  Nothing follows a close frame. */
static int
build_next(struct ws *ws, struct err *err)
{
        unsigned char code[2] = { (unsigned char)(ws->close_code >> 8),
                (unsigned char)ws->close_code };

        if (ws->reader.pong_due) {
                if (build(ws, WS_PONG, ws->reader.ping, ws->reader.ping_len, err) < 0)
                        return -1;
                ws->reader.pong_due = false;
        } else if (ws->close_due) {
                if (build(ws, WS_CLOSE, code, ws->close_code != 0 ? sizeof(code) : 0, err) < 0)
                        return -1;
                ws->close_sent = true;
        } else {
                if (build(ws, WS_PING, NULL, 0, err) < 0)
                        return -1;
                ws->ping_due = false;
                ws->pinged_ms = time_mono_ms();
        }
        return 0;
}

int
ws_control_try(struct ws *ws, struct err *err)
{
        if (ws_out_try(ws, err) < 0)
                return -1;
        while (!ws_out_waits(ws) && ws_control_waits(ws)) {
                size_t put;
                if (ws->control_at == ws->control_len && build_next(ws, err) < 0)
                        return -1;
                if (ws_put_some(ws, ws->control + ws->control_at, ws->control_len - ws->control_at,
                        &put, err) < 0)
                        return -1;
                ws->control_at += put;
                if (put == 0)
                        return 0;
        }
        return 0;
}

int
ws_control_put(struct ws *ws, struct err *err)
{
        if (ws_put(ws, ws->out + ws->out_at, ws->out_len - ws->out_at, err) < 0)
                return -1;
        ws->out_at = ws->out_len;
        while (ws_control_waits(ws)) {
                if (ws->control_at == ws->control_len && build_next(ws, err) < 0)
                        return -1;
                if (ws_put(ws, ws->control + ws->control_at, ws->control_len - ws->control_at,
                        err) < 0)
                        return -1;
                ws->control_at = ws->control_len;
        }
        return 0;
}
