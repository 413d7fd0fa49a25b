#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/rand.h"
#include "moonkeep/time.h"
#include "ws_internal.h"

/* Less is not worth a system call, while there is something to hand out. */
#define SMALL_ROOM ((size_t)32 * 1024)

/*
 * A stream that comes in steps of this size is slower than we are: to be woken for each of them
 * would cost more than to read them.  They are let gather for so long.
 */
#define STEP_MIN ((size_t)8 * 1024)
#define STEP_MAX ((size_t)128 * 1024)
#define GATHER_MS 2

int
ws_stalled(const struct ws *ws, const char *what, int64_t ms, struct err *err)
{
        err_set(err, ERR_TIMEOUT, "cannot %s \"%s\": no progress for %lld.%03d s", what,
            ws->transfer.name, (long long)(ms / 1000), (int)(ms % 1000));
        if (err != NULL)
                err->retryable = true;
        return -1;
}

/* What libcurl says of the last failure. */
static const char *
reason(const struct ws *ws, CURLcode rc)
{
        const char *text = ws->transfer.curl_error;

        return *text != '\0' ? text : curl_easy_strerror(rc);
}

int
ws_fill(struct ws *ws, size_t max, struct err *err)
{
        while (!ws->ended) {
                size_t room, got = 0;
                unsigned char *data = ws_reader_room(&ws->reader, max, &room, err);
                if (data == NULL)
                        return -1;
                if (room == 0 || (max <= WS_BUFFER_SIZE && room < SMALL_ROOM))
                        return 0;
                CURLcode rc = curl_easy_recv(ws->transfer.easy, data, room, &got);
                if (rc == CURLE_AGAIN)
                        return 0;
                if (rc != CURLE_OK || got == 0) {
                        ws->ended = true;
                        ws->end_result = rc;
                        if (rc != CURLE_OK)
                                snprintf(ws->end_reason, sizeof(ws->end_reason), ": %.150s",
                                    reason(ws, rc));
                        return 0;
                }
                ws->silent_ms = 0;
                ws->burst += got;
                ws->heard_ms = time_mono_ms();
                ws_reader_took(&ws->reader, got);
        }
        return 0;
}

int
ws_wait(struct ws *ws, bool to_write, int64_t ms, struct err *err)
{
        struct pollfd polls[3] = {
                { .fd = cancel_fd(ws->cancel), .events = POLLIN },
                { .fd = ws->ended && !to_write ? -1 : ws->fd },
                { .fd = ws->watch_fd, .events = ws->watch_events },
        };

        polls[1].events = (short)((ws->ended ? 0 : POLLIN) | (to_write ? POLLOUT : 0));
        bool gathers = !to_write && ws->burst >= STEP_MIN && ws->burst < STEP_MAX &&
                       (ms < 0 || ms > GATHER_MS);
        if (gathers) {
                polls[1].fd = -1;
                ms = GATHER_MS;
        }
        ws->burst = 0;
        if (cancel_check(ws->cancel, err) < 0)
                return -1;
        int64_t begin = time_mono_ms();
        int ready = poll(polls, 3, ms < 0 || ms > INT_MAX ? -1 : (int)ms);
        /* Only what was waited is silence: the server does not answer for where we were before. */
        ws->silent_ms += time_mono_ms() - begin;
        if (ready < 0 && errno != EINTR)
                return err_sys(err, "cannot wait for a connection");
        if (cancel_check(ws->cancel, err) < 0)
                return -1;
        return ready != 0 || gathers;
}

int
ws_put_some(struct ws *ws, const void *data, size_t len, size_t *put, struct err *err)
{
        *put = 0;
        if (len == 0)
                return 0;
        CURLcode rc = curl_easy_send(ws->transfer.easy, data, len, put);
        if (rc == CURLE_AGAIN)
                *put = 0;
        if (rc == CURLE_OK || rc == CURLE_AGAIN)
                return 0;
        err_set(err, ERR_NETWORK, "cannot send to \"%s\": %s", ws->transfer.name, reason(ws, rc));
        if (err != NULL)
                err->retryable = true;
        return -1;
}

bool
ws_out_waits(const struct ws *ws)
{
        return ws->out_at < ws->out_len;
}

int
ws_out_try(struct ws *ws, struct err *err)
{
        while (ws_out_waits(ws)) {
                size_t put;
                if (ws_put_some(ws, ws->out + ws->out_at, ws->out_len - ws->out_at, &put, err) < 0)
                        return -1;
                if (put == 0)
                        return 0;
                ws->out_at += put;
                ws->silent_ms = 0;
        }
        return 0;
}

static int
cannot_go_on(struct ws *ws, struct err *err)
{
        err_set(err, ERR_NETWORK, "cannot send to \"%s\": the server ended the connection%s",
            ws->transfer.name, ws->end_reason);
        if (err != NULL)
                err->retryable = true;
        return -1;
}

int
ws_put(struct ws *ws, const void *data, size_t len, struct err *err)
{
        const unsigned char *at = data;

        while (len > 0) {
                size_t put;
                /*
                 * libcurl before 8.10 and OpenSSL want what could not be sent
                 * again from the same place and not shorter.
                 */
                if (ws_put_some(ws, at, len, &put, err) < 0)
                        return -1;
                at += put;
                len -= put;
                if (put > 0) {
                        /* Not for control frames: our own pings would break the silence. */
                        ws->silent_ms = 0;
                        continue;
                }
                if (ws_fill(ws, WS_HELD_MAX, err) < 0)
                        return -1;
                if (ws->ended)
                        return cannot_go_on(ws, err);
                if (ws->reader.end - ws->reader.start >= WS_HELD_MAX)
                        return err_set(err, ERR_PROTOCOL,
                            "cannot send to \"%s\": it sends and does not read", ws->transfer.name);
                if (ws->patience_ms > 0 && ws->silent_ms >= ws->patience_ms)
                        return ws_stalled(ws, "send to", ws->patience_ms, err);
                if (ws_wait(ws, true, ws->patience_ms > 0 ? ws->patience_ms - ws->silent_ms : -1,
                        err) < 0)
                        return -1;
        }
        return 0;
}

int
ws_key(struct ws *ws, unsigned char out[WS_KEY_SIZE], struct err *err)
{
        if (ws->keys_left == 0) {
                if (rand_bytes(ws->keys, sizeof(ws->keys), err) < 0)
                        return -1;
                ws->keys_left = WS_KEYS;
        }
        memcpy(out, ws->keys[--ws->keys_left], WS_KEY_SIZE);
        return 0;
}
