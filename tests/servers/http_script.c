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
 *
 * Its parts are in http_script/: the script, connections, what is expected of a
 * request, what is done then, and the exchange of both.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "servers/http_script/exchange.h"

#define TIME_DEFAULT_S 60

static void *
serve(void *arg)
{
        struct script_conn conn = { .fd = *(int *)arg };

        free(arg);
        while (script_exchange(&conn))
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
                pthread_mutex_lock(&script_lock);
                struct script_step *step = script_next();
                bool drop = step != NULL && step->drop;
                if (drop) {
                        if (strcmp(step->method, "drop-reset") == 0)
                                conn_set_reset(fd);
                        close(fd);
                        step->taken = true;
                        pthread_cond_broadcast(&script_changed);
                }
                pthread_mutex_unlock(&script_lock);
                if (drop)
                        continue;
                int *own = fault_checked(malloc(sizeof(*own)));
                *own = fd;
                pthread_t thread;
                if (pthread_create(&thread, NULL, serve, own) != 0)
                        fault_fail("cannot start a thread");
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
                fault_fail("cannot listen: %s", strerror(errno));

        socklen_t len = sizeof(inet);
        if (unix_path == NULL && getsockname(fd, (struct sockaddr *)&inet, &len) < 0)
                fault_fail("cannot listen: %s", strerror(errno));
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
        struct script_step *step;

        pthread_mutex_lock(&script_lock);
        while ((step = script_next()) != NULL || script_busy > 0 || script_forever) {
                struct timeval now;
                gettimeofday(&now, NULL);
                /* Signals do not end the wait, so it looks now and then. */
                struct timespec soon = { now.tv_sec, now.tv_usec * 1000 + 50000000 };
                if (soon.tv_nsec >= 1000000000) {
                        soon.tv_sec++;
                        soon.tv_nsec -= 1000000000;
                }
                pthread_cond_timedwait(&script_changed, &script_lock, &soon);
                if (!told_to_end && time(NULL) < end)
                        continue;
                step = script_next();
                if (step != NULL)
                        fault_fail("%s, and line %d still expects %s %s",
                            told_to_end ? "told to end" : "the time is over", step->number,
                            step->method, step->target);
                if (told_to_end || script_forever)
                        break;
                fault_fail("the time is over, and an answer is still being sent");
        }
        pthread_mutex_unlock(&script_lock);
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
                        script_log_file = fault_checked(fopen(argv[idx + 1], "ae"));
                else
                        break;
        }
        if (idx + 1 != argc)
                fault_fail(
                    "usage: http_script [--time S] [--port N | --unix PATH] [--log FILE] SCRIPT");
        script_read(argv[idx]);
        int listener = listen_on(port, unix_path);
        if (pthread_create(&thread, NULL, accept_all, &listener) != 0)
                fault_fail("cannot start a thread");
        wait_for_end(seconds);
        fflush(NULL);
        _exit(0);
}
