/*
 * Tasks: coroutines that wait in one loop.
 *
 * State of a task: ready -> running -> (waiting -> ready -> running)* -> ended.
 * A primitive that waits checks with task_can_wait, starts something whose end
 * calls task_wake from the loop, and returns task_yield; its continuation then
 * runs on the resumed task.  A cancelled task is not closed: what it waits for
 * ends with a "cancelled" error, which its continuation raises.
 */
#ifndef MOONKEEP_SCRIPT_TASK_H
#define MOONKEEP_SCRIPT_TASK_H

#include <lua.h>
#include <stdbool.h>

#include "moonkeep/cancel.h"
#include "moonkeep/job.h"
#include "moonkeep/loop.h"

struct task;
struct vm;

/* task_can_wait: the running task, or an error where Lua cannot yield.  [raises] */
struct task *task_can_wait(lua_State *L);

/* task_loop: the loop of this machine, made at the first use.  [raises] */
struct loop *task_loop(lua_State *L);

/* task_token: the cancel token that the running task has now (borrowed). */
struct cancel *task_token(lua_State *L);

/* task_yield: let the task wait; k runs when task_wake was called for it. */
int task_yield(lua_State *L, lua_KContext ctx, lua_KFunction k);

/* task_wake: the thing that the task waited for has ended.  For loop callbacks. */
void task_wake(struct task *task);

/*
 * task_abortable: while it waits, call abort(arg) from the loop when the
 * task's token gets set; for waits that no token ends (timers).  Reset by the
 * wake.
 */
void task_abortable(struct task *task, void (*abort)(void *arg), void *arg);

/*
 * A job as Lua sees it: the first member of the state of some blocking work,
 * inside a userdata of the waiting task.
 */
struct lx_job {
        struct job job;
        struct task *task;
        int (*push)(lua_State *L, struct lx_job *job); /* results, after success */
        /* Once it is under way, and once it is over, whatever its outcome; or NULL. */
        void (*begun)(struct lx_job *job);
        void (*ended)(struct lx_job *job);
};

/*
 * lx_job_wait: submit the job at stack index idx (its job.run is set) and wait
 * for it; returns push's results or raises the job's error.
 */
int lx_job_wait(lua_State *L, int idx, struct lx_job *job);

/*
 * task_start: a task that calls the function with its nargs arguments that are
 * on L's stack, which are popped.  [raises]
 */
struct task *task_start(struct vm *vm, lua_State *L, int nargs);

/* task_hold, task_release: keep an ended task, for its result. */
void task_hold(struct task *task);
void task_release(struct task *task);

#endif
