#include "tsdb_index_walk.h"

#include <inttypes.h>

/* Postings lists and label indices begin at multiples of this. */
#define LIST_ALIGN 4
#define SERIES_ALIGN 16
#define REF_SIZE 4

/*
 * A part of the file that is a sequence of sections with a 32-bit length:
 * pass the zeros before the next one; *more is false at the end of the part.
 */
static int
next_list(struct tsdb_cursor *cur, bool *more, struct err *err)
{
        uint64_t at = (cur->pos + LIST_ALIGN - 1) / LIST_ALIGN * LIST_ALIGN;

        *more = at < cur->end;
        return tsdb_cursor_zeros(cur, *more ? at : cur->end, err);
}

/* As many references as fit into one take; *left counts down. */
static const unsigned char *
take_refs(struct tsdb_cursor *cur, uint64_t *left, size_t *count, struct err *err)
{
        *count = *left < TSDB_TAKE_MAX / REF_SIZE ? (size_t)*left : TSDB_TAKE_MAX / REF_SIZE;
        *left -= *count;
        return tsdb_cursor_take(cur, *count * REF_SIZE, err);
}

static int
read_label_index(struct tsdb_index_walk *walk, struct err *err)
{
        uint32_t names, entries;
        size_t count;

        if (tsdb_cursor_be32(&walk->cur, &names, err) != 0 ||
            tsdb_cursor_be32(&walk->cur, &entries, err) != 0)
                return -1;
        if (names == 0 || entries % names != 0)
                return err_set(err, ERR_CORRUPT,
                    "%" PRIu32 " entries are no tuples of %" PRIu32 " names", entries, names);
        for (uint64_t left = entries; left > 0;) {
                const unsigned char *at = take_refs(&walk->cur, &left, &count, err);
                if (at == NULL)
                        return -1;
                for (size_t idx = 0; idx < count; idx++) {
                        uint32_t symbol = tsdb_be32(at + idx * REF_SIZE);
                        if (symbol >= walk->symbols)
                                return err_set(err, ERR_CORRUPT,
                                    "it refers to symbol %" PRIu32 " of %" PRIu64, symbol,
                                    walk->symbols);
                }
        }
        return 0;
}

int
tsdb_index_label_indices(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_section section;
        bool more;

        for (;;) {
                if (next_list(&walk->cur, &more, err) != 0)
                        return -1;
                if (!more)
                        return 0;
                if (tsdb_section_begin32(&walk->cur, &section, "label index", err) != 0 ||
                    tsdb_section_end(&walk->cur, &section, read_label_index(walk, err), err) != 0)
                        return -1;
                tsdb_bag_add(&walk->label_indices, section.at, 1);
        }
}

static int
read_postings(struct tsdb_index_walk *walk, struct err *err)
{
        uint64_t least = (walk->series_from + SERIES_ALIGN - 1) / SERIES_ALIGN;
        uint32_t entries;
        size_t count;

        if (tsdb_cursor_be32(&walk->cur, &entries, err) != 0)
                return -1;
        for (uint64_t left = entries; left > 0;) {
                const unsigned char *at = take_refs(&walk->cur, &left, &count, err);
                if (at == NULL)
                        return -1;
                for (size_t idx = 0; idx < count; idx++) {
                        uint32_t series = tsdb_be32(at + idx * REF_SIZE);
                        if (series < least)
                                return err_set(err, ERR_CORRUPT,
                                    "series %" PRIu32 " in it is out of order or range", series);
                        least = (uint64_t)series + 1;
                        tsdb_bag_add(&walk->postings, series, 1);
                }
        }
        if (entries > 0 && (least - 1) * SERIES_ALIGN >= walk->series_to)
                return err_set(err, ERR_CORRUPT,
                    "its last series %" PRIu64 " is behind the series entries", least - 1);
        return 0;
}

int
tsdb_index_postings(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_section section;
        bool more;

        for (;;) {
                if (next_list(&walk->cur, &more, err) != 0)
                        return -1;
                if (!more)
                        return 0;
                if (tsdb_section_begin32(&walk->cur, &section, "postings list", err) != 0 ||
                    tsdb_section_end(&walk->cur, &section, read_postings(walk, err), err) != 0)
                        return -1;
                tsdb_bag_add(&walk->lists, section.at, 1);
        }
}

/* One entry of an offset table with keys names (1 or 2); they must be in order. */
static int
read_entry(
    struct tsdb_index_walk *walk, uint64_t keys, bool first, uint64_t *offset, struct err *err)
{
        struct tsdb_cursor *cur = &walk->cur;
        uint64_t at = cur->pos, found;
        int order, value_order;

        if (tsdb_cursor_uvarint(cur, &found, err) != 0)
                return -1;
        if (found != keys)
                return err_set(err, ERR_CORRUPT,
                    "entry at byte %" PRIu64 ": it has %" PRIu64 " keys, not %" PRIu64, at, found,
                    keys);
        if (tsdb_text_read(cur, &walk->name, &order, err) != 0)
                return -1;
        if (keys == 2) {
                if (tsdb_text_read(cur, &walk->value, &value_order, err) != 0)
                        return -1;
                if (order == 0)
                        order = value_order;
        }
        if (!first && order <= 0)
                return err_set(err, ERR_CORRUPT,
                    "entry at byte %" PRIu64 ": it is not behind the one before it", at);
        return tsdb_cursor_uvarint(cur, offset, err);
}

static int
read_table(struct tsdb_index_walk *walk, uint64_t keys, struct tsdb_bag *bag, struct err *err)
{
        uint32_t count;
        uint64_t offset;

        if (tsdb_cursor_be32(&walk->cur, &count, err) != 0)
                return -1;
        for (uint32_t number = 0; number < count; number++) {
                if (read_entry(walk, keys, number == 0, &offset, err) != 0)
                        return -1;
                tsdb_bag_add(bag, offset, 1);
        }
        return 0;
}

int
tsdb_index_label_table(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_section section;

        if (tsdb_section_begin32(&walk->cur, &section, "label offset table", err) != 0 ||
            tsdb_section_end(
                &walk->cur, &section, read_table(walk, 1, &walk->label_listed, err), err) != 0)
                return -1;
        return tsdb_cursor_zeros(&walk->cur, walk->cur.end, err);
}

int
tsdb_index_postings_table(struct tsdb_index_walk *walk, struct err *err)
{
        struct tsdb_section section;

        if (tsdb_section_begin32(&walk->cur, &section, "postings offset table", err) != 0 ||
            tsdb_section_end(&walk->cur, &section, read_table(walk, 2, &walk->listed, err), err) !=
                0)
                return -1;
        return tsdb_cursor_zeros(&walk->cur, walk->cur.end, err);
}
