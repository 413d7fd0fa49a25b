/*
 * http_script: an HTTP server for tests that plays a script.
 *
 *     http_script [--time SECONDS] [--port N | --unix PATH] [--log FILE] SCRIPT
 *
 * Listens on 127.0.0.1 (a free port unless --port says which), prints
 * "port N" on standard output, and serves, each connection on a thread of its
 * own.  Exit status 0 when everything that the script expects has happened;
 * 1, with the reason on standard error, when a request came that it did not
 * expect, when --time (60 by default) was over before, or when SIGTERM was.
 * --log appends "METHOD TARGET" of each request to FILE.
 *
 * The script has one directive a line; empty lines and lines with # in front
 * are ignored.
 *
 *     expect METHOD TARGET [ACTION]    the next request; TARGET is compared with path
 *                                      and query, a '*' at its end matches any rest
 *     always METHOD TARGET [ACTION]    a request that may come at any time, any number
 *                                      of times, when it is not the expected one
 *     anytime METHOD TARGET [ACTION]   a request that comes once, in any order with the
 *                                      anytime requests beside it
 *     drop                             the next connection is closed without reading
 *     drop-reset                       ... is reset
 *     forever                          serve until SIGTERM, also when all has happened
 *
 * A script without expect and drop is forever.  Below expect, anytime and always:
 *
 *     when-header NAME: VALUE          it is only this request if it has this header
 *     cut-request BYTES                read so many bytes of its body, and reset
 *     expect-header NAME: VALUE        the request has this header
 *     expect-no-header NAME            ... has no such header
 *     expect-no-text TEXT              TEXT is nowhere in the request
 *     expect-body TEXT                 the body is TEXT
 *     expect-pattern FIRST-LAST        the body is these bytes of the pattern
 *     expect-connection new|same       is it the first request of its connection?
 *
 * and what is done then, in order:
 *
 *     header NAME: VALUE               one more header of the answers below
 *     answer STATUS TYPE [BODY]        a complete answer; BODY is the rest of the line
 *     answer-range FIRST-LAST/SIZE [N] a 206 with these bytes of the pattern, which ends
 *                                      after N bytes without a close
 *     answer-file STATUS TYPE PATH     ... with the bytes of a file
 *     answer-raw "BYTES"               bytes as they stand, with C escapes \r \n \t \" \\ \xHH
 *     slow BYTES_PER_SECOND            from here on, send no faster
 *     stall SECONDS                    do nothing for so long (0.5 is fine)
 *     endless                          a 200 whose chunked body never ends
 *     endless-headers                  a 200 whose headers never end
 *     wait-close                       until the client has closed the connection
 *     close                            close the connection
 *     reset                            reset it
 *
 * Without close or reset the connection is kept for the next request.  Byte n of
 * the pattern is (n + n / 251) % 256.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN ((size_t)1024 * 1024)
#define HEAD_MAX ((size_t)256 * 1024)
#define BODY_MAX ((size_t)64 * 1024 * 1024)
#define STEPS_MAX 256
#define LINES_MAX 32
#define TIME_DEFAULT_S 60

/* One expect, always or drop, with the lines below it. */
struct step {
        bool always;
        bool anytime;
        bool drop;
        bool taken;
        char *method;
        char *target;
        char *lines[LINES_MAX];
        int line_count;
        int number; /* of its line in the script */
};

struct request {
        char *head; /* the request line and the headers, NUL-terminated */
        char *body;
        size_t body_len;
        char *method; /* in head's copy */
        char *target;
        char *copy;
        int on_connection; /* 1 for the first */
};

struct connection {
        int fd;
        long rate; /* bytes per second, 0: as fast as it goes */
        char *pending;
        size_t pending_len; /* read beyond the request before */
        char extra[1024];   /* headers of the next answer */
        int requests;
};

static struct step steps[STEPS_MAX];
static int step_count;
static bool forever;
static FILE *log_file;

/* Guards all below. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int busy; /* exchanges whose actions are being done */

static void fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void
fail(const char *fmt, ...)
{
        va_list args;

        va_start(args, fmt);
        fputs("http_script: ", stderr);
        vfprintf(stderr, fmt, args);
        fputc('\n', stderr);
        va_end(args);
        fflush(NULL);
        _exit(1);
}

