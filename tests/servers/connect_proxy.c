/*
 * connect_proxy: a forward proxy for tests, as companies have them.
 *
 *     connect_proxy [--user NAME:PASSWORD] [--log FILE]
 *
 * Listens on 127.0.0.1 (a free port), prints "port N" on standard output, and
 * serves until SIGTERM or until its starter is gone: CONNECT opens a tunnel,
 * and requests with a whole http:// URL are passed on, one a connection.
 * Either goes to the port that is asked for, on 127.0.0.1 whatever the host:
 * the names of hosts are the proxy's to know.  With --user, requests without
 * that name and password get a 407.  --log appends "METHOD TARGET STATUS" of
 * each request.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/sockets.h"
#include "moonkeep/encode.h"

#define HEAD_MAX ((size_t)65536)

static char credentials[256]; /* "Basic ...", or "" */
static const char *log_file;

static void fail(const char *what) __attribute__((noreturn));

static void
fail(const char *what)
{
        fprintf(stderr, "connect_proxy: %s\n", what);
        _exit(1);
}

struct request {
        char head[HEAD_MAX + 1]; /* as it came, to the empty line */
        size_t head_len;
        size_t len; /* with what came behind it */
        char method[16];
        char target[4096];
};

static void
note(const struct request *request, int status)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

        if (log_file == NULL)
                return;
        pthread_mutex_lock(&lock);
        FILE *file = fopen(log_file, "ae");
        if (file != NULL) {
                fprintf(file, "%s %s %d\n", request->method, request->target, status);
                fclose(file);
        }
        pthread_mutex_unlock(&lock);
}

static bool
write_all(int fd, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t put = write(fd, data, len);
                if (put <= 0)
                        return false;
                data += put;
                len -= (size_t)put;
        }
        return true;
}

static bool
read_head(int fd, struct request *request)
{
        char *end = NULL;

        request->len = 0;
        while (end == NULL) {
                if (request->len == HEAD_MAX)
                        return false;
                ssize_t got = read(fd, request->head + request->len, HEAD_MAX - request->len);
                if (got <= 0)
                        return false;
                request->len += (size_t)got;
                request->head[request->len] = '\0';
                end = strstr(request->head, "\r\n\r\n");
        }
        request->head_len = (size_t)(end - request->head) + 4;
        return sscanf(request->head, "%15s %4095s", request->method, request->target) == 2;
}

static bool
is_known(const struct request *request)
{
        char want[sizeof(credentials) + 32];

        if (*credentials == '\0')
                return true;
        snprintf(want, sizeof(want), "Proxy-Authorization: %s\r\n", credentials);
        const char *found = strstr(request->head, want);
        return found != NULL && found < request->head + request->head_len;
}

/* The port of "host:port", "[::1]:port" or "http://host/path". */
static int
port_of(const struct request *request)
{
        char host[sizeof(request->target)];
        const char *start = strstr(request->target, "://");

        snprintf(host, sizeof(host), "%s", start != NULL ? start + 3 : request->target);
        host[strcspn(host, "/?")] = '\0';
        const char *colon = strrchr(host, ':');
        return colon != NULL && strchr(colon, ']') == NULL ? atoi(colon + 1) : 80;
}

static int
connect_to(int port)
{
        struct sockaddr_in inet = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd >= 0 && connect(fd, (struct sockaddr *)&inet, sizeof(inet)) == 0)
                return fd;
        if (fd >= 0)
                close(fd);
        return -1;
}

/* Bytes both ways until one side has ended. */
static void
relay(int client, int server)
{
        char data[65536];
        int fds[2] = { client, server };

        for (;;) {
                struct pollfd polls[2] = {
                        { .fd = client, .events = POLLIN },
                        { .fd = server, .events = POLLIN },
                };
                if (poll(polls, 2, -1) < 0)
                        return;
                for (int idx = 0; idx < 2; idx++) {
                        if (polls[idx].revents == 0)
                                continue;
                        ssize_t got = read(fds[idx], data, sizeof(data));
                        if (got <= 0 || !write_all(fds[1 - idx], data, (size_t)got))
                                return;
                }
        }
}

