/*
 * WebSockets against a server that plays what the test says.
 */
#include "harness/ws_test.h"

#include <sys/eventfd.h>

#include "moonkeep/thread.h"
#include "moonkeep/time.h"

/* How a conversation begins. */

struct answer {
        const char *text; /* %s is the accept */
        const char *behind;
        size_t behind_len;
        bool dribble;
        bool reset;
};

static void
play_answer(struct peer *peer, const void *arg)
{
        const struct answer *answer = arg;
        char accept[64];
        char *bytes = malloc(256 * 1024);

        peer_head(peer);
        peer_accept(peer, accept, sizeof(accept));
        size_t len = 0;
        for (const char *at = answer->text; *at != '\0'; at++) {
                if (at[0] == '%' && at[1] == 's') {
                        memcpy(bytes + len, accept, strlen(accept));
                        len += strlen(accept);
                        at++;
                } else {
                        bytes[len++] = *at;
                }
        }
        memcpy(bytes + len, answer->behind != NULL ? answer->behind : "", answer->behind_len);
        len += answer->behind_len;
        peer_offer(peer, bytes, len, answer->dribble);
        free(bytes);
        shutdown(peer->fd, SHUT_WR);
        peer_wait_end(peer);
}

#define UPGRADE                                                                                    \
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"        \
        "Sec-WebSocket-Accept: %s\r\n"

static struct ws *
open_with(const char *protocols, struct http_answer *refused, struct err *err)
{
        char url[128];
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));

        request.protocols = protocols;
        err_init(err);
        return ws_open(&request, NULL, refused, err);
}

static void
opens(const struct answer *answer, const char *protocol, const char *message)
{
        struct err err;

        ws_serve(play_answer, answer, 1);
        struct ws *ws = open_with("v5.channel.k8s.io, v4.channel.k8s.io", NULL, &err);
        CHECK_PTR(ws, err);
        CHECK_STR(ws_protocol(ws), protocol);
        if (message != NULL)
                ws_expect(ws, message);
        ws_expect_error(ws, ERR_TRUNCATED, "without a close frame");
        ws_free(ws);
        ws_served();
}

TEST(an_upgrade_is_taken_with_what_stands_behind_it)
{
        struct answer answer = { .text = UPGRADE "\r\n" };

        opens(&answer, "", NULL);
        answer.behind = "\x82\x02hi";
        answer.behind_len = 4;
        opens(&answer, "", "hi");
        answer.dribble = true;
        answer.text = "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" UPGRADE
                      "sec-websocket-protocol: v4.channel.k8s.io\r\nX:\r\n\r\n";
        opens(&answer, "v4.channel.k8s.io", "hi");
}

TEST(more_than_the_head_may_stand_behind_an_upgrade)
{
        struct answer answer = { .text = UPGRADE "\r\n" };
        size_t len = 100000;
        char *bytes = malloc(len + 10), *want = calloc(1, len + 1);

        memset(want, 'x', len);
        size_t header = frame_header((unsigned char *)bytes, 0x82, len);
        memcpy(bytes + header, want, len);
        answer.behind = bytes;
        answer.behind_len = header + len;
        opens(&answer, "", want);
        free(bytes);
        free(want);
}

static void
fails(const struct answer *answer, enum err_code code, const char *why)
{
        struct err err;

        ws_serve(play_answer, answer, 1);
        struct ws *ws = open_with("v5.channel.k8s.io, v4.channel.k8s.io", NULL, &err);
        CHECK_ERR(ws == NULL, err, code, why);
        CHECK(strstr(err.msg, "cannot connect to \"http://127.0.0.1:") == err.msg);
        CHECK(strstr(err.msg, "command") == NULL);
        ws_served();
}

