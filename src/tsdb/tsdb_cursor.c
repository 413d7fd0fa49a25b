#include "tsdb_cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/crc32c.h"
#include "moonkeep/mem.h"
#include "tsdb_internal.h"

#define WINDOW_SIZE ((size_t)1024 * 1024)
#define CRC_SIZE 4

int
tsdb_cursor_init(
    struct tsdb_cursor *cur, int fd, uint64_t size, struct cancel *cancel, struct err *err)
{
        unsigned char *buf = mem_alloc(WINDOW_SIZE, err);

        if (buf == NULL)
                return -1;
        *cur = (struct tsdb_cursor){ .fd = fd, .size = size, .cancel = cancel, .buf = buf };
        return 0;
}

void
tsdb_cursor_free(struct tsdb_cursor *cur)
{
        mem_free(cur->buf);
}

void
tsdb_cursor_range(struct tsdb_cursor *cur, uint64_t from, uint64_t end)
{
        if (from < cur->buf_at || from > cur->buf_at + cur->buf_len) {
                cur->buf_at = from;
                cur->buf_len = 0;
        }
        cur->pos = from;
        cur->end = end;
        cur->crc_at = from;
        cur->crc = 0;
}

/* The checksum of what was passed since the last call. */
static void
add_to_crc(struct tsdb_cursor *cur)
{
        cur->crc = crc32c(
            cur->crc, cur->buf + (cur->crc_at - cur->buf_at), (size_t)(cur->pos - cur->crc_at));
        cur->crc_at = cur->pos;
}

static int
refill(struct tsdb_cursor *cur, struct err *err)
{
        add_to_crc(cur);

        size_t passed = (size_t)(cur->pos - cur->buf_at);
        cur->buf_len -= passed;
        memmove(cur->buf, cur->buf + passed, cur->buf_len);
        cur->buf_at = cur->pos;
        if (cancel_check(cur->cancel, err) != 0)
                return -1;

        uint64_t at = cur->buf_at + cur->buf_len;
        size_t want = WINDOW_SIZE - cur->buf_len;
        if (want > cur->size - at)
                want = (size_t)(cur->size - at);
        while (want > 0) {
                ssize_t got = pread(cur->fd, cur->buf + cur->buf_len, want, (off_t)at);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_sys(err, "cannot read at byte %" PRIu64, at);
                if (got == 0)
                        return err_set(err, ERR_TRUNCATED,
                            "it became shorter than its %" PRIu64 " bytes while it was read",
                            cur->size);
                at += (uint64_t)got;
                want -= (size_t)got;
                cur->buf_len += (size_t)got;
        }
        return 0;
}

int
tsdb_cursor_fill(struct tsdb_cursor *cur, size_t len, struct err *err)
{
        if (len > cur->end - cur->pos)
                return err_set(err, ERR_CORRUPT,
                    "%zu bytes at byte %" PRIu64 " reach past its end at byte %" PRIu64, len,
                    cur->pos, cur->end);
        if (len <= cur->buf_at + cur->buf_len - cur->pos)
                return 0;
        return refill(cur, err);
}

const unsigned char *
tsdb_cursor_take(struct tsdb_cursor *cur, size_t len, struct err *err)
{
        if (tsdb_cursor_fill(cur, len, err) != 0)
                return NULL;
        const unsigned char *at = cur->buf + (cur->pos - cur->buf_at);
        cur->pos += len;
        return at;
}

int
tsdb_cursor_skip(struct tsdb_cursor *cur, uint64_t len, struct err *err)
{
        if (len > cur->end - cur->pos)
                return err_set(err, ERR_CORRUPT,
                    "%" PRIu64 " bytes at byte %" PRIu64 " reach past its end at byte %" PRIu64,
                    len, cur->pos, cur->end);
        while (len > 0) {
                size_t take = len < TSDB_TAKE_MAX ? (size_t)len : TSDB_TAKE_MAX;
                if (tsdb_cursor_take(cur, take, err) == NULL)
                        return -1;
                len -= take;
        }
        return 0;
}

int
tsdb_cursor_zeros(struct tsdb_cursor *cur, uint64_t end, struct err *err)
{
        while (cur->pos < end) {
                uint64_t left = end - cur->pos;
                size_t take = left < TSDB_TAKE_MAX ? (size_t)left : TSDB_TAKE_MAX;
                uint64_t from = cur->pos;
                const unsigned char *at = tsdb_cursor_take(cur, take, err);
                if (at == NULL)
                        return -1;
                for (size_t idx = 0; idx < take; idx++) {
                        if (at[idx] != 0)
                                return err_set(err, ERR_CORRUPT,
                                    "byte %" PRIu64 ": 0x%02x in padding, which must be zero",
                                    from + idx, at[idx]);
                }
        }
        return 0;
}

