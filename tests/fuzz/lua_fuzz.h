/*
 * Fuzzing of Lua code: a machine that lives as long as the fuzzer, a module,
 * and one of its functions called with the input.
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *             static const char *const may[] = { "corrupt", NULL };
 *             lua_fuzz_call("backup.manifest", "decode", data, size, may);
 *             return 0;
 *     }
 */
#ifndef TESTS_FUZZ_LUA_FUZZ_H
#define TESTS_FUZZ_LUA_FUZZ_H

#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/script/vm_internal.h"
#include "moonkeep/err.h"

/* The module's table on a machine's stack; made once. */
static lua_State *
lua_fuzz_open(const char *module)
{
        static struct vm vm;

        if (vm.L == NULL && vm_open(&vm, module) != 0)
                abort();
        return vm.L;
}

/*
 * Call the function below the nargs arguments on the stack's top.  An error
 * must be a structured one with a code that the contract names.
 */
static void
lua_fuzz_pcall(lua_State *L, int nargs, const char *const *may)
{
        if (lua_pcall(L, nargs, 0, 0) != LUA_OK) {
                const char *code = NULL;
                if (lua_istable(L, -1) && lua_getfield(L, -1, "code") == LUA_TSTRING)
                        code = lua_tostring(L, -1);
                for (size_t idx = 0; may[idx] != NULL; idx++) {
                        if (code != NULL && strcmp(code, may[idx]) == 0)
                                goto fine;
                }
                lua_settop(L, 2);
                fprintf(stderr, "error %s: %s\n", code != NULL ? code : "without a code",
                    luaL_tolstring(L, 2, NULL));
                abort();
        }
fine:
        lua_settop(L, 1);
}

/* Call module.function(data, "fuzz", "fuzz"). */
static inline void
lua_fuzz_call(const char *module, const char *function, const uint8_t *data, size_t size,
    const char *const *may)
{
        lua_State *L = lua_fuzz_open(module);

        lua_getfield(L, 1, function);
        lua_pushlstring(L, (const char *)data, size);
        lua_pushstring(L, "fuzz");
        lua_pushstring(L, "fuzz");
        lua_fuzz_pcall(L, 3, may);
}

#endif
