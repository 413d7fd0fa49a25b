#include "harness/kube_http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/kube_json.h"
#include "moonkeep/encode.h"

#define HEAD_MAX ((size_t)256 * 1024)
#define BODY_MAX ((size_t)16 * 1024 * 1024)

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

/* Read until there are `want` bytes in all; false at the end of the connection. */
static bool
fill(struct api_conn *conn, size_t want)
{
        while (conn->in.len < want) {
                char *room = fault_checked(buf_reserve(&conn->in, 65536, NULL));
                ssize_t got = recv(conn->fd, room, 65536, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return false;
                buf_commit(&conn->in, (size_t)got);
        }
        return true;
}

/* Requests. */

static char *
decode(const char *text, size_t len, bool is_query)
{
        struct buf out;
        char *plus = fault_checked(strndup(text, len));

        for (char *at = plus; is_query && (at = strchr(at, '+')) != NULL;)
                *at = ' ';
        buf_init(&out, HEAD_MAX);
        if (url_decode(plus, len, &out, NULL) < 0)
                buf_clear(&out);
        free(plus);
        char *decoded = fault_checked(strndup(out.len > 0 ? out.data : "", out.len));
        buf_free(&out);
        return decoded;
}

static void
split_target(struct api_request *request)
{
        const char *at = request->target;
        size_t path_len = strcspn(at, "?");
        const char *end = at + path_len;

        while (at < end && request->part_count < API_PARTS_MAX) {
                at += *at == '/';
                size_t len = strcspn(at, "/?");
                if (len > 0)
                        request->parts[request->part_count++] = decode(at, len, false);
                at += len;
        }
        for (at = *end == '?' ? end + 1 : end;
             *at != '\0' && request->param_count < API_PARAMS_MAX;) {
                struct api_param *param = &request->params[request->param_count++];
                size_t len = strcspn(at, "&");
                const char *equals = memchr(at, '=', len);
                /* As the real one: a pair with a bare semicolon is dropped. */
                if (memchr(at, ';', len) != NULL) {
                        request->param_count--;
                        at += len;
                        at += *at == '&';
                        continue;
                }
                size_t name_len = equals != NULL ? (size_t)(equals - at) : len;
                param->name = decode(at, name_len, true);
                param->value = equals != NULL ? decode(equals + 1, len - name_len - 1, true)
                                              : decode("", 0, true);
                at += len;
                at += *at == '&';
        }
}

char *
api_header(const struct api_request *request, const char *name)
{
        size_t name_len = strlen(name);

        for (const char *line = strstr(request->head, "\r\n"); line != NULL && line[2] != '\0';
             line = strstr(line + 2, "\r\n")) {
                if (strncasecmp(line + 2, name, name_len) != 0 || line[2 + name_len] != ':')
                        continue;
                const char *value = line + 2 + name_len + 1;
                value += strspn(value, " \t");
                return fault_checked(strndup(value, strcspn(value, "\r\n")));
        }
        return NULL;
}

const char *
api_param(const struct api_request *request, const char *name)
{
        for (size_t idx = 0; idx < request->param_count; idx++) {
                if (strcmp(request->params[idx].name, name) == 0)
                        return request->params[idx].value;
        }
        return NULL;
}

bool
api_flag(const struct api_request *request, const char *name)
{
        const char *value = api_param(request, name);

        return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static bool
read_chunks(struct api_conn *conn)
{
        for (;;) {
                char *end;
                while (conn->in.len == 0 ||
                       (end = memmem(conn->in.data, conn->in.len, "\r\n", 2)) == NULL) {
                        if (!fill(conn, conn->in.len + 1))
                                return false;
                }
                size_t len = strtoul(conn->in.data, NULL, 16);
                size_t line = (size_t)(end - conn->in.data) + 2;
                if (len > BODY_MAX || !fill(conn, line + len + 2) ||
                    buf_add(&conn->request.body, conn->in.data + line, len, NULL) < 0)
                        return false;
                buf_consume(&conn->in, line + len + 2);
                if (len == 0)
                        return true;
        }
}

static bool
read_body(struct api_conn *conn)
{
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        struct api_request *request = &conn->request;
        char *length = api_header(request, "Content-Length");
        char *coding = api_header(request, "Transfer-Encoding");
        char *expect = api_header(request, "Expect");
        size_t len = length != NULL ? strtoul(length, NULL, 10) : 0;
        bool whole = len <= BODY_MAX;

        if (expect != NULL)
                api_put(conn, go_on, sizeof(go_on) - 1);
        if (whole && coding != NULL)
                whole = read_chunks(conn);
        else if (whole && len > 0)
                whole = fill(conn, len) && buf_add(&request->body, conn->in.data, len, NULL) == 0;
        if (whole && coding == NULL)
                buf_consume(&conn->in, len);
        free(length);
        free(coding);
        free(expect);
        return whole;
}

bool
api_read_request(struct api_conn *conn)
{
        struct api_request *request = &conn->request;
        char *end;

        memset(request, 0, sizeof(*request));
        buf_init(&request->body, BODY_MAX);
        while (conn->in.len == 0 ||
               (end = memmem(conn->in.data, conn->in.len, "\r\n\r\n", 4)) == NULL) {
                if (conn->in.len > HEAD_MAX || !fill(conn, conn->in.len + 1))
                        return false;
        }
        request->head_len = (size_t)(end - conn->in.data) + 4;
        request->head = fault_checked(strndup(conn->in.data, request->head_len));
        size_t method_len = strcspn(request->head, " \r");
        size_t target_len = strcspn(request->head + method_len + 1, " \r");
        request->method = fault_checked(strndup(request->head, method_len));
        request->target = fault_checked(strndup(request->head + method_len + 1, target_len));
        buf_consume(&conn->in, request->head_len);
        split_target(request);
        return read_body(conn);
}

void
api_clear_request(struct api_request *request)
{
        free(request->head);
        free(request->method);
        free(request->target);
        for (size_t idx = 0; idx < request->part_count; idx++)
                free(request->parts[idx]);
        for (size_t idx = 0; idx < request->param_count; idx++) {
                free(request->params[idx].name);
                free(request->params[idx].value);
        }
        buf_free(&request->body);
        memset(request, 0, sizeof(*request));
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
