/*
 * Far hosts as Lua objects, for the bindings that make some.
 */
#ifndef MOONKEEP_SCRIPT_L_FAR_H
#define MOONKEEP_SCRIPT_L_FAR_H

#include <lua.h>

#include "moonkeep/far.h"

/*
 * lx_far_host_new: push a closed far host, and return where the binding puts
 * the host that it acquires; its reference is the object's then.  [raises]
 */
struct far_host **lx_far_host_new(lua_State *L);

/* lx_far_host_check: the host at arg (borrowed).  [raises] */
struct far_host *lx_far_host_check(lua_State *L, int arg);

#endif
