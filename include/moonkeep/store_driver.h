/*
 * What an implementer of a store needs.  Keys are checked before a driver
 * sees them.
 */
#ifndef MOONKEEP_STORE_DRIVER_H
#define MOONKEEP_STORE_DRIVER_H

#include "moonkeep/store.h"
#include "moonkeep/url.h"

struct store_ops {
        const char *name;
        int (*stat)(struct store *store, const char *key, struct store_stat *out,
            struct cancel *cancel, struct err *err);
        int (*list)(struct store *store, const char *prefix, bool shallow, store_list_fn *fn,
            void *arg, struct cancel *cancel, struct err *err);
        struct source *(*read)(struct store *store, const char *key, uint64_t offset,
            uint64_t length, struct cancel *cancel, struct err *err);
        /* how is never NULL; its digest is the driver's matter with .digests only. */
        struct sink *(*create)(struct store *store, const char *key, const struct store_write *how,
            struct cancel *cancel, struct err *err);
        int (*remove)(struct store *store, const char *key, struct cancel *cancel, struct err *err);
        int (*sweep)(struct store *store, const char *prefix, uint64_t *removed,
            struct cancel *cancel, struct err *err);
        /*
         * Let the server copy the object key of `from`, a store of this driver, that
         * has been listed as seen: 1 when it did, 0 when it has to be read and
         * written here (another service, no right to), -1.  NULL: 0.
         */
        int (*copy)(struct store *to, struct store *from, const char *key,
            const struct store_stat *seen, struct store_stat *made, struct cancel *cancel,
            struct err *err);
        /* NULL: ERR_UNSUPPORTED. */
        int (*call)(struct store *store, const struct store_call *call, struct store_answer *answer,
            struct cancel *cancel, struct err *err);
        void (*free)(struct store *store);
        bool digests; /* create fills how->digest: it needs the digests itself */
};

struct store {
        const struct store_ops *ops;
        char *url;
        char *place; /* NULL: as url */
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

/*
 * store_s3_open, store_azure_open: the drivers for s3://BUCKET[/PREFIX] and
 * azure://ACCOUNT/CONTAINER[/PREFIX]; docs/guide/090-object-stores.md has their
 * options.  Nothing is contacted yet.  ERR_USAGE for an option that there is not.
 */
struct store *store_s3_open(const struct url *url, struct err *err);
struct store *store_azure_open(const struct url *url, struct err *err);

/* store_mem_open: a store in memory, for tests: as capable as a directory. */
struct store *store_mem_open(struct err *err);

/*
 * store_span: a store whose objects may be larger than inner's: what passes
 * max_bytes goes on in NAME.001, NAME.002, ... (`cat` joins them).  Takes
 * inner (on failure, too).  NAME itself becomes visible last, and is removed
 * first.  Whoever reads, lists or removes NAME sees one object; NAME.001 is
 * hidden only behind a NAME of exactly max_bytes.  An object that is replaced by
 * one of several pieces is gone for a moment; one of several pieces that is
 * replaced by a smaller one leaves its other pieces, to be seen then.
 */
struct store *store_span(struct store *inner, uint64_t max_bytes, struct err *err);

#endif
