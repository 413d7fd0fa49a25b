/*
 * _time: clocks and timestamps.
 */
#include "lx.h"
#include "moonkeep/time.h"

/* now() -> milliseconds since 1970 UTC */
static int
now(lua_State *L)
{
        lua_pushinteger(L, time_now_ms());
        return 1;
}

/* mono() -> milliseconds of the monotonic clock */
static int
mono(lua_State *L)
{
        lua_pushinteger(L, time_mono_ms());
        return 1;
}

/* compact(ms) -> "20261121T020000Z" */
static int
compact(lua_State *L)
{
        char text[TIME_COMPACT_SIZE];

        time_compact(luaL_checkinteger(L, 1), text);
        lua_pushstring(L, text);
        return 1;
}

/* iso(ms) -> "2026-11-21T02:00:00.000Z" */
static int
iso(lua_State *L)
{
        char text[TIME_ISO_SIZE];

        time_iso(luaL_checkinteger(L, 1), text);
        lua_pushstring(L, text);
        return 1;
}

/* parse(text) -> milliseconds; raises "invalid" */
static int
parse(lua_State *L)
{
        int64_t ms;
        struct err err;

        err_init(&err);
        if (time_parse(luaL_checkstring(L, 1), &ms, &err) != 0)
                lx_raise(L, &err);
        lua_pushinteger(L, ms);
        return 1;
}

int
lx_open_time(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "now", now },
                { "mono", mono },
                { "compact", compact },
                { "iso", iso },
                { "parse", parse },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
