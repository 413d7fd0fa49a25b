/*
 * A store whose objects may be larger than its inner store's, shared by store_span*.c.
 */
#ifndef MOONKEEP_STORE_SPAN_INTERNAL_H
#define MOONKEEP_STORE_SPAN_INTERNAL_H

#include "moonkeep/store_driver.h"

/* NAME.001 to NAME.999 */
#define SPAN_MORE_MAX 999u
#define SPAN_NAME_SIZE (STORE_KEY_MAX + 5)

struct store_span {
        struct store store;
        struct store *inner;
        uint64_t max;
};

/* store_span_name: the name of piece n of key, which for 0 is key; ERR_INVALID when it is too long.
 */
int store_span_name(const char *key, unsigned n, char out[SPAN_NAME_SIZE], struct err *err);

/*
 * store_span_more: the pieces behind the first one, which has max bytes: how
 * many, and in *size their bytes; -1 on failure.
 */
int store_span_more(
    struct store_span *it, const char *key, uint64_t *size, struct cancel *cancel, struct err *err);

struct source *store_span_read(struct store *store, const char *key, uint64_t offset,
    uint64_t length, struct cancel *cancel, struct err *err);

struct sink *store_span_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err);

#endif
