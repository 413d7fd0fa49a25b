#include "task.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "lx.h"
#include "vm_internal.h"

/* Most shields inside one another (a cleanup that runs a cleanup). */
#define SHIELDS_MAX 8

struct task {
        struct vm *vm;
        lua_State *co;
        int ref;          /* co, anchored in the registry */
        unsigned holders; /* the machine until it ended, and the handle */

        struct cancel *token;
        struct shield {
                struct task *task;
                struct cancel *token;
                uint64_t timer; /* its deadline */
        } shields[SHIELDS_MAX];
        unsigned shield_count;

        bool ready;
        bool ended;
        int results;
        void (*abort)(void *arg);
        void *abort_arg;
        struct task *waiter; /* the one that waits for this one's end */

        struct task *next_ready;
        struct task *next;
        struct task **prev;
};

static struct cancel *
token_of(const struct task *task)
{
        return task->shield_count != 0 ? task->shields[task->shield_count - 1].token : task->token;
}

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
                if (task->abort != NULL && cancel_is_set(token_of(task)))
                        task->abort(task->abort_arg);
        }
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
        struct task *task = calloc(1, sizeof(*task));

        if (task == NULL)
                lx_fail(L, ERR_NOMEM, "cannot start a task: out of memory");
        err_init(&err);
        task->token =
            cancel_new(vm->current != NULL ? token_of(vm->current) : vm->root_cancel, &err);
        if (task->token == NULL) {
                free(task);
                lx_raise(L, &err);
        }
        task->vm = vm;
        task->holders = 1;

        task->co = lua_newthread(L); /* fn args co */
        task->ref = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_getfield(L, LUA_REGISTRYINDEX, "moonkeep.xpcall");
        lua_getfield(L, LUA_REGISTRYINDEX, "moonkeep.handler");
        lua_xmove(L, task->co, 2);         /* co: xpcall handler */
        lua_xmove(L, task->co, nargs + 1); /* co: xpcall handler fn args */
        lua_rotate(task->co, 2, -1);       /* co: xpcall fn args handler */
        lua_insert(task->co, 3);           /* co: xpcall fn handler args */

        task->next = vm->tasks;
        task->prev = &vm->tasks;
        if (vm->tasks != NULL)
                vm->tasks->prev = &task->next;
        vm->tasks = task;
        task->results = nargs + 2;
        make_ready(task);
        return task;
}

static void
end(struct task *task, int results)
{
        task->ended = true;
        task->results = results;
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
                        end(task, status == LUA_OK ? results : 1);
        }
}

bool
task_result(struct task *task, lua_State *L, int *count)
{
        /* xpcall's answer: true and the values, or false and the error.  A bare
         * error is one of the machine's own (memory, a bad message handler). */
        int top = lua_gettop(task->co);
        bool ok = top > 0 && lua_isboolean(task->co, 1) && lua_toboolean(task->co, 1);
        int values = ok ? top - 1 : 1;

        luaL_checkstack(L, values, "too many results of a task");
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
        if (cancel_check(token_of(vm->current), &err) != 0)
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

        return vm->current != NULL ? token_of(vm->current) : vm->root_cancel;
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
        return task_yield(L, idx, job_continue);
}

/* The module _task. */

struct handle {
        struct task *task;
};

static void
handle_close(void *object)
{
        struct handle *handle = object;

        if (handle->task != NULL)
                task_release(handle->task);
        handle->task = NULL;
}

/* handle:cancel(): set the task's token. */
static int handle_cancel(lua_State *L);

/* handle:ended() -> boolean */
static int handle_ended(lua_State *L);

/* handle:wait() -> true and the task's values, or false and its error */
static int handle_wait(lua_State *L);

static const luaL_Reg handle_methods[] = {
        { "cancel", handle_cancel },
        { "ended", handle_ended },
        { "wait", handle_wait },
        { NULL, NULL },
};
static const struct lx_class handle_class = { "moonkeep.task", handle_close, handle_methods,
        false };

static struct task *
handle_task(lua_State *L)
{
        struct handle *handle = lx_check(L, 1, &handle_class);

        if (handle->task == NULL)
                lx_fail(L, ERR_RECIPE, "the task's handle is closed");
        return handle->task;
}

static int
handle_cancel(lua_State *L)
{
        struct task *task = handle_task(L);

        cancel_trigger(task->token);
        task_cancelled(task->vm);
        return 0;
}

static int
handle_ended(lua_State *L)
{
        lua_pushboolean(L, handle_task(L)->ended);
        return 1;
}

static int
wait_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct task *task = handle_task(L);
        int count;

        (void)status;
        (void)ctx;
        if (!task->ended)
                lx_fail(L, ERR_INTERNAL, "a task that was waited for has not ended");
        bool ok = task_result(task, L, &count);
        lua_pushboolean(L, ok);
        lua_insert(L, -count - 1);
        return count + 1;
}