TEST(an_upgrade_that_breaks_the_protocol_is_refused)
{
        static const char *const answers[][2] = {
                { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Accept" },
                { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                    "Accept" },
                { "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                    "something else" },
                { "HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n\r\n",
                    "something else" },
                { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\n"
                  "Sec-WebSocket-Accept: %s\r\n\r\n",
                    "something else" },
                { UPGRADE "Sec-WebSocket-Protocol: v1.channel.k8s.io\r\n\r\n", "not offered" },
                { UPGRADE "Sec-WebSocket-Protocol: v4.channel\r\n\r\n", "not offered" },
                { UPGRADE "Sec-WebSocket-Protocol: \r\n\r\n", "not offered" },
                { UPGRADE "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extensions" },
                { "SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1.1" },
                { "HTTP/1.1 1011 x\r\n\r\n", "not HTTP/1.1" },
                { "HTTP/2 101 x\r\n\r\n", "not HTTP/1.1" },
                { "HTTP/1.1 101 x\nUpgrade: websocket\n\n", "not HTTP/1.1" },
                { UPGRADE " folded\r\n\r\n", "not HTTP/1.1" },
                { UPGRADE "a b: c\r\n\r\n", "not HTTP/1.1" },
                { UPGRADE ": c\r\n\r\n", "not HTTP/1.1" },
                { UPGRADE "no colon\r\n\r\n", "not HTTP/1.1" },
                { UPGRADE "a: \001\r\n\r\n", "not HTTP/1.1" },
        };

        for (size_t idx = 0; idx < sizeof(answers) / sizeof(answers[0]); idx++) {
                struct answer answer = { .text = answers[idx][0] };
                fails(&answer, ERR_PROTOCOL, answers[idx][1]);
        }
}

TEST(an_answer_that_is_cut_or_endless_is_refused)
{
        char *text = calloc(1, 100000);

        fails(&(struct answer){ .text = "" }, ERR_NETWORK, "without an answer");
        fails(&(struct answer){ .text = "HTTP/1.1 10" }, ERR_NETWORK, "without an answer");
        fails(&(struct answer){ .text = UPGRADE }, ERR_TRUNCATED, "the answer broke off");
        strcpy(text, UPGRADE);
        while (strlen(text) < 70000)
                strcat(text, "X-Some: header and its value\r\n");
        fails(&(struct answer){ .text = text }, ERR_TOO_BIG, "larger than 65536");
        strcpy(text, UPGRADE "X: ");
        memset(text + strlen(text), 'x', 70000);
        fails(&(struct answer){ .text = text }, ERR_TOO_BIG, "larger than 65536");
        free(text);
}

/* Refusals. */

static void
is_refused(const char *text, int status, const char *body)
{
        struct answer answer = { .text = text };
        struct http_answer refused;
        struct err err;

        for (int count = 0; count < 2; count++) {
                answer.dribble = count == 1;
                ws_serve(play_answer, &answer, 1);
                struct ws *ws = open_with(NULL, &refused, &err);
                CHECK_ERR(ws == NULL, err, ERR_HTTP, "the server answered with HTTP ");
                CHECK_INT(err.http, status);
                CHECK_INT(refused.status, status);
                CHECK(err.retryable == (status >= 500));
                CHECK_STR(refused.body.data != NULL ? refused.body.data : "", body);
                CHECK_STR(http_answer_header(&refused, "x-what"), "It Says");
                http_answer_clear(&refused);
                ws_served();
        }
}

TEST(a_refusal_comes_with_its_headers_and_body)
{
        is_refused("HTTP/1.1 401 Unauthorized\r\nX-What: It Says\r\nContent-Length: 4\r\n\r\nwho?+",
            401, "who?");
        is_refused("HTTP/1.1 403 Forbidden\r\nX-What:It Says \r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nnever\r\n6;x=y\r\n again\r\n0\r\nTrailer: a\r\n\r\n",
            403, "never again");
        is_refused(
            "HTTP/1.0 404 Not Found\r\nX-What: It Says\r\n\r\nno such pod", 404, "no such pod");
        is_refused("HTTP/1.1 500\r\nX-What: It Says\r\nContent-Length: 0\r\n\r\n", 500, "");
        is_refused("HTTP/1.1 302 Found\r\nX-What: It Says\r\nLocation: /x\r\n"
                   "Content-Length: 0\r\n\r\n",
            302, "");
        is_refused("HTTP/1.1 200 OK\r\nX-What: It Says\r\nContent-Length: 2\r\n\r\nok", 200, "ok");
        is_refused("HTTP/1.1 204 No\r\nX-What: It Says\r\n\r\nx", 204, "");
}

TEST(a_refusal_whose_body_breaks_off_is_one_still)
{
        is_refused(
            "HTTP/1.1 503 x\r\nX-What: It Says\r\nContent-Length: 40\r\n\r\nbusy", 503, "busy");
        is_refused("HTTP/1.1 503 x\r\nX-What: It Says\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbu",
            503, "bu");
        is_refused(
            "HTTP/1.1 503 x\r\nX-What: It Says\r\nTransfer-Encoding: chunked\r\n\r\nzz", 503, "");
}

TEST(of_a_long_refusal_the_first_64_kib_are_kept)
{
        char *text = calloc(1, 300000);
        struct answer answer = { .text = text };
        struct http_answer refused;
        struct err err;

        strcpy(text, "HTTP/1.1 500 x\r\n\r\n");
        memset(text + strlen(text), 'x', 200000);
        ws_serve(play_answer, &answer, 1);
        CHECK_ERR(open_with(NULL, &refused, &err) == NULL, err, ERR_HTTP, "HTTP 500");
        CHECK_INT(refused.body.len, 65536);
        http_answer_clear(&refused);
        ws_served();
        free(text);
}

/* What is asked for. */

static void
play_request(struct peer *peer, const void *arg)
{
        char line[256];

        (void)arg;
        peer_head(peer);
        snprintf(line, sizeof(line), "GET /exec?command=a%%20b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n",
            ws_port);
        CHECK(strstr(peer->head, line) == peer->head);
        CHECK(strstr(peer->head, "\r\nAuthorization: Bearer the-token\r\n") != NULL);
        CHECK(strstr(peer->head, "\r\nSec-WebSocket-Protocol: v5, v4\r\n") != NULL);
        CHECK(strstr(peer->head, "\r\nSec-WebSocket-Version: 13\r\n") != NULL);
        CHECK(strstr(peer->head, "\r\nUser-Agent: moonkeep/") != NULL);
        char answer[1024];
        int len = peer_answer(peer, "Sec-WebSocket-Protocol: v5\r\n", answer, sizeof(answer));
        peer_put(peer, answer, (size_t)len);
        peer_wait_end(peer);
}

TEST(the_request_has_our_headers_and_secrets)
{
        struct http_request headers = { 0 };
        char url[128];
        struct err err;

        err_init(&err);
        struct secret *token = secret_new("the-token", 9, &err);
        ws_serve(play_request, NULL, 1);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        request.protocols = "v5, v4";
        CHECK_OK(http_request_header(&headers, "Authorization", "Bearer ", token, &err), err);
        request.headers = headers.headers;
        request.header_count = headers.header_count;
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
        CHECK_STR(ws_protocol(ws), "v5");
        ws_free(ws);
        ws_served();

        request.protocols = "v5\r\nX: y";
        CHECK_ERR(ws_open(&request, NULL, NULL, &err) == NULL, err, ERR_USAGE, "Protocol");
        request.protocols = NULL;
        request.url = "ftp://127.0.0.1/x";
        CHECK_ERR(ws_open(&request, NULL, NULL, &err) == NULL, err, ERR_USAGE, "ftp");
        http_request_clear(&headers);
        secret_unref(token);
}

TEST(a_connection_that_is_refused_is_a_network_error)
{
        struct err err;

        ws_port = free_port();
        CHECK_ERR(
            open_with(NULL, NULL, &err) == NULL, err, ERR_NETWORK, "cannot connect to 127.0.0.1:");
        CHECK(err.retryable);
}

/* Messages. */

struct bytes {
        const char *data;
        size_t len;
        size_t cut; /* so many of them, more with each connection */
        bool reset;
};

static void
play_bytes(struct peer *peer, const void *arg)
{
        const struct bytes *bytes = arg;

        peer_upgrade(peer);
        peer_put(peer, bytes->data, bytes->len);
        shutdown(peer->fd, SHUT_WR);
        peer_wait_end(peer);
}

TEST(messages_of_every_length_class_arrive)
{
        static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536, 70000, 600000 };
        size_t count = sizeof(sizes) / sizeof(sizes[0]), len = 0;
        char *data = malloc(2000000);
        struct err err;

        err_init(&err);
        for (size_t idx = 0; idx < count; idx++) {
                len += frame_header((unsigned char *)data + len, 0x82, sizes[idx]);
                for (size_t at = 0; at < sizes[idx]; at++)
                        data[len++] = (char)(at % 251);
        }
        struct bytes bytes = { .data = data, .len = len };
        ws_serve(play_bytes, &bytes, 1);
        struct ws *ws = ws_connect();
        for (size_t idx = 0; idx < count; idx++) {
                char *text = ws_message(ws, &len, &err);
                CHECK_PTR(text, err);
                CHECK_INT(len, sizes[idx]);
                for (size_t at = 0; at < len; at++)
                        CHECK_INT(text[at], (char)(at % 251));
                free(text);
        }
        ws_expect_error(ws, ERR_TRUNCATED, "without a close frame");
        ws_free(ws);
        ws_served();
        free(data);
}

static void
play_cut(struct peer *peer, const void *arg)
{
        struct bytes *bytes = (struct bytes *)(uintptr_t)arg;
        struct linger linger = { .l_onoff = 1 };

        peer_upgrade(peer);
        peer_put(peer, bytes->data, bytes->cut++);
        if (bytes->reset) {
                usleep(1000);
                setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        } else {
                shutdown(peer->fd, SHUT_WR);
                peer_wait_end(peer);
        }
        close(peer->fd);
        peer->fd = -1;
}

TEST(a_cut_at_any_byte_is_found)
{
        static const char data[] =
            "\x82\x02hi\x02\x7e\x00\x7e"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x89\x02pi"
            "\x80\x03xyz\x88\x02\x03";
        struct bytes bytes = { .data = data, .len = sizeof(data) };

        for (int count = 0; count < 2; count++) {
                bytes.reset = count == 1;
                bytes.cut = 0;
                ws_serve(play_cut, &bytes, sizeof(data));
                for (size_t cut = 0; cut < sizeof(data); cut++) {
                        struct err err;
                        struct ws *ws = open_with(NULL, NULL, &err);
                        /* A reset may be there before our request is away. */
                        if (ws == NULL) {
                                CHECK(bytes.reset);
                                continue;
                        }
                        ws_expect_error(ws, ERR_TRUNCATED, "without a close frame");
                        ws_free(ws);
                }
                ws_served();
        }
}

TEST(what_is_no_frame_of_a_server_is_refused_behind_what_was_one)
{
        static const struct {
                const char *bytes;
                size_t len;
                const char *why;
        } wrong[] = {
                { "\x82\x81kkkkx", 7, "masked" },
                { "\xc2\x01x", 3, "reserved bits" },
                { "\x83\x01x", 3, "unknown kind" },
                { "\x89\x7e\x00\x7e", 4, "more than 125" },
                { "\x09\x00", 2, "fragments" },
                { "\x80\x01x", 3, "continuation" },
                { "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10, "2^63" },
                { "\x82\x7e\x00\x01x", 5, "written longer" },
                { "HTTP/1.1 400 Bad Request\r\n\r\n", 28, "" },
        };
        char data[64];

        for (size_t idx = 0; idx < sizeof(wrong) / sizeof(wrong[0]); idx++) {
                memcpy(data, "\x82\x02hi", 4);
                memcpy(data + 4, wrong[idx].bytes, wrong[idx].len);
                struct bytes bytes = { .data = data, .len = 4 + wrong[idx].len };
                ws_serve(play_bytes, &bytes, 1);
                struct ws *ws = ws_connect();
                ws_expect(ws, "hi");
                ws_expect_error(ws, ERR_PROTOCOL, wrong[idx].why);
                ws_free(ws);
                ws_served();
        }
}

/* Closing. */

static void
play_close(struct peer *peer, const void *arg)
{
        (void)arg;
        peer_upgrade(peer);
        peer_frame(peer, 0x82, "hi", 2);
        peer_frame(peer, 0x88,
            "\x03\xe8"
            "done",
            6);
        peer_expect(peer, 0x88, "\x03\xe8", 2);
        peer_wait_end(peer);
}

TEST(a_close_frame_is_answered_and_told_for_ever)
{
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_close, NULL, 1);
        struct ws *ws = ws_connect();
        ws_expect(ws, "hi");
        for (int count = 0; count < 2; count++) {
                CHECK_OK(ws_next(ws, -1, &event, &err), err);
                CHECK_INT(event.kind, WS_CLOSED);
                CHECK_INT(event.close_code, 1000);
                CHECK_STR(event.close_reason, "done");
        }
        CHECK_ERR(ws_send(ws, NULL, 0, "x", 1, &err) < 0, err, ERR_INTERNAL, "closed by us");
        ws_free(ws);
        ws_served();
}

static void
play_closed_by_client(struct peer *peer, const void *arg)
{
        (void)arg;
        peer_upgrade(peer);
        peer_expect(peer, 0x88, "\x03\xe8", 2);
        peer_frame(peer, 0x82, "late", 4);
        peer_frame(peer, 0x88, "\x03\xe8", 2);
        peer_wait_end(peer);
}

TEST(after_our_close_frame_what_comes_is_read_to_the_servers)
{
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_closed_by_client, NULL, 1);
        struct ws *ws = ws_connect();
        CHECK_OK(ws_close(ws, 1000, &err), err);
        CHECK_OK(ws_close(ws, 1000, &err), err);
        ws_expect(ws, "late");
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_CLOSED);
        ws_free(ws);
        ws_served();
}

