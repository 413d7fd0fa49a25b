#include "tsdb_internal.h"

#include <inttypes.h>
#include <string.h>

#include "moonkeep/crc32c.h"

#define SEGMENT_MAGIC UINT32_C(0x85bd40dd)
#define SEGMENT_VERSION 1
#define SEGMENT_HEADER_SIZE 8
#define CRC_SIZE 4

/* Prometheus writes a chunk's length as a 32-bit varint. */
#define LENGTH_SIZE_MAX 5

/* Every encoding starts with a 16-bit sample count. */
#define DATA_SIZE_MIN 2

enum {
        AT_HEADER,
        AT_LENGTH,
        AT_BODY,
        AT_CHECKSUM,
        AT_PADDING
};

void
tsdb_segment_begin(struct tsdb_segment *seg, uint32_t number, uint64_t size)
{
        *seg = (struct tsdb_segment){ .number = number, .size = size, .state = AT_HEADER };
}

static int
check_header(const unsigned char *header, struct err *err)
{
        if (tsdb_be32(header) != SEGMENT_MAGIC)
                return err_set(err, ERR_CORRUPT,
                    "byte 0: the magic number is 0x%08" PRIx32 ", not 0x%08" PRIx32,
                    tsdb_be32(header), SEGMENT_MAGIC);
        if (header[4] != SEGMENT_VERSION)
                return err_set(err, ERR_UNSUPPORTED,
                    "byte 4: chunk format version %u is not known (only %u is)", header[4],
                    SEGMENT_VERSION);
        if (header[5] != 0 || header[6] != 0 || header[7] != 0)
                return err_set(err, ERR_CORRUPT, "byte 5: the header's padding is not zero");
        return 0;
}

/*
 * The length field of a chunk: returns how many bytes it has, 0 when cap bytes
 * are not all of it, -1 when it is malformed.
 */
static int
parse_length(const unsigned char *at, size_t cap, uint64_t *out)
{
        uint64_t value = 0;

        for (size_t idx = 0; idx < cap && idx < LENGTH_SIZE_MAX; idx++) {
                value |= (uint64_t)(at[idx] & 0x7f) << (7 * idx);
                if (at[idx] >= 0x80)
                        continue;
                /* A last group of zero is never written: the number has a shorter form. */
                if ((idx > 0 && at[idx] == 0) || value > UINT32_MAX)
                        return -1;
                *out = value;
                return (int)idx + 1;
        }
        return cap >= LENGTH_SIZE_MAX ? -1 : 0;
}

/* A chunk at byte at whose length field has field bytes: can it be there? */
static int
check_length(
    const struct tsdb_segment *seg, uint64_t at, int field, uint64_t data_len, struct err *err)
{
        if (field < 0)
                return err_set(
                    err, ERR_CORRUPT, "chunk at byte %" PRIu64 ": its length is malformed", at);

        uint64_t left = seg->size - at - (uint64_t)field;
        if (left < 1 + CRC_SIZE || data_len > left - 1 - CRC_SIZE)
                return err_set(err, ERR_CORRUPT,
                    "chunk at byte %" PRIu64 ": its %" PRIu64
                    " bytes of data do not fit into the %" PRIu64 " bytes of the segment",
                    at, data_len, seg->size);
        return 0;
}

/* A whole chunk has passed: head holds its encoding and sample count. */
static int
accept_chunk(struct tsdb_segment *seg, uint64_t at, uint64_t data_len, const unsigned char *head,
    uint32_t stored, uint32_t computed, struct err *err)
{
        if (stored != computed)
                return err_set(err, ERR_CORRUPT,
                    "chunk at byte %" PRIu64 ": checksum mismatch (stored 0x%08" PRIx32
                    ", computed 0x%08" PRIx32 ")",
                    at, stored, computed);
        /* XOR, histogram, float histogram, XOR2: all count their samples alike. */
        if (head[0] < 1 || head[0] > 4)
                return err_set(err, ERR_UNSUPPORTED,
                    "chunk at byte %" PRIu64 ": its encoding %u is not known", at, head[0]);
        if (data_len < DATA_SIZE_MIN)
                return err_set(err, ERR_CORRUPT,
                    "chunk at byte %" PRIu64 ": %" PRIu64 " bytes of data are too few", at,
                    data_len);
        if (at > UINT32_MAX)
                return err_set(err, ERR_CORRUPT,
                    "chunk at byte %" PRIu64 ": no index can refer to it there", at);

        tsdb_bag_add(&seg->chunks, (uint64_t)(seg->number - 1) << 32 | at, 1);
        seg->samples += (uint64_t)head[1] << 8 | head[2];
        return 0;
}

/*
 * The common case, chunks that lie in the slice as a whole: sets *used to
 * their bytes and stops before the first one that does not.
 */
static int
push_whole(
    struct tsdb_segment *seg, const unsigned char *data, size_t len, size_t *used, struct err *err)
{
        size_t pos = 0;

