/*
 * What every store promises, whatever its driver: the cases that each driver
 * is run through.
 */
#ifndef TESTS_HARNESS_STORE_SUITE_H
#define TESTS_HARNESS_STORE_SUITE_H

#include <stdbool.h>

#include "moonkeep/store.h"

struct store_case {
        const char *name;
        void (*run)(struct store *store); /* on a store that is empty */
};

/* The cases; the last one has no name. */
extern const struct store_case store_suite[];

/* conformance: run all cases, in the order of the list, emptying the store after each. */
void conformance(struct store *store);

/* store_suite_put: write text under key; fails the test when it cannot. */
void store_suite_put(struct store *store, const char *key, const char *text);

/* store_suite_try_put: the same, told by the result. */
int store_suite_try_put(
    struct store *store, const char *key, const char *text, bool exclusive, struct err *err);

/* store_suite_get: is text what key holds? */
void store_suite_get(struct store *store, const char *key, const char *text);

/* store_suite_list: is "key key key/" what a listing says, with a space between? */
void store_suite_list(struct store *store, const char *prefix, bool shallow, const char *keys);

#endif