/* Pings. */

static void
play_pings(struct peer *peer, const void *arg)
{
        char long_ping[125];

        (void)arg;
        memset(long_ping, 'p', sizeof(long_ping));
        peer_upgrade(peer);
        peer_frame(peer, 0x89, "one", 3);
        peer_expect(peer, 0x8a, "one", 3);
        peer_frame(peer, 0x02, "a", 1);
        peer_frame(peer, 0x89, long_ping, sizeof(long_ping));
        peer_expect(peer, 0x8a, long_ping, sizeof(long_ping));
        peer_frame(peer, 0x80, "b", 1);
        /* And those of the client. */
        peer_expect(peer, 0x89, "", 0);
        peer_expect(peer, 0x89, "", 0);
        peer_frame(peer, 0x8a, "", 0);
        peer_frame(peer, 0x88, "", 0);
        peer_expect(peer, 0x88, "", 0);
        peer_wait_end(peer);
}

TEST(pings_are_answered_while_waiting_and_sent_in_silence)
{
        char url[128];
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_pings, NULL, 1);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        request.ping_ms = 50;
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
        ws_expect(ws, "ab");
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_CLOSED);
        CHECK_INT(event.close_code, 1005);
        ws_free(ws);
        ws_served();
}

static void
play_ping_to_sender(struct peer *peer, const void *arg)
{
        size_t len;

        peer_upgrade(peer);
        peer_frame(peer, 0x89, "hey", 3);
        CHECK(write(*(const int *)arg, "\1\0\0\0\0\0\0\0", 8) == 8);
        while (peer_get_frame(peer, &len) == 0x82)
                continue;
        CHECK_INT(len, 3);
        CHECK(memcmp(peer->payload, "hey", 3) == 0);
        peer_wait_end(peer);
}