static void *
checked(void *ptr)
{
        if (ptr == NULL)
                fail("out of memory");
        return ptr;
}

/* The script. */

static const char *const below[] = { "when-header", "cut-request", "expect-header",
        "expect-no-header", "expect-no-text", "expect-body", "expect-pattern", "expect-connection",
        "header", "answer", "answer-file", "answer-range", "answer-raw", "slow", "stall", "endless",
        "endless-headers", "wait-close", "close", "reset" };

/* The first word of text, cut off; *text is behind it. */
static char *
word(char **text)
{
        char *start = *text + strspn(*text, " \t");
        size_t len = strcspn(start, " \t");

        *text = start + len;
        if (**text != '\0')
                *(*text)++ = '\0';
        *text += strspn(*text, " \t");
        return start;
}

static bool
is_word(const char *line, const char *name)
{
        size_t len = strlen(name);

        return strncmp(line, name, len) == 0 &&
               (line[len] == '\0' || line[len] == ' ' || line[len] == '\t');
}

static void
add_line(struct step *step, const char *line, int number)
{
        for (size_t idx = 0; idx < sizeof(below) / sizeof(below[0]); idx++) {
                if (!is_word(line, below[idx]))
                        continue;
                if (step == NULL || step->drop || step->line_count == LINES_MAX)
                        fail("line %d: \"%s\" has no place here", number, below[idx]);
                step->lines[step->line_count++] = checked(strdup(line));
                return;
        }
        fail("line %d: unknown directive: %.60s", number, line);
}

static void
read_script(const char *path)
{
        FILE *file = fopen(path, "re");
        struct step *step = NULL;
        char *line = NULL;
        size_t cap = 0;
        ssize_t len;
        int expected = 0;

        if (file == NULL)
                fail("%s: %s", path, strerror(errno));
        for (int number = 1; (len = getline(&line, &cap, file)) >= 0; number++) {
                if ((size_t)len > LINE_MAX_LEN)
                        fail("line %d is too long", number);
                while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
                        line[--len] = '\0';
                char *at = line + strspn(line, " \t");
                if (*at == '\0' || *at == '#')
                        continue;
                if (is_word(at, "forever")) {
                        forever = true;
                        continue;
                }
                bool drop = is_word(at, "drop") || is_word(at, "drop-reset");
                if (!drop && !is_word(at, "expect") && !is_word(at, "anytime") &&
                    !is_word(at, "always")) {
                        add_line(step, at, number);
                        continue;
                }
                if (step_count == STEPS_MAX)
                        fail("line %d: more than %d steps", number, STEPS_MAX);
                step = &steps[step_count++];
                step->number = number;
                step->always = is_word(at, "always");
                step->anytime = is_word(at, "anytime");
                step->drop = drop;
                expected += !step->always;
                const char *kind = word(&at);
                step->method = checked(strdup(drop ? kind : word(&at)));
                step->target = checked(strdup(word(&at)));
                if (!drop && *step->target == '\0')
                        fail("line %d: method and target are missing", number);
                if (*at != '\0')
                        add_line(step, at, number);
        }
        free(line);
        fclose(file);
        if (expected == 0)
                forever = true;
}

/* Connections. */

static void
pause_for(double seconds)
{
        struct timespec left;

        left.tv_sec = (time_t)seconds;
        left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                continue;
}

/* Send; false when the client is gone. */
static bool
put(struct connection *conn, const char *data, size_t len)
{
        while (len > 0) {
                size_t slice = len;
                if (conn->rate > 0) {
                        /* A tenth of a second's worth at a time. */
                        slice = (size_t)(conn->rate / 10 > 0 ? conn->rate / 10 : 1);
                        slice = slice < len ? slice : len;
                }
                ssize_t sent = send(conn->fd, data, slice, MSG_NOSIGNAL);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return false;
                data += sent;
                len -= (size_t)sent;
                if (conn->rate > 0)
                        pause_for((double)sent / (double)conn->rate);
        }
        return true;
}

