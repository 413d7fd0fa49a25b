/*
 * The buffers of parts: a budget for all sources and sinks of the process
 * together, so that memory has a bound whatever runs at once.
 */
#ifndef MOONKEEP_STORE_OBJECT_POOL_H
#define MOONKEEP_STORE_OBJECT_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "moonkeep/err.h"

/*
 * object_pool_get: a buffer of size bytes in *out.  Returns 1; 0 when the budget
 * is used up, unless it is a `must`: the one without which nothing would move;
 * -1 with ERR_NOMEM.
 */
int object_pool_get(size_t size, bool must, char **out, struct err *err);

/* object_pool_put: give it back; size as it was asked for.  NULL is fine. */
void object_pool_put(char *buffer, size_t size);

/* object_pool_drain: release what waits to be used again. */
void object_pool_drain(void);

#endif
