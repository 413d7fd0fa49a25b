/*
 * What the files of the module _fs share.
 */
#ifndef MOONKEEP_SCRIPT_L_FS_H
#define MOONKEEP_SCRIPT_L_FS_H

#include <lua.h>

/* lx_fs_raise: raise errno: "cannot WHAT "PATH": ...".  [raises] */
int lx_fs_raise(lua_State *L, const char *what, const char *path) __attribute__((noreturn));

/* The function append() of the module (l_fs_append.c). */
int lx_fs_append(lua_State *L);

#endif
