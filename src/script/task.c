#include "task.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "lx.h"
#include "task_internal.h"
#include "vm_internal.h"

void
task_hold(struct task *task)
{
        task->holders++;
}

void
task_release(struct task *task)
{
        if (--task->holders != 0)
                return;
        luaL_unref(task->vm->L, LUA_REGISTRYINDEX, task->ref);
        cancel_unref(task->token);
        free(task);
}

static void
make_ready(struct task *task)
{
        if (task->ready || task->ended)
                return;
        task->ready = true;
        task->next_ready = NULL;
        *task->vm->ready_end = task;
        task->vm->ready_end = &task->next_ready;
}

void
task_wake(struct task *task)
{
        task->abort = NULL;
        make_ready(task);
}

void
task_abortable(struct task *task, void (*abort)(void *arg), void *arg)
{
        task->abort = abort;
        task->abort_arg = arg;
}

void
task_cancelled(struct vm *vm)
{
        for (struct task *task = vm->tasks; task != NULL; task = task->next) {
                if (task->abort != NULL && cancel_is_set(task_token_of(task)))
                        task->abort(task->abort_arg);
        }
}

static struct task *
new_task(struct vm *vm, struct err *err)
{
        struct task *task = calloc(1, sizeof(*task));

        err_init(err);
        if (task == NULL) {
                err_set(err, ERR_NOMEM, "cannot start a task: out of memory");
                return NULL;
        }
        task->token =
            cancel_new(vm->current != NULL ? task_token_of(vm->current) : vm->root_cancel, err);
        if (task->token == NULL) {
                free(task);
                return NULL;
        }
        task->vm = vm;
        task->holders = 1;
        return task;
}

/*
 * task_start: a task that runs xpcall(fn, handler, args...): the function and
 * its nargs arguments are taken from L's stack.  Running under xpcall lets
 * to-be-closed variables run, and wait, when the task fails.
 */
struct task *
task_start(struct vm *vm, lua_State *L, int nargs)
{
        struct err err;

        /* First all that may raise, then what must not be lost. */
        luaL_checkstack(L, 4, "cannot start a task");
        lua_State *co = lua_newthread(L); /* fn args co */
        if (!lua_checkstack(co, nargs + 3))
                lx_fail(L, ERR_NOMEM, "cannot start a task: too many arguments");
        lua_getfield(L, LUA_REGISTRYINDEX, "moonkeep.xpcall");
        lua_getfield(L, LUA_REGISTRYINDEX, "moonkeep.handler");
        lua_pushvalue(L, -3);
        int ref = luaL_ref(L, LUA_REGISTRYINDEX); /* fn args co xpcall handler */
        struct task *task = new_task(vm, &err);
        if (task == NULL) {
                luaL_unref(L, LUA_REGISTRYINDEX, ref);
                lx_raise(L, &err);
        }
        task->co = co;
        task->ref = ref;
        lua_xmove(L, co, 2); /* co: xpcall handler */
        lua_pop(L, 1);
        lua_xmove(L, co, nargs + 1); /* co: xpcall handler fn args */
        lua_rotate(co, 2, -1);       /* co: xpcall fn args handler */
        lua_insert(co, 3);           /* co: xpcall fn handler args */

        task->next = vm->tasks;
        task->prev = &vm->tasks;
        if (vm->tasks != NULL)
                vm->tasks->prev = &task->next;
        vm->tasks = task;
        task->results = nargs + 2;
        make_ready(task);
        return task;
}

bool
task_has_ended(const struct task *task)
{
        return task->ended;
}

void
task_unshield(struct task *task)
{
        struct shield *shield = &task->shields[--task->shield_count];

        loop_timer_stop(task->vm->loop, shield->timer);
        cancel_unref(shield->token);
}

