/*
 * One 512-byte header block of a tar: ustar (POSIX.1-2017, pax, "ustar
 * Interchange Format"), GNU ("Basic Tar Format" of the GNU tar manual), or the
 * old format without a magic.  Internal to the tar modules.
 */
#ifndef IO_TAR_HEADER_H
#define IO_TAR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK ((size_t)512)

/* The largest size of an entry: room for its padding must stay below 2^63. */
#define TAR_SIZE_MAX ((uint64_t)INT64_MAX - TAR_BLOCK)

struct tar_header {
        char type;          /* the type flag; '0' for NUL and '7' */
        uint64_t size;      /* stored bytes that follow */
        uint64_t real_size; /* of an old GNU sparse file */
        bool map_goes_on;   /* blocks with more of its map follow */
        unsigned mode;
        int64_t mtime_s;
        uint64_t uid;
        uint64_t gid;
        char name[155 + 1 + 100 + 1];
        size_t name_len;
        char link[100 + 1];
        size_t link_len;
};

/* tar_header_is_zero: is it a block of zeros, as at the end? */
bool tar_header_is_zero(const unsigned char *block);

/* tar_header_parse: 0, or -1 with what is wrong with it in *why. */
int tar_header_parse(const unsigned char *block, struct tar_header *header, const char **why);

#endif
