/*
 * A server that sends in steps: faster than a wait for each of them, and slower than we read,
 * where its bytes are let gather (src/net/ws_io.c); and an answer that comes in two.
 */
#include "harness/ws_test.h"

#include <time.h>

#include "moonkeep/time.h"

static const size_t sizes[] = { 1, 8191, 8192, 16384, 32769, 100000, 131072, 200000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define TURNS 8

static void
play_steps(struct peer *peer, const void *arg)
{
        unsigned char *frame = malloc(sizes[SIZES - 1] + 10);

        (void)arg;
        peer_upgrade(peer);
        for (size_t turn = 0; turn < TURNS * SIZES; turn++) {
                size_t len = sizes[turn % SIZES];
                size_t header = frame_header(frame, 0x82, len);
                for (size_t at = 0; at < len; at++)
                        frame[header + at] = (unsigned char)((at + turn) % 251);
                peer_put(peer, frame, header + len);
                usleep(300);
        }
        free(frame);
        peer_wait_end(peer);
}

TEST(steps_are_let_gather_and_arrive_as_they_were_sent)
{
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_steps, NULL, 1);
        struct ws *ws = ws_connect();
        for (size_t turn = 0; turn < TURNS * SIZES; turn++) {
                size_t len;
                char *text = ws_message(ws, &len, &err);
                CHECK_PTR(text, err);
                CHECK_INT(len, sizes[turn % SIZES]);
                for (size_t at = 0; at < len; at++)
                        CHECK_INT(text[at], (char)((at + turn) % 251));
                free(text);
        }
        /* Behind the last step there is silence, as long as it is waited for. */
        int64_t begin = time_mono_ms();
        CHECK_OK(ws_next(ws, 30, &event, &err), err);
        CHECK_INT(event.kind, WS_NOTHING);
        CHECK(time_mono_ms() - begin >= 30);
        ws_free(ws);
        ws_served();
}

#define HALVES_TURNS 600

struct halves {
        const char *first; /* %s is the accept */
        const char *second;
        long turn;
};

/* The second half comes while the first is looked at, or shortly before or after that. */
static void
pause_of(long turn)
{
        struct timespec begin, now;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        do
                clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec <
               turn % 300 * 300);
}

static void
play_halves(struct peer *peer, const void *arg)
{
        struct halves *halves = (struct halves *)(uintptr_t)arg;
        char accept[64], first[512];

        peer_head(peer);
        peer_accept(peer, accept, sizeof(accept));
        /* Not all of them have it. */
        const char *at = strstr(halves->first, "%s");
        int len = snprintf(first, sizeof(first), "%.*s%s%s",
            (int)(at != NULL ? at - halves->first : (long)strlen(halves->first)), halves->first,
            at != NULL ? accept : "", at != NULL ? at + 2 : "");
        peer_put(peer, first, (size_t)len);
        pause_of(halves->turn++);
        peer_put(peer, halves->second, strlen(halves->second));
        /* The connection stays open: nothing but the bytes says that this is all. */
        peer_wait_end(peer);
}

static struct ws *
open_halves(struct http_answer *refused, struct err *err)
{
        char url[128];
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));

        request.stall_ms = 5000;
        err_init(err);
        return ws_open(&request, NULL, refused, err);
}

TEST(a_short_body_behind_a_long_head_is_not_waited_for)
{
        struct halves halves = {
                .first = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
                         "Content-Length: 4\r\n\r\n",
                .second = "nope",
        };
        struct http_answer refused;
        struct err err;

        ws_serve(play_halves, &halves, HALVES_TURNS);
        for (int turn = 0; turn < HALVES_TURNS; turn++) {
                CHECK_ERR(open_halves(&refused, &err) == NULL, err, ERR_HTTP, "HTTP 404");
                CHECK_STR(refused.body.data, "nope");
                http_answer_clear(&refused);
        }
        ws_served();
}

TEST(the_short_rest_of_a_head_is_not_waited_for)
{
        struct halves halves = {
                .first = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
                .second = "\r\n\x82\x02hi",
        };
        struct err err;

        ws_serve(play_halves, &halves, HALVES_TURNS);
        for (int turn = 0; turn < HALVES_TURNS; turn++) {
                struct ws *ws = open_halves(NULL, &err);
                CHECK_PTR(ws, err);
                ws_expect(ws, "hi");
                ws_free(ws);
        }
        ws_served();
}
