/* A journal is read, or refused as damaged; what it says of a run can be summed up. */
#include "lua_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const may[] = { "journal", NULL };

        lua_fuzz_call("recipe.journal", "parse", data, size, may);
        return 0;
}
