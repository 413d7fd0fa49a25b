#include "moonkeep/vm.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lx.h"
#include "moonkeep/secret.h"
#include "task.h"
#include "vm_internal.h"

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

        coroutine_guard(L);

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
        /* Raw: the value may be anything, with metamethods that raise. */
        lua_pushliteral(L, "traceback");
        if (lua_rawget(L, 1) == LUA_TNIL) {
                lua_pushliteral(L, "traceback");
                luaL_traceback(L, L, NULL, 1);
                lua_rawset(L, 1);
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

static int
print_error(lua_State *L)
{
        struct err err;

        lx_to_err(L, 1, &err);
        secret_redact(err.msg, strlen(err.msg));
        fprintf(stderr, "moonkeep: %s\n", err.msg);
        if (lua_istable(L, 1)) {
                lua_pushliteral(L, "traceback");
                if (lua_rawget(L, 1) == LUA_TSTRING)
                        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        }
        return 0;
}

void
vm_print_error(lua_State *L)
{
        lua_pushcfunction(L, print_error);
        lua_insert(L, -2);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
                fprintf(stderr, "moonkeep: out of memory\n");
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

/* The libraries, then the module whose name is at the address given; runs protected. */
static int
open_module(lua_State *L)
{
        const char *module = lua_touserdata(L, 1);

        open_machine(L);
        lua_getglobal(L, "require");
        lua_pushstring(L, module);
        lua_call(L, 1, 1);
        return 1;
}

static void *
allocate(void *arg, void *mem, size_t old_size, size_t size)
{
        (void)arg;
        (void)old_size;
        if (size == 0) {
                free(mem);
                return NULL;
        }
        return realloc(mem, size);
}

/* What is called outside of any protection fails for want of memory only. */
static int
on_panic(lua_State *L)
{
        const char *text = lua_tostring(L, -1);

        fprintf(stderr, "moonkeep: %s\n", text != NULL ? text : "out of memory");
        _exit(1);
}

int
vm_open(struct vm *vm, const char *module)
{
        struct err err;

        err_init(&err);
        vm->ready_end = &vm->ready;
        vm->root_cancel = cancel_new(NULL, &err);
        vm->L = lua_newstate(vm->alloc != NULL ? vm->alloc : allocate, vm->alloc_arg);
        if (vm->root_cancel == NULL || vm->L == NULL) {
                fprintf(stderr, "moonkeep: out of memory\n");
                return -1;
        }
        *(struct vm **)lua_getextraspace(vm->L) = vm;
        lua_atpanic(vm->L, on_panic);

        lua_pushcfunction(vm->L, add_traceback);
        lua_pushcfunction(vm->L, open_module);
        lua_pushlightuserdata(vm->L, (void *)(uintptr_t)module);
        if (lua_pcall(vm->L, 1, 1, 1) != LUA_OK) {
                vm_print_error(vm->L);
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
                vm_catch_signals(&vm);
                lua_createtable(vm.L, argc, 0);
                for (int idx = 0; idx < argc; idx++) {
                        lua_pushstring(vm.L, argv[idx]);
                        lua_rawseti(vm.L, -2, idx);
                }
                status = vm_run(&vm, 1);
        }
        vm_close(&vm);
        return status;
}
