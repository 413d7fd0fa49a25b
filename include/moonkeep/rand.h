/*
 * Random bytes and identifiers from the kernel.
 */
#ifndef MOONKEEP_RAND_H
#define MOONKEEP_RAND_H

#include <stddef.h>

#include "moonkeep/err.h"

/* rand_bytes: len random bytes. */
int rand_bytes(void *out, size_t len, struct err *err);

/* rand_id: len lower-case letters and digits (no l, o, 0, 1) and a NUL. */
int rand_id(char *out, size_t len, struct err *err);

#endif