TEST(who_only_sends_answers_pings_too)
{
        struct err err;
        int event = eventfd(0, 0);
        uint64_t count;

        err_init(&err);
        ws_serve(play_ping_to_sender, &event, 1);
        struct ws *ws = ws_connect();
        CHECK(read(event, &count, sizeof(count)) == sizeof(count));
        for (int idx = 0; idx < 3; idx++)
                CHECK_OK(ws_send(ws, NULL, 0, "x", 1, &err), err);
        ws_free(ws);
        ws_served();
        close(event);
}

/* Sending. */

static void
play_echo(struct peer *peer, const void *arg)
{
        size_t len;

        (void)arg;
        peer_upgrade(peer);
        while (peer_get_frame(peer, &len) == 0x82)
                peer_frame(peer, 0x82, peer->payload, len);
        peer_frame(peer, 0x88, "", 0);
        peer_wait_end(peer);
}

static void
echoes(struct ws *ws, size_t len)
{
        char *data = malloc(len + 1);
        struct err err;
        size_t got;

        err_init(&err);
        for (size_t idx = 0; idx < len; idx++)
                data[idx] = (char)(idx * 31 % 253);
        CHECK_OK(ws_send(ws, "\1", 1, data, len, &err), err);
        char *text = ws_message(ws, &got, &err);
        CHECK_PTR(text, err);
        CHECK_INT(got, len + 1);
        CHECK(text[0] == 1 && memcmp(text + 1, data, len) == 0);
        free(text);
        free(data);
}

