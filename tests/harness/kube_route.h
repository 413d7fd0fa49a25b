/*
 * Which part of the API server for tests a request is for.
 */
#ifndef TESTS_HARNESS_KUBE_ROUTE_H
#define TESTS_HARNESS_KUBE_ROUTE_H

#include "harness/kube_http.h"

void api_route(struct api_conn *conn);

#endif
