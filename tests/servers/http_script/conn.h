/*
 * Connections of http_script, and the requests that come over them.
 */
#ifndef TESTS_HTTP_SCRIPT_CONN_H
#define TESTS_HTTP_SCRIPT_CONN_H

#include <stdbool.h>
#include <stddef.h>

#define BODY_MAX ((size_t)64 * 1024 * 1024)

struct script_request {
        char *head; /* the request line and the headers, NUL-terminated */
        char *body;
        size_t body_len;
        char *method; /* in head's copy */
        char *target;
        char *copy;
        int on_connection; /* 1 for the first */
};

struct script_conn {
        int fd;
        long rate; /* bytes per second, 0: as fast as it goes */
        char *pending;
        size_t pending_len; /* read beyond the request before */
        char extra[1024];   /* headers of the next answer */
        int requests;
};

void conn_pause(double seconds);

/* conn_put: send; false when the client is gone. */
bool conn_put(struct script_conn *conn, const char *data, size_t len);

/* conn_set_reset: a close of it is a reset. */
void conn_set_reset(int fd);

/* conn_fill: read at least want bytes in all; false at the end of the connection. */
bool conn_fill(struct script_conn *conn, size_t want);

/* conn_read_head: of a request; its method and target are known then.  conn_read_body: the rest. */
bool conn_read_head(struct script_conn *conn, struct script_request *request);
bool conn_read_body(struct script_conn *conn, struct script_request *request);

/* request_header: the value in head, up to its line's end; NULL when there is none. */
const char *request_header(const char *head, const char *name, size_t *value_len);
void request_free(struct script_request *request);

#endif
