#include "tar_header.h"

#include <string.h>

/* Where the fields are, and how long. */
enum {
        NAME = 0,
        NAME_LEN = 100,
        MODE = 100,
        UID = 108,
        GID = 116,
        SHORT_LEN = 8, /* of mode, uid, gid, check sum and device numbers */
        SIZE = 124,
        MTIME = 136,
        LONG_LEN = 12, /* of sizes and times */
        CHECKSUM = 148,
        TYPE = 156,
        LINK = 157,
        LINK_LEN = 100,
        MAGIC = 257,
        DEV_MAJOR = 329,
        DEV_MINOR = 337,
        PREFIX = 345,
        PREFIX_LEN = 155,
        GNU_SPARSE = 386, /* the first part of the map: four pairs */
        GNU_MORE = 482,
        GNU_REAL_SIZE = 483
};

bool
tar_header_is_zero(const unsigned char *block)
{
        return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/*
 * A number is octal digits with spaces in front and spaces or NULs behind, or
 * big-endian binary behind a byte 0x80 (0xff: negative).
 */
static int
parse_number(const unsigned char *field, size_t len, int64_t *value)
{
        uint64_t number = 0;
        size_t pos = 0;

        if (field[0] == 0x80 || field[0] == 0xff) {
                unsigned char sign = field[0] == 0xff ? 0xff : 0;
                for (pos = 1; pos + 8 < len; pos++) {
                        if (field[pos] != sign)
                                return -1;
                }
                for (number = sign != 0 ? UINT64_MAX : 0; pos < len; pos++)
                        number = number << 8 | field[pos];
                *value = (int64_t)number;
                return (*value < 0) == (sign != 0) ? 0 : -1;
        }

        while (pos < len && field[pos] == ' ')
                pos++;
        for (; pos < len && field[pos] >= '0' && field[pos] <= '7'; pos++)
                number = number << 3 | (unsigned)(field[pos] - '0');
        for (; pos < len; pos++) {
                if (field[pos] != ' ' && field[pos] != '\0')
                        return -1;
        }
        *value = (int64_t)number; /* twelve digits at most: 36 bits */
        return 0;
}

static int
parse_unsigned(const unsigned char *field, size_t len, uint64_t *value)
{
        int64_t number;

        if (parse_number(field, len, &number) < 0 || number < 0)
                return -1;
        *value = (uint64_t)number;
        return 0;
}

/* The sum of all bytes, with spaces for the sum itself; old writers added signed chars. */
static bool
checksum_is_good(const unsigned char *block)
{
        int64_t stored;
        int64_t as_unsigned = 0;
        int64_t as_signed = 0;

        if ((block[CHECKSUM] & 0x80) != 0 || parse_number(block + CHECKSUM, SHORT_LEN, &stored) < 0)
                return false;
        for (size_t pos = 0; pos < TAR_BLOCK; pos++) {
                bool is_sum = pos >= CHECKSUM && pos < CHECKSUM + SHORT_LEN;
                as_unsigned += is_sum ? ' ' : block[pos];
                as_signed += is_sum ? ' ' : (signed char)block[pos];
        }
        return stored == as_unsigned || stored == as_signed;
}

static size_t
copy_text(char *out, const unsigned char *field, size_t len)
{
        size_t used = strnlen((const char *)field, len);

        memcpy(out, field, used);
        out[used] = '\0';
        return used;
}

static void
copy_name(const unsigned char *block, bool has_prefix, struct tar_header *header)
{
        size_t used = 0;

        if (has_prefix) {
                used = copy_text(header->name, block + PREFIX, PREFIX_LEN);
                if (used > 0 && header->name[used - 1] != '/')
                        header->name[used++] = '/';
        }
        used += copy_text(header->name + used, block + NAME, NAME_LEN);
        header->name_len = used;
}

/* The old GNU form of a file with holes. */
static int
parse_sparse(const unsigned char *block, bool is_gnu, struct tar_header *header, const char **why)
{
        bool has_map = is_gnu && block[GNU_SPARSE] != 0;
        bool has_more = is_gnu && block[GNU_MORE] != 0;

        if (header->type != 'S') {
                /* Some readers look at these fields whatever the type is. */
                *why = "a map of holes in an entry that has none";
                return has_map || has_more || (is_gnu && block[GNU_REAL_SIZE] != 0) ? -1 : 0;
        }
        *why = "an impossible map of holes";
        header->map_goes_on = has_more;
        if (!has_map || parse_unsigned(block + GNU_REAL_SIZE, LONG_LEN, &header->real_size) < 0)
                return -1;
        return header->real_size <= TAR_SIZE_MAX ? 0 : -1;
}

int
tar_header_parse(const unsigned char *block, struct tar_header *header, const char **why)
{
        struct tar_header got = { 0 };
        bool is_gnu = memcmp(block + MAGIC, "ustar  ", 8) == 0;
        bool is_ustar = !is_gnu && memcmp(block + MAGIC, "ustar", 5) == 0;
        uint64_t mode;
        uint64_t ignored;

        if (!checksum_is_good(block)) {
                *why = "the header's checksum is wrong";
                return -1;
        }
        if (parse_unsigned(block + SIZE, LONG_LEN, &got.size) < 0 || got.size > TAR_SIZE_MAX) {
                *why = "an impossible size";
                return -1;
        }
        if (parse_unsigned(block + MODE, SHORT_LEN, &mode) < 0 ||
            parse_unsigned(block + UID, SHORT_LEN, &got.uid) < 0 ||
            parse_unsigned(block + GID, SHORT_LEN, &got.gid) < 0 ||
            parse_number(block + MTIME, LONG_LEN, &got.mtime_s) < 0 ||
            parse_unsigned(block + DEV_MAJOR, SHORT_LEN, &ignored) < 0 ||
            parse_unsigned(block + DEV_MINOR, SHORT_LEN, &ignored) < 0) {
                *why = "a field that is no number";
                return -1;
        }
        got.mode = (unsigned)(mode & 07777);
        got.type = (char)block[TYPE];
        if (got.type == '\0' || got.type == '7')
                got.type = '0';
        if (parse_sparse(block, is_gnu, &got, why) < 0)
                return -1;
        copy_name(block, is_ustar, &got);
        got.link_len = copy_text(got.link, block + LINK, LINK_LEN);
        *header = got;
        return 0;
}