static void
echo_all(struct ws *ws)
{
        static const size_t sizes[] = { 0, 1, 124, 125, 126, 4096, 65534, 65535, 131000, 131072,
                131200, 262144, 1000000 };
        struct ws_event event;
        struct err err;

        err_init(&err);
        for (size_t idx = 0; idx < sizeof(sizes) / sizeof(sizes[0]); idx++)
                echoes(ws, sizes[idx]);
        CHECK_OK(ws_close(ws, 1000, &err), err);
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_CLOSED);
        ws_free(ws);
        ws_served();
}

TEST(messages_of_every_length_go_both_ways)
{
        ws_serve(play_echo, NULL, 1);
        echo_all(ws_connect());
}

static struct ws *
connect_tls(struct err *err)
{
        char url[128];

        err_init(err);
        start_tls(ws_port, NULL, NULL);
        struct http_route *route = make_route("one", NULL, NULL, err);
        snprintf(url, sizeof(url), "https://127.0.0.1:%d/exec", front_port);
        struct ws_request request = { .url = url, .stall_ms = SERVER_WAIT_MS, .route = route };
        struct ws *ws = ws_open(&request, NULL, NULL, err);
        http_route_unref(route);
        return ws;
}

TEST(messages_go_both_ways_over_tls)
{
        struct err err;

        ws_serve(play_echo, NULL, 1);
        struct ws *ws = connect_tls(&err);
        CHECK_PTR(ws, err);
        echo_all(ws);
        end_process(front_pid);
        expect_handshakes("- one\n");
}

TEST(a_cut_of_tls_is_found_with_and_without_a_good_bye)
{
        static const char data[] = "\x82\x02hi\x82\x7e\x01\x00stops here";
        struct bytes bytes = { .data = data, .len = sizeof(data) - 1 };
        struct err err;

        for (int count = 0; count < 2; count++) {
                ws_serve(play_bytes, &bytes, 1);
                err_init(&err);
                start_tls(ws_port, count == 1 ? "--abrupt" : NULL, "yes");
                struct http_route *route = make_route(NULL, NULL, NULL, &err);
                char url[128];
                snprintf(url, sizeof(url), "https://127.0.0.1:%d/exec", front_port);
                struct ws_request request = {
                        .url = url, .stall_ms = SERVER_WAIT_MS, .route = route
                };
                struct ws *ws = ws_open(&request, NULL, NULL, &err);
                CHECK_PTR(ws, err);
                ws_expect(ws, "hi");
                ws_expect_error(ws, ERR_TRUNCATED, "without a close frame");
                ws_free(ws);
                http_route_unref(route);
                ws_served();
                end_process(front_pid);
        }
}

TEST(a_server_of_an_unknown_authority_is_a_tls_error)
{
        char url[128];
        struct err err;

        err_init(&err);
        start_tls(1, NULL, NULL);
        snprintf(url, sizeof(url), "https://127.0.0.1:%d/exec", front_port);
        struct ws_request request = { .url = url, .stall_ms = SERVER_WAIT_MS };
        CHECK_ERR(ws_open(&request, NULL, NULL, &err) == NULL, err, ERR_TLS, "certificate");
        end_process(front_pid);
}

TEST(a_server_that_does_not_take_our_certificate_is_a_tls_error_that_says_why)
{
        char url[128];
        struct err err;

        err_init(&err);
        start_tls(1, "--require", "yes");
        struct http_route *route = make_route("old", NULL, NULL, &err);
        snprintf(url, sizeof(url), "https://127.0.0.1:%d/exec", front_port);
        struct ws_request request = { .url = url, .stall_ms = SERVER_WAIT_MS, .route = route };
        CHECK_ERR(ws_open(&request, NULL, NULL, &err) == NULL, err, ERR_TLS, "alert");
        CHECK(strstr(err.hint, "our certificate expired on") != NULL);
        http_route_unref(route);
        end_process(front_pid);
}

TEST(a_proxy_is_asked_for_a_tunnel)
{
        const char *argv[] = { NULL, "--log", test_path("proxy.log"), NULL };
        char proxy[64], want[128], url[128];
        struct err err;
        pid_t pid;

        err_init(&err);
        snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", launch("connect_proxy", argv, &pid));
        ws_serve(play_echo, NULL, 1);
        struct http_route *route =
            http_route_new(&(struct http_route_opts){ .proxy = proxy }, &err);
        CHECK_PTR(route, err);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        request.route = route;
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
        echo_all(ws);

        snprintf(want, sizeof(want), "CONNECT 127.0.0.1:%d 200\n", ws_port);
        char *text = read_text(argv[2]);
        CHECK_STR(text, want);
        free(text);
        http_route_unref(route);
        end_process(pid);
}

