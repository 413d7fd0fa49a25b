/*
 * The controllers of the API server for tests: pods start and stop, workloads have
 * the pods that they should, and what belongs to nobody goes.
 */
#ifndef TESTS_KUBE_API_CONTROL_H
#define TESTS_KUBE_API_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "servers/kube_api/store.h"

#define API_NODE "node-1"

/* api_control: for ever; a thread. */
void *api_control(void *arg);

/* api_control_settle: what is there at the beginning has been there for long. */
void api_control_settle(void);

/* api_control_times: how long a pod takes to become ready, and to go. */
void api_control_times(int start_ms, int stop_ms);

/* Parts of a round, under the lock.  api_control_pods: in how many ms it is needed again. */
int api_control_pods(int start_ms, int stop_ms);
void api_control_sets(void);
void api_control_deployments(void);
void api_control_jobs(void);
void api_control_claims(void);

/* api_snapshot: references of all objects of a type.  api_owned: of those that an owner controls.
 */
json_t *api_snapshot(const char *group, const char *plural);
json_t *api_owned(const char *group, const char *plural, const json_t *owner);

/* api_find_json: the object that a reference was of; NULL when it is gone. */
struct api_object *api_find_json(const char *group, const char *plural, const json_t *json);

/* api_is_ready: is a pod Ready, and to stay? */
bool api_is_ready(const json_t *pod);

/*
 * api_make_owned: the beginning of an object that belongs to the owner.
 * api_make_pod: a pod out of the owner's template, with one more label.
 */
json_t *api_make_owned(
    const struct api_object *owner, const char *kind, const char *api_version, const char *name);
json_t *api_make_pod(
    const struct api_object *owner, const char *name, const char *label, const char *value);

/* api_revision_of: what stands for the pod template of a workload; to be freed. */
char *api_revision_of(const json_t *workload);

/* api_set_status: take another status (taken), where it is another. */
void api_set_status(const struct api_object *object, json_t *status);

#endif
