#include "moonkeep/job.h"

#include <errno.h>

#include "loop_internal.h"
#include "moonkeep/thread.h"

static void
list_init(struct job_list *list)
{
        list->first = NULL;
        list->end = &list->first;
}

static void
list_push(struct job_list *list, struct job *job)
{
        job->next = NULL;
        *list->end = job;
        list->end = &job->next;
}

static struct job *
list_pop(struct job_list *list)
{
        struct job *job = list->first;

        if (job == NULL)
                return NULL;
        list->first = job->next;
        if (list->first == NULL)
                list->end = &list->first;
        return job;
}

int
job_pool_init(struct job_pool *pool, struct err *err)
{
        int rc = pthread_mutex_init(&pool->lock, NULL);

        if (rc != 0)
                goto fail;
        rc = pthread_cond_init(&pool->work, NULL);
        if (rc != 0)
                goto fail_lock;
        list_init(&pool->queue);
        list_init(&pool->finished);
        return 0;

fail_lock:
        pthread_mutex_destroy(&pool->lock);
fail:
        errno = rc;
        return err_sys(err, "cannot make the pool of worker threads");
}

void
job_pool_free(struct job_pool *pool)
{
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
        for (unsigned idx = 0; idx < pool->thread_count; idx++)
                thread_join(pool->threads[idx]);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
}

static void
run_job(struct job *job)
{
        err_init(&job->err);
        job->result = job->run(job, &job->err);
        if (job->result != 0 && job->err.code == ERR_NONE)
                err_set(&job->err, ERR_INTERNAL, "a job failed and did not say why");
}

static void *
worker(void *arg)
{
        struct loop *loop = arg;
        struct job_pool *pool = &loop->jobs;

        pthread_mutex_lock(&pool->lock);
        for (;;) {
                while (pool->queued == 0 && !pool->stop) {
                        pool->idle++;
                        pthread_cond_wait(&pool->work, &pool->lock);
                        pool->idle--;
                }
                struct job *job = list_pop(&pool->queue);
                if (job == NULL)
                        break;
                pool->queued--;
                pthread_mutex_unlock(&pool->lock);

                run_job(job);

                pthread_mutex_lock(&pool->lock);
                list_push(&pool->finished, job);
                /* Under the lock: the loop may be freed as soon as it saw the last job. */
                loop_wake(loop);
        }
        pthread_mutex_unlock(&pool->lock);
        return NULL;
}

/*
 * Is there a thread for one more job?  A woken thread counts as idle until it
 * runs, and its job as queued.
 */
static int
need_thread(struct loop *loop, struct err *err)
{
        struct job_pool *pool = &loop->jobs;

        if (pool->queued < pool->idle || pool->thread_count == JOB_THREADS_MAX)
                return 0;
        /*
         * No thread is an error even where others would get to the job some
         * time: those may be waiting for it.
         */
        if (thread_start(&pool->threads[pool->thread_count], "job", worker, loop, err) < 0)
                return -1;
        pool->thread_count++;
        return 0;
}

int
job_submit(struct loop *loop, struct job *job, struct err *err)
{
        struct job_pool *pool = &loop->jobs;

        pthread_mutex_lock(&pool->lock);
        if (need_thread(loop, err) < 0) {
                pthread_mutex_unlock(&pool->lock);
                return -1;
        }
        job->loop = loop;
        list_push(&pool->queue, job);
        pool->queued++;
        pthread_cond_signal(&pool->work);
        pthread_mutex_unlock(&pool->lock);
        pool->pending++;
        return 0;
}

void
job_pool_run(struct loop *loop)
{
        struct job_pool *pool = &loop->jobs;

        pthread_mutex_lock(&pool->lock);
        struct job *job = pool->finished.first;
        list_init(&pool->finished);
        pthread_mutex_unlock(&pool->lock);

        while (job != NULL) {
                struct job *next = job->next;
                pool->pending--;
                job->done(job); /* frees it */
                job = next;
        }
}
