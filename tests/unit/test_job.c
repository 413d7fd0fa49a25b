#include "harness/test.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "moonkeep/job.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

struct work {
        struct job job;
        int number;
};

static int done_count;
static int done_failed;
static int done_last;
static char done_msg[1100];

static struct loop *
make(void)
{
        struct err err;

        err_init(&err);
        struct loop *loop = loop_new(&err);
        CHECK_PTR(loop, err);
        return loop;
}

static void
finished(struct job *job)
{
        struct work *work = (struct work *)job;

        done_count++;
        done_last = work->number;
        if (job->result != 0) {
                done_failed++;
                snprintf(done_msg, sizeof(done_msg), "%s: %s", err_code_name(job->err.code),
                    job->err.msg);
        }
        cancel_unref(job->cancel);
        mem_free(work);
}

static void
start_with(struct loop *loop, int (*run)(struct job *job, struct err *err),
    void (*done)(struct job *job), int number)
{
        struct err err;

        err_init(&err);
        struct work *work = mem_zalloc(sizeof(*work), &err);
        CHECK_PTR(work, err);
        work->job.run = run;
        work->job.done = done;
        work->number = number;
        CHECK_OK(job_submit(loop, &work->job, &err), err);
}

static void
start(struct loop *loop, int (*run)(struct job *job, struct err *err), int number)
{
        start_with(loop, run, finished, number);
}

static void
run_all(struct loop *loop)
{
        struct err err;

        err_init(&err);
        while (loop_pending(loop) > 0)
                CHECK_OK(loop_run_once(loop, 60000, &err), err);
}

static int
nothing(struct job *job, struct err *err)
{
        (void)job;
        (void)err;
        return 0;
}

static int
failing(struct job *job, struct err *err)
{
        (void)job;
        return err_set(err, ERR_NOT_FOUND, "cannot find it");
}

static int
failing_silently(struct job *job, struct err *err)
{
        (void)job;
        (void)err;
        return -1;
}

TEST(a_job_runs_and_its_end_is_told_on_the_loop)
{
        struct loop *loop = make();

        start(loop, nothing, 7);
        CHECK_INT(loop_pending(loop), 1);
        run_all(loop);
        CHECK_INT(done_count, 1);
        CHECK_INT(done_last, 7);
        CHECK_INT(done_failed, 0);
        loop_free(loop);
}

TEST(the_error_of_a_job_arrives_with_it)
{
        struct loop *loop = make();

        start(loop, failing, 1);
        run_all(loop);
        CHECK_INT(done_failed, 1);
        CHECK_STR(done_msg, "not_found: cannot find it");
        loop_free(loop);
}

TEST(a_failure_without_a_reason_is_a_defect_of_ours)
{
        struct loop *loop = make();

        start(loop, failing_silently, 1);
        run_all(loop);
        CHECK_STR(done_msg, "internal: a job failed and did not say why");
        loop_free(loop);
}

TEST(a_thousand_jobs_all_end)
{
        struct loop *loop = make();

        for (int idx = 0; idx < 1000; idx++)
                start(loop, nothing, idx);
        run_all(loop);
        CHECK_INT(done_count, 1000);
        loop_free(loop);
}

static int barrier_fds[2];
static atomic_int together;
static atomic_int most;

/* Waits until the barrier is opened. */
static int
at_barrier(struct job *job, struct err *err)
{
        char byte;

        (void)job;
        int now = atomic_fetch_add(&together, 1) + 1;
        int seen = atomic_load(&most);
        while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
                continue;
        if (read(barrier_fds[0], &byte, 1) < 0)
                return err_sys(err, "cannot read");
        atomic_fetch_sub(&together, 1);
        return 0;
}

TEST(jobs_run_at_once_up_to_the_bound_and_the_rest_follow)
{
        struct loop *loop = make();

        CHECK(pipe(barrier_fds) == 0);
        for (int idx = 0; idx < JOB_THREADS_MAX + 20; idx++)
                start(loop, at_barrier, idx);
        int64_t give_up = time_mono_ms() + 60000;
        while (atomic_load(&most) < JOB_THREADS_MAX && time_mono_ms() < give_up)
                usleep(1000);
        usleep(20000);
        CHECK_INT(atomic_load(&most), JOB_THREADS_MAX);
        close(barrier_fds[1]);
        run_all(loop);
        CHECK_INT(done_count, JOB_THREADS_MAX + 20);
        CHECK_INT(atomic_load(&most), JOB_THREADS_MAX);
        close(barrier_fds[0]);
        loop_free(loop);
}

TEST(a_job_never_waits_behind_one_that_waits_for_it)
{
        struct loop *loop = make();

        /* Reused threads, then each job needs one of its own. */
        for (int idx = 0; idx < 4; idx++)
                start(loop, nothing, idx);
        run_all(loop);
        CHECK(pipe(barrier_fds) == 0);
        for (int idx = 0; idx < 16; idx++)
                start(loop, at_barrier, idx);
        int64_t give_up = time_mono_ms() + 60000;
        while (atomic_load(&most) < 16 && time_mono_ms() < give_up)
                usleep(1000);
        CHECK_INT(atomic_load(&most), 16);
        close(barrier_fds[1]);
        run_all(loop);
        close(barrier_fds[0]);
        loop_free(loop);
}

static int
until_cancelled(struct job *job, struct err *err)
{
        return cancel_wait_fd(job->cancel, barrier_fds[0], POLLIN, -1, err);
}

TEST(a_job_that_waits_sees_its_token)
{
        struct loop *loop = make();
        struct err err;

        err_init(&err);
        CHECK(pipe(barrier_fds) == 0);
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        struct work *work = mem_zalloc(sizeof(*work), &err);
        CHECK_PTR(work, err);
        work->job.run = until_cancelled;
        work->job.done = finished;
        work->job.cancel = cancel_ref(token);
        CHECK_OK(job_submit(loop, &work->job, &err), err);
        CHECK_OK(loop_run_once(loop, 10, &err), err);
        CHECK_INT(done_count, 0);
        cancel_trigger(token);
        run_all(loop);
        CHECK_STR(done_msg, "cancelled: cancelled");
        cancel_unref(token);
        close(barrier_fds[0]);
        close(barrier_fds[1]);
        loop_free(loop);
}

static int chain_left = 50;

static void
next_link(struct job *job)
{
        struct loop *loop = job->loop;

        mem_free(job);
        if (--chain_left > 0)
                start_with(loop, nothing, next_link, chain_left);
}

TEST(an_end_may_submit_the_next_job)
{
        struct loop *loop = make();

        start_with(loop, nothing, next_link, 0);
        run_all(loop);
        CHECK_INT(chain_left, 0);
        loop_free(loop);
}
