#include "moonkeep/vm.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lx.h"
#include "moonkeep/time.h"
#include "task.h"
#include "vm_internal.h"

/* A cancelled run has so long to undo what it did, before Kubernetes kills the pod. */
#define CANCEL_GRACE_MS 25000

/* How many instructions of Lua run between two looks at the signals. */
#define HOOK_INSTRUCTIONS 1000000

volatile sig_atomic_t vm_signals;
static struct loop *_Atomic signal_loop;

static void
on_signal(int sig)
{
        int sys = errno;

        vm_signals = vm_signals + 1;
        if (vm_signals > 1 && sig == SIGINT)
                _exit(err_exit_status(ERR_CANCELLED));
        if (signal_loop != NULL)
                loop_wake(signal_loop);
        errno = sys;
}

static void
catch_signals(void)
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
}

/* A signal came: cancel everything once, and see to it that this ends. */
static void
look_at_signals(struct vm *vm)
{
        if (vm_signals == 0)
                return;
        if (vm->cancelled_at_ms == 0) {
                vm->cancelled_at_ms = time_mono_ms();
                cancel_trigger(vm->root_cancel);
                task_cancelled(vm);
        } else if (time_mono_ms() - vm->cancelled_at_ms > CANCEL_GRACE_MS) {
                fprintf(stderr,
                    "moonkeep: what was cancelled did not end in %d s and was left as it is\n"
                    "  hint: `moonkeep runs` lists the run, `moonkeep rollback RUN` undoes it\n",
                    CANCEL_GRACE_MS / 1000);
                _exit(err_exit_status(ERR_CANCELLED));
        }
}

/* Straight-line Lua that never waits sees a signal, too. */
static void
hook(lua_State *L, lua_Debug *ar)
{
        struct vm *vm = vm_of(L);
        struct err err;

        (void)ar;
        if (vm_signals == 0)
                return;
        look_at_signals(vm);
        err_init(&err);
        if (cancel_check(task_token(L), &err) != 0)
                lx_raise(L, &err);
}

/* The libraries that scripts may use, without what reads files or prints. */
static void
open_libraries(lua_State *L)
{
        static const luaL_Reg libraries[] = {
                { LUA_GNAME, luaopen_base },
                { LUA_TABLIBNAME, luaopen_table },
                { LUA_STRLIBNAME, luaopen_string },
                { LUA_MATHLIBNAME, luaopen_math },
                { LUA_UTF8LIBNAME, luaopen_utf8 },
                { LUA_COLIBNAME, luaopen_coroutine },
        };
        static const char *const banned[] = { "dofile", "loadfile", "load", "print", "warn" };

        for (size_t idx = 0; idx < sizeof(libraries) / sizeof(libraries[0]); idx++) {
                luaL_requiref(L, libraries[idx].name, libraries[idx].func, 1);
                lua_pop(L, 1);
        }
        for (size_t idx = 0; idx < sizeof(banned) / sizeof(banned[0]); idx++) {
                lua_pushnil(L);
                lua_setglobal(L, banned[idx]);
        }
        lua_getglobal(L, "string");
        lua_pushnil(L);
        lua_setfield(L, -2, "dump");
        lua_pop(L, 1);

        lua_getglobal(L, "xpcall");
        lua_setfield(L, LUA_REGISTRYINDEX, "moonkeep.xpcall");
}

/* An error on its way up: keep where it came from, for -v. */
static int
add_traceback(lua_State *L)
{
        if (!lua_istable(L, 1)) {
                struct err err;
                lx_to_err(L, 1, &err);
                lx_push_err(L, &err);
                lua_replace(L, 1);
        }
        if (lua_getfield(L, 1, "traceback") == LUA_TNIL) {
                luaL_traceback(L, L, NULL, 1);
                lua_setfield(L, 1, "traceback");
        }
        lua_settop(L, 1);
        return 1;
}

