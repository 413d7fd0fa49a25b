/*
 * require: Lua modules from the program itself (or from --dev DIR), native
 * modules for the files below lua/ only, and globals that must be declared.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "lx.h"
#include "moonkeep/file.h"
#include "moonkeep/scripts.h"
#include "vm_internal.h"

#define LOADED "moonkeep.loaded"

/* Bounds on a module's name and on the size of one Lua file. */
#define NAME_MAX_LEN 128
#define SCRIPT_MAX ((size_t)4 * 1024 * 1024)

/* The embedded file of that name, or NULL. */
static const struct script *
find_script(const char *name)
{
        for (const struct script *script = scripts; script->name != NULL; script++) {
                if (strcmp(script->name, name) == 0)
                        return script;
        }
        return NULL;
}

struct text {
        struct buf buf;
};

static void
text_close(void *object)
{
        buf_free(&((struct text *)object)->buf);
}

static const struct lx_class text_class = { "moonkeep.text", text_close, NULL, false };

/* Push the text of the file `name`; false (and nothing) when there is none. */
static bool
push_script(lua_State *L, const char *name)
{
        const char *dev = vm_of(L)->dev_dir;

        if (dev == NULL) {
                const struct script *script = find_script(name);
                if (script == NULL)
                        return false;
                lua_pushlstring(L, script->begin, (size_t)(script->end - script->begin));
                return true;
        }

        struct err err;
        lua_pushfstring(L, "%s/%s", dev, name);
        struct text *text = lx_new(L, &text_class, sizeof(*text)); /* path text */
        buf_init(&text->buf, SCRIPT_MAX);
        err_init(&err);
        if (file_read(lua_tostring(L, -2), &text->buf, &err) != 0) {
                lua_pop(L, 2);
                if (err.code == ERR_NOT_FOUND)
                        return false;
                lx_raise(L, &err);
        }
        lua_pushlstring(L, text->buf.data != NULL ? text->buf.data : "", text->buf.len);
        lua_replace(L, -3);
        lua_pop(L, 1);
        return true;
}

/* Load the text on the stack's top as a chunk; replaces it by the function. */
static void
load_text(lua_State *L, const char *chunk)
{
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);

        if (luaL_loadbufferx(L, text, len, chunk, "t") != LUA_OK) {
                /* A message handler of the caller has seen it already, and made it an error value.
                 */
                if (!lua_isstring(L, -1))
                        lua_error(L);
                lx_fail(L, ERR_RECIPE, "%s", lua_tostring(L, -1));
        }
        lua_remove(L, -2);
}

/* What a recipe can call are the annotated functions below lua/. */
static void
check_native_caller(lua_State *L, const char *name)
{
        lua_Debug ar;

        /* Without a caller it is the first function of a coroutine: anybody's. */
        if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "S", &ar) ||
            (strncmp(ar.source, "@lua/", 5) != 0 && strncmp(ar.source, "@tests/lua/", 11) != 0))
                lx_fail(
                    L, ERR_RECIPE, "native module \"%s\" may only be required below lua/", name);
}

static int
open_native(lua_State *L, const char *name)
{
        static const struct {
                const char *name;
                lua_CFunction open;
        } natives[] = {
#define NATIVE(module) { "_" #module, lx_open_##module },
                LX_MODULES(NATIVE)
#undef NATIVE
        };

        for (size_t idx = 0; idx < sizeof(natives) / sizeof(natives[0]); idx++) {
                if (strcmp(natives[idx].name, name) == 0)
                        return natives[idx].open(L);
        }
        lx_fail(L, ERR_RECIPE, "there is no native module \"%s\"", name);
}

static void
check_name(lua_State *L, const char *name, size_t len)
{
        bool dot = true;

        for (size_t idx = 0; idx < len; idx++) {
                bool word = (name[idx] >= 'a' && name[idx] <= 'z') || name[idx] == '_' ||
                            (name[idx] >= '0' && name[idx] <= '9');
                if (!word && (name[idx] != '.' || dot))
                        lx_fail(L, ERR_RECIPE, "\"%s\" is no module name", name);
                dot = name[idx] == '.';
        }
        if (len == 0 || dot || len > NAME_MAX_LEN)
                lx_fail(L, ERR_RECIPE, "\"%s\" is no module name", name);
}

