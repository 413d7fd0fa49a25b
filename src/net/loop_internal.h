/*
 * The loop's state, shared by loop.c, loop_timer.c, job.c and http.c.
 */
#ifndef MOONKEEP_NET_LOOP_INTERNAL_H
#define MOONKEEP_NET_LOOP_INTERNAL_H

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/job.h"
#include "moonkeep/loop.h"

struct timer {
        int64_t due_ms; /* monotonic */
        uint64_t id;
        loop_fn *fn;
        void *arg;
};

/* A binary heap by (due_ms, id). */
struct timers {
        struct timer *heap;
        size_t count;
        size_t cap;
};

struct watch {
        uint64_t id;
        int fd;
        loop_fn *fn;
        void *arg;
};

struct watches {
        struct watch *all;
        size_t count;
        size_t cap;
        /*
         * What one wait waits for: the wake descriptor, then each watch of
         * that moment.  Room for cap + 1; the form that libcurl wants, the
         * form that poll(2) wants, and the watches' ids.
         */
        struct curl_waitfd *curl_fds;
        struct pollfd *poll_fds;
        uint64_t *ids;
};

struct job_list {
        struct job *first;
        struct job **end;
};

struct job_pool {
        unsigned pending; /* the loop thread's: submitted and not yet done */
        pthread_t threads[JOB_THREADS_MAX];
        unsigned thread_count;

        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t work;
        struct job_list queue;
        unsigned queued;
        struct job_list finished;
        unsigned idle; /* threads that wait for work */
        bool stop;
};

struct transfer;

/* The connections of a loop that are known by their descriptors; of more, the rest is not. */
#define LOOP_SOCKETS 32

struct sockets {
        int fds[LOOP_SOCKETS];
        unsigned count;
};

struct loop {
        int64_t looked_ms; /* when somebody ran it last */
        int64_t away_ms;   /* how long nobody did, in all */
        bool running;
        int wake_fd; /* an eventfd: writing to it is safe in signal handlers */
        uint64_t last_id;
        struct timers timers;
        struct watches watches;
        struct job_pool jobs;
        CURLM *multi; /* NULL until the first request */
        unsigned transfers;
        struct transfer *transfer_list;
        struct sockets sockets;
};

/*
 * loop_clock: milliseconds that the loop was looked after: for stalls, which a
 * server has to answer for, and not an owner who does something else.
 */
int64_t loop_clock(const struct loop *loop);

/* loop_is_back: somebody looks after the loop again, from here on. */
void loop_is_back(struct loop *loop);

/* timers_run: call what is due. */
void timers_run(struct loop *loop);

/* timers_wait_ms: until the next timer is due, -1 when there is none. */
int64_t timers_wait_ms(const struct loop *loop);

void timers_free(struct timers *timers);

int job_pool_init(struct job_pool *pool, struct err *err);

/* job_pool_free: join the threads. */
void job_pool_free(struct job_pool *pool);

/* job_pool_run: call done of each finished job. */
void job_pool_run(struct loop *loop);

/* loop_multi: the multi handle, made at the first use. */
CURLM *loop_multi(struct loop *loop, struct err *err);

/* http_run: let libcurl work and end the requests that are over. */
int http_run(struct loop *loop, struct err *err);

#endif
