/*
 * What the tests of the HTTP client share: the scripted server
 * (tests/servers/http_script.c), and requests with their outcomes.
 */
#ifndef TESTS_HARNESS_HTTP_TEST_H
#define TESTS_HARNESS_HTTP_TEST_H

#include <arpa/inet.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/http.h"
#include "moonkeep/mem.h"

/* The scripted server (tests/servers/http_script.c). */

static pid_t server_pid;
static int server_port;

/* Where the test servers are: said by the environment, or beside the unit tests. */
static inline void
find_server(const char *name, char *path, size_t size)
{
        const char *dir = getenv("MOONKEEP_TEST_SERVERS");
        char self[PATH_MAX];

        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
        CHECK(len > 0);
        self[len] = '\0';
        *strrchr(self, '/') = '\0';
        *strrchr(self, '/') = '\0';
        if (dir != NULL)
                snprintf(path, size, "%s/%s", dir, name);
        else
                snprintf(path, size, "%.3000s/servers/%s", self, name);
        if (access(path, X_OK) != 0)
                SKIP("the servers of the tests are not built");
}

/* Start it; argv[0] is filled in.  Its first line, "port N", is returned. */
static inline int
launch(const char *name, const char *argv[], pid_t *pid)
{
        char path[PATH_MAX];
        int fds[2], port = 0;

        find_server(name, path, sizeof(path));
        argv[0] = path;
        CHECK(pipe(fds) == 0);
        *pid = fork();
        CHECK(*pid >= 0);
        if (*pid == 0) {
                dup2(fds[1], 1);
                close(fds[0]);
                close(fds[1]);
                execv(path, (char *const *)(uintptr_t)argv);
                _exit(127);
        }
        close(fds[1]);
        FILE *out = fdopen(fds[0], "r");
        CHECK(out != NULL && fscanf(out, "port %d", &port) == 1);
        fclose(out);
        return port;
}

static inline void
start_server_with(const char *option, const char *value, const char *script)
{
        const char *argv[] = { NULL, option, value, test_path("script"), NULL };

        FILE *file = fopen(argv[3], "we");
        CHECK(file != NULL && fputs(script, file) >= 0 && fclose(file) == 0);
        server_port = launch("http_script", argv, &server_pid);
}

static inline void
start_server(const char *script)
{
        start_server_with("--time", "60", script);
}

/* All that the script expects has happened. */
static inline void
server_is_content(void)
{
        int status;

        CHECK(waitpid(server_pid, &status, 0) == server_pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline void
end_process(pid_t pid)
{
        int status;

        kill(pid, SIGKILL);
        CHECK(waitpid(pid, &status, 0) == pid);
}

static inline void
end_server(void)
{
        end_process(server_pid);
}

/* Requests. */

struct outcome {
        int calls;
        struct http_answer answer;
        struct err err;
};

static struct loop *loop;

static inline void
done(void *arg, struct http_answer *answer, const struct err *err)
{
        struct outcome *outcome = arg;

        CHECK((answer != NULL) == (err == NULL));
        outcome->calls++;
        if (answer != NULL) {
                outcome->answer = *answer;
                memset(answer, 0, sizeof(*answer));
        } else {
                outcome->err = *err;
        }
}

static inline struct http_request make(const char *method, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline struct http_request
make(const char *method, const char *fmt, ...)
{
        struct http_request request = { .answer_max = 1024 * 1024, .stall_ms = 20000 };
        char url[1024];
        va_list args;

        va_start(args, fmt);
        vsnprintf(url, sizeof(url), fmt, args);
        va_end(args);
        request.method = mem_strdup(method, NULL);
        request.url = mem_strdup(url, NULL);
        return request;
}

static inline struct http_request
get(const char *target)
{
        return make("GET", "http://127.0.0.1:%d%s", server_port, target);
}

static inline struct http_header *
add_header(struct http_request *request, const char *name, const char *value)
{
        size_t count = request->header_count++;

        request->headers =
            mem_realloc(request->headers, request->header_count * sizeof(struct http_header), NULL);
        request->headers[count] = (struct http_header){
                .name = mem_strdup(name, NULL),
                .value = value != NULL ? mem_strdup(value, NULL) : NULL,
        };
        return &request->headers[count];
}

static inline void
start(struct http_request *request, struct cancel *cancel, struct outcome *outcome)
{
        struct err err;

        err_init(&err);
        if (loop == NULL)
                loop = loop_new(&err);
        CHECK_PTR(loop, err);
        memset(outcome, 0, sizeof(*outcome));
        CHECK_OK(http_start(loop, request, cancel, done, outcome, &err), err);
        CHECK(request->url == NULL);
}

static inline void
run_all(void)
{
        struct err err;

        err_init(&err);
        while (loop_pending(loop) > 0)
                CHECK_OK(loop_run_once(loop, 60000, &err), err);
}

static inline void
fetch(struct http_request request, struct outcome *outcome)
{
        start(&request, NULL, outcome);
        run_all();
        CHECK_INT(outcome->calls, 1);
}

static inline void
end(struct outcome *outcome)
{
        http_answer_clear(&outcome->answer);
        loop_free(loop);
        loop = NULL;
}

/* fetch failed, so, and the server saw what it expects. */
static inline void
expect_failure(struct http_request request, enum err_code code, const char *text)
{
        struct outcome outcome;

        fetch(request, &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, code, text);
        end(&outcome);
}

/* A port that nobody listens on. */
static inline int
free_port(void)
{
        struct sockaddr_in inet = { .sin_family = AF_INET };
        socklen_t len = sizeof(inet);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(fd, (struct sockaddr *)&inet, len) == 0);
        CHECK(getsockname(fd, (struct sockaddr *)&inet, &len) == 0);
        close(fd);
        return ntohs(inet.sin_port);
}

#endif
