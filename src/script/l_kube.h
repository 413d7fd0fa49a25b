/*
 * What the files of the module _kube share.
 */
#ifndef MOONKEEP_SCRIPT_L_KUBE_H
#define MOONKEEP_SCRIPT_L_KUBE_H

#include <lauxlib.h>
#include <lua.h>

#include "moonkeep/kube.h"

/* lx_kube_check: the client at arg (borrowed).  [raises] */
struct kube_client *lx_kube_check(lua_State *L, int arg);

/* Methods of clients. */
int lx_kube_request(lua_State *L); /* l_kube_call.c */
int lx_kube_follow(lua_State *L);  /* l_kube_follow.c */

/* Functions of the module, in l_kube_call.c. */
extern const luaL_Reg lx_kube_call_functions[];

#endif