int
tsdb_cursor_be32(struct tsdb_cursor *cur, uint32_t *out, struct err *err)
{
        const unsigned char *at = tsdb_cursor_take(cur, 4, err);

        if (at == NULL)
                return -1;
        *out = tsdb_be32(at);
        return 0;
}

int
tsdb_cursor_uvarint(struct tsdb_cursor *cur, uint64_t *out, struct err *err)
{
        uint64_t left = cur->end - cur->pos;
        size_t cap = left < TSDB_VARINT_MAX ? (size_t)left : TSDB_VARINT_MAX;
        uint64_t value = 0;

        if (tsdb_cursor_fill(cur, cap, err) != 0)
                return -1;
        const unsigned char *at = cur->buf + (cur->pos - cur->buf_at);
        for (size_t idx = 0; idx < cap; idx++) {
                /* The tenth byte holds one bit. */
                if (idx == TSDB_VARINT_MAX - 1 && at[idx] > 1)
                        break;
                value |= (uint64_t)(at[idx] & 0x7f) << (7 * idx);
                if (at[idx] >= 0x80)
                        continue;
                if (idx > 0 && at[idx] == 0)
                        break;
                cur->pos += idx + 1;
                *out = value;
                return 0;
        }
        return err_set(err, ERR_CORRUPT, "byte %" PRIu64 ": a malformed number", cur->pos);
}

int
tsdb_cursor_varint(struct tsdb_cursor *cur, int64_t *out, struct err *err)
{
        uint64_t zigzag;

        if (tsdb_cursor_uvarint(cur, &zigzag, err) != 0)
                return -1;
        *out = (int64_t)((zigzag >> 1) ^ (0 - (zigzag & 1)));
        return 0;
}

int
tsdb_section_begin(struct tsdb_cursor *cur, struct tsdb_section *section, const char *what,
    uint64_t at, uint64_t len, struct err *err)
{
        uint64_t left = cur->end - cur->pos;

        if (left < CRC_SIZE || len > left - CRC_SIZE)
                return err_set(err, ERR_CORRUPT,
                    "%s at byte %" PRIu64 ": its %" PRIu64 " bytes reach past byte %" PRIu64
                    ", where its part of the file ends",
                    what, at, len, cur->end);
        *section = (struct tsdb_section){
                .what = what, .at = at, .end = cur->pos + len, .outer_end = cur->end
        };
        cur->end = section->end;
        cur->crc_at = cur->pos;
        cur->crc = 0;
        return 0;
}

int
tsdb_section_begin32(
    struct tsdb_cursor *cur, struct tsdb_section *section, const char *what, struct err *err)
{
        uint64_t at = cur->pos;
        uint32_t len;

        if (tsdb_cursor_be32(cur, &len, err) != 0)
                return err_prefix(err, "%s at byte %" PRIu64, what, at);
        return tsdb_section_begin(cur, section, what, at, len, err);
}

/* Pass what was not read yet and the checksum behind it. */
static int
compare_crc(struct tsdb_cursor *cur, const struct tsdb_section *section, struct err *err)
{
        uint32_t stored;

        if (tsdb_cursor_skip(cur, section->end - cur->pos, err) != 0)
                return -1;
        add_to_crc(cur);
        uint32_t computed = cur->crc;
        cur->end = section->outer_end;
        if (tsdb_cursor_be32(cur, &stored, err) != 0)
                return -1;
        if (stored != computed)
                return err_set(err, ERR_CORRUPT,
                    "checksum mismatch (stored 0x%08" PRIx32 ", computed 0x%08" PRIx32 ")", stored,
                    computed);
        return 0;
}

int
tsdb_section_end(
    struct tsdb_cursor *cur, const struct tsdb_section *section, int rc, struct err *err)
{
        uint64_t read_to = cur->pos;
        struct err crc_err;

        err_init(&crc_err);
        if (rc == 0 || err->code == ERR_CORRUPT) {
                if (compare_crc(cur, section, &crc_err) != 0) {
                        *err = crc_err;
                        rc = -1;
                } else if (rc == 0 && read_to != section->end) {
                        rc = err_set(err, ERR_CORRUPT,
                            "%" PRIu64 " bytes too many from byte %" PRIu64, section->end - read_to,
                            read_to);
                }
        }
        if (rc != 0)
                return err_prefix(err, "%s at byte %" PRIu64, section->what, section->at);
        return 0;
}
