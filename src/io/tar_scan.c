/*
 * A parser of our own, because libarchive's reader takes a tar that was cut
 * between two members for a complete one, and a cut stream is what has to be
 * found here.  It is stricter than readers usually are: where two readers
 * could see different files in the same bytes, it refuses.
 */
#include <inttypes.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/crc32c.h"
#include "moonkeep/mem.h"
#include "moonkeep/tar.h"
#include "tar_entry.h"
#include "tar_header.h"
#include "tar_name.h"
#include "tar_pax.h"

/* Most blocks that continue the map of an old GNU sparse file: 43,000 parts. */
#define SPARSE_BLOCKS_MAX 2048

enum scan_state {
        AT_HEADER,
        AT_SPARSE_MAP,   /* blocks that continue an old GNU map of holes */
        AT_META,         /* the data of a pax header or a long name */
        AT_DATA,         /* the data of an entry */
        AT_PADDING,      /* what fills its last block */
        AT_META_PADDING, /* the same behind AT_META */
        AT_SECOND_ZERO,  /* one block of zeros was seen */
        AT_END           /* both were seen */
};

struct tar_scan {
        struct tar_watcher watcher;
        enum scan_state state;
        uint64_t offset; /* bytes consumed */
        uint64_t start;  /* where the current header begins */
        uint64_t left;   /* bytes left of the data, or of the padding */
        size_t padding;  /* bytes of padding behind the data */
        size_t fill;     /* bytes in block */
        uint32_t crc;
        unsigned sparse_blocks;
        bool sparse;  /* the current entry's data is not handed out */
        bool is_root; /* the current entry is not handed out */
        char meta_type;
        bool has_x; /* what was gathered in pax came from an 'x' header */
        bool has_long_name;
        bool has_long_link;
        struct buf meta;
        struct tar_pax pax;
        unsigned char block[TAR_BLOCK];
        char shown[TAR_SHOWN_SIZE]; /* the last entry's name, for messages */
};

struct tar_scan *
tar_scan_new(const struct tar_watcher *watcher, struct err *err)
{
        struct tar_scan *scan = mem_zalloc(sizeof(*scan), err);

        if (scan == NULL)
                return NULL;
        scan->watcher = *watcher;
        buf_init(&scan->meta, TAR_PAX_MAX);
        return scan;
}

void
tar_scan_free(struct tar_scan *scan)
{
        if (scan == NULL)
                return;
        buf_free(&scan->meta);
        mem_free(scan);
}

static int
damaged(const struct tar_scan *scan, uint64_t offset, const char *why, struct err *err)
{
        if (scan->shown[0] == '\0')
                return err_set(
                    err, ERR_CORRUPT, "the tar is damaged at byte %" PRIu64 ": %s", offset, why);
        return err_set(err, ERR_CORRUPT,
            "the tar is damaged at byte %" PRIu64 " (at or behind \"%s\"): %s", offset, scan->shown,
            why);
}

/* The next header is due; nothing is pending for it. */
static void
forget_pending(struct tar_scan *scan)
{
        tar_pax_clear(&scan->pax);
        scan->has_x = scan->has_long_name = scan->has_long_link = false;
}

static bool
has_pending(const struct tar_scan *scan)
{
        return scan->has_x || scan->has_long_name || scan->has_long_link;
}

static size_t
padding_of(uint64_t size)
{
        return (size_t)(-size & (TAR_BLOCK - 1));
}

static int
end_entry(struct tar_scan *scan, struct err *err)
{
        scan->left = scan->padding;
        scan->state = scan->left > 0 ? AT_PADDING : AT_HEADER;
        if (scan->watcher.entry_end == NULL || scan->is_root)
                return 0;
        return scan->watcher.entry_end(scan->watcher.arg, scan->crc, err);
}

static int
begin_data(struct tar_scan *scan, struct err *err)
{
        scan->state = AT_DATA;
        return scan->left == 0 ? end_entry(scan, err) : 0;
}

