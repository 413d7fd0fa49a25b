/*
 * An index of any bytes is refused or accepted without harm, and one that is
 * accepted is not with any one byte changed.
 *
 * The mutator mends the checksums, or nothing would get past the first one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/tsdb/tsdb_internal.h"
#include "moonkeep/crc32c.h"

#define HEADER_SIZE 5
#define TOC_SIZE 52

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put32(uint8_t *at, uint32_t value)
{
        for (int idx = 0; idx < 4; idx++)
                at[idx] = (uint8_t)(value >> (24 - 8 * idx));
}

/* The checksum of the section whose len bytes begin at from, if it is inside. */
static size_t
mend_section(uint8_t *data, size_t size, size_t from, uint64_t len)
{
        if (from > size || len > size - from || size - from - len < 4)
                return size;
        put32(data + from + len, crc32c(0, data + from, (size_t)len));
        return from + (size_t)len + 4;
}

/* Sections one behind the other from at on, to end. */
static void
mend_lists(uint8_t *data, size_t at, size_t end)
{
        while (at + 4 <= end) {
                at = mend_section(data, end, at + 4, tsdb_be32(data + at));
                at = (at + 3) / 4 * 4;
        }
}

static void
mend_series(uint8_t *data, size_t at, size_t end)
{
        for (at = (at + 15) / 16 * 16; at < end; at = (at + 15) / 16 * 16) {
                uint64_t len = 0;
                for (int shift = 0; at < end && shift < 63; shift += 7) {
                        len |= (uint64_t)(data[at] & 0x7f) << shift;
                        if (data[at++] < 0x80)
                                break;
                }
                at = mend_section(data, end, at, len);
        }
}

static void
mend(uint8_t *data, size_t size)
{
        /* In the order of the file: which entry of the table of contents. */
        static const unsigned order[] = { 0, 1, 2, 4, 3, 5 };
        uint64_t starts[7];

        if (size < HEADER_SIZE + TOC_SIZE)
                return;
        uint8_t *toc = data + size - TOC_SIZE;
        starts[6] = size - TOC_SIZE;
        for (int idx = 5; idx >= 0; idx--) {
                starts[idx] = tsdb_be64(toc + 8 * order[idx]);
                if (starts[idx] > starts[idx + 1])
                        starts[idx] = starts[idx + 1];
        }
        for (int idx = 0; idx < 6; idx++) {
                if (idx == 1)
                        mend_series(data, (size_t)starts[idx], (size_t)starts[idx + 1]);
                else
                        mend_lists(data, (size_t)starts[idx], (size_t)starts[idx + 1]);
        }
        put32(toc + TOC_SIZE - 4, crc32c(0, toc, TOC_SIZE - 4));
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        size = LLVMFuzzerMutate(data, size, max_size);
        if (seed % 8 != 0)
                mend(data, size);
        return size;
}

static int
check(int fd, size_t size, struct tsdb_index *out)
{
        struct err err;

        err_init(&err);
        int rc = tsdb_index_check(fd, size, NULL, out, &err);
        if (rc != 0 && err.code != ERR_CORRUPT && err.code != ERR_UNSUPPORTED)
                abort();
        return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static int fd = -1;
        struct tsdb_index out = { .series = 0 };

        if (fd < 0)
                fd = memfd_create("index", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
                abort();
        if (check(fd, size, &out) != 0)
                return 0;
        if (out.series > size / 16 || (out.chunks.count != 0 && out.min_time_ms > out.max_time_ms))
                abort();

        size_t at = crc32c(0, data, size) % size;
        uint8_t byte = data[at] ^ (uint8_t)(1U << size % 8);
        if (pwrite(fd, &byte, 1, (off_t)at) != 1 || check(fd, size, &out) == 0)
                abort();
        return 0;
}
