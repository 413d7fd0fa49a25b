/*
 * fault_proxy: an HTTP/1.1 proxy that breaks things, in front of a real
 * server, for tests.
 *
 *     fault_proxy [--port N] [--log FILE] [--seed N] PORT RULES
 *
 * Listens on 127.0.0.1 (a free port unless --port says which), prints
 * "port N" on standard output, and passes requests on to PORT as they stand
 * (with their Host, so that signatures stay good) until SIGTERM, or until its
 * starter is gone.  --log appends "METHOD TARGET STATUS [ACTION]" of each
 * request to FILE; STATUS is what the client is sent, or "-" where the
 * connection is ended or stalled.
 *
 * RULES is a file with one rule a line; empty lines and lines with # in front
 * are ignored.  The first one that matches a request, and whose turn it is, is
 * played:
 *
 *     METHOD TARGET WHICH ACTION
 *
 * METHOD or TARGET (path and query) "*" is any; a '*' in TARGET matches any
 * text.  WHICH of the requests that match: "every", "nth:N", "first:N" (each of
 * the first N), "chance:P" (percent, drawn from --seed).  ACTION is one of
 *
 *     answer STATUS FAULT_BODY [NAME: VALUE]   answer so; the server gets nothing
 *     replace STATUS FAULT_BODY [NAME: VALUE]  the server does it, its answer becomes this one
 *     close AT                           end the connection
 *     reset AT                           ... with a reset
 *     stall SECONDS AT                   do nothing for so long (0.5 is fine), then go on
 *     header NAME: VALUE                 replace a header of the answer
 *     skew SECONDS                       move the Date of the answer
 *     text OLD NEW                       replace OLD, at its first place in the answer's body
 *     truncate N                         an answer of N bytes, complete as such
 *     corrupt N                          flip a bit of byte N of the answer
 *
 * FAULT_BODY is "-" for none, "@FILE", or the code of an <Error> document.  AT is
 *
 *     head           the head of the request was read
 *     body:N         N bytes of its body were read, and passed on
 *     body           all of it was read, and nothing passed on
 *     done           the server did it and has answered; nothing of that was passed on
 *     answer-head    the head of the answer was passed on
 *     answer-body:N  N bytes of its body were passed on
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness/fault_answer.h"
#include "harness/sockets.h"

/* One end of a connection, and what was read beyond what was asked for. */
struct peer {
        int fd;
        struct buf in;
};

struct request {
        char method[32];
        char *target;
        size_t head_len;
        size_t body_len;
};

static const struct fault_action actions[] = {
        { "answer", 2, 2, false },
        { "replace", 2, 2, false },
        { "close", 1, 1, true },
        { "reset", 1, 1, true },
        { "stall", 2, 2, true },
        { "header", 1, 0, false },
        { "skew", 1, 1, false },
        { "text", 2, 1, false },
        { "truncate", 1, 1, false },
        { "corrupt", 1, 1, false },
        { NULL, 0, 0, false },
};

static int server_port;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the log */
static FILE *log_file;

/* Connections. */

