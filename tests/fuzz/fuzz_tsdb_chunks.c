/*
 * A segment of any bytes is refused or accepted without harm, with the same
 * result whatever slices it comes in; and one that is accepted is not with any
 * one byte changed.
 *
 * The mutator mends the checksums, or nothing would get past the first one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/tsdb/tsdb_internal.h"
#include "moonkeep/crc32c.h"

#define HEADER_SIZE 8

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
mend(uint8_t *data, size_t size)
{
        size_t at = HEADER_SIZE;

        while (at < size) {
                uint64_t len = 0;
                for (int shift = 0; at < size && shift < 35; shift += 7) {
                        len |= (uint64_t)(data[at] & 0x7f) << shift;
                        if (data[at++] < 0x80)
                                break;
                }
                if (len + 5 > size - at)
                        return;
                uint32_t crc = crc32c(0, data + at, (size_t)len + 1);
                at += (size_t)len + 1;
                for (int shift = 24; shift >= 0; shift -= 8)
                        data[at++] = (uint8_t)(crc >> shift);
        }
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
check(const uint8_t *data, size_t size, size_t slice, struct tsdb_segment *seg, struct err *err)
{
        err_init(err);
        tsdb_segment_begin(seg, 1, size);
        for (size_t at = 0; at < size; at += slice) {
                size_t len = size - at < slice ? size - at : slice;
                /* A copy of its own, so that reading past the slice is seen. */
                uint8_t *copy = malloc(len);
                if (copy == NULL)
                        abort();
                memcpy(copy, data + at, len);
                int rc = tsdb_segment_push(seg, copy, len, err);
                free(copy);
                if (rc != 0)
                        return -1;
        }
        return tsdb_segment_end(seg, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct tsdb_segment whole, sliced;
        struct err err, sliced_err;

        int rc = check(data, size, size + 1, &whole, &err);
        if (rc != 0 && err.code != ERR_CORRUPT && err.code != ERR_UNSUPPORTED)
                abort();
        size_t slice = 1 + crc32c(0, data, size) % 64;
        if (check(data, size, slice, &sliced, &sliced_err) != rc)
                abort();
        if (rc != 0) {
                if (strcmp(err.msg, sliced_err.msg) != 0)
                        abort();
                return 0;
        }
        if (!tsdb_bag_equal(&whole.chunks, &sliced.chunks) || whole.samples != sliced.samples)
                abort();

        uint8_t *copy = malloc(size);
        if (copy == NULL)
                abort();
        memcpy(copy, data, size);
        copy[crc32c(1, data, size) % size] ^= (uint8_t)(1U << size % 8);
        if (check(copy, size, slice, &sliced, &sliced_err) == 0)
                abort();
        free(copy);
        return 0;
}
