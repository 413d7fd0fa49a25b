/*
 * Who may do what with the API server for tests: the token, and the rules
 * "deny" of the objects file.
 */
#ifndef TESTS_KUBE_API_ACCESS_H
#define TESTS_KUBE_API_ACCESS_H

#include <stdbool.h>

#include "servers/kube_api/rest.h"

/* api_access_set: the token that is wanted (NULL: none), the rules (borrowed), and whether an
 * exec over WebSocket needs "create", too, as from Kubernetes 1.35 on. */
void api_access_set(const char *token, json_t *deny, bool exec_needs_create);

/* api_is_known: does the request carry the token?  Answers 401 otherwise. */
bool api_is_known(struct api_conn *conn);

/* api_may: do the rules allow the request?  Answers 403 otherwise. */
bool api_may(struct api_conn *conn, const struct api_target *target);

/* api_serve_review: a SelfSubjectAccessReview, by the same rules. */
void api_serve_review(struct api_conn *conn);

#endif
