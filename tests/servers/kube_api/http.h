/*
 * HTTP of the API server for tests: requests in, answers out, and what a rule of
 * --faults does to them on the way.
 */
#ifndef TESTS_KUBE_API_HTTP_H
#define TESTS_KUBE_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "harness/fault_rules.h"
#include "moonkeep/buf.h"

#define API_PARAMS_MAX 128
#define API_PARTS_MAX 64

struct api_param {
        char *name;
        char *value;
};

struct api_request {
        char *head; /* with its empty line */
        size_t head_len;
        char *method;
        char *target;                   /* as it came */
        char *parts[API_PARTS_MAX + 1]; /* of the path, decoded; NULL behind the last */
        size_t part_count;
        struct api_param params[API_PARAMS_MAX];
        size_t param_count;
        struct buf body;
};

/* A connection, and the request that is being answered. */
struct api_conn {
        int fd;
        struct buf in; /* read beyond the request */
        struct api_request request;
        const struct fault_rule *rule; /* what goes wrong with it, or NULL */
        bool over;                     /* nothing more can be sent or read */
        bool trickle;                  /* a byte at a time */
};

/* api_log_open: note "METHOD TARGET STATUS" of each request there. */
void api_log_open(const char *path);

/* api_read_request: the next one; false when there is none. */
bool api_read_request(struct api_conn *conn);
void api_clear_request(struct api_request *request);

/* api_header: the value of a header of the request, to be freed; or NULL. */
char *api_header(const struct api_request *request, const char *name);

/* api_param: the first value of a parameter of the query; or NULL.  api_flag: is it true? */
const char *api_param(const struct api_request *request, const char *name);
bool api_flag(const struct api_request *request, const char *name);

/* api_put: send; false (and conn->over) when the client is gone. */
bool api_put(struct api_conn *conn, const void *data, size_t len);

/* api_note: write the line of the log, before the client can know the answer. */
void api_note(struct api_conn *conn, int status);

/*
 * api_answer: a complete answer.  headers: more lines, each with its CR LF; or
 * NULL.  api_answer_json: of an object (taken).
 */
void api_answer(struct api_conn *conn, int status, const char *type, const char *headers,
    const char *body, size_t len);
void api_answer_json(struct api_conn *conn, int status, json_t *value);

/*
 * api_render: the text and the status of an answer (taken): the code of a Status of a
 * failure, else good.  What the store has a part in is rendered under its lock:
 * references are counted by one thread at a time.  api_send: that answer.
 */
struct api_rendered {
        int status;
        char *text;
};
struct api_rendered api_render(json_t *value, int good);
void api_send(struct api_conn *conn, struct api_rendered rendered);

/* api_begin, api_chunk, api_end: an answer of pieces. */
bool api_begin(struct api_conn *conn, const char *type);
bool api_chunk(struct api_conn *conn, const void *data, size_t len);
void api_end(struct api_conn *conn);

/* api_pass: what the rule does at a place; false when the connection is over. */
bool api_pass(struct api_conn *conn, enum fault_place place);

/* api_reset: end the connection with a reset.  api_pause: let seconds pass, or the client go. */
void api_reset(struct api_conn *conn);
bool api_pause(struct api_conn *conn, double seconds);

#endif