/* Read until there are `want` bytes in all; false at the end of the connection. */
static bool
fill(struct peer *peer, size_t want)
{
        while (peer->in.len < want) {
                char *room = fault_checked(buf_reserve(&peer->in, 65536, NULL));
                ssize_t got = recv(peer->fd, room, 65536, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return false;
                buf_commit(&peer->in, (size_t)got);
        }
        return true;
}

/* The length of the head, with its empty line; 0 at the end of the connection. */
static size_t
read_head(struct peer *peer)
{
        char *end;

        while (peer->in.len == 0 ||
               (end = memmem(peer->in.data, peer->in.len, "\r\n\r\n", 4)) == NULL) {
                if (peer->in.len > FAULT_HEAD_MAX || !fill(peer, peer->in.len + 1))
                        return 0;
        }
        return (size_t)(end - peer->in.data) + 4;
}

/* Does the header have that number or word; what follows the colon, or NULL. */
static const char *
header_value(struct peer *peer, size_t head_len, const char *name)
{
        const char *line = fault_find_header(peer->in.data, head_len, name);

        if (line == NULL)
                return NULL;
        line += strlen(name) + 1;
        return line + strspn(line, " \t");
}

static int
connect_to_server(void)
{
        struct sockaddr_in inet = { .sin_family = AF_INET,
                .sin_port = htons((uint16_t)server_port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&inet, sizeof(inet)) < 0) {
                close(fd);
                fd = -1;
        }
        return fd;
}

/* What a rule does at a place; false when the connection is over. */
static bool
pass(const struct fault_rule *rule, enum fault_place place, int client)
{
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        struct pollfd gone = { .fd = client, .events = POLLRDHUP };

        if (rule == NULL || rule->place != place)
                return true;
        if (fault_is(rule, "stall"))
                return poll(&gone, 1, (int)(strtod(rule->args[0], NULL) * 1000)) == 0;
        if (fault_is(rule, "reset"))
                setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        return false;
}

/* Requests. */

/* The head of the next one; false when there is none that can be understood. */
static bool
read_request(struct peer *client, struct request *request)
{
        request->head_len = read_head(client);
        if (request->head_len == 0)
                return false;
        char *head = client->in.data;
        size_t method_len = strcspn(head, " \r");
        size_t target_len = head[method_len] == ' ' ? strcspn(head + method_len + 1, " \r") : 0;
        if (method_len == 0 || method_len >= sizeof(request->method) || target_len == 0)
                return false;
        memcpy(request->method, head, method_len);
        request->method[method_len] = '\0';
        request->target = fault_checked(strndup(head + method_len + 1, target_len));

        const char *len = header_value(client, request->head_len, "Content-Length");
        request->body_len = len != NULL ? strtoul(len, NULL, 10) : 0;
        if (request->body_len > FAULT_BODY_MAX ||
            header_value(client, request->head_len, "Transfer-Encoding") != NULL)
                return false;
        /* It has to be asked for its body. */
        if (header_value(client, request->head_len, "Expect") != NULL) {
                static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
                return socket_send(client->fd, go_on, sizeof(go_on) - 1);
        }
        return true;
}

/* Answers. */

/* The chunks of a body, joined. */
static bool
read_chunks(struct peer *server, struct buf *body)
{
        for (;;) {
                char *end;
                while (server->in.len == 0 ||
                       (end = memmem(server->in.data, server->in.len, "\r\n", 2)) == NULL) {
                        if (!fill(server, server->in.len + 1))
                                return false;
                }
                size_t len = strtoul(server->in.data, NULL, 16);
                size_t line = (size_t)(end - server->in.data) + 2;
                if (len > FAULT_BODY_MAX || !fill(server, line + len + 2))
                        return false;
                if (buf_add(body, server->in.data + line, len, NULL) < 0)
                        return false;
                buf_consume(&server->in, line + len + 2);
                if (len == 0)
                        return true;
        }
}

static bool
read_answer(struct peer *server, const struct request *request, struct fault_answer *answer)
{
        size_t head_len;

        do {
                head_len = read_head(server);
                if (head_len == 0)
                        return false;
                answer->status = atoi(server->in.data + strcspn(server->in.data, " \r"));
                if (answer->status < 200)
                        buf_consume(&server->in, head_len);
        } while (answer->status < 200);

        buf_add(&answer->head, server->in.data, head_len, NULL);
        const char *value = header_value(server, head_len, "Content-Length");
        bool has_len = value != NULL;
        size_t len = has_len ? strtoul(value, NULL, 10) : 0;
        bool chunked = header_value(server, head_len, "Transfer-Encoding") != NULL;
        buf_consume(&server->in, head_len);
        if (strcmp(request->method, "HEAD") == 0 || answer->status == 204 || answer->status == 304)
                return true;
        if (chunked) {
                if (!read_chunks(server, &answer->body))
                        return false;
        } else if (has_len) {
                if (len > FAULT_BODY_MAX || !fill(server, len))
                        return false;
                buf_add(&answer->body, server->in.data, len, NULL);
        } else {
                while (fill(server, server->in.len + 1))
                        continue;
                buf_add(&answer->body, server->in.data, server->in.len, NULL);
        }
        fault_set_length(answer);
        return true;
}

/* From the body of the request to the head of the answer; false when the connection is over. */
static bool
deliver(const struct fault_rule *rule, struct peer *client, const struct request *request,
    struct peer *server, struct fault_answer *answer)
{
        size_t whole = request->head_len + request->body_len;
        size_t sent = 0;

        if (rule != NULL && rule->place == FAULT_BODY_BYTES) {
                sent = rule->bytes < request->body_len ? rule->bytes : request->body_len;
                sent += request->head_len;
                if (!fill(client, sent) || (server->fd = connect_to_server()) < 0 ||
                    !socket_send(server->fd, client->in.data, sent) ||
                    !pass(rule, FAULT_BODY_BYTES, client->fd))
                        return false;
        }
        if (!fill(client, whole) || !pass(rule, FAULT_BODY, client->fd))
                return false;
        if (!fault_is(rule, "answer")) {
                if (server->fd < 0)
                        server->fd = connect_to_server();
                if (server->fd < 0)
                        return false;
                /* It may answer, and close, before it has read everything. */
                socket_send(server->fd, client->in.data + sent, whole - sent);
                if (!read_answer(server, request, answer) || !pass(rule, FAULT_DONE, client->fd))
                        return false;
        }
        buf_consume(&client->in, whole);
        fault_change_answer(rule, request->method, answer);
        return true;
}

static bool
send_answer(const struct fault_rule *rule, int client, const struct fault_answer *answer)
{
        size_t first = answer->body.len;

        if (rule != NULL && rule->place == FAULT_ANSWER_BYTES && rule->bytes < first)
                first = rule->bytes;
        return socket_send(client, answer->head.data, answer->head.len) &&
               pass(rule, FAULT_ANSWER_HEAD, client) &&
               socket_send(client, answer->body.data, first) &&
               pass(rule, FAULT_ANSWER_BYTES, client) &&
               socket_send(client, answer->body.data + first, answer->body.len - first);
}

static void
note(const struct request *request, const struct fault_rule *rule, int status)
{
        pthread_mutex_lock(&lock);
        if (log_file != NULL) {
                fprintf(log_file, "%s %s ", request->method, request->target);
                if (status > 0)
                        fprintf(log_file, "%d", status);
                else
                        fputc('-', log_file);
                fprintf(
                    log_file, "%s%s\n", rule != NULL ? " " : "", rule != NULL ? rule->action : "");
                fflush(log_file);
        }
        pthread_mutex_unlock(&lock);
}

/* One request and its answer; false when the connection is over. */
static bool
exchange(struct peer *client)
{
        struct request request = { .target = NULL };
        struct peer server = { .fd = -1 };
        struct fault_answer answer = { 0 };
        bool open = false;

        buf_init(&server.in, 2 * FAULT_BODY_MAX);
        buf_init(&answer.head, 2 * FAULT_HEAD_MAX);
        buf_init(&answer.body, FAULT_BODY_MAX);
        if (read_request(client, &request)) {
                const struct fault_rule *rule = fault_rule_find(request.method, request.target);
                /* Noted before it is done: who has seen it may look at once. */
                bool placed = rule != NULL && rule->place != FAULT_NOWHERE;
                if (placed)
                        note(&request, rule, 0);
                open = pass(rule, FAULT_HEAD, client->fd) &&
                       deliver(rule, client, &request, &server, &answer);
                if (!placed)
                        note(&request, rule, open ? answer.status : 0);
                open = open && send_answer(rule, client->fd, &answer);
                const char *line =
                    open ? fault_find_header(answer.head.data, answer.head.len, "Connection")
                         : NULL;
                if (line != NULL && strncasecmp(line + 11, " close", 6) == 0)
                        open = false;
        }
        if (server.fd >= 0)
                close(server.fd);
        buf_free(&server.in);
        buf_free(&answer.head);
        buf_free(&answer.body);
        free(request.target);
        return open;
}

static void *
serve(void *arg)
{
        struct peer client = { .fd = *(int *)arg };

        free(arg);
        buf_init(&client.in, 2 * FAULT_BODY_MAX);
        while (exchange(&client))
                continue;
        close(client.fd);
        buf_free(&client.in);
        return NULL;
}

static void
on_term(int sig)
{
        (void)sig;
        _exit(0);
}

int
main(int argc, char **argv)
{
        struct sigaction action = { .sa_handler = on_term };
        long seed = 1;
        int port = 0;
        int idx = 1;

        /* Nothing of a test stays when its starter is gone. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigaction(SIGTERM, &action, NULL);
        for (; idx + 1 < argc && strncmp(argv[idx], "--", 2) == 0; idx += 2) {
                if (strcmp(argv[idx], "--port") == 0)
                        port = atoi(argv[idx + 1]);
                else if (strcmp(argv[idx], "--log") == 0)
                        log_file = fault_checked(fopen(argv[idx + 1], "ae"));
                else if (strcmp(argv[idx], "--seed") == 0)
                        seed = atol(argv[idx + 1]);
                else
                        break;
        }
        if (idx + 2 != argc)
                fault_fail("usage: fault_proxy [--port N] [--log FILE] [--seed N] PORT RULES");
        server_port = atoi(argv[idx]);
        fault_rules_read(argv[idx + 1], seed, actions);
        int listener = socket_listen(port, 64);
        for (;;) {
                pthread_t thread;
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0)
                        continue;
                int *own = fault_checked(malloc(sizeof(*own)));
                *own = fd;
                if (pthread_create(&thread, NULL, serve, own) != 0)
                        fault_fail("cannot start a thread");
                pthread_detach(thread);
        }
}
