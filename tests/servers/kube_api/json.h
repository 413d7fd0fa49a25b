/*
 * Objects of the API server for tests (tests/servers/kube_api.c) are jansson
 * values: reached into by dotted paths.  A stored object is never changed, only
 * replaced, so that it may be shared by whoever has a reference.
 */
#ifndef TESTS_KUBE_API_JSON_H
#define TESTS_KUBE_API_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* api_at: the value at "metadata.name", borrowed; NULL where there is none. */
json_t *api_at(const json_t *value, const char *path);

/* api_text: a string there, or "".  api_number: an integer there, or otherwise. */
const char *api_text(const json_t *value, const char *path);
int64_t api_number(const json_t *value, const char *path, int64_t otherwise);

/* api_set: put value (taken) there; objects on the way are made. */
void api_set(json_t *object, const char *path, json_t *value);
void api_set_text(json_t *object, const char *path, const char *text);
void api_set_number(json_t *object, const char *path, int64_t number);
void api_remove(json_t *object, const char *path);

/* api_copy: an object of its own. */
json_t *api_copy(const json_t *value);

/* api_dump: its text, to be freed. */
char *api_dump(const json_t *value);

/* api_checked: ends the program unless the value could be made. */
json_t *api_checked(json_t *value);

/* api_now_json: the time as objects have it, "2026-11-21T02:00:00Z". */
json_t *api_now_json(void);

/* api_later_json: the time so many seconds from now. */
json_t *api_later_json(int64_t seconds);

#endif
