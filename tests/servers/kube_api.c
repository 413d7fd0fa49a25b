/*
 * kube_api: a Kubernetes API server for tests, which kubectl takes for one, and
 * which breaks on demand.
 *
 *     kube_api [--time SECONDS] [--root DIR] [--objects FILE] [--faults FILE] [--log FILE]
 *              [--token TOKEN] [--protocols v4|v5|both|none] [--port N]
 *
 * Listens on 127.0.0.1 (a free port unless --port says which), prints "port N" on
 * standard output, and speaks plain HTTP (tls_front puts TLS in front of it) until
 * SIGTERM, until its starter is gone, or until --time is over (exit status 1).
 * What runs in its pods is killed then.
 *
 * --log appends "METHOD TARGET STATUS" of each request to FILE; STATUS is "-" where
 * the connection is ended or stalled.  With --token, requests need it (401); "@FILE" is
 * what stands in the file at that time.
 * --protocols: which of v5.channel.k8s.io and v4.channel.k8s.io an exec speaks;
 * without a common one it is refused with 403 and an empty body, as by Kubernetes 1.20.
 *
 * Objects live in memory.  Served as by the real one: discovery; get, list (limit and
 * continue, labelSelector, fieldSelector), watch (resourceVersion, bookmarks, 410),
 * create, update, patch (merge, JSON, strategic merge, apply with its conflicts), delete
 * (grace, propagation, preconditions), dryRun=All, the subresources status, scale,
 * eviction, log, exec, proxy and portforward, and SelfSubjectAccessReviews.  A controller
 * makes pods of StatefulSets, Deployments, ReplicaSets and Jobs, keeps their status, and
 * deletes what belongs to nobody any more.
 *
 * The objects file is JSON:
 *
 *     {"objects": [...]              what is there, and up; namespaces are made as needed
 *      "deny": [{"verb", "group", "resource", "subresource", "namespace", "name"}, ...]
 *                                    what is forbidden; "*" or absent is any, but an absent
 *                                    subresource is none
 *      "types": [{"group", "version", "plural", "kind", "shortNames", "namespaced", "status"}]
 *                                    more resources, as by CustomResourceDefinitions
 *      "start_ms": 20, "stop_ms": 20 how long a pod takes to be ready, and to go
 *      "events_kept": 4096           how far back a watch can begin
 *      "exec_needs_create": false}   as from Kubernetes 1.35 on
 *
 * Commands of an exec are processes of this machine, in a session of their own, in the
 * directory ROOT/NAMESPACE/POD (--root, /tmp by default), which is their HOME, too.
 * Annotations of a pod say more about it:
 *
 *     test/path: DIR             PATH of its commands
 *     test/log: FILE             what its log is; below its directory
 *     test/port-9090: "12345"    the port of this machine that its port 9090 is
 *     test/phase: Pending        it stays so; test/waiting: what its containers wait for
 *     test/ready: "false"        it runs, and is never ready
 *     test/exit: "1"             its containers end so, once they run
 *
 * Images of none.invalid cannot be pulled.  While its node is cordoned, pods that do not say
 * on which node they run stay without one.
 *
 * FAULTS is a file of rules as of fault_proxy: METHOD TARGET WHICH ACTION.  Actions:
 *
 *     status CODE REASON [NAME: VALUE]   answer with a Status, or (-) with no body
 *     garbage CODE                       ... with what is no JSON
 *     redirect URL
 *     close|reset AT, stall SECONDS AT   AT: head, done, answer-head, answer-body:N,
 *                                        events:N of a watch, stdout:N, stdin:N of an exec
 *     trickle                            send each byte by itself
 *
 *     end events:N                       end a watch properly
 *     event garbage|gone|twice|swap N    the N-th event of a watch
 *
 *     close-frame stdout:N|stdin:N       ... without a Status
 *     success stdout:N|stdin:N           the command is killed, and Success is said
 *     final missing|empty|garbage|failure|JSON    instead of the Status
 *     unstarted TEXT     the command is not started, and this is why
 *     late stdout|stderr                 all of it behind the other one
 *     late last                          the last message of stdout comes behind the Status
 *     message drop|twice N               the N-th message of stdout
 *     lose OFFSET COUNT                  so many bytes of stdout are missing from there
 *     fragments N                        messages come in frames of N bytes, pings between them
 *     frame KIND N                       the N-th message is broken: masked, oversized, negative,
 *                                        reserved, opcode, continuation, text, channel, empty,
 *                                        long-ping, split-ping
 *     upgrade wrong-accept|no-protocol|extra|PROTOCOL    what the 101 says; extra: bytes of the
 *                                        first message come in the same segment
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/sockets.h"
#include "servers/kube_api/control.h"
#include "servers/kube_api/exec.h"
#include "servers/kube_api/faults.h"
#include "servers/kube_api/objects.h"
#include "servers/kube_api/process.h"
#include "servers/kube_api/route.h"

#define IN_MAX ((size_t)64 * 1024 * 1024)
#define TIME_DEFAULT_S 3600

static void *
serve(void *arg)
{
        struct api_conn conn = { .fd = *(int *)arg };

        free(arg);
        buf_init(&conn.in, IN_MAX);
        while (!conn.over && api_read_request(&conn)) {
                api_route(&conn);
                api_clear_request(&conn.request);
        }
        api_clear_request(&conn.request);
        if (conn.fd >= 0)
                close(conn.fd);
        buf_free(&conn.in);
        return NULL;
}

static void
start_thread(void *(*fn)(void *), void *arg)
{
        pthread_attr_t attr;
        pthread_t thread;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        if (pthread_create(&thread, &attr, fn, arg) != 0)
                fault_fail("cannot start a thread");
        pthread_attr_destroy(&attr);
}

static void *
accept_all(void *arg)
{
        int listener = *(int *)arg;
        int one = 1;

        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0)
                        continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                int *own = fault_checked(malloc(sizeof(*own)));
                *own = fd;
                start_thread(serve, own);
        }
        return NULL;
}

static const char *
spoken(const char *option)
{
        if (strcmp(option, "v4") == 0)
                return "v4.channel.k8s.io";
        if (strcmp(option, "v5") == 0)
                return "v5.channel.k8s.io";
        if (strcmp(option, "none") == 0)
                return "";
        if (strcmp(option, "both") != 0)
                fault_fail("--protocols is v4, v5, both or none");
        return "v5.channel.k8s.io v4.channel.k8s.io";
}

int
main(int argc, char **argv)
{
        struct timespec limit = { .tv_sec = TIME_DEFAULT_S };
        const char *objects = NULL, *token = NULL;
        sigset_t ends;
        int port = 0, idx = 1;

        /* Nothing of a test stays when its starter is gone. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGINT);
        pthread_sigmask(SIG_BLOCK, &ends, NULL);
        for (; idx + 1 < argc && strncmp(argv[idx], "--", 2) == 0; idx += 2) {
                const char *name = argv[idx] + 2, *value = argv[idx + 1];
                if (strcmp(name, "time") == 0)
                        limit.tv_sec = atoi(value);
                else if (strcmp(name, "root") == 0)
                        api_process_root(value);
                else if (strcmp(name, "objects") == 0)
                        objects = value;
                else if (strcmp(name, "faults") == 0)
                        api_faults_read(value);
                else if (strcmp(name, "log") == 0)
                        api_log_open(value);
                else if (strcmp(name, "token") == 0)
                        token = value;
                else if (strcmp(name, "protocols") == 0)
                        api_exec_protocols(spoken(value));
                else if (strcmp(name, "port") == 0)
                        port = atoi(value);
                else
                        break;
        }
        if (idx != argc)
                fault_fail("usage: kube_api [--OPTION VALUE]...");
        api_objects_read(objects, token);
        api_control_settle();
        start_thread(api_control, NULL);
        int listener = socket_listen(port, 128);
        start_thread(accept_all, &listener);

        int signal_number = sigtimedwait(&ends, NULL, &limit);
        while (signal_number < 0 && errno == EINTR)
                signal_number = sigtimedwait(&ends, NULL, &limit);
        api_processes_end(NULL);
        fflush(NULL);
        _exit(signal_number > 0 ? 0 : 1);
}
