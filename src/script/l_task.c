/*
 * _task: tasks, sleeping, and shields against a cancel.
 */
#include <lauxlib.h>

#include "lx.h"
#include "task.h"
#include "task_internal.h"
#include "vm_internal.h"

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
        if (vm_of(L)->current != NULL)
                vm_of(L)->current->awaits = NULL;
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
        for (const struct task *at = task; at != NULL; at = at->awaits) {
                if (at == vm->current)
                        lx_fail(L, ERR_RECIPE, "tasks wait for each other");
        }
        if (task->waiter != NULL)
                lx_fail(L, ERR_RECIPE, "two tasks wait for the same task");
        task->waiter = vm->current;
        vm->current->awaits = task;
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
        struct cancel *parent = task->shield_count != 0 ? task_token_of(task) : NULL;
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
        task_unshield(task);
        return 0;
}

/* running() -> the coroutine of the running task, also inside one of its own; or nil */
static int
running(lua_State *L)
{
        const struct vm *vm = vm_of(L);

        if (vm->current == NULL)
                return 0;
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->current->ref);
        return 1;
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
                { "running", running },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