/* Push the chunk of a Lua module: lua/A/B.lua, or recipes/A/_B.lua. */
static bool
push_module(lua_State *L, const char *name)
{
        static const char *const folders[] = { "lua", "recipes" };
        const char *last = strrchr(name, '.');
        char path[NAME_MAX_LEN + 32];
        char chunk[sizeof(path) + 1];

        last = last != NULL ? last + 1 : name;
        for (size_t idx = 0; idx < 2; idx++) {
                /* Of the recipes only their libraries are modules. */
                if (idx == 1 && last[0] != '_')
                        break;
                int len = snprintf(path, sizeof(path), "%s/%s.lua", folders[idx], name);
                for (char *dot = path; dot < path + len - 4; dot++) {
                        if (*dot == '.')
                                *dot = '/';
                }
                if (push_script(L, path)) {
                        snprintf(chunk, sizeof(chunk), "@%s", path);
                        load_text(L, chunk);
                        return true;
                }
        }
        return false;
}

/* What stands for a module while it is loaded. */
static const char loading;

/* Call the chunk on the stack's top, above a message handler; both give way to its value. */
static void
call_module(lua_State *L, const char *name)
{
        lua_pushlightuserdata(L, (void *)(uintptr_t)&loading);
        lua_setfield(L, 2, name);
        lua_pushvalue(L, 1);
        int status = lua_pcall(L, 1, 1, -3);
        lua_remove(L, -2);
        if (status != LUA_OK) {
                lua_pushnil(L);
                lua_setfield(L, 2, name);
                lua_error(L);
        }
}

/* require(name) -> the module's value, loaded once */
static int
require(lua_State *L)
{
        size_t len;
        const char *name = luaL_checklstring(L, 1, &len);

        lua_settop(L, 1);
        check_name(L, name, len);
        bool native = name[0] == '_' && strchr(name, '.') == NULL;
        if (native)
                check_native_caller(L, name);
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED); /* name loaded */
        if (lua_getfield(L, 2, name) != LUA_TNIL) {
                if (lua_touserdata(L, -1) == &loading)
                        lx_fail(L, ERR_RECIPE, "module \"%s\" requires itself", name);
                return 1;
        }
        lua_pop(L, 1);

        if (native) {
                open_native(L, name);
        } else {
                lua_getfield(L, LUA_REGISTRYINDEX, "moonkeep.handler");
                if (!push_module(L, name))
                        lx_fail(L, ERR_RECIPE, "there is no module \"%s\"", name);
                call_module(L, name);
        }
        lua_pushvalue(L, -1);
        lua_setfield(L, 2, name);
        return 1;
}

static int
undeclared(lua_State *L)
{
        lx_fail(L, ERR_RECIPE, "\"%s\" is not declared: use `local`", luaL_tolstring(L, 2, NULL));
}

/* scripts.text(name) -> the text of an embedded or --dev file, or nil */
static int
script_text(lua_State *L)
{
        const char *name = luaL_checkstring(L, 1);

        if (strstr(name, "..") != NULL || !push_script(L, name))
                lua_pushnil(L);
        return 1;
}

/* scripts.names() -> the names of all embedded files */
static int
script_names(lua_State *L)
{
        lua_newtable(L);
        for (int idx = 0; scripts[idx].name != NULL; idx++) {
                lua_pushstring(L, scripts[idx].name);
                lua_rawseti(L, -2, idx + 1);
        }
        return 1;
}

/* scripts.load(text, chunk, env) -> function; syntax errors are raised */
static int
script_load(lua_State *L)
{
        const char *chunk = luaL_checkstring(L, 2);

        luaL_checkstring(L, 1);
        luaL_checktype(L, 3, LUA_TTABLE);
        lua_settop(L, 3);
        lua_pushvalue(L, 1);
        load_text(L, chunk);
        lua_pushvalue(L, 3);
        lua_setupvalue(L, -2, 1); /* _ENV */
        return 1;
}

/* scripts.dev() -> the directory of --dev, or nil */
static int
script_dev(lua_State *L)
{
        lua_pushstring(L, vm_of(L)->dev_dir);
        return 1;
}

/* scripts.error_meta() -> the metatable of structured errors */
static int
script_error_meta(lua_State *L)
{
        luaL_getmetatable(L, LX_ERROR_META);
        return 1;
}

int
lx_open_scripts(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "text", script_text },
                { "names", script_names },
                { "load", script_load },
                { "dev", script_dev },
                { "error_meta", script_error_meta },
                { NULL, NULL },
        };

        lx_module(L, functions);
        /* scripts.traceback: for xpcall; keeps in an error where it came from */
        lua_getfield(L, LUA_REGISTRYINDEX, "moonkeep.handler");
        lua_setfield(L, -2, "traceback");
        return 1;
}

void
require_open(lua_State *L)
{
        lua_pushcfunction(L, require);
        lua_setglobal(L, "require");

        lua_pushglobaltable(L);
        lua_createtable(L, 0, 2);
        lua_pushcfunction(L, undeclared);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, undeclared);
        lua_setfield(L, -2, "__newindex");
        lua_pushboolean(L, false);
        lua_setfield(L, -2, "__metatable");
        lua_setmetatable(L, -2);
        lua_pop(L, 1);
}
