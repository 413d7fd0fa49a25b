/*
 * JSON values: an opaque tree over jansson.  Text in, text out, and a walk.
 *
 * Limits on what is read come from the caller; duplicate keys are refused;
 * integers are 64-bit, other numbers (so an integer past 64 bits, too) doubles;
 * NaN and infinities cannot be stored.  Strings are UTF-8 and may contain NUL
 * on both ways, keys may not.
 */
#ifndef MOONKEEP_JSON_H
#define MOONKEEP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/err.h"

/* jansson exports functions of these names: to the linker ours are others. */
#define json_real moonkeep_json_real
#define json_string moonkeep_json_string

struct json; /* one reference to a value; children are borrowed from their parent */

enum json_type {
        JSON_T_NULL,
        JSON_T_BOOL,
        JSON_T_INT,
        JSON_T_REAL,
        JSON_T_STRING,
        JSON_T_ARRAY,
        JSON_T_OBJECT
};

/*
 * json_parse: exactly one value in len bytes, nested at most 2048 deep;
 * ERR_INVALID says line and column.
 */
struct json *json_parse(const char *text, size_t len, struct err *err);

/* json_free: release an owned value (from json_parse or json_new_*).  NULL is fine. */
void json_free(struct json *value);

enum json_type json_type_of(const struct json *value);
bool json_bool(const struct json *value);
int64_t json_int(const struct json *value);
/* json_real: of an integer, too. */
double json_real(const struct json *value);
/* json_string: NUL-terminated, borrowed; NULL when value is no string.  len may be NULL. */
const char *json_string(const struct json *value, size_t *len);

/* json_get: member of an object, borrowed; NULL when absent or when value is no object. */
struct json *json_get(const struct json *value, const char *key);

size_t json_array_len(const struct json *value);
struct json *json_array_at(const struct json *value, size_t idx);

/*
 * json_object_next: iterate over the members: start with *iter == NULL;
 * returns false at the end.  key and child are borrowed.
 */
bool json_object_next(
    const struct json *value, void **iter, const char **key, size_t *key_len, struct json **child);

/* Builders: new values are owned by the caller until added to a parent. */
struct json *json_new_null(struct err *err);
struct json *json_new_bool(bool value, struct err *err);
struct json *json_new_int(int64_t value, struct err *err);
struct json *json_new_real(double value, struct err *err);
struct json *json_new_string(const char *text, size_t len, struct err *err);
struct json *json_new_array(struct err *err);
struct json *json_new_object(struct err *err);

/*
 * json_append, json_set: take child (freed on failure, too).  A child that is
 * NULL fails and leaves err as it is, so that calls can be nested:
 * json_append(array, json_new_int(7, err), err).
 */
int json_append(struct json *array, struct json *child, struct err *err);
int json_set(
    struct json *object, const char *key, size_t key_len, struct json *child, struct err *err);

/*
 * json_dump: append the text to out.  Keys are sorted, so equal values give
 * equal bytes: with indent 0 it is the canonical form that digests are taken
 * of; with indent > 0 (at most 8) it is for reading.  Both are the same bytes
 * as those of `jq -cS .` and `jq -S --indent N .`, except for reals, which are
 * written with as many digits as it takes to read the same number again and
 * never look like integers, and for integers past 2^53, which jq rounds.
 */
int json_dump(const struct json *value, int indent, struct buf *out, struct err *err);

#endif