/* A server that does not read. */

/* Messages of 1 MB: more than the system takes before somebody reads. */
#define SLOW_COUNT 12

struct slow {
        size_t sends; /* bytes, before it reads */
        size_t chunk; /* read at once */
        bool closes;
};

static void
play_slow(struct peer *peer, const void *arg)
{
        const struct slow *slow = arg;
        char data[4096] = "";
        int small = 65536;
        size_t len;

        (void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        peer_upgrade(peer);
        unsigned char header[10];
        peer_put(peer, header, frame_header(header, 0x82, slow->sends));
        for (size_t sent = 0; sent < slow->sends; sent += sizeof(data)) {
                if (send(peer->fd, data, sizeof(data), MSG_NOSIGNAL) < 0)
                        return;
        }
        if (slow->closes) {
                peer_frame(peer, 0x88, "\x03\xf3", 2);
                return;
        }
        for (int count = 0; count < SLOW_COUNT; count++) {
                CHECK_INT(peer_get_frame(peer, &len), 0x82);
                CHECK_INT(len, 1000000);
                for (size_t idx = 0; idx < len; idx++)
                        CHECK_INT(peer->payload[idx], (unsigned char)(idx * 31 % 253));
        }
        peer_frame(peer, 0x88, "", 0);
        peer_wait_end(peer);
}

static void
send_to_slow(struct ws *ws, size_t comes)
{
        char *data = malloc(1000000);
        struct ws_event event;
        struct err err;
        size_t len;

        err_init(&err);
        for (size_t idx = 0; idx < 1000000; idx++)
                data[idx] = (char)(idx * 31 % 253);
        for (int count = 0; count < SLOW_COUNT; count++)
                CHECK_OK(ws_send(ws, data, 10, data + 10, 1000000 - 10, &err), err);
        char *text = ws_message(ws, &len, &err);
        CHECK_PTR(text, err);
        CHECK_INT(len, comes);
        free(text);
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_CLOSED);
        ws_free(ws);
        free(data);
}

TEST(what_comes_while_the_server_does_not_read_is_kept)
{
        struct slow slow = { .sends = 1700 * 4096 };

        ws_serve(play_slow, &slow, 1);
        send_to_slow(ws_connect(), slow.sends);
        ws_served();
}

TEST(a_slow_reader_over_tls_gets_what_was_sent)
{
        struct slow slow = { .sends = 4096 };
        struct err err;

        ws_serve(play_slow, &slow, 1);
        struct ws *ws = connect_tls(&err);
        CHECK_PTR(ws, err);
        send_to_slow(ws, slow.sends);
        ws_served();
        end_process(front_pid);
}

TEST(a_server_that_sends_without_bound_and_does_not_read_is_refused)
{
        struct slow slow = { .sends = (size_t)1 << 40 };
        char *data = calloc(1, 1000000);
        struct err err;

        err_init(&err);
        ws_serve(play_slow, &slow, 1);
        struct ws *ws = ws_connect();
        int rc = 0;
        for (int count = 0; count < 100 && rc == 0; count++)
                rc = ws_send(ws, NULL, 0, data, 1000000, &err);
        CHECK_ERR(rc < 0, err, ERR_PROTOCOL, "it sends and does not read");
        CHECK_ERR(ws_send(ws, NULL, 0, "x", 1, &err) < 0, err, ERR_PROTOCOL, "does not read");
        struct ws_event event;
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK(event.kind == WS_PIECE && event.len > 100000);
        ws_free(ws);
        ws_served();
        free(data);
}

/* Sends far more than is kept, with pings, and then reads what was sent meanwhile. */
#define BOTH_COMES ((size_t)48 * 1024 * 1024)
#define BOTH_SENT ((size_t)9 * 1000 * 1000)

static void
play_both(struct peer *peer, const void *arg)
{
        char *data = calloc(1, 1024 * 1024);
        int small = 65536, pongs = 0;
        size_t len, got = 0;

        (void)arg;
        (void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        peer_upgrade(peer);
        for (size_t sent = 0; sent < BOTH_COMES; sent += 1024 * 1024) {
                peer_frame(peer, 0x82, data, 1024 * 1024);
                peer_frame(peer, 0x89, "beat", 4);
        }
        free(data);
        while (got < BOTH_SENT) {
                unsigned char first = peer_get_frame(peer, &len);
                pongs += first == 0x8a;
                if (first == 0x8a)
                        continue;
                CHECK_INT(first, 0x82);
                CHECK_INT(peer->payload[0], 7);
                for (size_t idx = 1; idx < len; idx++, got++)
                        CHECK_INT(peer->payload[idx], (unsigned char)(got * 31 % 253));
        }
        /* Between the frames, and never in one. */
        CHECK(pongs > 0);
        peer_frame(peer, 0x88, "", 0);
        peer_wait_end(peer);
}

TEST(who_alternates_between_both_keeps_nothing)
{
        unsigned char *data = malloc(BOTH_SENT);
        size_t sent = 0, come = 0, taken;
        struct ws_event event;
        struct err err;

        for (size_t idx = 0; idx < BOTH_SENT; idx++)
                data[idx] = (unsigned char)(idx * 31 % 253);
        ws_serve(play_both, NULL, 1);
        struct ws *ws = ws_connect();
        ws_want_room(ws, true);
        err_init(&err);
        while (sent < BOTH_SENT) {
                CHECK_OK(
                    ws_send_some(ws, "\7", 1, data + sent, BOTH_SENT - sent, &taken, &err), err);
                sent += taken;
                CHECK_OK(ws_next(ws, taken > 0 ? 0 : -1, &event, &err), err);
                if (event.kind == WS_PIECE)
                        come += event.len;
        }
        CHECK_INT(come, BOTH_COMES);
        ws_want_room(ws, false);
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_CLOSED);
        ws_free(ws);
        ws_served();
        free(data);
}

