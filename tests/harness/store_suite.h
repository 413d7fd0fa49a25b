/*
 * What every store promises, whatever its driver: the cases that each driver
 * is run through.
 */
#ifndef TESTS_HARNESS_STORE_SUITE_H
#define TESTS_HARNESS_STORE_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/store.h"

/* What not every store has, and a case may need. */
enum store_trait {
        STORE_FLAT = 1 << 0,   /* a key can be the folder of others, too; any text is a part */
        STORE_SHARED = 1 << 1, /* other processes see it, by its URL */
        STORE_LONG = 1 << 2,   /* a key may have STORE_KEY_MAX bytes */
        STORE_MANY = 1 << 3    /* thousands of keys do not take minutes */
};

struct store_case {
        const char *name;
        void (*run)(struct store *store); /* on a store that is empty */
        unsigned needs;
};

/* The cases, of small objects, of large ones and of many keys; the last one has no name. */
extern const struct store_case store_suite[];
extern const struct store_case store_suite_large[];
extern const struct store_case store_suite_keys[];

/*
 * conformance: run all cases of a list that a store with these traits can
 * pass, in their order, emptying the store after each.
 */
void conformance(struct store *store, const struct store_case *cases, unsigned traits);

/* conformance_all: the cases of all lists. */
void conformance_all(struct store *store, unsigned traits);

/* store_suite_put: write text under key; fails the test when it cannot. */
void store_suite_put(struct store *store, const char *key, const char *text);

/* store_suite_try_put: the same, told by the result. */
int store_suite_try_put(
    struct store *store, const char *key, const char *text, bool exclusive, struct err *err);

/* store_suite_get: is text what key holds? */
void store_suite_get(struct store *store, const char *key, const char *text);

/* store_suite_try_get: length bytes from offset as a string (mem_free); NULL and err on failure. */
char *store_suite_try_get(
    struct store *store, const char *key, uint64_t offset, uint64_t length, struct err *err);

/* store_suite_exists: is there such a key? */
bool store_suite_exists(struct store *store, const char *key);

/* store_suite_list: is "key key key/" what a listing says, with a space between? */
void store_suite_list(struct store *store, const char *prefix, bool shallow, const char *keys);

#endif
