/*
 * Lua's coroutines beside our tasks: a script may make its own, but neither
 * end a task's line by a yield that nobody answers, nor resume or close a task
 * that waits, under whose feet jobs would go on.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lx.h"
#include "task_internal.h"
#include "vm_internal.h"

/* The library's own functions. */
static lua_CFunction library_resume;
static lua_CFunction library_close;

static void
check_own(lua_State *L, const char *what)
{
        const lua_State *co = lua_tothread(L, 1);

        for (const struct task *task = vm_of(L)->tasks; task != NULL; task = task->next) {
                if (task->co == co)
                        lx_fail(L, ERR_RECIPE, "coroutine.%s: this coroutine is a task", what);
        }
}

static int
resume(lua_State *L)
{
        check_own(L, "resume");
        return library_resume(L);
}

static int
close_coroutine(lua_State *L)
{
        check_own(L, "close");
        return library_close(L);
}

static int
yield(lua_State *L)
{
        const struct vm *vm = vm_of(L);

        if (vm->current != NULL && vm->current->co == L)
                lx_fail(L, ERR_RECIPE, "coroutine.yield outside of a coroutine of one's own");
        return lua_yield(L, lua_gettop(L));
}

void
coroutine_guard(lua_State *L)
{
        lua_getglobal(L, LUA_COLIBNAME);
        lua_getfield(L, -1, "resume");
        library_resume = lua_tocfunction(L, -1);
        lua_getfield(L, -2, "close");
        library_close = lua_tocfunction(L, -1);
        lua_pop(L, 2);

        lua_pushcfunction(L, resume);
        lua_setfield(L, -2, "resume");
        lua_pushcfunction(L, close_coroutine);
        lua_setfield(L, -2, "close");
        lua_pushcfunction(L, yield);
        lua_setfield(L, -2, "yield");
        lua_pop(L, 1);
}
