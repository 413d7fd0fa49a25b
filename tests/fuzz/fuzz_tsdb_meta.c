/* A meta.json of any bytes is refused or accepted without harm. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/tsdb/tsdb_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct tsdb_meta meta;
        struct err err;

        err_init(&err);
        if (tsdb_meta_parse((const char *)data, size, &meta, &err) != 0) {
                if (err.code != ERR_CORRUPT && err.code != ERR_UNSUPPORTED)
                        abort();
                return 0;
        }
        if (meta.min_time_ms >= meta.max_time_ms || meta.level < 0 ||
            !tsdb_is_ulid(meta.ulid, strlen(meta.ulid)))
                abort();
        return 0;
}
