/*
 * Secrets, for the bindings that send them.
 */
#ifndef MOONKEEP_SCRIPT_L_SECRET_H
#define MOONKEEP_SCRIPT_L_SECRET_H

#include <lua.h>

#include "moonkeep/secret.h"

/* lx_secret: the secret at arg (borrowed), or NULL when it is none. */
struct secret *lx_secret(lua_State *L, int arg);

/* lx_secret_new: push a secret that is empty yet; what is put there is its own. */
struct secret **lx_secret_new(lua_State *L);

#endif