TEST(what_a_server_said_before_it_went_is_read_after_a_failed_send)
{
        struct slow slow = { .sends = 8192, .closes = true };
        char *data = calloc(1, 1000000);
        struct ws_event event;
        struct err err;
        size_t len;

        err_init(&err);
        ws_serve(play_slow, &slow, 1);
        struct ws *ws = ws_connect();
        ws_served();
        int rc = 0;
        for (int count = 0; count < 100 && rc == 0; count++)
                rc = ws_send(ws, NULL, 0, data, 1000000, &err);
        CHECK_ERR(rc < 0, err, ERR_NETWORK, "cannot send to");
        char *text = ws_message(ws, &len, &err);
        CHECK_PTR(text, err);
        CHECK_INT(len, slow.sends);
        free(text);
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_CLOSED);
        CHECK_INT(event.close_code, 1011);
        ws_free(ws);
        free(data);
}

/* Waiting. */

static void
play_silence(struct peer *peer, const void *arg)
{
        if (arg != NULL)
                peer_head(peer);
        else
                peer_upgrade(peer);
        peer_wait_end(peer);
}

TEST(a_wait_ends_when_its_time_is_over)
{
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_silence, NULL, 1);
        struct ws *ws = ws_connect();
        CHECK_OK(ws_next(ws, 0, &event, &err), err);
        CHECK_INT(event.kind, WS_NOTHING);
        int64_t begin = time_mono_ms();
        CHECK_OK(ws_next(ws, 30, &event, &err), err);
        CHECK_INT(event.kind, WS_NOTHING);
        CHECK(time_mono_ms() - begin >= 30);
        ws_free(ws);
        ws_served();
}

TEST(a_watched_descriptor_ends_a_wait)
{
        struct ws_event event;
        struct err err;
        int fd = eventfd(1, 0);

        err_init(&err);
        ws_serve(play_silence, NULL, 1);
        struct ws *ws = ws_connect();
        ws_watch(ws, fd, POLLIN);
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_NOTHING);
        ws_free(ws);
        ws_served();
        close(fd);
}

TEST(silence_is_a_time_out_in_every_phase)
{
        char url[128];
        struct ws_event event;
        struct err err;

        err_init(&err);
        ws_serve(play_silence, "no answer", 1);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        request.stall_ms = 200;
        CHECK_ERR(ws_open(&request, NULL, NULL, &err) == NULL, err, ERR_TIMEOUT,
            "no progress for 0.200 s");
        CHECK(err.retryable);
        ws_served();

        ws_serve(play_silence, NULL, 1);
        (void)ws_request_to(ws_port, url, sizeof(url));
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
        /* Many short waits are one long one. */
        int rc = 0;
        for (int count = 0; count < 100 && rc == 0; count++)
                rc = ws_next(ws, 20, &event, &err);
        CHECK_ERR(rc < 0, err, ERR_TIMEOUT, "no progress for 0.200 s");
        ws_free(ws);
        ws_served();
}

