/*
 * Pods of the API server for tests: scheduled, running, ready, gone.
 */
#include "servers/kube_api/control.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/exec.h"
#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"
#include "moonkeep/time.h"

static void
add_condition(json_t *status, const char *type, bool is_true)
{
        json_array_append_new(api_at(status, "conditions"),
            json_pack("{s:s, s:s, s:n, s:o}", "type", type, "status", is_true ? "True" : "False",
                "lastProbeTime", "lastTransitionTime", api_now_json()));
}

static json_t *
container_status(const json_t *container, const char *exit_code, bool ready)
{
        char uid[37];

        api_new_uid(uid);
        char *id = api_format("containerd://%s", uid);
        json_t *status = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:{}, s:{}}", "name",
            api_text(container, "name"), "image", api_text(container, "image"), "imageID",
            api_text(container, "image"), "containerID", id, "ready", ready, "started", ready,
            "restartCount", 0, "state", "lastState");
        if (*exit_code != '\0') {
                api_set(status, "state.terminated",
                    json_pack("{s:i, s:s, s:o, s:o}", "exitCode", atoi(exit_code), "reason",
                        strcmp(exit_code, "0") == 0 ? "Completed" : "Error", "startedAt",
                        api_now_json(), "finishedAt", api_now_json()));
                json_object_set_new(status, "ready", json_false());
        } else {
                api_set(status, "state.running.startedAt", api_now_json());
        }
        free(id);
        return api_checked(status);
}

static void
run_pod(struct api_object *object)
{
        json_t *copy = api_copy(object->json);
        const json_t *containers = api_at(copy, "spec.containers");
        const char *exit_code = api_text(copy, "metadata.annotations.test/exit");
        bool has_ended = *exit_code != '\0';
        bool ready =
            !has_ended && strcmp(api_text(copy, "metadata.annotations.test/ready"), "false") != 0;
        const char *phase = !has_ended                    ? "Running"
                            : strcmp(exit_code, "0") == 0 ? "Succeeded"
                                                          : "Failed";
        json_t *status =
            json_pack("{s:s, s:s, s:s, s:[{s:s}], s:o, s:s, s:[], s:[]}", "phase", phase, "hostIP",
                "127.0.0.1", "podIP", "10.244.0.7", "podIPs", "ip", "10.244.0.7", "startTime",
                api_now_json(), "qosClass", "BestEffort", "conditions", "containerStatuses");

        add_condition(status, "Initialized", true);
        add_condition(status, "Ready", ready);
        add_condition(status, "ContainersReady", ready);
        add_condition(status, "PodScheduled", true);
        for (size_t idx = 0; idx < json_array_size(containers); idx++)
                json_array_append_new(api_at(status, "containerStatuses"),
                    container_status(json_array_get(containers, idx), exit_code, ready));
        json_object_set_new(copy, "status", status);
        object = api_store(object->type, copy);
        api_add_event(object, "Normal", "Started", "Started container");
}

/* Is the image one that no node can pull? */
static bool
is_lost(const json_t *container)
{
        return strncmp(api_text(container, "image"), "none.invalid/", 13) == 0;
}

static bool
has_lost_image(const json_t *pod)
{
        const json_t *containers = api_at(pod, "spec.containers");

        for (size_t idx = 0; idx < json_array_size(containers); idx++) {
                if (is_lost(json_array_get(containers, idx)))
                        return true;
        }
        return false;
}

/* The containers of a pod that does not run yet. */
static void
add_waiting(json_t *status, const json_t *pod)
{
        const json_t *containers = api_at(pod, "spec.containers");
        const char *why = api_text(pod, "metadata.annotations.test/waiting");

        api_set(status, "containerStatuses", json_array());
        for (size_t idx = 0; idx < json_array_size(containers); idx++) {
                const json_t *container = json_array_get(containers, idx);
                json_array_append_new(api_at(status, "containerStatuses"),
                    json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:{s:{s:s}}, s:{}}", "name",
                        api_text(container, "name"), "image", api_text(container, "image"),
                        "imageID", "", "ready", 0, "started", 0, "restartCount", 0, "state",
                        "waiting", "reason",
                        is_lost(container) ? "ErrImagePull"
                                           : (*why != '\0' ? why : "ContainerCreating"),
                        "lastState"));
        }
}

