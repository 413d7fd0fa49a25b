#include "servers/http_script/act.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "servers/http_script/expect.h"

static bool
answer(struct script_conn *conn, const char *status, const char *type, const char *body, size_t len)
{
        char head[2048];

        int head_len = snprintf(head, sizeof(head),
            "HTTP/1.1 %s %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", status,
            *status == '2' ? "OK" : "No", type, len, conn->extra);
        return conn_put(conn, head, (size_t)head_len) && conn_put(conn, body, len);
}

static bool
answer_file(struct script_conn *conn, const char *status, const char *type, const char *path)
{
        FILE *file = fopen(path, "re");
        long size = -1;

        if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
                fault_fail("%s: %s", path, strerror(errno));
        rewind(file);
        char *bytes = fault_checked(malloc((size_t)size + 1));
        if (fread(bytes, 1, (size_t)size, file) != (size_t)size)
                fault_fail("%s: cannot read", path);
        fclose(file);
        bool ok = answer(conn, status, type, bytes, (size_t)size);
        free(bytes);
        return ok;
}

/* "FIRST-LAST/SIZE [N]" */
static bool
answer_range(struct script_conn *conn, const char *text, int number)
{
        unsigned long first, last, size, count;
        char head[2048];

        int got = sscanf(text, "%lu-%lu/%lu %lu", &first, &last, &size, &count);
        if (got < 3 || last < first || last - first >= BODY_MAX)
                fault_fail("line %d: answer-range FIRST-LAST/SIZE [N]", number);
        if (got < 4)
                count = last - first + 1;
        int head_len = snprintf(head, sizeof(head),
            "HTTP/1.1 206 OK\r\nContent-Range: bytes %lu-%lu/%lu\r\nContent-Length: %lu\r\n%s\r\n",
            first, last, size, last - first + 1, conn->extra);
        char *bytes = fault_checked(malloc(count + 1));
        for (unsigned long at = 0; at < count; at++)
                bytes[at] = script_pattern(first + at);
        bool ok = conn_put(conn, head, (size_t)head_len) && conn_put(conn, bytes, count);
        free(bytes);
        return ok;
}

/* "..." with C escapes, in place; returns the length. */
static size_t
unquote(char *text, int number)
{
        char *out = text;
        const char *at = text + 1;

        if (*text != '"')
                fault_fail("line %d: answer-raw \"BYTES\"", number);
        for (; *at != '\0' && *at != '"'; at++) {
                if (*at != '\\') {
                        *out++ = *at;
                        continue;
                }
                at++;
                unsigned byte;
                if (*at == 'r')
                        *out++ = '\r';
                else if (*at == 'n')
                        *out++ = '\n';
                else if (*at == 't')
                        *out++ = '\t';
                else if (*at == '"' || *at == '\\')
                        *out++ = *at;
                else if (*at == 'x' && sscanf(at + 1, "%2x", &byte) == 1 &&
                         isxdigit((unsigned char)at[2])) {
                        *out++ = (char)byte;
                        at += 2;
                } else
                        fault_fail("line %d: unknown escape", number);
        }
        return (size_t)(out - text);
}

static bool
endless(struct script_conn *conn, const char *start, const char *part)
{
        bool ok = conn_put(conn, start, strlen(start));

        while (ok)
                ok = conn_put(conn, part, strlen(part));
        return false;
}

static bool
wait_close(struct script_conn *conn)
{
        char byte;

        while (recv(conn->fd, &byte, 1, 0) > 0)
                continue;
        return false;
}

/* One line below the step; false when the connection is over. */
bool
script_act(const struct script_step *step, struct script_conn *conn, const char *line)
{
        char *copy = fault_checked(strdup(line));
        char *rest = copy;
        const char *name = script_word(&rest);
        bool ok = true;

        if (strcmp(name, "answer") == 0 || strcmp(name, "answer-file") == 0) {
                const char *status = script_word(&rest);
                const char *type = script_word(&rest);
                ok = name[6] == '-' ? answer_file(conn, status, type, rest)
                                    : answer(conn, status, type, rest, strlen(rest));
        } else if (strcmp(name, "header") == 0) {
                size_t used = strlen(conn->extra);
                snprintf(conn->extra + used, sizeof(conn->extra) - used, "%s\r\n", rest);
        } else if (strcmp(name, "answer-range") == 0) {
                ok = answer_range(conn, rest, step->number);
        } else if (strcmp(name, "answer-raw") == 0) {
                size_t len = unquote(rest, step->number);
                ok = conn_put(conn, rest, len);
        } else if (strcmp(name, "slow") == 0) {
                conn->rate = strtol(rest, NULL, 10);
        } else if (strcmp(name, "stall") == 0) {
                conn_pause(strtod(rest, NULL));
        } else if (strcmp(name, "endless") == 0) {
                ok = endless(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "20\r\nabcdefghijklmnopqrstuvwxyzabcdef\r\n");
        } else if (strcmp(name, "endless-headers") == 0) {
                ok = endless(conn, "HTTP/1.1 200 OK\r\n", "X-More: abcdefghijklmnopqrstuvwxyz\r\n");
        } else if (strcmp(name, "wait-close") == 0) {
                ok = wait_close(conn);
        } else if (strcmp(name, "close") == 0 || strcmp(name, "reset") == 0) {
                if (*name == 'r')
                        conn_set_reset(conn->fd);
                ok = false;
        }
        free(copy);
        return ok;
}
