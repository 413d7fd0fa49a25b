/*
 * A server of WebSockets for tests: a thread that plays one conversation, byte
 * by byte as the test says.
 */
#ifndef TESTS_HARNESS_WS_TEST_H
#define TESTS_HARNESS_WS_TEST_H

#include <poll.h>
#include <pthread.h>

#include "harness/tls_test.h"
#include "moonkeep/encode.h"
#include "moonkeep/sha1.h"
#include "moonkeep/ws.h"

#define SERVER_WAIT_MS 20000

struct peer {
        int fd;
        char head[65536]; /* of the request */
        unsigned char payload[1024 * 1024];
};

typedef void play_fn(struct peer *peer, const void *arg);

static int ws_listener = -1;
static int ws_port;
static struct {
        play_fn *play;
        const void *arg;
        int times;
        pthread_t thread;
} ws_server;

static inline void
ws_listen(void)
{
        struct sockaddr_in inet = { .sin_family = AF_INET };
        socklen_t len = sizeof(inet);

        ws_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(ws_listener, (struct sockaddr *)&inet, len) == 0);
        CHECK(listen(ws_listener, 16) == 0);
        CHECK(getsockname(ws_listener, (struct sockaddr *)&inet, &len) == 0);
        ws_port = ntohs(inet.sin_port);
}

static inline void *
ws_serve_thread(void *arg)
{
        struct peer *peer = calloc(1, sizeof(*peer));

        CHECK(peer != NULL);
        for (int count = 0; count < ws_server.times; count++) {
                struct pollfd polls = { .fd = ws_listener, .events = POLLIN };
                CHECK(poll(&polls, 1, SERVER_WAIT_MS) == 1);
                peer->fd = accept4(ws_listener, NULL, NULL, SOCK_CLOEXEC);
                CHECK(peer->fd >= 0);
                ws_server.play(peer, ws_server.arg);
                if (peer->fd >= 0)
                        close(peer->fd);
        }
        free(peer);
        return arg;
}

/* Play it to so many clients, one after the other. */
static inline void
ws_serve(play_fn *play, const void *arg, int times)
{
        if (ws_listener < 0)
                ws_listen();
        ws_server.play = play;
        ws_server.arg = arg;
        ws_server.times = times;
        CHECK(pthread_create(&ws_server.thread, NULL, ws_serve_thread, NULL) == 0);
}

static inline void
ws_served(void)
{
        CHECK(pthread_join(ws_server.thread, NULL) == 0);
        close(ws_listener);
        ws_listener = -1;
}

/* The server's side. */

static inline void
peer_put(struct peer *peer, const void *data, size_t len)
{
        const char *at = data;

        while (len > 0) {
                ssize_t put = send(peer->fd, at, len, MSG_NOSIGNAL);
                CHECK(put > 0);
                at += put;
                len -= (size_t)put;
        }
}

/* To a client that may have gone; each byte in a segment of its own if wanted. */
static inline void
peer_offer(struct peer *peer, const void *data, size_t len, bool dribble)
{
        const char *at = data;

        while (len > 0) {
                ssize_t put = send(peer->fd, at, dribble ? 1 : len, MSG_NOSIGNAL);
                if (put <= 0)
                        return;
                at += put;
                len -= (size_t)put;
                if (dribble)
                        usleep(100);
        }
}

static inline void
peer_get(struct peer *peer, void *data, size_t len)
{
        char *at = data;

        while (len > 0) {
                struct pollfd polls = { .fd = peer->fd, .events = POLLIN };
                CHECK(poll(&polls, 1, SERVER_WAIT_MS) == 1);
                ssize_t got = read(peer->fd, at, len);
                CHECK(got > 0);
                at += got;
                len -= (size_t)got;
        }
}

/* Until the client has closed it. */
static inline void
peer_wait_end(struct peer *peer)
{
        char data[4096];

        while (read(peer->fd, data, sizeof(data)) > 0)
                continue;
}

static inline void
peer_head(struct peer *peer)
{
        size_t len = 0;

        memset(peer->head, 0, sizeof(peer->head));
        while (strstr(peer->head, "\r\n\r\n") == NULL) {
                CHECK(len < sizeof(peer->head) - 1);
                peer_get(peer, peer->head + len++, 1);
        }
}

/* The value of that header of the request. */
static inline void
peer_header(const struct peer *peer, const char *name, char *out, size_t size)
{
        const char *at = strcasestr(peer->head, name);

        CHECK(at != NULL);
        at += strlen(name) + 2;
        snprintf(out, size, "%.*s", (int)strcspn(at, "\r"), at);
}