/* All libraries, and what every file finds without a require. */
static void
open_machine(lua_State *L)
{
        open_libraries(L);
        luaL_newmetatable(L, LX_ERROR_META);
        lua_pop(L, 1);
        lua_pushcfunction(L, add_traceback);
        lua_setfield(L, LUA_REGISTRYINDEX, "moonkeep.handler");
        require_open(L);

        lua_getglobal(L, "require");
        lua_pushstring(L, "prelude");
        lua_call(L, 1, 0);
}

static void
print_error(lua_State *L, int idx)
{
        struct err err;

        lx_to_err(L, idx, &err);
        fprintf(stderr, "moonkeep: %s\n", err.msg);
        if (lua_istable(L, idx) && lua_getfield(L, idx, "traceback") == LUA_TSTRING)
                fprintf(stderr, "%s\n", lua_tostring(L, -1));
}

static int
run(struct vm *vm, struct task *root)
{
        struct err err;
        int count;

        for (;;) {
                task_run_ready(vm);
                if (vm->tasks == NULL)
                        break;
                look_at_signals(vm);
                if (vm->ready != NULL)
                        continue;
                err_init(&err);
                signal_loop = vm->loop;
                if (loop_run_once(vm->loop, vm_signals != 0 ? 1000 : -1, &err) != 0) {
                        fprintf(stderr, "moonkeep: %s\n", err.msg);
                        return 1;
                }
        }

        if (task_result(root, vm->L, &count))
                return (int)lua_tointeger(vm->L, -count);
        print_error(vm->L, lua_gettop(vm->L));
        return 1;
}

static const char *
dev_dir(int argc, char **argv)
{
        for (int idx = 1; idx < argc; idx++) {
                if (strncmp(argv[idx], "--dev=", 6) == 0)
                        return argv[idx] + 6;
                if (strcmp(argv[idx], "--dev") == 0 && idx + 1 < argc)
                        return argv[idx + 1];
        }
        return NULL;
}

/* The libraries, then the module that was asked for; runs protected. */
static int
open_module(lua_State *L)
{
        open_machine(L);
        lua_getglobal(L, "require");
        lua_insert(L, 1);
        lua_call(L, 1, 1);
        return 1;
}

int
vm_open(struct vm *vm, const char *module)
{
        struct err err;

        err_init(&err);
        vm->ready_end = &vm->ready;
        vm->root_cancel = cancel_new(NULL, &err);
        vm->L = luaL_newstate();
        if (vm->root_cancel == NULL || vm->L == NULL) {
                fprintf(stderr, "moonkeep: out of memory\n");
                return -1;
        }
        *(struct vm **)lua_getextraspace(vm->L) = vm;

        lua_pushcfunction(vm->L, add_traceback);
        lua_pushcfunction(vm->L, open_module);
        lua_pushstring(vm->L, module);
        if (lua_pcall(vm->L, 1, 1, 1) != LUA_OK) {
                print_error(vm->L, lua_gettop(vm->L));
                return -1;
        }
        lua_remove(vm->L, 1); /* module */
        return 0;
}

void
vm_close(struct vm *vm)
{
        if (vm->L != NULL)
                lua_close(vm->L);
        signal_loop = NULL;
        if (vm->loop != NULL)
                loop_free(vm->loop);
        cancel_unref(vm->root_cancel);
        *vm = (struct vm){ 0 };
}

int
vm_main(int argc, char **argv)
{
        struct vm vm = { .dev_dir = dev_dir(argc, argv) };
        int status = 1;

        if (vm_open(&vm, "cli.main") == 0) {
                catch_signals();
                lua_sethook(vm.L, hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
                lua_createtable(vm.L, argc, 0);
                for (int idx = 0; idx < argc; idx++) {
                        lua_pushstring(vm.L, argv[idx]);
                        lua_rawseti(vm.L, -2, idx);
                }
                struct task *root = task_start(&vm, vm.L, 1);
                task_hold(root);
                status = run(&vm, root);
                task_release(root);
        }
        vm_close(&vm);
        return status;
}