static void
end(struct task *task, bool failed)
{
        task->ended = true;
        task->failed = failed;
        /* An error of the machine itself (memory) may have jumped over the end of a shield. */
        while (task->shield_count != 0)
                task_unshield(task);
        *task->prev = task->next;
        if (task->next != NULL)
                task->next->prev = task->prev;
        if (task->waiter != NULL)
                task_wake(task->waiter);
        task->waiter = NULL;
        task_release(task);
}

void
task_run_ready(struct vm *vm)
{
        while (vm->ready != NULL) {
                struct task *task = vm->ready;
                vm->ready = task->next_ready;
                if (vm->ready == NULL)
                        vm->ready_end = &vm->ready;
                task->ready = false;

                int args = task->results;
                task->results = 0;
                vm->current = task;
                int results = 0;
                int status = lua_resume(task->co, vm->L, args, &results);
                vm->current = NULL;
                if (status == LUA_YIELD)
                        lua_pop(task->co, results);
                else
                        end(task, status != LUA_OK);
        }
}

bool
task_result(struct task *task, lua_State *L, int *count)
{
        /* xpcall's answer: true and the values, or false and the error.  A bare
         * error is one of the machine's own (memory, a bad message handler). */
        int top = lua_gettop(task->co);
        bool ok = !task->failed && lua_toboolean(task->co, 1);
        int values = ok ? top - 1 : 1;

        luaL_checkstack(L, values + 1, "too many results of a task");
        if (!lua_checkstack(task->co, values))
                lx_fail(L, ERR_NOMEM, "too many results of a task");
        for (int idx = top - values + 1; idx <= top; idx++)
                lua_pushvalue(task->co, idx);
        lua_xmove(task->co, L, values);
        *count = values;
        return ok;
}

struct task *
task_can_wait(lua_State *L)
{
        struct vm *vm = vm_of(L);
        struct err err;

        if (vm->current == NULL || vm->current->co != L || !lua_isyieldable(L))
                lx_fail(L, ERR_RECIPE,
                    "cannot wait here: not inside a callback of table.sort or string.gsub, "
                    "a metamethod called from C, or a coroutine of one's own");
        err_init(&err);
        if (cancel_check(task_token_of(vm->current), &err) != 0)
                lx_raise(L, &err);
        return vm->current;
}

struct loop *
task_loop(lua_State *L)
{
        struct vm *vm = vm_of(L);
        struct err err;

        err_init(&err);
        if (vm->loop == NULL)
                vm->loop = loop_new(&err);
        if (vm->loop == NULL)
                lx_raise(L, &err);
        return vm->loop;
}

struct cancel *
task_token(lua_State *L)
{
        struct vm *vm = vm_of(L);

        return vm->current != NULL ? task_token_of(vm->current) : vm->root_cancel;
}

int
task_yield(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
        return lua_yieldk(L, 0, ctx, k);
}

/* Jobs. */

static void
job_done(struct job *job)
{
        struct lx_job *lj = (struct lx_job *)job;

        cancel_unref(job->cancel);
        job->cancel = NULL;
        if (lj->ended != NULL)
                lj->ended(lj);
        task_wake(lj->task);
}

static int
job_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct lx_job *lj = lua_touserdata(L, (int)ctx);

        (void)status;
        if (lj->job.result != 0)
                lx_raise(L, &lj->job.err);
        return lj->push != NULL ? lj->push(L, lj) : 0;
}

int
lx_job_wait(lua_State *L, int idx, struct lx_job *lj)
{
        struct err err;

        idx = lua_absindex(L, idx);
        lj->task = task_can_wait(L);
        struct loop *loop = task_loop(L);
        lj->job.done = job_done;
        lj->job.cancel = cancel_ref(task_token(L));
        err_init(&err);
        if (job_submit(loop, &lj->job, &err) != 0) {
                cancel_unref(lj->job.cancel);
                lj->job.cancel = NULL;
                lx_raise(L, &err);
        }
        if (lj->begun != NULL)
                lj->begun(lj);
        return task_yield(L, idx, job_continue);
}
