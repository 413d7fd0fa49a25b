/*
 * Which part of the API server for tests a request is for.
 */
#ifndef TESTS_KUBE_API_ROUTE_H
#define TESTS_KUBE_API_ROUTE_H

#include "servers/kube_api/http.h"

void api_route(struct api_conn *conn);

#endif