static void
play_deaf(struct peer *peer, const void *arg)
{
        int small = 4096;
        uint64_t count;

        (void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        peer_upgrade(peer);
        CHECK(read(*(const int *)arg, &count, sizeof(count)) == sizeof(count));
}

TEST(a_server_that_never_reads_is_a_time_out)
{
        char url[128], *data = calloc(1, 1000000);
        struct err err;
        int event = eventfd(0, 0), rc = 0;

        err_init(&err);
        ws_serve(play_deaf, &event, 1);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        request.stall_ms = 200;
        struct ws *ws = ws_open(&request, NULL, NULL, &err);
        CHECK_PTR(ws, err);
        for (int count = 0; count < 100 && rc == 0; count++)
                rc = ws_send(ws, NULL, 0, data, 1000000, &err);
        CHECK_ERR(rc < 0, err, ERR_TIMEOUT, "cannot send to \"http://127.0.0.1:");
        /* No close frame can follow half a frame. */
        CHECK(ws_close(ws, 1000, &err) < 0);
        CHECK(write(event, "\1\0\0\0\0\0\0\0", 8) == 8);
        ws_free(ws);
        ws_served();
        close(event);
        free(data);
}

/* Pings, as fast as they go, for as long as the client is there. */
static void
play_flood(struct peer *peer, const void *arg)
{
        static char pings[65536];
        int64_t until = time_mono_ms() + SERVER_WAIT_MS;

        (void)arg;
        for (size_t idx = 0; idx < sizeof(pings); idx += 2)
                memcpy(pings + idx, "\x89\x00", 2);
        peer_upgrade(peer);
        while (time_mono_ms() < until && send(peer->fd, pings, sizeof(pings), MSG_NOSIGNAL) > 0)
                continue;
}

TEST(pings_without_end_keep_no_wait_from_ending)
{
        struct ws_event event = { .kind = WS_PIECE };
        struct err err;
        int fd = eventfd(1, 0);

        err_init(&err);
        ws_serve(play_flood, NULL, 1);
        struct ws *ws = ws_connect();
        CHECK_OK(ws_next(ws, 30, &event, &err), err);
        CHECK_INT(event.kind, WS_NOTHING);
        ws_watch(ws, fd, POLLIN);
        event.kind = WS_PIECE;
        CHECK_OK(ws_next(ws, -1, &event, &err), err);
        CHECK_INT(event.kind, WS_NOTHING);
        ws_free(ws);
        ws_served();
        close(fd);
}

/* Cancelling. */

static void *
trigger_soon(void *token)
{
        usleep(50000);
        cancel_trigger(token);
        return NULL;
}

enum phase {
        CONNECTING,
        ANSWERING,
        READING,
        FLOODED,
        SENDING
};

static void
cancel_in(enum phase phase)
{
        char url[128], *data = calloc(1, 1000000);
        struct ws_event event;
        struct err err;
        struct ws *ws = NULL;
        pthread_t thread;
        pid_t pid = 0;
        int fd = eventfd(0, 0), rc = 0;

        err_init(&err);
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        if (phase == SENDING)
                ws_serve(play_deaf, &fd, 1);
        else if (phase == FLOODED)
                ws_serve(play_flood, NULL, 1);
        else if (phase != CONNECTING)
                ws_serve(play_silence, phase == ANSWERING ? "no answer" : NULL, 1);
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));
        if (phase == CONNECTING) {
                const char *argv[] = { NULL, "--silent", "yes", "1", NULL };
                snprintf(
                    url, sizeof(url), "https://127.0.0.1:%d/x", launch("tls_front", argv, &pid));
        }
        if (phase >= READING) {
                ws = ws_open(&request, token, NULL, &err);
                CHECK_PTR(ws, err);
        }
        CHECK_OK(thread_start(&thread, "trigger", trigger_soon, token, &err), err);
        if (phase == READING || phase == FLOODED) {
                rc = ws_next(ws, -1, &event, &err);
        } else if (phase == SENDING) {
                for (int count = 0; count < 100 && rc == 0; count++)
                        rc = ws_send(ws, NULL, 0, data, 1000000, &err);
        } else {
                rc = ws_open(&request, token, NULL, &err) == NULL ? -1 : 0;
        }
        CHECK_ERR(rc < 0, err, ERR_CANCELLED, "cancelled");
        thread_join(thread);
        CHECK(write(fd, "\1\0\0\0\0\0\0\0", 8) == 8);
        ws_free(ws);
        if (phase == CONNECTING)
                end_process(pid);
        else
                ws_served();
        cancel_unref(token);
        close(fd);
        free(data);
}

TEST(every_wait_can_be_cancelled)
{
        cancel_in(CONNECTING);
        cancel_in(ANSWERING);
        cancel_in(READING);
        cancel_in(FLOODED);
        cancel_in(SENDING);
}

/* Memory. */

static void
play_short(struct peer *peer, const void *arg)
{
        char answer[1024];

        (void)arg;
        /* A client that runs out of memory goes at any time. */
        memset(peer->head, 0, sizeof(peer->head));
        for (size_t len = 0; strstr(peer->head, "\r\n\r\n") == NULL; len++) {
                if (read(peer->fd, peer->head + len, 1) != 1)
                        return;
        }
        int len = peer_answer(peer, "", answer, sizeof(answer));
        (void)!send(peer->fd, answer, (size_t)len, MSG_NOSIGNAL);
        (void)!send(peer->fd, "\x82\x02hi", 4, MSG_NOSIGNAL);
        peer_wait_end(peer);
}

static int
talk(void *arg, struct err *err)
{
        char url[128];
        struct ws_event event;
        struct ws_request request = ws_request_to(ws_port, url, sizeof(url));

        (void)arg;
        struct ws *ws = ws_open(&request, NULL, NULL, err);
        if (ws == NULL)
                return -1;
        int rc = ws_send(ws, "\1", 1, "data", 4, err);
        if (rc == 0)
                rc = ws_next(ws, -1, &event, err);
        ws_free(ws);
        return rc;
}

TEST(a_failed_allocation_is_an_error_and_leaks_nothing)
{
        ws_listen();
        /* A process of its own, whose memory is not counted. */
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                struct peer *peer = calloc(1, sizeof(*peer));
                while (peer != NULL && (peer->fd = accept(ws_listener, NULL, NULL)) >= 0) {
                        play_short(peer, NULL);
                        close(peer->fd);
                }
                _exit(0);
        }
        test_each_allocation(talk, NULL);
        end_process(pid);
        close(ws_listener);
}
