/*
 * What the files of the JSON module share: jansson behind `struct json`, and
 * how its failures become errors.  To be included first: jansson's names have
 * to be declared before json.h gives some of them another meaning.
 */
#ifndef MOONKEEP_DATA_JSON_INTERNAL_H
#define MOONKEEP_DATA_JSON_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* jansson's function, under a name that is free: see json.h. */
static inline json_t *
jansson_real(double value)
{
        return json_real(value);
}

#include "moonkeep/json.h"

/*
 * Deepest nesting that is written.  jansson reads 2048 levels; one value more
 * may have been wrapped around what was read.
 */
#define JSON_DEPTH_MAX 2100

/*
 * json_begin: to be called before anything that makes jansson allocate: lets
 * it allocate from mem.h, and forgets earlier failures of this thread.
 */
void json_begin(void);

/* json_ran_out: did an allocation fail on this thread since json_begin? */
bool json_ran_out(void);

static inline json_t *
json_inner(const struct json *value)
{
        /* The const of the caller's view: jansson counts references in the value itself. */
        return (json_t *)(uintptr_t)value;
}

static inline struct json *
json_outer(json_t *value)
{
        return (struct json *)value;
}

#endif
