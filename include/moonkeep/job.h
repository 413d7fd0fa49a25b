/*
 * Jobs: blocking work on a worker thread, its end reported to the loop.
 *
 * A job owns all that it needs; nothing of Lua is touched by it.  Threads are
 * kept for reuse; at most JOB_THREADS_MAX run, more jobs wait in order.
 */
#ifndef MOONKEEP_JOB_H
#define MOONKEEP_JOB_H

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/loop.h"

#define JOB_THREADS_MAX 64

struct job {
        /* Set by the submitter. */
        int (*run)(struct job *job, struct err *err); /* on a worker thread */
        void (*done)(struct job *job);                /* on the loop's thread, exactly once */
        struct cancel *cancel;                        /* referenced; run polls it */

        /* Set before done is called. */
        int result;
        struct err err;

        /* The loop's. */
        struct loop *loop;
        struct job *next;
};

/*
 * job_submit: run the job.  From here to done the job belongs to the loop;
 * done frees it (it embeds this struct).  On failure done is not called.
 */
int job_submit(struct loop *loop, struct job *job, struct err *err);

#endif
