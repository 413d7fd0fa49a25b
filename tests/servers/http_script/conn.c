#include "servers/http_script/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "harness/sockets.h"
#include "servers/http_script/script.h"

#define HEAD_MAX ((size_t)256 * 1024)

void
conn_pause(double seconds)
{
        struct timespec left;

        left.tv_sec = (time_t)seconds;
        left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                continue;
}

/* Send; false when the client is gone. */
bool
conn_put(struct script_conn *conn, const char *data, size_t len)
{
        while (len > 0) {
                size_t slice = len;
                if (conn->rate > 0) {
                        /* A tenth of a second's worth at a time. */
                        slice = (size_t)(conn->rate / 10 > 0 ? conn->rate / 10 : 1);
                        slice = slice < len ? slice : len;
                }
                if (!socket_send(conn->fd, data, slice))
                        return false;
                data += slice;
                len -= slice;
                if (conn->rate > 0)
                        conn_pause((double)slice / (double)conn->rate);
        }
        return true;
}

void
conn_set_reset(int fd)
{
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The value of a header in head, up to its line's end; NULL when there is none. */
const char *
request_header(const char *head, const char *name, size_t *value_len)
{
        size_t len = strlen(name);

        for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
                line += 2;
                if (strncasecmp(line, name, len) != 0 || line[len] != ':')
                        continue;
                const char *value = line + len + 1;
                value += strspn(value, " \t");
                *value_len = strcspn(value, "\r\n");
                return value;
        }
        return NULL;
}

/* Read at least want bytes in all; false at the end of the connection. */
bool
conn_fill(struct script_conn *conn, size_t want)
{
        while (conn->pending_len < want) {
                conn->pending = fault_checked(realloc(conn->pending, conn->pending_len + 65536));
                ssize_t got = recv(conn->fd, conn->pending + conn->pending_len, 65535, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return false;
                conn->pending_len += (size_t)got;
                conn->pending[conn->pending_len] = '\0';
        }
        return true;
}

/* Read the head of a request; its method and target are known then. */
bool
conn_read_head(struct script_conn *conn, struct script_request *request)
{
        char *end;

        while (conn->pending == NULL || (end = strstr(conn->pending, "\r\n\r\n")) == NULL) {
                if (conn->pending_len > HEAD_MAX)
                        fault_fail("a request has a head of more than %zu bytes", HEAD_MAX);
                if (!conn_fill(conn, conn->pending_len + 1))
                        return false;
        }
        size_t head_len = (size_t)(end - conn->pending) + 4;
        request->head = fault_checked(strndup(conn->pending, head_len));
        request->copy = fault_checked(strndup(request->head, strcspn(request->head, "\r\n")));
        char *at = request->copy;
        request->method = script_word(&at);
        request->target = script_word(&at);
        request->on_connection = ++conn->requests;
        return true;
}

bool
conn_read_body(struct script_conn *conn, struct script_request *request)
{
        size_t head_len = strlen(request->head);
        size_t len;
        const char *value = request_header(request->head, "Content-Length", &len);
        request->body_len = value != NULL ? (size_t)strtoul(value, NULL, 10) : 0;
        if (request->body_len > BODY_MAX ||
            request_header(request->head, "Transfer-Encoding", &len) != NULL)
                fault_fail("a request has a body of a form or size that is not read here");
        if (!conn_fill(conn, head_len + request->body_len))
                return false;
        request->body = fault_checked(malloc(request->body_len + 1));
        memcpy(request->body, conn->pending + head_len, request->body_len);
        request->body[request->body_len] = '\0';
        conn->pending_len -= head_len + request->body_len;
        memmove(conn->pending, conn->pending + head_len + request->body_len, conn->pending_len + 1);
        return true;
}

void
request_free(struct script_request *request)
{
        free(request->head);
        free(request->body);
        free(request->copy);
}
