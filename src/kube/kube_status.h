/*
 * What API server and runtimes say of an operation (metav1.Status).
 * Internal to src/kube; kube_status_error is in moonkeep/kube.h.
 */
#ifndef MOONKEEP_KUBE_STATUS_H
#define MOONKEEP_KUBE_STATUS_H

#include <stddef.h>

#include "moonkeep/err.h"

/*
 * kube_status_judge: what the error channel of an exec has said when its
 * connection ended.  0 with *exit_status: only an explicit Success, or
 * NonZeroExitCode with its code.  ERR_TRUNCATED: it said nothing; ERR_PROTOCOL: what
 * nobody can take for a Status; else the failure itself, ERR_NOT_FOUND where
 * there is no such program or container.
 */
int kube_status_judge(const char *text, size_t len, int *exit_status, struct err *err);

/* kube_status_classify: set code and retryable by what runtimes say; else as they were. */
void kube_status_classify(const char *text, struct err *err);

#endif
