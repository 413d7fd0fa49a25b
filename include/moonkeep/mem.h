/*
 * Memory: malloc with a place where tests can make the n-th allocation fail.
 * Everything that base, data and io allocate comes from here.
 */
#ifndef MOONKEEP_MEM_H
#define MOONKEEP_MEM_H

#include <stddef.h>

#include "moonkeep/err.h"

/* mem_alloc: size bytes, uninitialised; NULL and ERR_NOMEM on failure. */
void *mem_alloc(size_t size, struct err *err);

/* mem_zalloc: size bytes, zeroed; NULL and ERR_NOMEM on failure. */
void *mem_zalloc(size_t size, struct err *err);

/* mem_realloc: as realloc; on failure ptr stays valid. */
void *mem_realloc(void *ptr, size_t size, struct err *err);

/* mem_strdup, mem_strndup: a copy of a string. */
char *mem_strdup(const char *text, struct err *err);
char *mem_strndup(const char *text, size_t len, struct err *err);

/* mem_free: as free. */
void mem_free(void *ptr);

/*
 * mem_fail_at: for tests: let the n-th allocation from now (1 is the next)
 * fail once; 0 switches it off.  mem_count returns how many allocations were
 * asked for since the last mem_fail_at.  Not to be used with several threads
 * allocating at once unless any of them may fail.
 */
void mem_fail_at(unsigned long n);
unsigned long mem_count(void);

#endif
