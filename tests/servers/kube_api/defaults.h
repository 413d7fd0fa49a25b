/*
 * What the API server for tests fills in where an object says nothing: as much as its
 * clients look at.
 */
#ifndef TESTS_KUBE_API_DEFAULTS_H
#define TESTS_KUBE_API_DEFAULTS_H

#include "servers/kube_api/types.h"

/* api_admit_pod: what admission adds to a pod: its service account, and the token's volume. */
void api_admit_pod(json_t *pod);

void api_set_defaults(const struct api_type *type, json_t *object);

#endif
