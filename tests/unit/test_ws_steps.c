/*
 * A server that sends faster than a wait for each of its writes, and slower than we read: its
 * bytes are let gather (src/net/ws_io.c), and are the same.
 */
#include "harness/ws_test.h"

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
        char url[128];
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_steps, NULL, 1);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        request.stall_ms = 20000;
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
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
