/*
 * Any text: what is read as a time is written as the same time, and read back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err;
        int64_t unix_ms, again;
        char iso[TIME_ISO_SIZE];
        char *text = malloc(size + 1);

        if (text == NULL)
                return 0;
        if (size != 0)
                memcpy(text, data, size);
        text[size] = '\0';
        /* An offset may lead out of the years 0 to 9999, which are all that can be written. */
        if (time_parse(text, &unix_ms, &err) == 0 && unix_ms >= -INT64_C(62167219200000) &&
            unix_ms <= INT64_C(253402300799999)) {
                time_iso(unix_ms, iso);
                if (time_parse(iso, &again, &err) != 0 || again != unix_ms)
                        abort();
        }
        free(text);
        return 0;
}
