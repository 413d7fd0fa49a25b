#include "harness/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int
socket_listen(int port, int backlog)
{
        return socket_listen_at("127.0.0.1", port, backlog);
}

int
socket_listen_at(const char *address, int port, int backlog)
{
        struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        socklen_t len = sizeof(inet);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int one = 1;

        inet.sin_addr.s_addr = inet_addr(address);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, (struct sockaddr *)&inet, sizeof(inet)) < 0 || listen(fd, backlog) < 0 ||
            getsockname(fd, (struct sockaddr *)&inet, &len) < 0) {
                fprintf(
                    stderr, "cannot listen on %s, port %d: %s\n", address, port, strerror(errno));
                exit(2);
        }
        printf("port %d\n", ntohs(inet.sin_port));
        fflush(stdout);
        return fd;
}

bool
socket_send(int fd, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return false;
                data += sent;
                len -= (size_t)sent;
        }
        return true;
}