/*
 * Waiting for a task is not itself cancellable: its own token is below the
 * waiter's, so it ends, and its end is what the waiter has to see.
 */
static int
handle_wait(lua_State *L)
{
        struct task *task = handle_task(L);
        struct vm *vm = vm_of(L);

        if (task->ended)
                return wait_continue(L, LUA_OK, 0);
        if (vm->current == NULL || vm->current->co != L || !lua_isyieldable(L))
                task_can_wait(L);
        if (task->waiter != NULL)
                lx_fail(L, ERR_RECIPE, "two tasks wait for the same task");
        task->waiter = vm->current;
        return task_yield(L, 0, wait_continue);
}

/* spawn(fn, ...) -> handle */
static int
spawn(lua_State *L)
{
        luaL_checktype(L, 1, LUA_TFUNCTION);
        int nargs = lua_gettop(L) - 1;
        struct handle *handle = lx_new(L, &handle_class, sizeof(*handle));
        lua_insert(L, 1); /* handle fn args */
        handle->task = task_start(vm_of(L), L, nargs);
        task_hold(handle->task);
        lua_settop(L, 1);
        return 1;
}

struct sleep {
        struct task *task;
        struct loop *loop;
        uint64_t timer;
        bool cancelled;
};

static void
sleep_over(void *arg)
{
        struct sleep *nap = arg;

        nap->timer = 0;
        task_wake(nap->task);
}

static void
sleep_abort(void *arg)
{
        struct sleep *nap = arg;

        loop_timer_stop(nap->loop, nap->timer);
        nap->cancelled = true;
        task_wake(nap->task);
}

static int
sleep_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct sleep *nap = lua_touserdata(L, (int)ctx);

        (void)status;
        if (nap->cancelled)
                lx_fail(L, ERR_CANCELLED, "cancelled");
        return 0;
}

/* sleep(ms) */
static int
sleep_ms(lua_State *L)
{
        lua_Integer ms = luaL_checkinteger(L, 1);
        struct err err;

        lua_settop(L, 1);
        struct sleep *nap = lua_newuserdatauv(L, sizeof(*nap), 0);
        *nap = (struct sleep){ .task = task_can_wait(L), .loop = task_loop(L) };
        err_init(&err);
        nap->timer = loop_timer(nap->loop, ms > 0 ? ms : 0, sleep_over, nap, &err);
        if (nap->timer == 0)
                lx_raise(L, &err);
        task_abortable(nap->task, sleep_abort, nap);
        return task_yield(L, 2, sleep_continue);
}

static void
deadline_over(void *arg)
{
        struct shield *over = arg;

        over->timer = 0;
        cancel_trigger(over->token);
        task_cancelled(over->task->vm);
}

/*
 * shield(ms): from here the running task does not see its cancel, until
 * unshield(); what it does then has ms of time.
 */
static int
shield(lua_State *L)
{
        lua_Integer ms = luaL_checkinteger(L, 1);
        struct vm *vm = vm_of(L);
        struct task *task = vm->current;
        struct err err;

        if (task == NULL || task->shield_count == SHIELDS_MAX)
                lx_fail(L, ERR_RECIPE, "too many shields inside one another");
        struct loop *loop = task_loop(L);
        err_init(&err);
        struct cancel *parent = task->shield_count != 0 ? token_of(task) : NULL;
        struct cancel *token = cancel_new(parent, &err);
        if (token == NULL)
                lx_raise(L, &err);
        struct shield *made = &task->shields[task->shield_count];
        *made = (struct shield){ .task = task, .token = token };
        made->timer = loop_timer(loop, ms, deadline_over, made, &err);
        if (made->timer == 0) {
                cancel_unref(token);
                lx_raise(L, &err);
        }
        task->shield_count++;
        return 0;
}

static int
unshield(lua_State *L)
{
        struct vm *vm = vm_of(L);
        struct task *task = vm->current;

        if (task == NULL || task->shield_count == 0)
                lx_fail(L, ERR_RECIPE, "there is no shield to end");
        task->shield_count--;
        loop_timer_stop(vm->loop, task->shields[task->shield_count].timer);
        cancel_unref(task->shields[task->shield_count].token);
        return 0;
}

/* cancelled() -> is the running task's own token set, shielded or not? */
static int
is_cancelled(lua_State *L)
{
        struct vm *vm = vm_of(L);

        lua_pushboolean(
            L, cancel_is_set(vm->current != NULL ? vm->current->token : vm->root_cancel));
        return 1;
}

int
lx_open_task(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "spawn", spawn },
                { "sleep", sleep_ms },
                { "shield", shield },
                { "unshield", unshield },
                { "cancelled", is_cancelled },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
