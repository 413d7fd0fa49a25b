/*
 * A thread that carries bytes between a socket, which somebody else has the
 * other end of, and a far end.  What one side does not take is not read from the other.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kube_port.h"
#include "kube_quote.h"
#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"

#define CHUNK ((size_t)32 * 1024)
/* With so much to be written, nothing more is taken from either side ... */
#define PENDING_ENOUGH ((size_t)1024 * 1024)
/* ... than one piece, of whatever size. */
#define PENDING_MAX ((size_t)8 * 1024 * 1024)
/* So often it is looked whether the other end of the socket was closed. */
#define LOOK_MS 500
#define ARGS_MAX 64
#define SAID_MAX ((size_t)16 * 1024)

struct kube_forward {
        pthread_t thread;
        int fd; /* our end */
        struct cancel *cancel;
        struct err failure; /* ERR_NONE: none */

        struct kube_client *client; /* a port of a pod */
        char *ns, *pod;
        unsigned port;
        struct far_host *host; /* or a command */
        char *argv[ARGS_MAX + 1];

        /* The thread's. */
        struct far *far;
        struct buf pending; /* from the far end, not yet written */
        struct buf said;    /* its standard error */
        bool input_ended;   /* nothing more comes from the socket */
        bool far_ended;
};

static void
forward_free(struct kube_forward *it)
{
        for (size_t idx = 0; it->argv[idx] != NULL; idx++)
                mem_free(it->argv[idx]);
        kube_client_unref(it->client);
        far_host_unref(it->host);
        mem_free(it->ns);
        mem_free(it->pod);
        cancel_unref(it->cancel);
        mem_free(it);
}

/* Has the other end been closed as a whole, or only shut down for writing? */
static bool
is_gone(const struct kube_forward *it)
{
        struct pollfd poll_fd = { .fd = it->fd };

        return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
}

/* Nothing more is taken from the socket. */
static void
end_reading(struct kube_forward *it)
{
        it->input_ended = true;
        it->far->ops->wake_on(it->far, -1);
}

