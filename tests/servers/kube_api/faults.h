/*
 * What the API server for tests does wrong, by the rules of --faults.
 */
#ifndef TESTS_KUBE_API_FAULTS_H
#define TESTS_KUBE_API_FAULTS_H

#include "servers/kube_api/http.h"

void api_faults_read(const char *path);

/* api_faults_find: the rule for the request; what ends it at once is done: false then. */
bool api_faults_find(struct api_conn *conn);

#endif
