/*
 * What the API server for tests says that it has: /version, /api, /apis, the lists of
 * resources, and as much of OpenAPI v3 as kubectl looks at.
 */
#ifndef TESTS_KUBE_API_DISCOVERY_H
#define TESTS_KUBE_API_DISCOVERY_H

#include "servers/kube_api/http.h"

/* api_discover: answer if it is a question of that kind; false otherwise. */
bool api_discover(struct api_conn *conn);

#endif
