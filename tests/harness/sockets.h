/*
 * Sockets of servers for tests.
 */
#ifndef TESTS_HARNESS_SOCKETS_H
#define TESTS_HARNESS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * socket_listen: listen on 127.0.0.1, on a free port if port is 0, and print
 * "port N" on standard output.  Ends the program with 2 when it cannot.
 */
int socket_listen(int port, int backlog);

/* socket_listen_at: the same on another IPv4 address of this machine. */
int socket_listen_at(const char *address, int port, int backlog);

/* socket_send: all of it; false when the connection has broken. */
bool socket_send(int fd, const char *data, size_t len);

#endif
