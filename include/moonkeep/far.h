/*
 * Commands at the far end of a connection: in a pod, on a host over SSH, or, in
 * the same way, on this machine.
 *
 * A far_host is where commands run; opening one of them gives a `struct far`,
 * which belongs to one thread at a time.  What is built on top (far_stream.h)
 * knows nothing of the transport.
 */
#ifndef MOONKEEP_FAR_H
#define MOONKEEP_FAR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"

struct far;
struct far_host;

/* Hosts: reference-counted, any thread; drivers embed the struct as their first member. */
struct far_host_ops {
        const char *name; /* "pod", "ssh", "process" */
        /*
         * Start argv (NULL-terminated, passed as it is, no shell), with stdin,
         * stdout and stderr.  Blocks until it is under way, or known not to be:
         * ERR_NOT_FOUND where the far end has no such program, pod or container.
         * Where the far end says only later that it could not start it (a pod
         * does), that is the error of next.
         */
        struct far *(*open)(
            struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err);
        void (*free)(struct far_host *host);
};

struct far_host {
        const struct far_host_ops *ops;
        atomic_uint refs;
        char *label; /* for messages: "pod monitoring/prometheus-0"; freed with the host */
};

/* far_host_init: one reference; copies label. */
int far_host_init(
    struct far_host *host, const struct far_host_ops *ops, const char *label, struct err *err);
struct far_host *far_host_ref(struct far_host *host);
void far_host_unref(struct far_host *host);

/* far_open: start a command there. */
struct far *far_open(
    struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err);

enum far_kind {
        FAR_NOTHING, /* wait_ms passed */
        FAR_OUT,     /* bytes of its standard output */
        FAR_ERR,     /* of its standard error */
        FAR_ENDED    /* it ended, and the far end says so explicitly; sticks */
};

struct far_event {
        enum far_kind kind;
        const unsigned char *data; /* FAR_OUT, FAR_ERR: valid until the next call with this far */
        size_t len;
        int status; /* FAR_ENDED: exit status, 128 + signal */
};

struct far_ops {
        /*
         * Wait for what comes next, at most wait_ms (-1: until the connection's
         * own stall).  Each of the two outputs is in order, but not to one
         * another, nor to the end: output may even come behind FAR_ENDED's cause
         * on the wire, and is handed out before it where the transport can know.
         * A connection that ends without the word of the far end is ERR_TRUNCATED.
         */
        int (*next)(struct far *far, int wait_ms, struct far_event *out, struct err *err);
        /*
         * All of it to its standard input; what comes meanwhile is kept for next.
         * What a command that ended, or that closed its input, does not take is
         * dropped: next says what became of it.
         */
        int (*send)(struct far *far, const void *data, size_t len, struct err *err);
        /*
         * As much of it as goes without waiting, which may be nothing; *sent says how
         * much.  For who has much to send to what may write much: what comes is not
         * kept, so that he has to alternate with next.  NULL: send has to do.
         */
        int (*send_some)(
            struct far *far, const void *data, size_t len, size_t *sent, struct err *err);
        /* End of its standard input, where the transport has that; NULL: it has not. */
        int (*end_input)(struct far *far, struct err *err);
        /*
         * From now on, while fd (borrowed; -1: none) is readable, a next that would
         * wait returns FAR_NOTHING at once: for a thread that carries bytes between
         * both.  NULL: cannot.
         */
        void (*wake_on)(struct far *far, int fd);
        /* End the connection, and with it the command where the transport does that. */
        void (*free)(struct far *far);
};

struct far {
        const struct far_ops *ops;
        struct far_host *host; /* a reference, the driver's to release */
        /* If > 0: a send that is not taken, while nothing comes, for so long is ERR_TIMEOUT. */
        int64_t stall_ms;
        /* A next that would wait returns FAR_NOTHING, too, once send_some would take something. */
        bool wants_room;
};

int far_next(struct far *far, int wait_ms, struct far_event *out, struct err *err);
int far_send(struct far *far, const void *data, size_t len, struct err *err);
int far_send_some(struct far *far, const void *data, size_t len, size_t *sent, struct err *err);
/* far_free: NULL is fine. */
void far_free(struct far *far);

/* far_process_host: this machine, by processes and pipes; what is freed ends its process group. */
struct far_host *far_process_host(struct err *err);

#endif
