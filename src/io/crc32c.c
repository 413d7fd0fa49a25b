#include "moonkeep/crc32c.h"

#include <isa-l/crc.h>

/* ISA-L counts in int, and promises nothing for more than that. */
#define PIECE ((size_t)1 << 30)

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
        const unsigned char *at = data;

        /* ISA-L leaves the inversion before and after to the caller. */
        crc = ~crc;
        while (len > 0) {
                size_t piece = len < PIECE ? len : PIECE;
                /* It takes a pointer to bytes that it does not change. */
                crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)piece, crc);
                at += piece;
                len -= piece;
        }
        return ~crc;
}