/* An entry of its own: header, with what pax records and long names said before. */
static int
begin_entry(struct tar_scan *scan, const struct tar_header *header, struct err *err)
{
        char name[TAR_NAME_MAX + 1];
        struct tar_entry entry;
        const char *why;

        if (!tar_entry_knows(header->type))
                return err_set(err, ERR_UNSUPPORTED,
                    "cannot read the tar at byte %" PRIu64 ": entries of type 0x%02x", scan->start,
                    (unsigned char)header->type);
        if (tar_entry_make(header, &scan->pax, name, &entry, &why) < 0)
                return damaged(scan, scan->start, why, err);
        tar_name_show(entry.name, entry.name_len, scan->shown);

        scan->left = scan->pax.has_size ? scan->pax.size : header->size;
        scan->padding = padding_of(scan->left);
        scan->crc = 0;
        scan->sparse = entry.sparse;
        scan->is_root = entry.type == TAR_DIR && strcmp(entry.name, ".") == 0;
        if (scan->watcher.entry != NULL && !scan->is_root &&
            scan->watcher.entry(scan->watcher.arg, &entry, err) < 0)
                return -1;
        forget_pending(scan);

        if (header->map_goes_on) {
                scan->state = AT_SPARSE_MAP;
                scan->sparse_blocks = 0;
                return 0;
        }
        return begin_data(scan, err);
}

/* A header that only says something about the one behind it. */
static int
begin_meta(struct tar_scan *scan, const struct tar_header *header, struct err *err)
{
        bool is_long = header->type == 'L' || header->type == 'K';

        if (header->size > TAR_PAX_MAX || (is_long && header->size > TAR_NAME_MAX + 1))
                return damaged(
                    scan, scan->start, "a header that is larger than any should be", err);
        /* Which of two would win differs between readers; no writer mixes them. */
        if (scan->has_x || (!is_long && has_pending(scan)) ||
            (header->type == 'L' && scan->has_long_name) ||
            (header->type == 'K' && scan->has_long_link))
                return damaged(scan, scan->start, "two headers for the same entry", err);
        buf_clear(&scan->meta);
        scan->meta_type = header->type;
        scan->left = header->size;
        scan->padding = padding_of(header->size);
        scan->state = AT_META;
        return 0;
}

static int
end_meta(struct tar_scan *scan, struct err *err)
{
        const char *data = scan->meta.data != NULL ? scan->meta.data : "";
        size_t len = scan->meta.len;
        const char *why = "";
        int result = -1;

        switch (scan->meta_type) {
        case 'x':
                scan->has_x = true;
                result = tar_pax_parse(&scan->pax, data, len, &why);
                break;
        case 'g':
                result = tar_pax_check_global(data, len, &why);
                break;
        case 'L':
                scan->has_long_name = true;
                result = tar_pax_long_name(&scan->pax, data, len, &why);
                break;
        case 'K':
                scan->has_long_link = true;
                result = tar_pax_long_link(&scan->pax, data, len, &why);
                break;
        }
        if (result < 0)
                return damaged(scan, scan->start, why, err);
        scan->left = scan->padding;
        scan->state = scan->left > 0 ? AT_META_PADDING : AT_HEADER;
        return 0;
}

/* A whole block where a header is due. */
static int
take_header(struct tar_scan *scan, struct err *err)
{
        struct tar_header header;
        const char *why;

        scan->start = scan->offset - TAR_BLOCK;
        if (tar_header_is_zero(scan->block)) {
                if (has_pending(scan))
                        return damaged(
                            scan, scan->start, "a pax header or long name without an entry", err);
                scan->state = AT_SECOND_ZERO;
                return 0;
        }
        if (tar_header_parse(scan->block, &header, &why) < 0)
                return damaged(scan, scan->start, why, err);
        if (header.type == 'x' || header.type == 'g' || header.type == 'L' || header.type == 'K') {
                if (begin_meta(scan, &header, err) < 0)
                        return -1;
                return scan->left == 0 ? end_meta(scan, err) : 0;
        }
        return begin_entry(scan, &header, err);
}

static int
take_block(struct tar_scan *scan, struct err *err)
{
        switch (scan->state) {
        case AT_SPARSE_MAP:
                if (scan->block[504] != 0) {
                        if (++scan->sparse_blocks < SPARSE_BLOCKS_MAX)
                                return 0;
                        return damaged(scan, scan->start, "an endless map of holes", err);
                }
                return begin_data(scan, err);
        case AT_SECOND_ZERO:
                if (!tar_header_is_zero(scan->block))
                        return damaged(
                            scan, scan->start, "a single block of zeros between entries", err);
                scan->state = AT_END;
                return 0;
        default:
                return take_header(scan, err);
        }
}

