/*
 * What the API server for tests fills in where an object says nothing: as much as its
 * clients look at.
 */
#ifndef TESTS_HARNESS_KUBE_DEFAULTS_H
#define TESTS_HARNESS_KUBE_DEFAULTS_H

#include "harness/kube_types.h"

/* api_admit_pod: what admission adds to a pod: its service account, and the token's volume. */
void api_admit_pod(json_t *pod);

void api_set_defaults(const struct api_type *type, json_t *object);

#endif
