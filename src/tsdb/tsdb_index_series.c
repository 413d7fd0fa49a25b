#include "tsdb_index_walk.h"

#include <inttypes.h>
#include <string.h>

/* Series begin at multiples of this, so that 32 bits can name them. */
#define SERIES_ALIGN 16

int
tsdb_text_read(struct tsdb_cursor *cur, struct tsdb_text *text, int *order, struct err *err)
{
        uint64_t len;

        if (tsdb_cursor_uvarint(cur, &len, err) != 0)
                return -1;
        size_t kept = len < TSDB_TAKE_MAX ? (size_t)len : TSDB_TAKE_MAX;
        const unsigned char *at = tsdb_cursor_take(cur, kept, err);
        if (at == NULL)
                return -1;

        size_t common = kept < text->kept ? kept : text->kept;
        *order = memcmp(at, text->data, common);
        if (*order == 0) {
                /* Two that agree in all that is kept of them are taken to be in order. */
                bool cut = len > kept && text->len > text->kept;
                *order = cut || len > text->len ? 1 : len < text->len ? -1 : 0;
        }
        memcpy(text->data, at, kept);
        text->kept = kept;
        text->len = len;
        return tsdb_cursor_skip(cur, len - kept, err);
}

static int
read_symbols(struct tsdb_index_walk *walk, struct err *err)
{
        uint32_t count;
        int order;

        if (tsdb_cursor_be32(&walk->cur, &count, err) != 0)
                return -1;
        for (uint32_t number = 0; number < count; number++) {
                uint64_t at = walk->cur.pos;
                if (tsdb_text_read(&walk->cur, &walk->name, &order, err) != 0)
                        return -1;
                if (number > 0 && order <= 0)
                        return err_set(err, ERR_CORRUPT,
                            "symbol at byte %" PRIu64 ": it is not behind the one before it", at);
        }
        walk->symbols = count;
        return 0;
}

int
tsdb_index_symbols(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_section section;

        if (tsdb_section_begin32(&walk->cur, &section, "symbol table", err) != 0 ||
            tsdb_section_end(&walk->cur, &section, read_symbols(walk, err), err) != 0)
                return -1;
        return tsdb_cursor_zeros(&walk->cur, walk->cur.end, err);
}

static int
read_symbol_ref(struct tsdb_index_walk *walk, uint64_t *out, struct err *err)
{
        if (tsdb_cursor_uvarint(&walk->cur, out, err) != 0)
                return -1;
        if (*out >= walk->symbols)
                return err_set(err, ERR_CORRUPT, "it refers to symbol %" PRIu64 " of %" PRIu64,
                    *out, walk->symbols);
        return 0;
}

static int
read_labels(struct tsdb_index_walk *walk, uint64_t *count, struct err *err)
{
        uint64_t labels, last = 0, name, value;

        if (tsdb_cursor_uvarint(&walk->cur, &labels, err) != 0)
                return -1;
        for (uint64_t idx = 0; idx < labels; idx++) {
                if (read_symbol_ref(walk, &name, err) != 0 ||
                    read_symbol_ref(walk, &value, err) != 0)
                        return -1;
                /* Symbols are sorted, so that their numbers are in the order of the names. */
                if (idx > 0 && name <= last)
                        return err_set(err, ERR_CORRUPT, "its labels are not sorted");
                last = name;
        }
        *count = labels;
        return 0;
}

static int
add_chunk(struct tsdb_index *out, uint64_t ref, int64_t min, uint64_t span, struct err *err)
{
        int64_t max = (int64_t)((uint64_t)min + span);
        if (max < min)
                return err_set(err, ERR_CORRUPT, "a chunk's time is out of range");
        if (ref >> 32 >= TSDB_SEGMENT_MAX)
                return err_set(
                    err, ERR_CORRUPT, "it refers to a chunk in segment %" PRIu64, (ref >> 32) + 1);

        if (out->chunks.count == 0 || min < out->min_time_ms)
                out->min_time_ms = min;
        if (out->chunks.count == 0 || max > out->max_time_ms)
                out->max_time_ms = max;
        uint32_t segment = (uint32_t)(ref >> 32) + 1;
        if (segment > out->last_segment)
                out->last_segment = segment;
        tsdb_bag_add(&out->chunks, ref, 1);
        return 0;
}

/*
 * Times and references are differences to the chunk before.  They are added
 * modulo 2^64, as Prometheus does: old blocks may hold chunks that overlap.
 */
static int
read_chunks(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_cursor *cur = &walk->cur;
        uint64_t count, gap, span, ref;
        int64_t min, step;

        if (tsdb_cursor_uvarint(cur, &count, err) != 0)
                return -1;
        if (count == 0)
                return 0;
        if (tsdb_cursor_varint(cur, &min, err) != 0 || tsdb_cursor_uvarint(cur, &span, err) != 0 ||
            tsdb_cursor_uvarint(cur, &ref, err) != 0 ||
            add_chunk(walk->out, ref, min, span, err) != 0)
                return -1;
        for (uint64_t idx = 1; idx < count; idx++) {
                uint64_t last_max = (uint64_t)min + span;
                if (tsdb_cursor_uvarint(cur, &gap, err) != 0 ||
                    tsdb_cursor_uvarint(cur, &span, err) != 0 ||
                    tsdb_cursor_varint(cur, &step, err) != 0)
                        return -1;
                min = (int64_t)(last_max + gap);
                ref += (uint64_t)step;
                if (add_chunk(walk->out, ref, min, span, err) != 0)
                        return -1;
        }
        return 0;
}

static int
read_series(struct tsdb_index_walk *walk, uint64_t at, struct err *err)
{
        uint64_t labels = 0;

        if (read_labels(walk, &labels, err) != 0 || read_chunks(walk, err) != 0)
                return -1;
        if (at / SERIES_ALIGN > UINT32_MAX)
                return err_set(err, ERR_CORRUPT, "no postings list can refer to it there");
        /* It is in the list of each of its labels, and in that of all series. */
        tsdb_bag_add(&walk->expected_postings, at / SERIES_ALIGN, labels + 1);
        walk->out->series++;
        return 0;
}

int
tsdb_index_series(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_cursor *cur = &walk->cur;
        struct tsdb_section section;
        uint64_t len;

        walk->series_from = cur->pos;
        walk->series_to = cur->end;
        for (;;) {
                uint64_t at = (cur->pos + SERIES_ALIGN - 1) / SERIES_ALIGN * SERIES_ALIGN;
                if (at >= cur->end)
                        return tsdb_cursor_zeros(cur, cur->end, err);
                if (tsdb_cursor_zeros(cur, at, err) != 0)
                        return -1;
                if (tsdb_cursor_uvarint(cur, &len, err) != 0)
                        return err_prefix(err, "series entry at byte %" PRIu64, at);
                if (tsdb_section_begin(cur, &section, "series entry", at, len, err) != 0 ||
                    tsdb_section_end(cur, &section, read_series(walk, at, err), err) != 0)
                        return -1;
        }
}
