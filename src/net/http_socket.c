#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"
#include "loop_internal.h"

curl_socket_t
http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
        struct sockets *sockets = &((struct loop *)arg)->sockets;

        (void)purpose;
        /* Processes that we start must not inherit the connection. */
        int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        if (fd >= 0 && sockets->count < LOOP_SOCKETS)
                sockets->fds[sockets->count++] = fd;
        return fd;
}

int
http_close_socket(void *arg, curl_socket_t fd)
{
        struct sockets *sockets = &((struct loop *)arg)->sockets;

        for (unsigned idx = 0; idx < sockets->count; idx++) {
                if (sockets->fds[idx] == fd) {
                        sockets->fds[idx] = sockets->fds[--sockets->count];
                        break;
                }
        }
        return close(fd);
}

void
http_hurry(struct loop *loop)
{
        const struct sockets *sockets = &loop->sockets;
        int on = 1;

        /* libcurl does not say which one it is; for the others it is no harm. */
        for (unsigned idx = 0; idx < sockets->count; idx++)
                (void)setsockopt(sockets->fds[idx], IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}
