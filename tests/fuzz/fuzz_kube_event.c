/* A line of a watch is an event, or refused. */
#include "lua_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const may[] = { "protocol", NULL };

        lua_fuzz_call("kube.event", "parse", data, size, may);
        return 0;
}