/* One piece of the socket's input, if one is there: 1; 0: none; -1: the socket is gone, or err. */
static int
send_input(struct kube_forward *it, struct err *err)
{
        char chunk[CHUNK];
        ssize_t got;

        do
                got = recv(it->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        if (got < 0 && errno == EAGAIN)
                return 0;
        if (got > 0) {
                if (far_send(it->far, chunk, (size_t)got, err) == 0)
                        return 1;
                if (err->code != ERR_NETWORK)
                        return -1;
                /* The far end takes no more: what it has sent may say why. */
                end_reading(it);
                return 1;
        }
        end_reading(it);
        if (got < 0 || is_gone(it))
                return -1;
        if (it->far->ops->end_input != NULL && it->far->ops->end_input(it->far, err) < 0)
                return -1;
        return 1;
}

/* As much as the socket takes.  -1: the other end is gone. */
static int
write_pending(struct kube_forward *it)
{
        while (it->pending.len > 0) {
                ssize_t sent =
                    send(it->fd, it->pending.data, it->pending.len, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return errno == EAGAIN ? 0 : -1;
                buf_consume(&it->pending, (size_t)sent);
        }
        return 0;
}

/* A command that ended well, or the error that it had. */
static int
judge_end(const struct kube_forward *it, int status, struct err *err)
{
        char said[KUBE_QUOTE_SIZE];

        if (status == 0)
                return 0;
        kube_quote(it->said.data != NULL ? it->said.data : "", it->said.len, said);
        return err_set(err, ERR_NETWORK, "\"%s\" in %s ended with status %d%s%s", it->argv[0],
            it->host->label, status, *said != '\0' ? ": " : "", said);
}

/* The far end said why it ends: what it sent before is still to be written. */
static void
end_far(struct kube_forward *it, const struct err *failure)
{
        it->far_ended = true;
        if (failure != NULL)
                it->failure = *failure;
}

/* One piece of what the far end sends: 1; 0: nothing came. */
static int
take_output(struct kube_forward *it, int wait_ms)
{
        struct far_event event;
        struct err err;

        err_init(&err);
        if (far_next(it->far, wait_ms, &event, &err) < 0) {
                end_far(it, &err);
                return 1;
        }
        switch (event.kind) {
        case FAR_OUT:
                if (buf_add(&it->pending, event.data, event.len, &err) < 0)
                        end_far(it, &err);
                return 1;
        case FAR_ERR:
                /* More than that explains nothing. */
                (void)buf_add(&it->said, event.data, event.len, NULL);
                return 1;
        case FAR_ENDED:
                end_far(it, judge_end(it, event.status, &err) < 0 ? &err : NULL);
                return 1;
        case FAR_NOTHING:
                break;
        }
        return 0;
}

/* Output waits for the socket: until that takes some, or brings some. */
static int
wait_for_socket(const struct kube_forward *it, bool with_input, struct err *err)
{
        struct err why;

        if (cancel_wait_fd(
                it->cancel, it->fd, with_input ? POLLOUT | POLLIN : POLLOUT, LOOK_MS, &why) < 0 &&
            why.code != ERR_TIMEOUT) {
                *err = why;
                return -1;
        }
        return 0;
}

/*
 * Input is sent piece by piece, and what comes is taken in between: a far end
 * that cannot write any more does not read either.
 */
static int
carry(struct kube_forward *it, struct err *err)
{
        if (it->far->ops->wake_on == NULL)
                return err_set(err, ERR_UNSUPPORTED, "such a far end carries no connections");
        it->far->ops->wake_on(it->far, it->fd);
        int took = 0;
        for (;;) {
                int sent = 0;
                if (write_pending(it) < 0)
                        return 0;
                if (it->far_ended && it->pending.len == 0)
                        return 0;
                bool has_room = it->pending.len < PENDING_ENOUGH;
                bool takes_input = has_room && !it->input_ended && !it->far_ended;
                /* Not while output is there to be taken: what comes during a send is kept. */
                if (takes_input && took == 0 && (sent = send_input(it, err)) < 0)
                        return err->code != ERR_NONE ? -1 : 0;
                if (it->input_ended && is_gone(it))
                        return 0;
                took = 0;
                if (has_room && !it->far_ended)
                        took = take_output(it, sent > 0 || it->pending.len > 0 ? 0 : LOOK_MS);
                if (sent == 0 && took == 0 && it->pending.len > 0 &&
                    wait_for_socket(it, takes_input, err) < 0)
                        return -1;
        }
}

static void *
forward_thread(void *arg)
{
        struct kube_forward *it = arg;
        struct err err;

        err_init(&err);
        if (it->client != NULL)
                it->far = kube_port_open(it->client, it->ns, it->pod, it->port, it->cancel, &err);
        else
                it->far = far_open(it->host, (const char *const *)it->argv, it->cancel, &err);
        if (it->far == NULL || carry(it, &err) < 0)
                it->failure = err;
        far_free(it->far);
        buf_free(&it->pending);
        buf_free(&it->said);
        close(it->fd);
        return NULL;
}

/* Takes *it.  The other end of the socket, or -1. */
static int
launch(
    struct kube_forward *it, struct cancel *cancel, struct kube_forward **forward, struct err *err)
{
        int fds[2];

        buf_init(&it->pending, PENDING_MAX);
        buf_init(&it->said, SAID_MAX);
        it->cancel = cancel_new(cancel, err);
        if (it->cancel == NULL) {
                forward_free(it);
                return -1;
        }
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
                err_sys(err, "cannot make a pair of sockets");
                forward_free(it);
                return -1;
        }
        it->fd = fds[0];
        if (thread_start(&it->thread, "forward", forward_thread, it, err) < 0) {
                close(fds[0]);
                close(fds[1]);
                forward_free(it);
                return -1;
        }
        *forward = it;
        return fds[1];
}

int
kube_forward_dial(struct kube_client *client, const char *ns, const char *pod, unsigned port,
    struct cancel *cancel, struct kube_forward **forward, struct err *err)
{
        struct kube_forward *it = NULL;

        if (port == 0 || port > 65535)
                return err_set(err, ERR_USAGE, "%u is no port", port);
        it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                return -1;
        it->client = kube_client_ref(client);
        it->port = port;
        it->ns = mem_strdup(ns, err);
        it->pod = it->ns != NULL ? mem_strdup(pod, err) : NULL;
        if (it->pod == NULL) {
                forward_free(it);
                return -1;
        }
        return launch(it, cancel, forward, err);
}

int
kube_command_dial(struct far_host *host, const char *const *argv, struct cancel *cancel,
    struct kube_forward **forward, struct err *err)
{
        struct kube_forward *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return -1;
        it->host = far_host_ref(host);
        for (size_t idx = 0; argv[idx] != NULL; idx++) {
                if (idx == ARGS_MAX)
                        err_set(err, ERR_USAGE, "the command has more than %d words", ARGS_MAX);
                else
                        it->argv[idx] = mem_strdup(argv[idx], err);
                if (idx == ARGS_MAX || it->argv[idx] == NULL) {
                        forward_free(it);
                        return -1;
                }
        }
        return launch(it, cancel, forward, err);
}

void
kube_forward_free(struct kube_forward *it, struct err *err)
{
        if (it == NULL)
                return;
        bool cancelled = cancel_is_set(it->cancel);
        cancel_trigger(it->cancel);
        thread_join(it->thread);
        bool ended_by_us = it->failure.code == ERR_CANCELLED && !cancelled;
        if (err != NULL && it->failure.code != ERR_NONE && !ended_by_us)
                *err = it->failure;
        forward_free(it);
}
