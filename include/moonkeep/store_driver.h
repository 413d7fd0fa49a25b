/*
 * What an implementer of a store needs.  Keys are checked before a driver
 * sees them.
 */
#ifndef MOONKEEP_STORE_DRIVER_H
#define MOONKEEP_STORE_DRIVER_H

#include "moonkeep/store.h"

struct store_ops {
        const char *name;
        int (*stat)(struct store *store, const char *key, struct store_stat *out,
            struct cancel *cancel, struct err *err);
        int (*list)(struct store *store, const char *prefix, bool shallow, store_list_fn *fn,
            void *arg, struct cancel *cancel, struct err *err);
        struct source *(*read)(struct store *store, const char *key, uint64_t offset,
            uint64_t length, struct cancel *cancel, struct err *err);
        struct sink *(*create)(struct store *store, const char *key, bool exclusive,
            struct cancel *cancel, struct err *err);
        int (*remove)(struct store *store, const char *key, struct cancel *cancel, struct err *err);
        int (*sweep)(struct store *store, const char *prefix, uint64_t *removed,
            struct cancel *cancel, struct err *err);
        void (*free)(struct store *store);
};

struct store {
        const struct store_ops *ops;
        char *url;
        unsigned capabilities;
};

/*
 * store_file_open: the driver for directories; path is absolute or relative
 * to the current directory, and empty or "." parts in it do not matter.  The
 * first write makes a root that does not exist.  A root that vanishes while it
 * is in use is ERR_IO from then on; what is neither a file nor a folder below
 * it, ERR_INVALID.
 */
struct store *store_file_open(const char *path, struct err *err);

#endif
