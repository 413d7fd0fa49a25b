#include "servers/kube_api/http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "servers/kube_api/json.h"

#define HEAD_MAX ((size_t)256 * 1024)

static FILE *log_file;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

void
api_log_open(const char *path)
{
        log_file = fopen(path, "ae");
        if (log_file == NULL)
                fault_fail("%s: %s", path, strerror(errno));
}

void
api_note(struct api_conn *conn, int status)
{
        if (log_file == NULL)
                return;
        pthread_mutex_lock(&log_lock);
        fprintf(log_file, "%s %s ", conn->request.method, conn->request.target);
        if (status > 0)
                fprintf(log_file, "%d\n", status);
        else
                fputs("-\n", log_file);
        fflush(log_file);
        pthread_mutex_unlock(&log_lock);
}

/* Bytes. */

bool
api_put(struct api_conn *conn, const void *data, size_t len)
{
        const char *at = data;

        while (len > 0 && !conn->over) {
                ssize_t sent = send(conn->fd, at, conn->trickle ? 1 : len, MSG_NOSIGNAL);
                if (sent < 0 && (errno == EINTR || errno == EAGAIN)) {
                        struct pollfd room = { .fd = conn->fd, .events = POLLOUT };
                        poll(&room, 1, -1);
                        continue;
                }
                if (sent < 0) {
                        conn->over = true;
                        break;
                }
                at += sent;
                len -= (size_t)sent;
        }
        return !conn->over;
}

void
api_reset(struct api_conn *conn)
{
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };

        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        conn->over = true;
}

bool
api_pause(struct api_conn *conn, double seconds)
{
        struct pollfd gone = { .fd = conn->fd, .events = POLLRDHUP };

        if (poll(&gone, 1, (int)(seconds * 1000)) != 0)
                conn->over = true;
        return !conn->over;
}

bool
api_pass(struct api_conn *conn, enum fault_place place)
{
        if (conn->rule == NULL || conn->rule->place != place || conn->over)
                return !conn->over;
        if (fault_is(conn->rule, "stall"))
                return api_pause(conn, strtod(conn->rule->args[0], NULL));
        if (fault_is(conn->rule, "reset"))
                api_reset(conn);
        conn->over = true;
        return false;
}

/* Answers. */

static const struct {
        int status;
        const char *text;
} phrases[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 307, "Temporary Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Entity" },
        { 429, "Too Many Requests" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
};

static const char *
reason_phrase(int status)
{
        for (size_t idx = 0; idx < sizeof(phrases) / sizeof(phrases[0]); idx++) {
                if (phrases[idx].status == status)
                        return phrases[idx].text;
        }
        return "Answer";
}

void
api_answer(struct api_conn *conn, int status, const char *type, const char *headers,
    const char *body, size_t len)
{
        struct buf head;
        size_t first = len;
        bool placed = conn->rule != NULL && conn->rule->place != FAULT_NOWHERE;

        api_note(conn, placed && conn->rule->place < FAULT_ANSWER_HEAD ? 0 : status);
        if (!api_pass(conn, FAULT_DONE))
                return;
        buf_init(&head, HEAD_MAX);
        buf_addf(&head, NULL,
            "HTTP/1.1 %d %s\r\nAudit-Id: 3f2b1f8e-0000-4000-8000-000000000000\r\n"
            "Cache-Control: no-cache, private\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n",
            status, reason_phrase(status), type, headers != NULL ? headers : "", len);
        if (placed && conn->rule->place == FAULT_ANSWER_BYTES && conn->rule->bytes < first)
                first = conn->rule->bytes;
        if (strcmp(conn->request.method, "HEAD") == 0)
                first = len = 0;
        if (api_put(conn, head.data, head.len) && api_pass(conn, FAULT_ANSWER_HEAD) &&
            api_put(conn, body, first) && api_pass(conn, FAULT_ANSWER_BYTES))
                api_put(conn, body + first, len - first);
        buf_free(&head);
}

struct api_rendered
api_render(json_t *value, int good)
{
        bool failed =
            strcmp(api_text(value, "kind"), "Status") == 0 && api_at(value, "code") != NULL;
        char *text = api_dump(value);
        size_t len = strlen(text);

        struct api_rendered rendered = {
                .status = failed ? (int)api_number(value, "code", 500) : good,
                .text = fault_checked(realloc(text, len + 2)),
        };
        memcpy(rendered.text + len, "\n", 2);
        json_decref(value);
        return rendered;
}

void
api_send(struct api_conn *conn, struct api_rendered rendered)
{
        api_answer(
            conn, rendered.status, "application/json", NULL, rendered.text, strlen(rendered.text));
        free(rendered.text);
}

void
api_answer_json(struct api_conn *conn, int status, json_t *value)
{
        struct api_rendered rendered = api_render(value, status);

        rendered.status = status;
        api_send(conn, rendered);
}

bool
api_begin(struct api_conn *conn, const char *type)
{
        char head[512];

        api_note(conn, 200);
        int len = snprintf(head, sizeof(head),
            "HTTP/1.1 200 OK\r\nCache-Control: no-cache, private\r\nContent-Type: %s\r\n"
            "Transfer-Encoding: chunked\r\n\r\n",
            type);
        return api_pass(conn, FAULT_DONE) && api_put(conn, head, (size_t)len) &&
               api_pass(conn, FAULT_ANSWER_HEAD);
}

bool
api_chunk(struct api_conn *conn, const void *data, size_t len)
{
        struct buf out;

        if (len == 0)
                return !conn->over;
        buf_init(&out, len + 64);
        buf_addf(&out, NULL, "%zx\r\n", len);
        buf_add(&out, data, len, NULL);
        buf_addstr(&out, "\r\n", NULL);
        api_put(conn, out.data, out.len);
        buf_free(&out);
        return !conn->over;
}

void
api_end(struct api_conn *conn)
{
        api_put(conn, "0\r\n\r\n", 5);
}
