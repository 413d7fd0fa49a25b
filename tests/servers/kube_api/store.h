/*
 * The objects of the API server for tests, what has happened to them, and who is told.
 *
 * All of it is used between api_lock and api_unlock.  Stored objects are never
 * changed: a change is a copy that replaces the object.
 */
#ifndef TESTS_KUBE_API_STORE_H
#define TESTS_KUBE_API_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/types.h"

struct api_object {
        const struct api_type *type;
        char *ns; /* "" for what is in none */
        char *name;
        json_t *json;
        int64_t created_ms; /* of the monotonic clock */
        int64_t doomed_ms;  /* since when it has a deletionTimestamp; 0: it has none */
};

enum api_change {
        API_ADDED,
        API_MODIFIED,
        API_DELETED
};

struct api_event {
        enum api_change change;
        const struct api_type *type;
        uint64_t version;
        json_t *json;
        json_t *before; /* of API_MODIFIED */
};

void api_lock(void);
void api_unlock(void);

/* api_wait: until something has changed, or the time has passed; gives the lock away meanwhile. */
void api_wait(int ms);

/* api_wake: as if something had changed. */
void api_wake(void);

/* api_version: the resourceVersion of the last change. */
uint64_t api_version(void);

/* api_find: or NULL.  Valid until the lock is given away. */
struct api_object *api_find(const struct api_type *type, const char *ns, const char *name);

/* api_store: put an object (taken) in, or in the place of the one with its name. */
struct api_object *api_store(const struct api_type *type, json_t *json);

/* api_drop: remove it for good. */
void api_drop(struct api_object *object);

/* api_objects: all, sorted by type, namespace and name; those of a type with *count. */
struct api_object **api_objects(const struct api_type *type, size_t *count);

/*
 * api_event_after: the first event after a version; NULL when there is none yet.
 * api_is_forgotten: have events after that version been dropped?
 */
const struct api_event *api_event_after(uint64_t version);
bool api_is_forgotten(uint64_t version);

/* api_keep_events: how many are kept (4096 by default). */
void api_keep_events(size_t count);

/* api_new_uid: random, as objects have it. */
void api_new_uid(char out[37]);

#endif