/* Gather a block; all of len bytes are consumed, at most TAR_BLOCK. */
static int
push_block(struct tar_scan *scan, const unsigned char *data, size_t len, struct err *err)
{
        memcpy(scan->block + scan->fill, data, len);
        scan->fill += len;
        scan->offset += len;
        if (scan->fill < TAR_BLOCK)
                return 0;
        scan->fill = 0;
        return take_block(scan, err);
}

static int
push_data(struct tar_scan *scan, const unsigned char *data, size_t len, struct err *err)
{
        scan->offset += len;
        scan->left -= len;
        if (!scan->sparse) {
                if (scan->watcher.entry_end != NULL)
                        scan->crc = crc32c(scan->crc, data, len);
                if (scan->watcher.data != NULL &&
                    scan->watcher.data(scan->watcher.arg, data, len, err) < 0)
                        return -1;
        }
        return scan->left == 0 ? end_entry(scan, err) : 0;
}

static int
push_meta(struct tar_scan *scan, const unsigned char *data, size_t len, struct err *err)
{
        scan->offset += len;
        scan->left -= len;
        if (buf_add(&scan->meta, data, len, err) < 0)
                return -1;
        return scan->left == 0 ? end_meta(scan, err) : 0;
}

static int
push_zeros(struct tar_scan *scan, const unsigned char *data, size_t len, struct err *err)
{
        bool all_zero = data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;

        for (size_t pos = 0; !all_zero; pos++) {
                if (data[pos] != 0)
                        return damaged(
                            scan, scan->offset + pos, "data behind the end of the tar", err);
        }
        scan->offset += len;
        return 0;
}

static size_t
at_most(size_t len, uint64_t max)
{
        return len < max ? len : (size_t)max;
}

int
tar_scan_push(struct tar_scan *scan, const void *data, size_t len, struct err *err)
{
        const unsigned char *from = data;

        while (len > 0) {
                size_t step;
                int result = 0;

                switch (scan->state) {
                case AT_DATA:
                        step = at_most(len, scan->left);
                        result = push_data(scan, from, step, err);
                        break;
                case AT_META:
                        step = at_most(len, scan->left);
                        result = push_meta(scan, from, step, err);
                        break;
                case AT_PADDING:
                case AT_META_PADDING:
                        /* What is in the padding means nothing; writers leave old bytes in it. */
                        step = at_most(len, scan->left);
                        scan->offset += step;
                        scan->left -= step;
                        if (scan->left == 0)
                                scan->state = AT_HEADER;
                        break;
                case AT_END:
                        step = len;
                        result = push_zeros(scan, from, step, err);
                        break;
                default:
                        step = at_most(len, TAR_BLOCK - scan->fill);
                        result = push_block(scan, from, step, err);
                        break;
                }
                if (result < 0)
                        return -1;
                from += step;
                len -= step;
        }
        return 0;
}

bool
tar_scan_is_complete(const struct tar_scan *scan)
{
        return scan->state == AT_END;
}

static const char *
where_it_stands(const struct tar_scan *scan)
{
        switch (scan->state) {
        case AT_META:
        case AT_META_PADDING:
                return "in a pax header or long name";
        case AT_SPARSE_MAP:
        case AT_DATA:
        case AT_PADDING:
                return "in the data";
        case AT_SECOND_ZERO:
                return "before its second end block";
        default:
                return scan->fill > 0 ? "in a header" : "before its end blocks";
        }
}

int
tar_scan_end(struct tar_scan *scan, struct err *err)
{
        if (scan->state == AT_END)
                return scan->watcher.end != NULL ? scan->watcher.end(scan->watcher.arg, err) : 0;
        if (scan->shown[0] == '\0')
                return err_set(err, ERR_TRUNCATED, "the tar was cut at byte %" PRIu64 ", %s",
                    scan->offset, where_it_stands(scan));
        return err_set(err, ERR_TRUNCATED,
            "the tar was cut at byte %" PRIu64 ", %s (at or behind \"%s\")", scan->offset,
            where_it_stands(scan), scan->shown);
}
