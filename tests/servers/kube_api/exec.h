/*
 * Exec into the pods of the API server for tests, over WebSocket.
 */
#ifndef TESTS_KUBE_API_EXEC_H
#define TESTS_KUBE_API_EXEC_H

#include "servers/kube_api/rest.h"

/* api_exec_protocols: "v5.channel.k8s.io v4.channel.k8s.io", or fewer. */
void api_exec_protocols(const char *spoken);

void api_serve_exec(struct api_conn *conn, const struct api_target *target);

/* api_find_pod: a copy of the pod of a request; NULL when there is none, which has been answered.
 */
json_t *api_find_pod(struct api_conn *conn, const struct api_target *target);

/* api_find_container: its container, by the request; NULL when it has been answered. */
const char *api_find_container(struct api_conn *conn, const json_t *pod);

/* api_exec_end_pod: the processes of a pod that goes are killed. */
void api_exec_end_pod(const char *uid);

#endif
