/*
 * Tables: what `kubectl get` prints, where it asks for it.
 */
#ifndef TESTS_HARNESS_KUBE_TABLE_H
#define TESTS_HARNESS_KUBE_TABLE_H

#include "harness/kube_http.h"
#include "harness/kube_types.h"

/* api_as_table: the object or list (taken) as the request accepts it. */
json_t *api_as_table(struct api_conn *conn, const struct api_type *type, json_t *value);

#endif
