/*
 * The texts of the command line: parameters of each type, words, backups' names.
 * The first byte chooses; the rest is what was typed.
 */
#include "lua_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const types[] = { "string", "path", "url", "integer", "boolean",
                "duration", "size", "time", "owner", "service", "target", "store", "backup" };
        static const char *const may[] = { "usage", "invalid", "unsupported", "too_big", NULL };
        lua_State *L = lua_fuzz_open("recipe.params");

        if (size == 0)
                return 0;
        const char *type = types[data[0] % (sizeof(types) / sizeof(types[0]))];

        /* params.parse("fuzz", {it = {type}}, {it = {text}}) */
        lua_getfield(L, 1, "parse");
        lua_pushstring(L, "fuzz");
        lua_newtable(L);
        lua_newtable(L);
        lua_pushstring(L, type);
        lua_rawseti(L, -2, 1);
        lua_setfield(L, -2, "it");
        lua_newtable(L);
        lua_newtable(L);
        lua_pushlstring(L, (const char *)data + 1, size - 1);
        lua_rawseti(L, -2, 1);
        lua_setfield(L, -2, "it");
        lua_fuzz_pcall(L, 3, may);
        return 0;
}
