/*
 * The Status answers of the API server for tests, in the words of the real one.
 */
#ifndef TESTS_KUBE_API_STATUS_H
#define TESTS_KUBE_API_STATUS_H

#include "servers/kube_api/http.h"

/* api_status: a Status of a failure: 404 "NotFound" and its message. */
json_t *api_status(int code, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* api_status_about: ... with details of what it is about; name may be "". */
json_t *api_status_about(json_t *status, const char *group, const char *plural, const char *name);

/* api_refuse: answer with a Status (taken), and its code. */
void api_refuse(struct api_conn *conn, json_t *status);

/* api_format: text in memory of its own. */
char *api_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
