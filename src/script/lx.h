/*
 * What every binding uses: raising errors, closed-until-acquired objects,
 * checked arguments.
 *
 * A binding checks its arguments, creates a closed object (lx_new), acquires
 * into it, then pushes.  No raw allocation lives across a call of Lua's API
 * that can raise.  Functions marked [raises] do not return on failure.
 */
#ifndef MOONKEEP_SCRIPT_LX_H
#define MOONKEEP_SCRIPT_LX_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/err.h"

/* Names in Lua's registry. */
#define LX_ERROR_META "moonkeep.error" /* the metatable of structured errors */

/* lx_raise: raise err as a structured error.  [raises] */
int lx_raise(lua_State *L, const struct err *err) __attribute__((noreturn));

/* lx_fail: raise a new error.  [raises] */
int lx_fail(lua_State *L, enum err_code code, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/* lx_push_err: push err as a structured error value. */
void lx_push_err(lua_State *L, const struct err *err);

/* lx_to_err: read the error value at idx, of any type, into err. */
void lx_to_err(lua_State *L, int idx, struct err *err);

/* A class of userdata. */
struct lx_class {
        const char *name;
        void (*close)(void *object); /* release; called for gc and __close; must be idempotent */
        const luaL_Reg *methods;     /* or NULL */
        bool scoped;                 /* may be a to-be-closed variable; else only gc closes */
};

/* lx_new: push a new object of size bytes, all zero: closed.  [raises] */
void *lx_new(lua_State *L, const struct lx_class *cls, size_t size);

/* lx_check: the object at arg.  [raises] */
void *lx_check(lua_State *L, int arg, const struct lx_class *cls);

/* lx_test: the object at arg, or NULL when it is something else. */
void *lx_test(lua_State *L, int arg, const struct lx_class *cls);

/* Fields of an options table at arg; absent ones give the default.  [raises on a wrong type] */
const char *lx_field_string(lua_State *L, int arg, const char *name, const char *otherwise);
int64_t lx_field_int(lua_State *L, int arg, const char *name, int64_t otherwise);
bool lx_field_bool(lua_State *L, int arg, const char *name, bool otherwise);

/* lx_check_path: the string at arg, which must hold no NUL and not be empty.  [raises] */
const char *lx_check_path(lua_State *L, int arg);

/*
 * lx_string_array: the list of strings in field `name` of the table at arg as
 * a NULL-terminated array, owned by a userdata that is pushed and that anchors
 * the strings (nil and NULL when the field is absent).  [raises]
 */
const char **lx_string_array(lua_State *L, int arg, const char *name);

/* lx_module: push a table with the functions; for luaopen-like functions. */
void lx_module(lua_State *L, const luaL_Reg *functions);

/* The native modules, one file each; they push the module's table. */
/* clang-format off */
#define LX_MODULES(X)                                                                              \
        X(azure) X(digest) X(far) X(fs) X(http) X(json) X(kube) X(os) X(proc) X(scripts)           \
        X(secret) X(store) X(stream) X(tar) X(task) X(time) X(tsdb) X(url) X(xml) X(yaml)
/* clang-format on */

#define LX_DECLARE(name) int lx_open_##name(lua_State *L);
LX_MODULES(LX_DECLARE)
#undef LX_DECLARE

#endif
