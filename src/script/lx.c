#include "lx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
lx_push_err(lua_State *L, const struct err *err)
{
        lua_createtable(L, 0, 6); /* error */
        lua_pushstring(L, err_code_name(err->code));
        lua_setfield(L, -2, "code");
        lua_pushstring(L, err->msg);
        lua_setfield(L, -2, "message");
        if (err->hint[0] != '\0') {
                lua_pushstring(L, err->hint);
                lua_setfield(L, -2, "hint");
        }
        if (err->http != 0) {
                lua_pushinteger(L, err->http);
                lua_setfield(L, -2, "http");
        }
        if (err->retryable) {
                lua_pushboolean(L, true);
                lua_setfield(L, -2, "retryable");
        }
        luaL_setmetatable(L, LX_ERROR_META);
}

int
lx_raise(lua_State *L, const struct err *err)
{
        lx_push_err(L, err);
        lua_error(L);
        __builtin_unreachable();
}

int
lx_fail(lua_State *L, enum err_code code, const char *fmt, ...)
{
        struct err err;
        va_list args;

        err_init(&err);
        err.code = code;
        va_start(args, fmt);
        vsnprintf(err.msg, sizeof(err.msg), fmt, args);
        va_end(args);
        lx_raise(L, &err);
}

static void
copy_field(lua_State *L, int idx, const char *name, char *out, size_t size)
{
        /* Raw: an error value's metamethods may raise errors of their own. */
        lua_pushstring(L, name);
        if (lua_rawget(L, idx) == LUA_TSTRING)
                snprintf(out, size, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
}

void
lx_to_err(lua_State *L, int idx, struct err *err)
{
        char code[32] = "internal";

        idx = lua_absindex(L, idx);
        err_init(err);
        if (!lua_istable(L, idx)) {
                err_set(err, ERR_RECIPE, "%s", luaL_tolstring(L, idx, NULL));
                lua_pop(L, 1);
                return;
        }
        copy_field(L, idx, "code", code, sizeof(code));
        copy_field(L, idx, "message", err->msg, sizeof(err->msg));
        copy_field(L, idx, "hint", err->hint, sizeof(err->hint));
        err->code = err_code_from_name(code);
}

static int
close_object(lua_State *L)
{
        const struct lx_class *cls = lua_touserdata(L, lua_upvalueindex(1));
        void *object = lua_touserdata(L, 1);

        if (object != NULL)
                cls->close(object);
        return 0;
}

void *
lx_new(lua_State *L, const struct lx_class *cls, size_t size)
{
        void *object = lua_newuserdatauv(L, size, 1); /* object */

        memset(object, 0, size);
        if (luaL_getmetatable(L, cls->name) == LUA_TNIL) { /* object nil */
                lua_pop(L, 1);
                lua_createtable(L, 0, 5); /* object meta */
                lua_pushstring(L, cls->name);
                lua_setfield(L, -2, "__name");
                lua_pushlightuserdata(L, (void *)(uintptr_t)cls);
                lua_pushcclosure(L, close_object, 1);
                if (cls->scoped) {
                        lua_pushvalue(L, -1);
                        lua_setfield(L, -3, "__close");
                }
                lua_setfield(L, -2, "__gc");
                lua_newtable(L);
                if (cls->methods != NULL)
                        luaL_setfuncs(L, cls->methods, 0);
                lua_setfield(L, -2, "__index");
                lua_pushboolean(L, false);
                lua_setfield(L, -2, "__metatable");
                /* Last: one without its finalizer, for want of memory, would leak all objects. */
                lua_pushvalue(L, -1);
                lua_setfield(L, LUA_REGISTRYINDEX, cls->name);
        }
        lua_setmetatable(L, -2); /* object */
        return object;
}

void *
lx_check(lua_State *L, int arg, const struct lx_class *cls)
{
        return luaL_checkudata(L, arg, cls->name);
}

void *
lx_test(lua_State *L, int arg, const struct lx_class *cls)
{
        return luaL_testudata(L, arg, cls->name);
}

static int
wrong_field(lua_State *L, const char *name, const char *wanted)
{
        lx_fail(
            L, ERR_RECIPE, "field \"%s\" must be %s, not %s", name, wanted, luaL_typename(L, -1));
}

const char *
lx_field_string(lua_State *L, int arg, const char *name, const char *otherwise)
{
        int type = lua_getfield(L, arg, name);
        const char *text = otherwise;

        if (type == LUA_TSTRING)
                text = lua_tostring(L, -1); /* stays anchored in the table */
        else if (type != LUA_TNIL)
                wrong_field(L, name, "a string");
        lua_pop(L, 1);
        return text;
}

int64_t
lx_field_int(lua_State *L, int arg, const char *name, int64_t otherwise)
{
        int64_t value = otherwise;

        if (lua_getfield(L, arg, name) != LUA_TNIL) {
                int ok = 0;
                value = lua_tointegerx(L, -1, &ok);
                if (!ok)
                        wrong_field(L, name, "an integer");
        }
        lua_pop(L, 1);
        return value;
}

bool
lx_field_bool(lua_State *L, int arg, const char *name, bool otherwise)
{
        bool value = otherwise;

        if (lua_getfield(L, arg, name) != LUA_TNIL)
                value = lua_toboolean(L, -1);
        lua_pop(L, 1);
        return value;
}

const char *
lx_check_path(lua_State *L, int arg)
{
        size_t len;
        const char *path = luaL_checklstring(L, arg, &len);

        if (len == 0 || strlen(path) != len)
                lx_fail(L, ERR_INVALID, "a path must not be empty or hold a NUL");
        return path;
}

const char **
lx_string_array(lua_State *L, int arg, const char *name)
{
        int type = lua_getfield(L, arg, name); /* list */

        if (type == LUA_TNIL)
                return NULL;
        if (type != LUA_TTABLE)
                wrong_field(L, name, "a list of strings");

        lua_Unsigned count = lua_rawlen(L, -1);
        const char **array = lua_newuserdatauv(L, (count + 1) * sizeof(*array), 1);
        lua_createtable(L, (int)count, 0); /* list array anchors */
        for (lua_Unsigned idx = 0; idx < count; idx++) {
                if (lua_rawgeti(L, -3, (lua_Integer)idx + 1) != LUA_TSTRING)
                        wrong_field(L, name, "a list of strings");
                size_t len;
                array[idx] = lua_tolstring(L, -1, &len);
                if (strlen(array[idx]) != len)
                        lx_fail(L, ERR_INVALID, "field \"%s\" holds a string with a NUL", name);
                lua_rawseti(L, -2, (lua_Integer)idx + 1);
        }
        array[count] = NULL;
        lua_setiuservalue(L, -2, 1);
        lua_remove(L, -2); /* array */
        return array;
}

void
lx_module(lua_State *L, const luaL_Reg *functions)
{
        lua_newtable(L);
        luaL_setfuncs(L, functions, 0);
}
