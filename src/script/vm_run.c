/*
 * Running the machine: its first task, the loop that all tasks wait in, and
 * the signals that cancel them.
 */
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lx.h"
#include "task.h"
#include "vm_internal.h"

/* A cancelled run has so long to undo what it did, before Kubernetes kills the pod. */
#define CANCEL_GRACE_S 25

/* How many instructions of Lua run between two looks at the signals. */
#define HOOK_INSTRUCTIONS 1000000

/* What is abandoned has so many turns of the loop to end. */
#define TURNS_MAX 100
#define TURN_MS 10

/* How often a signal asked to end. */
static volatile sig_atomic_t signals_seen;
static struct loop *_Atomic signal_loop;

static void
on_signal(int sig)
{
        int sys = errno;

        signals_seen = signals_seen + 1;
        if (signals_seen > 1 && sig == SIGINT)
                _exit(err_exit_status(ERR_CANCELLED));
        if (signals_seen == 1)
                alarm(CANCEL_GRACE_S);
        if (signal_loop != NULL)
                loop_wake(signal_loop);
        errno = sys;
}

/* By a signal of its own, whatever the machine hangs in: a write, a pattern, Lua that goes on. */
static void
on_alarm(int sig)
{
        static const char text[] =
            "moonkeep: what was cancelled did not end in 25 s and was left as it is\n"
            "  hint: `moonkeep runs` lists the run, `moonkeep rollback RUN` undoes it\n";

        (void)sig;
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(err_exit_status(ERR_CANCELLED));
}

/* Cancel everything, once. */
static void
cancel_all(struct vm *vm)
{
        if (vm->cancelled)
                return;
        vm->cancelled = true;
        cancel_trigger(vm->root_cancel);
        task_cancelled(vm);
}

/* Straight-line Lua that never waits sees a signal, too. */
static void
hook(lua_State *L, lua_Debug *ar)
{
        struct vm *vm = vm_of(L);
        struct err err;

        (void)ar;
        if (signals_seen == 0)
                return;
        cancel_all(vm);
        err_init(&err);
        if (cancel_check(task_token(L), &err) != 0)
                lx_raise(L, &err);
}

void
vm_catch_signals(struct vm *vm)
{
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        struct sigaction now;

        sigemptyset(&action.sa_mask);
        for (size_t idx = 0; idx < sizeof(signals) / sizeof(signals[0]); idx++) {
                /* What was ignored for us (nohup) stays ignored. */
                if (sigaction(signals[idx], NULL, &now) == 0 && now.sa_handler == SIG_IGN)
                        continue;
                sigaction(signals[idx], &action, NULL);
        }
        action.sa_handler = on_alarm;
        sigaction(SIGALRM, &action, NULL);
        lua_sethook(vm->L, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

/* The first task, of the function and the arguments below the machine and nargs. */
static int
start_root(lua_State *L)
{
        int nargs = lua_gettop(L) - 2;
        struct task **root = lua_touserdata(L, 1);

        lua_remove(L, 1);
        *root = task_start(vm_of(L), L, nargs);
        task_hold(*root);
        return 0;
}

/* Answers that a task let go of while they came are cancelled, and end in a turn of the loop. */
static void
end_abandoned(struct vm *vm)
{
        struct err err;

        err_init(&err);
        for (int turn = 0; turn < TURNS_MAX && vm->loop != NULL; turn++) {
                if (loop_pending(vm->loop) == 0 || loop_run_once(vm->loop, TURN_MS, &err) != 0)
                        return;
        }
}

static void
wait_for_all(struct vm *vm, const struct task *root)
{
        struct err err;

        for (;;) {
                task_run_ready(vm);
                if (vm->tasks == NULL) {
                        end_abandoned(vm);
                        return;
                }
                /* First this: a signal from here on wakes the loop. */
                signal_loop = vm->loop;
                if (signals_seen != 0 || task_has_ended(root))
                        cancel_all(vm);
                if (vm->ready != NULL)
                        continue;
                err_init(&err);
                if (loop_run_once(vm->loop, -1, &err) != 0) {
                        /* Threads may still work on what the tasks own: nothing can be freed. */
                        fprintf(stderr, "moonkeep: %s\n", err.msg);
                        _exit(1);
                }
        }
}

/* The value of the ended task at the address given, or its error. */
static int
value_of(lua_State *L)
{
        struct task *root = lua_touserdata(L, 1);
        int count;

        if (!task_result(root, L, &count))
                lua_error(L);
        if (count == 0)
                lua_pushinteger(L, 0);
        return count > 0 ? count : 1;
}

int
vm_run(struct vm *vm, int nargs)
{
        lua_State *L = vm->L;
        struct task *root = NULL;

        lua_pushcfunction(L, start_root);
        lua_insert(L, -nargs - 2);
        lua_pushlightuserdata(L, &root);
        lua_insert(L, -nargs - 2);
        if (lua_pcall(L, nargs + 2, 0, 0) != LUA_OK) {
                vm_print_error(L);
                return 1;
        }
        wait_for_all(vm, root);
        signal_loop = NULL;
        int status = 1;
        lua_pushcfunction(L, value_of);
        lua_pushlightuserdata(L, root);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
                status = (int)lua_tointeger(L, -1);
                lua_pop(L, 1);
        } else {
                vm_print_error(L);
        }
        task_release(root);
        return status;
}