/* The head as the server wants it: the path alone, and nothing that was for the proxy. */
static bool
pass_head(const struct request *request, int server)
{
        const char *path = strchr(strstr(request->target, "://") + 3, '/');
        char line[sizeof(request->target) + 64];

        snprintf(
            line, sizeof(line), "%s %s HTTP/1.1\r\n", request->method, path != NULL ? path : "/");
        if (!write_all(server, line, strlen(line)))
                return false;
        const char *end = request->head + request->head_len - 2;
        for (const char *at = strstr(request->head, "\r\n") + 2; at < end;) {
                const char *next = strstr(at, "\r\n") + 2;
                if (strncasecmp(at, "Proxy-", 6) != 0 && strncasecmp(at, "Connection:", 11) != 0 &&
                    !write_all(server, at, (size_t)(next - at)))
                        return false;
                at = next;
        }
        return write_all(server, "Connection: close\r\n\r\n", 21) &&
               write_all(server, end + 2, request->len - request->head_len);
}

static void
answer(int client, const struct request *request, int status, const char *head)
{
        note(request, status);
        (void)write_all(client, head, strlen(head));
}

static void
play(int client, struct request *request)
{
        bool is_tunnel = strcmp(request->method, "CONNECT") == 0;

        if (!is_known(request)) {
                answer(client, request, 407,
                    "HTTP/1.1 407 Proxy Authentication Required\r\n"
                    "Proxy-Authenticate: Basic realm=\"test\"\r\n"
                    "Content-Length: 0\r\nConnection: close\r\n\r\n");
                return;
        }
        if (!is_tunnel && strncmp(request->target, "http://", 7) != 0) {
                answer(client, request, 400,
                    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                return;
        }
        int server = connect_to(port_of(request));
        if (server < 0) {
                answer(client, request, 502,
                    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                return;
        }
        if (is_tunnel)
                answer(client, request, 200, "HTTP/1.1 200 Connection established\r\n\r\n");
        else
                note(request, 0);
        if (is_tunnel ? write_all(server, request->head + request->head_len,
                            request->len - request->head_len)
                      : pass_head(request, server))
                relay(client, server);
        close(server);
}

static void *
serve(void *arg)
{
        int client = *(int *)arg;
        struct request *request = calloc(1, sizeof(*request));

        free(arg);
        if (request == NULL)
                fail("out of memory");
        if (read_head(client, request))
                play(client, request);
        free(request);
        close(client);
        return NULL;
}

static void
read_options(int argc, char **argv)
{
        struct buf basic;

        for (int idx = 1; idx < argc; idx += 2) {
                if (idx + 1 == argc)
                        fail("usage: connect_proxy [--user NAME:PASSWORD] [--log FILE]");
                if (strcmp(argv[idx], "--log") == 0) {
                        log_file = argv[idx + 1];
                } else if (strcmp(argv[idx], "--user") == 0) {
                        buf_init(&basic, sizeof(credentials) - 16);
                        if (base64_encode(argv[idx + 1], strlen(argv[idx + 1]), &basic, NULL) < 0)
                                fail("the credentials are too long");
                        snprintf(credentials, sizeof(credentials), "Basic %s", basic.data);
                        buf_free(&basic);
                } else {
                        fail("an unknown option");
                }
        }
}

int
main(int argc, char **argv)
{
        /* Nothing of a test stays when its starter is gone. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        signal(SIGPIPE, SIG_IGN);
        read_options(argc, argv);
        int listener = socket_listen(0, 64);
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0)
                        continue;
                int *own = malloc(sizeof(*own));
                pthread_t thread;
                if (own == NULL)
                        fail("out of memory");
                *own = fd;
                if (pthread_create(&thread, NULL, serve, own) != 0)
                        fail("cannot start a thread");
                pthread_detach(thread);
        }
}
