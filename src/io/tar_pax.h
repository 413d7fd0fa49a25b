/*
 * The records of pax headers (POSIX.1-2017, pax, "pax Extended Header"), and
 * what they and GNU's long names change of the header behind them.  Internal
 * to the tar modules.
 */
#ifndef IO_TAR_PAX_H
#define IO_TAR_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/tar.h"

struct tar_pax {
        bool has_name;
        bool has_sparse_name; /* GNU.sparse.name: wins over path wherever it stands */
        bool has_link;
        bool has_size;
        bool has_real_size;
        bool has_mtime;
        bool has_uid;
        bool has_gid;
        bool sparse;
        uint64_t size;
        uint64_t real_size;
        int64_t mtime_s;
        uint64_t uid;
        uint64_t gid;
        size_t name_len;
        size_t link_len;
        char name[TAR_NAME_MAX + 1];
        char link[TAR_NAME_MAX + 1];
};

/* tar_pax_clear: nothing is changed any more. */
void tar_pax_clear(struct tar_pax *pax);

/* tar_pax_parse: the records of an 'x' header; 0, or -1 with what is wrong in *why. */
int tar_pax_parse(struct tar_pax *pax, const char *data, size_t len, const char **why);

/*
 * tar_pax_check_global: a 'g' header may say what it wants of times and
 * owners (they are not applied: readers differ), but not what names and sizes
 * of later entries mean.
 */
int tar_pax_check_global(const char *data, size_t len, const char **why);

/* tar_pax_long_name, tar_pax_long_link: the data of GNU's 'L' and 'K'. */
int tar_pax_long_name(struct tar_pax *pax, const char *data, size_t len, const char **why);
int tar_pax_long_link(struct tar_pax *pax, const char *data, size_t len, const char **why);

#endif
