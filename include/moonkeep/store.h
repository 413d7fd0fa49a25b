/*
 * Stores: where backups live.  One interface for all drivers.
 *
 * Keys are relative paths with '/' ("prometheus/main/20261121T020000Z/manifest.json"):
 * at most STORE_KEY_MAX bytes, no empty, "." or ".." component, no NUL; what
 * is no key is ERR_INVALID.  All functions block; a store may be used by
 * several threads at once.
 */
#ifndef MOONKEEP_STORE_H
#define MOONKEEP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/hash_filter.h"
#include "moonkeep/secret.h"
#include "moonkeep/stream.h"

#define STORE_KEY_MAX ((size_t)1024)

struct store;

/* What a driver can do; where it cannot, its callers say so to the user. */
enum store_capability {
        STORE_EXCLUSIVE = 1 << 0,    /* create-only writes are atomic: locks exclude */
        STORE_WHOLE_DIGEST = 1 << 1, /* a sha256sum file beside the artifacts is useful */
        STORE_PROBE = 1 << 2         /* whether create-only writes are honoured has to be tried */
};

#define STORE_ETAG_MAX ((size_t)128)

struct store_stat {
        uint64_t size;
        int64_t mtime_ms;
        bool archived;                 /* cannot be read until it is brought back from an archive */
        char etag[STORE_ETAG_MAX + 1]; /* what the server calls this content, no quotes; or "" */
};

/*
 * store_open: the store that url names: "./dir", "/dir", "file:/dir".
 * Nothing is created or contacted yet.  A URL with a password in it, of an
 * unknown kind, or a bare word is ERR_USAGE; a kind that this build has no
 * driver for ERR_UNSUPPORTED.
 */
struct store *store_open(const char *url, struct err *err);
/* store_free: NULL is fine. */
void store_free(struct store *store);

/*
 * store_url: the normalised URL, without secrets, with all its options; of a
 * directory, its absolute path.  It opens the same store.
 */
const char *store_url(const struct store *store);

/*
 * store_place: which place that is, however it is reached: the URL without the
 * options that only say how (region, profile, class, ...).
 */
const char *store_place(const struct store *store);
unsigned store_capabilities(const struct store *store);

/* store_stat: ERR_NOT_FOUND when there is no such key. */
int store_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err);

/*
 * store_list: call fn for each key below prefix ("" or ending in '/'), in
 * ascending byte order.  With `shallow`, keys with a further '/' are folded
 * into one "name/" (stat NULL).  fn returns 0, or -1 with err to stop.
 * A prefix that does not exist lists nothing; a store that does not exist is
 * ERR_NOT_FOUND; a listing that breaks off is an error, never a short list.
 *
 * In object stores others may have put objects whose names are no keys
 * ("a//b", "dir/" with content): fn gets them as they are, and the other
 * functions refuse them.  An empty object "dir/", a folder made by a console,
 * is passed over.
 */
typedef int store_list_fn(
    void *arg, const char *key, const struct store_stat *stat, struct err *err);
int store_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err);

/*
 * store_read: length bytes of key from offset (UINT64_MAX: to the end);
 * ERR_TRUNCATED when it has fewer.
 */
struct source *store_read(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err);

/* How an object is written; all zero is an ordinary write. */
struct store_write {
        /*
         * The commit fails with ERR_EXISTS when key exists, atomically; where the
         * store cannot, with ERR_UNSUPPORTED.  For small objects: at most
         * STORE_EXCLUSIVE_MAX bytes.
         */
        bool exclusive;
        /*
         * Go on with an upload of this key that was interrupted: parts that
         * the server has already, proven equal, are not sent again.  For writers
         * that start again from the first byte.  Otherwise nothing is reused.
         */
        bool resume;
        /* Filled while it is written, complete with the commit; outlives the sink; or NULL. */
        struct stream_digest *digest;
        /*
         * Filled by the commit with what the store then says of the object, as far
         * as it says it (etag, or size and time); outlives the sink; or NULL.
         */
        struct store_stat *made;
};

#define STORE_EXCLUSIVE_MAX ((size_t)64 * 1024 * 1024)

/*
 * store_create: a sink for key; the commit makes it visible.  how may be NULL.
 */
struct sink *store_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err);

/* store_remove: remove key; a missing key is success. */
int store_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err);

/*
 * store_sweep: remove what interrupted writes left below prefix and no key
 * shows (temporary files, incomplete uploads).  *removed (may be NULL) counts.
 * Only to be called by the holder of the lock on prefix.
 */
int store_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err);

/* What a copy was. */
struct store_copied {
        struct store_stat made; /* what `to` says of it */
        bool by_server;         /* its bytes did not come here */
};

/*
 * store_copy: copy the object that a listing of `from` has seen as `seen` to
 * the same key of `to`.  Within one service the server copies it, where it
 * can; else it is read and written here, counted in progress (may be NULL).
 * An object that is something else by now is ERR_IO, retryable, and nothing
 * is written; ERR_NOT_FOUND when it is gone.
 */
int store_copy(struct store *from, struct store *to, const char *key, const struct store_stat *seen,
    struct store_copied *out, struct progress *progress, struct cancel *cancel, struct err *err);

/* A name and a value: of a query, of a header. */
struct store_pair {
        const char *name;
        const char *value;
        const struct secret *secret; /* instead of value; or NULL */
};

/* A request in the store's own protocol, for what has no function of its own here. */
struct store_call {
        const char *method;
        const char *key; /* NULL: the bucket or container itself */
        const struct store_pair *query;
        size_t query_count;
        const struct store_pair *headers;
        size_t header_count;
        const void *body;
        size_t body_len;
        bool once;         /* must not be sent again when it is not known whether it took effect */
        size_t answer_max; /* bytes */
};

struct store_answer {
        int status;
        struct buf body;
        char *headers; /* "name: value\n", names in lower case */
};

/*
 * store_call: sign and send it, with the driver's retries; answers other than
 * 2xx are errors in the driver's words, with err->http.  answer is to be
 * cleared.  ERR_UNSUPPORTED where the store speaks no such protocol.
 */
int store_call(struct store *store, const struct store_call *call, struct store_answer *answer,
    struct cancel *cancel, struct err *err);
void store_answer_clear(struct store_answer *answer);

#endif
