/*
 * The store in memory: what its table and its streams share.
 */
#ifndef MOONKEEP_STORE_STORE_MEM_INTERNAL_H
#define MOONKEEP_STORE_STORE_MEM_INTERNAL_H

#include <pthread.h>

#include "moonkeep/buf.h"
#include "moonkeep/store_driver.h"

/* What a key holds: never changed once it is there, so that readers need no lock. */
struct store_mem_content {
        unsigned long refs; /* under the lock of the store */
        int64_t mtime_ms;
        struct buf bytes;
};

struct store_mem_entry {
        char *key;
        struct store_mem_content *content;
};

struct store_mem {
        struct store store;
        pthread_mutex_t lock;            /* guards all below */
        unsigned long refs;              /* the owner and all streams */
        struct store_mem_entry *entries; /* in the order of their keys */
        size_t count;
        size_t cap;
};

/* store_mem_ref, store_mem_unref: streams keep the store that they are of. */
void store_mem_ref(struct store_mem *it);
void store_mem_unref(struct store_mem *it);

/* store_mem_find: under the lock: the entry of key, or NULL. */
struct store_mem_entry *store_mem_find(const struct store_mem *it, const char *key);

/* store_mem_insert: under the lock: a key that is not there yet; takes both when it succeeds. */
int store_mem_insert(
    struct store_mem *it, char *key, struct store_mem_content *content, struct err *err);

/*
 * store_mem_drop: under the lock: one reference less; returns what is to be
 * given to store_mem_content_free after it, or NULL.
 */
struct store_mem_content *store_mem_drop(struct store_mem_content *content);
void store_mem_content_free(struct store_mem_content *content);

/* store_mem_stat_of: what is said of a content. */
struct store_stat store_mem_stat_of(const struct store_mem_content *content);

int store_mem_not_found(const struct store_mem *it, const char *key, struct err *err);

/* Of store_ops. */
struct source *store_mem_read(struct store *store, const char *key, uint64_t offset,
    uint64_t length, struct cancel *cancel, struct err *err);
struct sink *store_mem_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err);

#endif