        while (len - pos >= LENGTH_SIZE_MAX + 1 + DATA_SIZE_MIN + CRC_SIZE) {
                const unsigned char *at = data + pos;
                uint64_t data_len;
                int field = parse_length(at, LENGTH_SIZE_MAX, &data_len);

                if (field == 1 && data_len == 0)
                        break;
                if (check_length(seg, seg->pos + pos, field, data_len, err) != 0)
                        return -1;
                if (data_len + (uint64_t)field + 1 + CRC_SIZE > len - pos)
                        break;
                const unsigned char *body = at + field;
                size_t body_len = (size_t)data_len + 1;
                if (accept_chunk(seg, seg->pos + pos, data_len, body, tsdb_be32(body + body_len),
                        crc32c(0, body, body_len), err) != 0)
                        return -1;
                pos += (size_t)field + body_len + CRC_SIZE;
        }
        *used = pos;
        return 0;
}

/* Fills seg->hold up to want bytes; returns how many of len it took. */
static size_t
hold(struct tsdb_segment *seg, const unsigned char *data, size_t len, size_t want)
{
        size_t take = want - seg->held < len ? want - seg->held : len;

        memcpy(seg->hold + seg->held, data, take);
        seg->held += take;
        return take;
}

static int
push_header(
    struct tsdb_segment *seg, const unsigned char *data, size_t len, size_t *used, struct err *err)
{
        *used = hold(seg, data, len, SEGMENT_HEADER_SIZE);
        if (seg->held < SEGMENT_HEADER_SIZE)
                return 0;
        seg->held = 0;
        seg->state = AT_LENGTH;
        return check_header(seg->hold, err);
}

static int
push_length(
    struct tsdb_segment *seg, const unsigned char *data, size_t len, size_t *used, struct err *err)
{
        if (seg->held == 0) {
                if (push_whole(seg, data, len, used, err) != 0)
                        return -1;
                if (*used != 0)
                        return 0;
                seg->chunk_at = seg->pos;
        }

        *used = hold(seg, data, 1, seg->held + 1);
        int field = parse_length(seg->hold, seg->held, &seg->data_len);
        if (field == 0)
                return 0;
        if (field == 1 && seg->data_len == 0) {
                /* No chunk is empty: what is left of a preallocated segment. */
                seg->state = AT_PADDING;
                return 0;
        }
        if (check_length(seg, seg->chunk_at, field, seg->data_len, err) != 0)
                return -1;
        seg->held = 0;
        seg->body_pos = 0;
        seg->crc = 0;
        memset(seg->head, 0, sizeof(seg->head));
        seg->state = AT_BODY;
        return 0;
}

static size_t
push_body(struct tsdb_segment *seg, const unsigned char *data, size_t len)
{
        uint64_t left = seg->data_len + 1 - seg->body_pos;
        size_t take = len < left ? len : (size_t)left;

        for (size_t idx = 0; idx < take && seg->body_pos + idx < sizeof(seg->head); idx++)
                seg->head[seg->body_pos + idx] = data[idx];
        seg->crc = crc32c(seg->crc, data, take);
        seg->body_pos += take;
        if (take == left)
                seg->state = AT_CHECKSUM;
        return take;
}

static int
push_checksum(
    struct tsdb_segment *seg, const unsigned char *data, size_t len, size_t *used, struct err *err)
{
        *used = hold(seg, data, len, CRC_SIZE);
        if (seg->held < CRC_SIZE)
                return 0;
        seg->held = 0;
        seg->state = AT_LENGTH;
        return accept_chunk(
            seg, seg->chunk_at, seg->data_len, seg->head, tsdb_be32(seg->hold), seg->crc, err);
}

static int
push_padding(struct tsdb_segment *seg, const unsigned char *data, size_t len, struct err *err)
{
        for (size_t idx = 0; idx < len; idx++) {
                if (data[idx] != 0)
                        return err_set(err, ERR_CORRUPT,
                            "byte %" PRIu64 ": 0x%02x in the padding that began at byte %" PRIu64,
                            seg->pos + idx, data[idx], seg->chunk_at);
        }
        return 0;
}

int
tsdb_segment_push(struct tsdb_segment *seg, const void *data, size_t len, struct err *err)
{
        const unsigned char *at = data;

        if (len > seg->size - seg->pos)
                return err_set(
                    err, ERR_CORRUPT, "it is longer than its %" PRIu64 " bytes", seg->size);
        while (len > 0) {
                size_t used = len;
                int rc = 0;

                switch (seg->state) {
                case AT_HEADER:
                        rc = push_header(seg, at, len, &used, err);
                        break;
                case AT_LENGTH:
                        rc = push_length(seg, at, len, &used, err);
                        break;
                case AT_BODY:
                        used = push_body(seg, at, len);
                        break;
                case AT_CHECKSUM:
                        rc = push_checksum(seg, at, len, &used, err);
                        break;
                default:
                        rc = push_padding(seg, at, len, err);
                        break;
                }
                if (rc != 0)
                        return -1;
                seg->pos += used;
                at += used;
                len -= used;
        }
        return 0;
}

int
tsdb_segment_end(struct tsdb_segment *seg, struct err *err)
{
        if (seg->state == AT_HEADER)
                return err_set(
                    err, ERR_CORRUPT, "it ends inside its header, at byte %" PRIu64, seg->pos);
        if (seg->state == AT_PADDING || (seg->state == AT_LENGTH && seg->held == 0))
                return 0;
        return err_set(err, ERR_CORRUPT, "chunk at byte %" PRIu64 ": it is cut at byte %" PRIu64,
            seg->chunk_at, seg->pos);
}
