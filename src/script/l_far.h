/*
 * Far hosts as Lua objects, for the bindings that make some.
 */
#ifndef MOONKEEP_SCRIPT_L_FAR_H
#define MOONKEEP_SCRIPT_L_FAR_H

#include <lauxlib.h>
#include <lua.h>

#include "moonkeep/far.h"

/*
 * lx_far_host_new: push a closed far host, and return where the binding puts
 * the host that it acquires; its reference is the object's then.  [raises]
 */
struct far_host **lx_far_host_new(lua_State *L);

/* lx_far_host_check: the host at arg (borrowed).  [raises] */
struct far_host *lx_far_host_check(lua_State *L, int arg);

/* The functions of l_far_stream.c and l_far_run.c, parts of the module _far. */
extern const luaL_Reg lx_far_stream_functions[];
extern const luaL_Reg lx_far_run_functions[];

#endif