static void
set_reset(int fd)
{
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The value of a header in head, up to its line's end; NULL when there is none. */
static const char *
header(const char *head, const char *name, size_t *value_len)
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
static bool
fill(struct connection *conn, size_t want)
{
        while (conn->pending_len < want) {
                conn->pending = checked(realloc(conn->pending, conn->pending_len + 65536));
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
static bool
read_head(struct connection *conn, struct request *request)
{
        char *end;

        while (conn->pending == NULL || (end = strstr(conn->pending, "\r\n\r\n")) == NULL) {
                if (conn->pending_len > HEAD_MAX)
                        fail("a request has a head of more than %zu bytes", HEAD_MAX);
                if (!fill(conn, conn->pending_len + 1))
                        return false;
        }
        size_t head_len = (size_t)(end - conn->pending) + 4;
        request->head = checked(strndup(conn->pending, head_len));
        request->copy = checked(strndup(request->head, strcspn(request->head, "\r\n")));
        char *at = request->copy;
        request->method = word(&at);
        request->target = word(&at);
        request->on_connection = ++conn->requests;
        return true;
}

static bool
read_body(struct connection *conn, struct request *request)
{
        size_t head_len = strlen(request->head);
        size_t len;
        const char *value = header(request->head, "Content-Length", &len);
        request->body_len = value != NULL ? (size_t)strtoul(value, NULL, 10) : 0;
        if (request->body_len > BODY_MAX ||
            header(request->head, "Transfer-Encoding", &len) != NULL)
                fail("a request has a body of a form or size that is not read here");
        if (!fill(conn, head_len + request->body_len))
                return false;
        request->body = checked(malloc(request->body_len + 1));
        memcpy(request->body, conn->pending + head_len, request->body_len);
        request->body[request->body_len] = '\0';
        conn->pending_len -= head_len + request->body_len;
        memmove(conn->pending, conn->pending + head_len + request->body_len, conn->pending_len + 1);
        return true;
}

static void
request_free(struct request *request)
{
        free(request->head);
        free(request->body);
        free(request->copy);
}

/* Matching. */

/* "NAME: VALUE" */
static bool
has_header(const struct request *request, const char *line, int number)
{
        char *name = checked(strdup(line + strspn(line, " \t")));
        char *colon = strchr(name, ':');
        size_t len = 0;

        if (colon == NULL)
                fail("line %d: a header is NAME: VALUE", number);
        *colon++ = '\0';
        colon += strspn(colon, " ");
        const char *value = header(request->head, name, &len);
        bool has = value != NULL && strlen(colon) == len && strncmp(value, colon, len) == 0;
        free(name);
        return has;
}

static bool
matches(const struct step *step, const struct request *request)
{
        size_t len = strlen(step->target);

        if (step->drop || strcmp(step->method, request->method) != 0)
                return false;
        for (int idx = 0; idx < step->line_count; idx++) {
                if (is_word(step->lines[idx], "when-header") &&
                    !has_header(request, step->lines[idx] + strlen("when-header"), step->number))
                        return false;
        }
        if (len > 0 && step->target[len - 1] == '*')
                return strncmp(step->target, request->target, len - 1) == 0;
        return strcmp(step->target, request->target) == 0;
}

static struct step *
next_step(void)
{
        for (int idx = 0; idx < step_count; idx++) {
                if (!steps[idx].always && !steps[idx].taken)
                        return &steps[idx];
        }
        return NULL;
}

static struct step *
find_step(const struct request *request)
{
        struct step *step = next_step();

        for (struct step *at = step; at != NULL && at < steps + step_count; at++) {
                if (!at->taken && !at->always && matches(at, request)) {
                        at->taken = true;
                        return at;
                }
                /* The order is only free among those that say so. */
                if (!at->anytime)
                        break;
        }
        for (int idx = 0; idx < step_count; idx++) {
                if (steps[idx].always && matches(&steps[idx], request))
                        return &steps[idx];
        }
        if (step != NULL)
                fail("line %d expects %s %s, and %s %s came", step->number, step->method,
                    step->target, request->method, request->target);
        fail("nothing is expected any more, and %s %s came", request->method, request->target);
}

static char
pattern(unsigned long at)
{
        return (char)(unsigned char)(at + at / 251);
}

/* "FIRST-LAST" */
static bool
is_pattern(const struct request *request, const char *range, int number)
{
        unsigned long first, last;

        if (sscanf(range, "%lu-%lu", &first, &last) != 2)
                fail("line %d: expect-pattern FIRST-LAST", number);
        if (request->body_len != last - first + 1)
                return false;
        for (unsigned long at = first; at <= last; at++) {
                if (request->body[at - first] != pattern(at))
                        return false;
        }
        return true;
}

/* A line "expect-..." about the request. */
static void
check(const struct step *step, const char *line, const struct request *request)
{
        char *copy = checked(strdup(line));
        char *rest = copy;
        const char *name = word(&rest);
        size_t len = 0;
        bool ok = false;

        if (strcmp(name, "expect-header") == 0) {
                ok = has_header(request, rest, step->number);
        } else if (strcmp(name, "expect-pattern") == 0) {
                ok = is_pattern(request, rest, step->number);
        } else if (strcmp(name, "expect-no-header") == 0) {
                ok = header(request->head, rest, &len) == NULL;
        } else if (strcmp(name, "expect-no-text") == 0) {
                ok = strstr(request->head, rest) == NULL &&
                     memmem(request->body, request->body_len, rest, strlen(rest)) == NULL;
        } else if (strcmp(name, "expect-body") == 0) {
                ok = strlen(rest) == request->body_len &&
                     memcmp(rest, request->body, request->body_len) == 0;
        } else if (strcmp(name, "expect-connection") == 0) {
                ok = (strcmp(rest, "new") == 0) == (request->on_connection == 1);
        }
        if (!ok)
                fail("line %d: not true: %s\n%s%.2000s", step->number, line, request->head,
                    request->body);
        free(copy);
}

/* Actions. */

static bool
answer(struct connection *conn, const char *status, const char *type, const char *body, size_t len)
{
        char head[2048];

        int head_len = snprintf(head, sizeof(head),
            "HTTP/1.1 %s %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", status,
            *status == '2' ? "OK" : "No", type, len, conn->extra);
        return put(conn, head, (size_t)head_len) && put(conn, body, len);
}

static bool
answer_file(struct connection *conn, const char *status, const char *type, const char *path)
{
        FILE *file = fopen(path, "re");
        long size = -1;

        if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
                fail("%s: %s", path, strerror(errno));
        rewind(file);
        char *bytes = checked(malloc((size_t)size + 1));
        if (fread(bytes, 1, (size_t)size, file) != (size_t)size)
                fail("%s: cannot read", path);
        fclose(file);
        bool ok = answer(conn, status, type, bytes, (size_t)size);
        free(bytes);
        return ok;
}

/* "FIRST-LAST/SIZE [N]" */
static bool
answer_range(struct connection *conn, const char *text, int number)
{
        unsigned long first, last, size, count;
        char head[2048];

        int got = sscanf(text, "%lu-%lu/%lu %lu", &first, &last, &size, &count);
        if (got < 3 || last < first || last - first >= BODY_MAX)
                fail("line %d: answer-range FIRST-LAST/SIZE [N]", number);
        if (got < 4)
                count = last - first + 1;
        int head_len = snprintf(head, sizeof(head),
            "HTTP/1.1 206 OK\r\nContent-Range: bytes %lu-%lu/%lu\r\nContent-Length: %lu\r\n%s\r\n",
            first, last, size, last - first + 1, conn->extra);
        char *bytes = checked(malloc(count + 1));
        for (unsigned long at = 0; at < count; at++)
                bytes[at] = pattern(first + at);
        bool ok = put(conn, head, (size_t)head_len) && put(conn, bytes, count);
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
                fail("line %d: answer-raw \"BYTES\"", number);
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
                        fail("line %d: unknown escape", number);
        }
        return (size_t)(out - text);
}

static bool
endless(struct connection *conn, const char *start, const char *part)
{
        bool ok = put(conn, start, strlen(start));

        while (ok)
                ok = put(conn, part, strlen(part));
        return false;
}

static bool
wait_close(struct connection *conn)
{
        char byte;

        while (recv(conn->fd, &byte, 1, 0) > 0)
                continue;
        return false;
}

/* One line below the step; false when the connection is over. */
static bool
act(const struct step *step, struct connection *conn, const char *line)
{
        char *copy = checked(strdup(line));
        char *rest = copy;
        const char *name = word(&rest);
        bool ok = true;

        if (strcmp(name, "answer") == 0 || strcmp(name, "answer-file") == 0) {
                const char *status = word(&rest);
                const char *type = word(&rest);
                ok = name[6] == '-' ? answer_file(conn, status, type, rest)
                                    : answer(conn, status, type, rest, strlen(rest));
        } else if (strcmp(name, "header") == 0) {
                size_t used = strlen(conn->extra);
                snprintf(conn->extra + used, sizeof(conn->extra) - used, "%s\r\n", rest);
        } else if (strcmp(name, "answer-range") == 0) {
                ok = answer_range(conn, rest, step->number);
        } else if (strcmp(name, "answer-raw") == 0) {
                size_t len = unquote(rest, step->number);
                ok = put(conn, rest, len);
        } else if (strcmp(name, "slow") == 0) {
                conn->rate = strtol(rest, NULL, 10);
        } else if (strcmp(name, "stall") == 0) {
                pause_for(strtod(rest, NULL));
        } else if (strcmp(name, "endless") == 0) {
                ok = endless(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "20\r\nabcdefghijklmnopqrstuvwxyzabcdef\r\n");
        } else if (strcmp(name, "endless-headers") == 0) {
                ok = endless(conn, "HTTP/1.1 200 OK\r\n", "X-More: abcdefghijklmnopqrstuvwxyz\r\n");
        } else if (strcmp(name, "wait-close") == 0) {
                ok = wait_close(conn);
        } else if (strcmp(name, "close") == 0 || strcmp(name, "reset") == 0) {
                if (*name == 'r')
                        set_reset(conn->fd);
                ok = false;
        }
        free(copy);
        return ok;
}

/* The line of that name below the step, behind the name; or NULL. */
static const char *
line_of(const struct step *step, const char *name)
{
        for (int idx = 0; idx < step->line_count; idx++) {
                if (is_word(step->lines[idx], name))
                        return step->lines[idx] + strlen(name);
        }
        return NULL;
}

/* Is it said of the request, not done? */
static bool
is_condition(const char *line)
{
        return strncmp(line, "expect-", 7) == 0 || strncmp(line, "when-", 5) == 0 ||
               is_word(line, "cut-request");
}

/* Read the body as the step says; false when that was the end of the connection. */
static bool
take_body(struct connection *conn, struct request *request, const struct step *step)
{
        const char *cut = line_of(step, "cut-request");

        if (cut == NULL)
                return read_body(conn, request);
        (void)fill(conn, strlen(request->head) + strtoul(cut, NULL, 10));
        set_reset(conn->fd);
        return false;
}

/* One request and what follows from it; false when the connection is over. */
static bool
exchange(struct connection *conn)
{
        struct request request = { 0 };

        if (!read_head(conn, &request))
                return false;
        pthread_mutex_lock(&lock);
        if (log_file != NULL) {
                fprintf(log_file, "%s %s\n", request.method, request.target);
                fflush(log_file);
        }
        const struct step *step = find_step(&request);
        busy++;
        pthread_mutex_unlock(&lock);

        bool open = take_body(conn, &request, step);
        for (int idx = 0; open && idx < step->line_count; idx++) {
                if (strncmp(step->lines[idx], "expect-", 7) == 0)
                        check(step, step->lines[idx], &request);
        }
        conn->rate = 0;
        conn->extra[0] = '\0';
        for (int idx = 0; open && idx < step->line_count; idx++) {
                if (!is_condition(step->lines[idx]))
                        open = act(step, conn, step->lines[idx]);
        }
        if (!open)
                close(conn->fd);
        request_free(&request);

        pthread_mutex_lock(&lock);
        busy--;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        if (!open)
                conn->fd = -1;
        return open;
}

static void *
serve(void *arg)
{
        struct connection conn = { .fd = *(int *)arg };

        free(arg);
        while (exchange(&conn))
                continue;
        if (conn.fd >= 0)
                close(conn.fd);
        free(conn.pending);
        return NULL;
}

static void *
accept_all(void *arg)
{
        int listener = *(int *)arg;

        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0)
                        continue;
                pthread_mutex_lock(&lock);
                struct step *step = next_step();
                bool drop = step != NULL && step->drop;
                if (drop) {
                        if (strcmp(step->method, "drop-reset") == 0)
                                set_reset(fd);
                        close(fd);
                        step->taken = true;
                        pthread_cond_broadcast(&changed);
                }
                pthread_mutex_unlock(&lock);
                if (drop)
                        continue;
                int *own = checked(malloc(sizeof(*own)));
                *own = fd;
                pthread_t thread;
                if (pthread_create(&thread, NULL, serve, own) != 0)
                        fail("cannot start a thread");
                pthread_detach(thread);
        }
        return NULL;
}

