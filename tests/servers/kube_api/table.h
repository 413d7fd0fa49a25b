/*
 * Tables: what `kubectl get` prints, where it asks for it.
 */
#ifndef TESTS_KUBE_API_TABLE_H
#define TESTS_KUBE_API_TABLE_H

#include "servers/kube_api/http.h"
#include "servers/kube_api/types.h"

/* api_as_table: the object or list (taken) as the request accepts it. */
json_t *api_as_table(struct api_conn *conn, const struct api_type *type, json_t *value);

#endif
