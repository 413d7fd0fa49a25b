/*
 * Requests to the API server for tests, as they come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "servers/kube_api/http.h"
#include "moonkeep/encode.h"

#define HEAD_MAX ((size_t)256 * 1024)
#define BODY_MAX ((size_t)16 * 1024 * 1024)

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
