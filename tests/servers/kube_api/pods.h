/*
 * What pods of the API server for tests say: logs, and their ports over the API
 * server's proxy or a port-forward.
 */
#ifndef TESTS_KUBE_API_PODS_H
#define TESTS_KUBE_API_PODS_H

#include "servers/kube_api/rest.h"

void api_serve_log(struct api_conn *conn, const struct api_target *target);
void api_serve_proxy(struct api_conn *conn, const struct api_target *target);
void api_serve_forward(struct api_conn *conn, const struct api_target *target);

/* api_pod_connect: a connection to a port of a pod; -1 when nobody listens there. */
int api_pod_connect(const json_t *pod, int port);

#endif
