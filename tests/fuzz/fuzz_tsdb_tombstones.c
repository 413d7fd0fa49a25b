/*
 * Tombstones of any bytes are refused or accepted without harm, with the same
 * result whatever slices they come in; and what is accepted is not with any
 * one byte changed.
 *
 * The mutator mends the checksum, or nothing would get past it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/tsdb/tsdb_internal.h"
#include "moonkeep/crc32c.h"

#define HEADER_SIZE 5

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        size = LLVMFuzzerMutate(data, size, max_size);
        if (seed % 8 != 0 && size >= HEADER_SIZE + 4) {
                uint32_t crc = crc32c(0, data + HEADER_SIZE, size - HEADER_SIZE - 4);
                for (size_t idx = 0; idx < 4; idx++)
                        data[size - 4 + idx] = (uint8_t)(crc >> (24 - 8 * idx));
        }
        return size;
}

static int
check(const uint8_t *data, size_t size, size_t slice, uint64_t *count)
{
        struct tsdb_tombstones tombs;
        struct err err;

        err_init(&err);
        int rc = tsdb_tombstones_begin(&tombs, size, &err);
        for (size_t at = 0; rc == 0 && at < size; at += slice)
                rc = tsdb_tombstones_push(
                    &tombs, data + at, size - at < slice ? size - at : slice, &err);
        if (rc == 0)
                rc = tsdb_tombstones_end(&tombs, &err);
        if (rc == 0)
                *count = tombs.count;
        else if (err.code != ERR_CORRUPT && err.code != ERR_UNSUPPORTED)
                abort();
        return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint64_t whole = 0, sliced = 0;
        int rc = check(data, size, size + 1, &whole);

        if (check(data, size, 1 + size % 7, &sliced) != rc || whole != sliced)
                abort();
        if (rc != 0)
                return 0;
        if (whole > size / 3)
                abort();
        uint8_t *copy = malloc(size);
        if (copy == NULL)
                abort();
        memcpy(copy, data, size);
        copy[crc32c(1, data, size) % size] ^= (uint8_t)(1U << size % 8);
        if (check(copy, size, size, &sliced) == 0)
                abort();
        free(copy);
        return 0;
}
