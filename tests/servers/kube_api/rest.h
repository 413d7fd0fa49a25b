/*
 * Objects over HTTP: what the API server for tests does with a request that names a
 * resource.
 */
#ifndef TESTS_KUBE_API_REST_H
#define TESTS_KUBE_API_REST_H

#include "servers/kube_api/http.h"
#include "servers/kube_api/store.h"

/* What the path of a request names. */
struct api_target {
        const struct api_type *type;
        const char *ns;   /* "" for all, or for what is in none */
        const char *name; /* "" for the collection */
        const char *sub;  /* subresource, or "" */
        size_t rest;      /* the part of the path behind it */
};

/* api_serve_object: get, list, create, update, patch, delete of objects, their status and scale. */
void api_serve_object(struct api_conn *conn, const struct api_target *target);

/* The parts of it: each in a file of its own. */
void api_serve_list(struct api_conn *conn, const struct api_target *target);
void api_serve_watch(struct api_conn *conn, const struct api_target *target);
void api_serve_create(struct api_conn *conn, const struct api_target *target);
void api_serve_change(struct api_conn *conn, const struct api_target *target);
void api_serve_delete(struct api_conn *conn, const struct api_target *target);
void api_serve_eviction(struct api_conn *conn, const struct api_target *target);

/* api_not_found: the Status of an object that is not there. */
json_t *api_not_found(const struct api_target *target);

/* api_read_body: the object of the request; NULL when it was refused. */
json_t *api_read_body(struct api_conn *conn);

/* api_manager_of: who writes; to be freed.  api_check_object: a Status when it cannot be, else
 * NULL. */
char *api_manager_of(const struct api_conn *conn);
json_t *api_check_object(const struct api_target *target, const json_t *object);

/* api_create: the object as it is stored (under the lock); a Status when it cannot be. */
json_t *api_create(const struct api_target *target, json_t *object, const char *manager, bool dry);

/* api_is_dry: must nothing be changed? */
bool api_is_dry(const struct api_conn *conn);

/* api_scale_of: the Scale of a workload.  For lists and watches, objects as the server writes them.
 */
json_t *api_scale_of(const struct api_type *type, const json_t *object);

/* A deletion that ends when all that is owned has gone. */
#define API_FOREGROUND_POLICY "Foreground"
#define API_FOREGROUND_FINALIZER "foregroundDeletion"

/* api_doom: begin the deletion of an object, or drop it at once where nothing holds it. */
void api_doom(struct api_object *object, int64_t grace_s, const char *propagation);

/* api_add_event: an Event about an object. */
void api_add_event(
    const struct api_object *object, const char *kind, const char *reason, const char *message);

#endif
