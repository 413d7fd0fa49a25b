/* A manifest is read, or refused as damaged or of another version; never anything else. */
#include "lua_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const may[] = { "corrupt", "unsupported", NULL };

        lua_fuzz_call("backup.manifest", "decode", data, size, may);
        return 0;
}
