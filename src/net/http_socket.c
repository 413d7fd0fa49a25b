#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"
#include "loop_internal.h"

static void
remember(struct loop *loop, int fd)
{
        /* A WebSocket has no loop. */
        if (loop != NULL && loop->sockets.count < LOOP_SOCKETS)
                loop->sockets.fds[loop->sockets.count++] = fd;
}

static void
forget(struct loop *loop, int fd)
{
        for (unsigned idx = 0; loop != NULL && idx < loop->sockets.count; idx++) {
                if (loop->sockets.fds[idx] == fd) {
                        loop->sockets.fds[idx] = loop->sockets.fds[--loop->sockets.count];
                        return;
                }
        }
}

curl_socket_t
http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
        (void)purpose;
        /* Processes that we start must not inherit the connection. */
        int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        if (fd >= 0)
                remember(arg, fd);
        return fd;
}

/*
 * libcurl 7.88 forgets that a socket is connected already, and connects it: it
 * gets one of datagrams, with which that is always done and does nothing.  Its
 * descriptor becomes the dialled connection before the first byte.
 */
curl_socket_t
http_dial_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
        struct transfer *transfer = arg;

        (void)purpose;
        /* What was dialled is for one connection. */
        if (transfer->dialled != DIAL_NOT_YET)
                return CURL_SOCKET_BAD;
        transfer->dialled = DIAL_DONE;
        int stand_in = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (stand_in < 0) {
                err_sys(&transfer->err, "cannot create a socket");
                return CURL_SOCKET_BAD;
        }
        transfer->dialled_fd = transfer->request.dial(transfer->request.dial_arg, &transfer->err);
        if (transfer->dialled_fd < 0) {
                close(stand_in);
                return CURL_SOCKET_BAD;
        }
        transfer->dialled = DIAL_WAITS;
        transfer->stand_in = stand_in;
        remember(transfer->loop, stand_in);
        return stand_in;
}

static bool
put_in_place(struct transfer *transfer)
{
        int fd = transfer->dialled_fd;

        if (transfer->dialled != DIAL_WAITS)
                return true;
        transfer->dialled = DIAL_DONE;
        bool ok = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 &&
                  dup3(fd, transfer->stand_in, O_CLOEXEC) >= 0;
        if (!ok)
                err_sys(&transfer->err, "cannot use a connection");
        close(fd);
        return ok;
}

CURLcode
http_dialled_tls(CURL *easy, void *tls, void *arg)
{
        (void)easy;
        (void)tls;
        return put_in_place(arg) ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
}

int
http_dialled_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
        (void)peer;
        (void)own;
        (void)peer_port;
        (void)own_port;
        return put_in_place(arg) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

void
http_dial_clear(struct transfer *transfer)
{
        if (transfer->dialled == DIAL_WAITS)
                close(transfer->dialled_fd);
        transfer->dialled = DIAL_DONE;
}

int
http_close_socket(void *arg, curl_socket_t fd)
{
        forget(arg, fd);
        return close(fd);
}

void
http_hurry(struct loop *loop)
{
        int on = 1;

        if (loop == NULL)
                return;
        const struct sockets *sockets = &loop->sockets;
        /* libcurl does not say which one it is; for the others it is no harm. */
        for (unsigned idx = 0; idx < sockets->count; idx++)
                (void)setsockopt(sockets->fds[idx], IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}
