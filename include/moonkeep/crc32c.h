/*
 * CRC-32C (Castagnoli), as Prometheus' TSDB uses it.
 */
#ifndef MOONKEEP_CRC32C_H
#define MOONKEEP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c: the checksum of len more bytes after those of crc (0 at the start). */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