static int
listen_on(int port, const char *unix_path)
{
        struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        struct sockaddr_un local = { .sun_family = AF_UNIX };
        int one = 1;
        int fd = socket(unix_path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc;

        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (unix_path != NULL) {
                snprintf(local.sun_path, sizeof(local.sun_path), "%s", unix_path);
                rc = bind(fd, (struct sockaddr *)&local, sizeof(local));
        } else {
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
                rc = bind(fd, (struct sockaddr *)&inet, sizeof(inet));
        }
        if (rc < 0 || listen(fd, 64) < 0)
                fail("cannot listen: %s", strerror(errno));

        socklen_t len = sizeof(inet);
        if (unix_path == NULL && getsockname(fd, (struct sockaddr *)&inet, &len) < 0)
                fail("cannot listen: %s", strerror(errno));
        printf("port %d\n", unix_path != NULL ? 0 : ntohs(inet.sin_port));
        fflush(stdout);
        return fd;
}

static volatile sig_atomic_t told_to_end;

static void
on_term(int sig)
{
        (void)sig;
        told_to_end = 1;
}

/* Wait until the script has happened, the time is over, or somebody ends us. */
static void
wait_for_end(int seconds)
{
        time_t end = time(NULL) + seconds;
        struct step *step;

        pthread_mutex_lock(&lock);
        while ((step = next_step()) != NULL || busy > 0 || forever) {
                struct timeval now;
                gettimeofday(&now, NULL);
                /* Signals do not end the wait, so it looks now and then. */
                struct timespec soon = { now.tv_sec, now.tv_usec * 1000 + 50000000 };
                if (soon.tv_nsec >= 1000000000) {
                        soon.tv_sec++;
                        soon.tv_nsec -= 1000000000;
                }
                pthread_cond_timedwait(&changed, &lock, &soon);
                if (!told_to_end && time(NULL) < end)
                        continue;
                step = next_step();
                if (step != NULL)
                        fail("%s, and line %d still expects %s %s",
                            told_to_end ? "told to end" : "the time is over", step->number,
                            step->method, step->target);
                if (told_to_end || forever)
                        break;
                fail("the time is over, and an answer is still being sent");
        }
        pthread_mutex_unlock(&lock);
}

int
main(int argc, char **argv)
{
        struct sigaction action = { .sa_handler = on_term };
        const char *unix_path = NULL;
        int seconds = TIME_DEFAULT_S;
        int port = 0;
        int idx = 1;
        pthread_t thread;

        /* Nothing of a test stays when its starter is gone. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigaction(SIGTERM, &action, NULL);
        for (; idx + 1 < argc && strncmp(argv[idx], "--", 2) == 0; idx += 2) {
                if (strcmp(argv[idx], "--time") == 0)
                        seconds = atoi(argv[idx + 1]);
                else if (strcmp(argv[idx], "--port") == 0)
                        port = atoi(argv[idx + 1]);
                else if (strcmp(argv[idx], "--unix") == 0)
                        unix_path = argv[idx + 1];
                else if (strcmp(argv[idx], "--log") == 0)
                        log_file = checked(fopen(argv[idx + 1], "ae"));
                else
                        break;
        }
        if (idx + 1 != argc)
                fail("usage: http_script [--time S] [--port N | --unix PATH] [--log FILE] SCRIPT");
        read_script(argv[idx]);
        int listener = listen_on(port, unix_path);
        if (pthread_create(&thread, NULL, accept_all, &listener) != 0)
                fail("cannot start a thread");
        wait_for_end(seconds);
        fflush(NULL);
        _exit(0);
}
