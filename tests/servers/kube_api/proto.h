/*
 * Requests in protobuf, which kubectl sends for some kinds: as many of their
 * fields as the API server for tests needs.
 */
#ifndef TESTS_KUBE_API_PROTO_H
#define TESTS_KUBE_API_PROTO_H

#include <stddef.h>

#include <jansson.h>

/*
 * api_proto_read: the object in "k8s\0" and a runtime.Unknown; NULL when it is
 * none, or of a kind that is not known here: SelfSubjectAccessReview, Namespace,
 * ConfigMap (names and data).
 */
json_t *api_proto_read(const char *data, size_t len);

#endif
