#include "tsdb_index_walk.h"

#include <inttypes.h>

#include "moonkeep/crc32c.h"
#include "moonkeep/mem.h"

#define INDEX_MAGIC UINT32_C(0xbaaad700)
#define INDEX_VERSION 2
#define HEADER_SIZE 5
#define TOC_ENTRIES 6
#define TOC_SIZE (TOC_ENTRIES * 8 + 4)

/* The parts of an index, in the order of the file, and where the TOC has their start. */
struct part {
        const char *name;
        unsigned toc_entry;
        bool required;
        int (*read)(struct tsdb_index_walk *walk, struct err *err);
};

static const struct part parts[TOC_ENTRIES] = {
        { "symbol table", 0, true, tsdb_index_symbols },
        { "series", 1, true, tsdb_index_series },
        { "label indices", 2, false, tsdb_index_label_indices },
        { "postings", 4, true, tsdb_index_postings },
        { "label offset table", 3, false, tsdb_index_label_table },
        { "postings offset table", 5, true, tsdb_index_postings_table },
};

static int
check_header(struct tsdb_cursor *cur, struct err *err)
{
        tsdb_cursor_range(cur, 0, HEADER_SIZE);
        const unsigned char *header = tsdb_cursor_take(cur, HEADER_SIZE, err);
        if (header == NULL)
                return -1;
        if (tsdb_be32(header) != INDEX_MAGIC)
                return err_set(err, ERR_CORRUPT,
                    "byte 0: the magic number is 0x%08" PRIx32 ", not 0x%08" PRIx32,
                    tsdb_be32(header), INDEX_MAGIC);
        if (header[4] != INDEX_VERSION)
                return err_set(err, ERR_UNSUPPORTED,
                    "byte 4: index format version %u is not known (only %u is)", header[4],
                    INDEX_VERSION);
        return 0;
}

/* The table of contents: the start of each part, in the order of parts; 0: absent. */
static int
read_toc(struct tsdb_cursor *cur, uint64_t starts[TOC_ENTRIES], struct err *err)
{
        uint64_t toc = cur->size - TOC_SIZE;

        tsdb_cursor_range(cur, toc, cur->size);
        const unsigned char *at = tsdb_cursor_take(cur, TOC_SIZE, err);
        if (at == NULL)
                return -1;
        uint32_t stored = tsdb_be32(at + TOC_SIZE - 4);
        uint32_t computed = crc32c(0, at, TOC_SIZE - 4);
        if (stored != computed)
                return err_set(err, ERR_CORRUPT,
                    "table of contents at byte %" PRIu64 ": checksum mismatch (stored 0x%08" PRIx32
                    ", computed 0x%08" PRIx32 ")",
                    toc, stored, computed);

        uint64_t last = HEADER_SIZE;
        for (size_t idx = 0; idx < TOC_ENTRIES; idx++) {
                uint64_t start = tsdb_be64(at + parts[idx].toc_entry * 8);
                if (start == 0 && parts[idx].required)
                        return err_set(err, ERR_CORRUPT,
                            "table of contents at byte %" PRIu64 ": the %s is missing", toc,
                            parts[idx].name);
                if (start != 0 && (start < last || start > toc))
                        return err_set(err, ERR_CORRUPT,
                            "table of contents at byte %" PRIu64
                            ": the %s cannot begin at byte %" PRIu64,
                            toc, parts[idx].name, start);
                starts[idx] = start;
                if (start != 0)
                        last = start;
        }
        return 0;
}

/* Every byte between header and table of contents belongs to exactly one part, or is zero. */
static int
read_parts(struct tsdb_index_walk *walk, const uint64_t starts[TOC_ENTRIES], struct err *err)
{
        tsdb_cursor_range(&walk->cur, HEADER_SIZE, starts[0]);
        if (tsdb_cursor_zeros(&walk->cur, starts[0], err) != 0)
                return -1;
        for (size_t idx = 0; idx < TOC_ENTRIES; idx++) {
                uint64_t end = walk->cur.size - TOC_SIZE;
                for (size_t next = TOC_ENTRIES - 1; next > idx; next--) {
                        if (starts[next] != 0)
                                end = starts[next];
                }
                /* What newer versions no longer write is absent or begins where the next does. */
                if (starts[idx] == 0 || (starts[idx] == end && !parts[idx].required))
                        continue;
                tsdb_cursor_range(&walk->cur, starts[idx], end);
                if (parts[idx].read(walk, err) != 0)
                        return -1;
        }
        return 0;
}

static int
compare_parts(const struct tsdb_index_walk *walk, struct err *err)
{
        if (!tsdb_bag_equal(&walk->postings, &walk->expected_postings))
                return err_set(err, ERR_CORRUPT,
                    "the postings lists hold %" PRIu64
                    " series, the labels of the series ask for %" PRIu64 ", and they differ",
                    walk->postings.count, walk->expected_postings.count);
        if (!tsdb_bag_equal(&walk->listed, &walk->lists))
                return err_set(err, ERR_CORRUPT,
                    "the postings offset table has %" PRIu64 " entries for %" PRIu64
                    " postings lists, and they differ",
                    walk->listed.count, walk->lists.count);
        if (!tsdb_bag_equal(&walk->label_listed, &walk->label_indices))
                return err_set(err, ERR_CORRUPT,
                    "the label offset table has %" PRIu64 " entries for %" PRIu64
                    " label indices, and they differ",
                    walk->label_listed.count, walk->label_indices.count);
        return 0;
}

int
tsdb_index_check(
    int fd, uint64_t size, struct cancel *cancel, struct tsdb_index *out, struct err *err)
{
        struct tsdb_index result = { .series = 0 };
        struct tsdb_index_walk walk = { .out = &result };
        uint64_t starts[TOC_ENTRIES];
        int rc = -1;

        if (size < HEADER_SIZE + TOC_SIZE)
                return err_set(err, ERR_CORRUPT, "%" PRIu64 " bytes are too few, %d are the least",
                    size, HEADER_SIZE + TOC_SIZE);
        walk.texts = mem_alloc(2 * TSDB_TAKE_MAX, err);
        if (walk.texts == NULL)
                return -1;
        walk.name.data = walk.texts;
        walk.value.data = walk.texts + TSDB_TAKE_MAX;
        if (tsdb_cursor_init(&walk.cur, fd, size, cancel, err) != 0)
                goto free_texts;

        if (check_header(&walk.cur, err) == 0 && read_toc(&walk.cur, starts, err) == 0 &&
            read_parts(&walk, starts, err) == 0 && compare_parts(&walk, err) == 0) {
                *out = result;
                rc = 0;
        }
        tsdb_cursor_free(&walk.cur);
free_texts:
        mem_free(walk.texts);
        return rc;
}