/* Is the node one that takes no more pods (kubectl cordon)? */
static bool
is_cordoned(void)
{
        const struct api_object *node = api_find(api_type_find("", "v1", "nodes"), "", API_NODE);

        return node == NULL || json_is_true(api_at(node->json, "spec.unschedulable"));
}

/* A pod for which there is no node, in the scheduler's words. */
static void
leave_unscheduled(struct api_object *object)
{
        static const char why[] = "0/1 nodes are available: 1 node(s) were unschedulable.";

        if (api_at(object->json, "status.conditions") != NULL)
                return;
        json_t *copy = api_copy(object->json);
        json_t *status = json_pack(
            "{s:s, s:s, s:[]}", "phase", "Pending", "qosClass", "BestEffort", "conditions");
        add_condition(status, "PodScheduled", false);
        json_t *condition = json_array_get(api_at(status, "conditions"), 0);
        api_set_text(condition, "reason", "Unschedulable");
        api_set_text(condition, "message", why);
        json_object_set_new(copy, "status", status);
        object = api_store(object->type, copy);
        api_add_event(object, "Warning", "FailedScheduling", why);
}

static void
schedule(struct api_object *object)
{
        json_t *copy = api_copy(object->json);

        if (*api_text(copy, "spec.nodeName") == '\0')
                api_set_text(copy, "spec.nodeName", API_NODE);
        json_t *status = json_pack(
            "{s:s, s:s, s:[]}", "phase", "Pending", "qosClass", "BestEffort", "conditions");
        add_condition(status, "PodScheduled", true);
        add_waiting(status, copy);
        json_object_set_new(copy, "status", status);
        api_store(object->type, copy);
}

/* One step of a pod; in how many ms the next may come. */
static int
step(struct api_object *object, int start_ms, int stop_ms)
{
        const char *phase = api_text(object->json, "status.phase");
        int64_t now_ms = time_mono_ms();

        if (object->doomed_ms != 0) {
                int64_t left_ms = object->doomed_ms + stop_ms - now_ms;
                if (left_ms > 0)
                        return (int)left_ms;
                if (json_array_size(api_at(object->json, "metadata.finalizers")) > 0)
                        return INT_MAX;
                api_exec_end_pod(api_text(object->json, "metadata.uid"));
                api_drop(object);
                return INT_MAX;
        }
        if (*phase != '\0' && strcmp(phase, "Pending") != 0)
                return INT_MAX;
        if (*api_text(object->json, "metadata.annotations.test/phase") != '\0' &&
            *api_text(object->json, "spec.nodeName") != '\0')
                return INT_MAX;
        if (*api_text(object->json, "spec.nodeName") == '\0' && is_cordoned()) {
                leave_unscheduled(object);
                return INT_MAX;
        }
        if (has_lost_image(object->json) && api_at(object->json, "status.conditions") != NULL &&
            *api_text(object->json, "spec.nodeName") != '\0')
                return INT_MAX;
        if (*api_text(object->json, "spec.nodeName") == '\0' ||
            api_at(object->json, "status.conditions") == NULL) {
                schedule(object);
                return start_ms;
        }
        int64_t left_ms = object->created_ms + start_ms - now_ms;
        if (left_ms > 0)
                return (int)left_ms;
        run_pod(object);
        return INT_MAX;
}

int
api_control_pods(int start_ms, int stop_ms)
{
        json_t *pods = api_snapshot("", "pods");
        int again_ms = INT_MAX;

        for (size_t idx = 0; idx < json_array_size(pods); idx++) {
                struct api_object *object = api_find_json("", "pods", json_array_get(pods, idx));
                int next_ms = object != NULL ? step(object, start_ms, stop_ms) : INT_MAX;
                again_ms = next_ms < again_ms ? next_ms : again_ms;
        }
        json_decref(pods);
        return again_ms;
}
