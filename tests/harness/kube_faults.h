/*
 * What the API server for tests does wrong, by the rules of --faults.
 */
#ifndef TESTS_HARNESS_KUBE_FAULTS_H
#define TESTS_HARNESS_KUBE_FAULTS_H

#include "harness/kube_http.h"

void api_faults_read(const char *path);

/* api_faults_find: the rule for the request; what ends it at once is done: false then. */
bool api_faults_find(struct api_conn *conn);

#endif