/* What Sec-WebSocket-Accept has to be. */
static inline void
peer_accept(const struct peer *peer, char *out, size_t size)
{
        unsigned char digest[SHA1_SIZE];
        char key[128];
        struct buf text;
        struct sha1 *sha = sha1_new(NULL);

        peer_header(peer, "Sec-WebSocket-Key", key, sizeof(key));
        CHECK(sha1_update(sha, key, strlen(key), NULL) == 0);
        CHECK(sha1_update(sha, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36, NULL) == 0);
        CHECK(sha1_final(sha, digest, NULL) == 0);
        sha1_free(sha);
        buf_init(&text, 256);
        CHECK(base64_encode(digest, sizeof(digest), &text, NULL) == 0);
        snprintf(out, size, "%s", text.data);
        buf_free(&text);
}

/* The answer that upgrades, with more headers; returns its length. */
static inline int
peer_answer(const struct peer *peer, const char *headers, char *out, size_t size)
{
        char accept[64];

        peer_accept(peer, accept, sizeof(accept));
        return snprintf(out, size,
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
            "connection: keep-alive, upgrade\r\nsec-websocket-accept: %s\r\n%s\r\n",
            accept, headers);
}

static inline void
peer_upgrade(struct peer *peer)
{
        char answer[1024];

        peer_head(peer);
        int len = peer_answer(peer, "", answer, sizeof(answer));
        peer_put(peer, answer, (size_t)len);
}

static inline size_t
frame_header(unsigned char *out, unsigned char first, uint64_t len)
{
        size_t size = len < 126 ? 0 : len < 65536 ? 2 : 8;

        out[0] = first;
        out[1] = (unsigned char)(size == 0 ? len : size == 2 ? 126 : 127);
        for (size_t idx = 0; idx < size; idx++)
                out[2 + idx] = (unsigned char)(len >> 8 * (size - 1 - idx));
        return 2 + size;
}

static inline void
peer_frame(struct peer *peer, unsigned char first, const void *data, size_t len)
{
        unsigned char header[10];

        peer_put(peer, header, frame_header(header, first, len));
        peer_put(peer, data, len);
}

/* A frame of the client, which must be masked, into peer->payload; returns its first byte. */
static inline unsigned char
peer_get_frame(struct peer *peer, size_t *len)
{
        unsigned char header[8], key[4], first;

        peer_get(peer, &first, 1);
        peer_get(peer, header, 1);
        CHECK((header[0] & 0x80) != 0);
        size_t size = header[0] & 0x7f;
        if (size >= 126) {
                size_t digits = size == 126 ? 2 : 8;
                peer_get(peer, header, digits);
                size = 0;
                for (size_t idx = 0; idx < digits; idx++)
                        size = size << 8 | header[idx];
        }
        CHECK(size <= sizeof(peer->payload));
        peer_get(peer, key, 4);
        peer_get(peer, peer->payload, size);
        for (size_t idx = 0; idx < size; idx++)
                peer->payload[idx] ^= key[idx % 4];
        *len = size;
        return first;
}

static inline void
peer_expect(struct peer *peer, unsigned char first, const void *data, size_t len)
{
        size_t got;

        CHECK_INT(peer_get_frame(peer, &got), first);
        CHECK_INT(got, len);
        CHECK(memcmp(peer->payload, data, len) == 0);
}

/* The client's side. */

static inline struct ws_request
ws_request_to(int port, char *url, size_t size)
{
        snprintf(url, size, "http://127.0.0.1:%d/exec?command=a%%20b", port);
        return (struct ws_request){ .url = url, .stall_ms = SERVER_WAIT_MS };
}

static inline struct ws *
ws_connect(void)
{
        char url[128];
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        struct err err;

        err_init(&err);
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
        return ws;
}

/* Pieces to the end of a message, as a string (free); kinds of pieces are checked. */
static inline char *
ws_message(struct ws *ws, size_t *len, struct err *err)
{
        char *text = calloc(1, 1);
        struct ws_event event;
        bool first = true;

        *len = 0;
        do {
                if (ws_next(ws, -1, &event, err) < 0) {
                        free(text);
                        return NULL;
                }
                CHECK_INT(event.kind, WS_PIECE);
                CHECK(event.first == first);
                first = false;
                text = realloc(text, *len + event.len + 1);
                CHECK(text != NULL);
                memcpy(text + *len, event.data, event.len);
                *len += event.len;
                text[*len] = '\0';
        } while (!event.last);
        return text;
}

static inline void
ws_expect(struct ws *ws, const char *want)
{
        struct err err;
        size_t len;

        err_init(&err);
        char *text = ws_message(ws, &len, &err);
        CHECK_PTR(text, err);
        CHECK_STR(text, want);
        free(text);
}

static inline void
ws_expect_error(struct ws *ws, enum err_code code, const char *text)
{
        struct ws_event event;
        struct err err;
        int rc;

        err_init(&err);
        do {
                rc = ws_next(ws, -1, &event, &err);
        } while (rc == 0 && event.kind == WS_PIECE);
        CHECK_ERR(rc < 0, err, code, text);
        /* And again. */
        err_init(&err);
        CHECK_ERR(ws_next(ws, -1, &event, &err) < 0, err, code, text);
}

#endif
