#include "tar_name.h"

#include <string.h>

const char *
tar_name_show(const char *name, size_t len, char out[TAR_SHOWN_SIZE])
{
        const size_t max = TAR_SHOWN_SIZE - 1;
        const size_t half = (max - 3) / 2;
        size_t used;

        if (len <= max) {
                memcpy(out, name, len);
                used = len;
        } else {
                memcpy(out, name, half);
                memcpy(out + half, "...", 3);
                memcpy(out + half + 3, name + len - half, half);
                used = 2 * half + 3;
        }
        for (size_t pos = 0; pos < used; pos++) {
                if ((unsigned char)out[pos] < 0x20 || out[pos] == 0x7f)
                        out[pos] = '?';
        }
        out[used] = '\0';
        return out;
}
