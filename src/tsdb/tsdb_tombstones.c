#include "tsdb_internal.h"

#include <inttypes.h>
#include <string.h>

#include "moonkeep/crc32c.h"

#define TOMBSTONES_MAGIC UINT32_C(0x0130ba30)
#define TOMBSTONES_VERSION 1
#define HEADER_SIZE 5
#define CRC_SIZE 4
#define RECORD_FIELDS 3

int
tsdb_tombstones_begin(struct tsdb_tombstones *tombs, uint64_t size, struct err *err)
{
        if (size < HEADER_SIZE + CRC_SIZE)
                return err_set(err, ERR_CORRUPT, "%" PRIu64 " bytes are too few, %d are the least",
                    size, HEADER_SIZE + CRC_SIZE);
        *tombs = (struct tsdb_tombstones){ .size = size };
        return 0;
}

static int
check_header(const unsigned char *header, struct err *err)
{
        if (tsdb_be32(header) != TOMBSTONES_MAGIC)
                return err_set(err, ERR_CORRUPT,
                    "byte 0: the magic number is 0x%08" PRIx32 ", not 0x%08" PRIx32,
                    tsdb_be32(header), TOMBSTONES_MAGIC);
        if (header[4] != TOMBSTONES_VERSION)
                return err_set(err, ERR_UNSUPPORTED,
                    "byte 4: tombstones format version %u is not known (only %u is)", header[4],
                    TOMBSTONES_VERSION);
        return 0;
}

/* Records are three varints each; only their ends matter here. */
static void
walk_records(struct tsdb_tombstones *tombs, const unsigned char *data, size_t len)
{
        for (size_t idx = 0; idx < len; idx++) {
                if (tombs->field == 0 && tombs->field_len == 0)
                        tombs->record_at = tombs->pos + idx;
                if (++tombs->field_len > TSDB_VARINT_MAX && tombs->bad_at == 0)
                        tombs->bad_at = tombs->pos + idx;
                if (data[idx] >= 0x80)
                        continue;
                tombs->field_len = 0;
                if (++tombs->field == RECORD_FIELDS) {
                        tombs->field = 0;
                        tombs->count++;
                }
        }
}

int
tsdb_tombstones_push(struct tsdb_tombstones *tombs, const void *data, size_t len, struct err *err)
{
        const unsigned char *at = data;
        uint64_t records_end = tombs->size - CRC_SIZE;

        while (len > 0 && tombs->pos < tombs->size) {
                size_t take = 1;

                if (tombs->pos < HEADER_SIZE) {
                        tombs->header[tombs->pos] = *at;
                        if (tombs->pos == HEADER_SIZE - 1 && check_header(tombs->header, err) != 0)
                                return -1;
                } else if (tombs->pos < records_end) {
                        uint64_t left = records_end - tombs->pos;
                        take = len < left ? len : (size_t)left;
                        tombs->crc = crc32c(tombs->crc, at, take);
                        walk_records(tombs, at, take);
                } else {
                        tombs->stored[tombs->pos - records_end] = *at;
                }
                tombs->pos += take;
                at += take;
                len -= take;
        }
        return 0;
}

int
tsdb_tombstones_end(struct tsdb_tombstones *tombs, struct err *err)
{
        uint32_t stored = tsdb_be32(tombs->stored);

        if (tombs->pos != tombs->size)
                return err_set(err, ERR_CORRUPT, "it is cut at byte %" PRIu64 " of %" PRIu64,
                    tombs->pos, tombs->size);
        /* The records were walked before they were proven: damage is told first. */
        if (stored != tombs->crc)
                return err_set(err, ERR_CORRUPT,
                    "records from byte %d: checksum mismatch (stored 0x%08" PRIx32
                    ", computed 0x%08" PRIx32 ")",
                    HEADER_SIZE, stored, tombs->crc);
        if (tombs->bad_at != 0)
                return err_set(
                    err, ERR_CORRUPT, "byte %" PRIu64 ": a number that is too long", tombs->bad_at);
        if (tombs->field != 0 || tombs->field_len != 0)
                return err_set(err, ERR_CORRUPT, "record at byte %" PRIu64 ": it is not complete",
                    tombs->record_at);
        return 0;
}
