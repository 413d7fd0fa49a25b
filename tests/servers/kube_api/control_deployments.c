/*
 * Deployments and ReplicaSets of the API server for tests.
 */
#include "servers/kube_api/control.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"
#include "moonkeep/rand.h"

#define HASH "pod-template-hash"

/* ReplicaSets. */

static void
make_pod(const struct api_object *set)
{
        const char *hash =
            json_string_value(json_object_get(api_at(set->json, "metadata.labels"), HASH));
        char suffix[6];

        if (rand_id(suffix, 5, NULL) < 0)
                fault_fail("no random bytes");
        char *name = api_format("%s-%s", set->name, suffix);
        json_t *pod = api_make_pod(set, name, HASH, hash != NULL ? hash : "none");
        char *prefix = api_format("%s-", set->name);
        api_set_text(pod, "metadata.generateName", prefix);
        api_store(api_type_find("", "v1", "pods"), pod);
        char *message = api_format("Created pod: %s", name);
        api_add_event(set, "Normal", "SuccessfulCreate", message);
        free(message);
        free(prefix);
        free(name);
}

static void
settle_set(struct api_object *set)
{
        json_t *owned = api_owned("", "pods", set->json);
        int64_t replicas = api_number(set->json, "spec.replicas", 1);
        int live = 0, ready = 0;

        for (size_t idx = 0; idx < json_array_size(owned); idx++) {
                const json_t *json = json_array_get(owned, idx);
                if (api_at(json, "metadata.deletionTimestamp") != NULL)
                        continue;
                live++;
                ready += api_is_ready(json);
                struct api_object *pod = api_find_json("", "pods", json);
                if (live > replicas && pod != NULL)
                        api_doom(pod, -1, "Background");
        }
        for (int64_t number = live; number < replicas; number++)
                make_pod(set);
        json_decref(owned);
        int count = live < replicas ? (int)replicas : live > replicas ? (int)replicas : live;
        ready = ready < count ? ready : count;
        api_set_status(set,
            json_pack("{s:I, s:i, s:i, s:i, s:i}", "observedGeneration",
                (json_int_t)api_number(set->json, "metadata.generation", 1), "replicas", count,
                "readyReplicas", ready, "availableReplicas", ready, "fullyLabeledReplicas", count));
}

static void
scale_set(struct api_object *set, int64_t replicas)
{
        if (api_number(set->json, "spec.replicas", 1) == replicas)
                return;
        json_t *copy = api_copy(set->json);
        api_set_number(copy, "spec.replicas", replicas);
        api_set_number(copy, "metadata.generation", api_number(copy, "metadata.generation", 1) + 1);
        api_store(set->type, copy);
}

/* Deployments. */

static void
make_set(const struct api_object *deployment, const char *name, const char *hash, int64_t replicas)
{
        json_t *set = api_make_owned(deployment, "ReplicaSet", "apps/v1", name);
        json_t *template = api_at(deployment->json, "spec.template");
        json_t *selector = api_at(deployment->json, "spec.selector");

        api_set_number(set, "metadata.generation", 1);
        json_object_set_new(set, "spec", json_pack("{s:I}", "replicas", (json_int_t)replicas));
        api_set(set, "spec.template", api_copy(template != NULL ? template : set));
        api_set(set, "spec.selector", selector != NULL ? api_copy(selector) : json_object());
        json_t *labels = api_at(set, "spec.template.metadata.labels");
        api_set(set, "metadata.labels", labels != NULL ? api_copy(labels) : json_object());
        json_object_set_new(api_at(set, "metadata.labels"), HASH, json_string(hash));
        if (labels != NULL)
                json_object_set_new(labels, HASH, json_string(hash));
        api_set(set, "spec.selector.matchLabels",
            api_at(set, "spec.selector.matchLabels") != NULL
                ? json_incref(api_at(set, "spec.selector.matchLabels"))
                : json_object());
        json_object_set_new(api_at(set, "spec.selector.matchLabels"), HASH, json_string(hash));
        api_store(api_type_find("apps", "v1", "replicasets"), set);
        char *message = api_format("Scaled up replica set %s to %lld", name, (long long)replicas);
        api_add_event(deployment, "Normal", "ScalingReplicaSet", message);
        free(message);
}

static json_t *
condition(const char *type, bool is_true, const char *reason)
{
        return json_pack("{s:s, s:s, s:s, s:s}", "type", type, "status", is_true ? "True" : "False",
            "reason", reason, "message", reason);
}

static void
set_status(const struct api_object *deployment, const char *fresh_name)
{
        json_t *sets = api_owned("apps", "replicasets", deployment->json);
        int64_t wanted = api_number(deployment->json, "spec.replicas", 1);
        int64_t count = 0, ready = 0, updated = 0;

        for (size_t idx = 0; idx < json_array_size(sets); idx++) {
                const json_t *set = json_array_get(sets, idx);
                count += api_number(set, "status.replicas", 0);
                ready += api_number(set, "status.readyReplicas", 0);
                if (strcmp(api_text(set, "metadata.name"), fresh_name) == 0)
                        updated = api_number(set, "status.replicas", 0);
        }
        json_t *status = json_pack("{s:I, s:I, s:I, s:I, s:I, s:[o, o]}", "observedGeneration",
            (json_int_t)api_number(deployment->json, "metadata.generation", 1), "replicas",
            (json_int_t)count, "updatedReplicas", (json_int_t)updated, "readyReplicas",
            (json_int_t)ready, "availableReplicas", (json_int_t)ready, "conditions",
            condition("Available", ready >= wanted,
                ready >= wanted ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable"),
            condition("Progressing", true,
                updated >= wanted && ready >= wanted ? "NewReplicaSetAvailable"
                                                     : "ReplicaSetUpdated"));
        if (wanted > ready)
                api_set_number(status, "unavailableReplicas", wanted - ready);
        api_set_status(deployment, status);
        json_decref(sets);
}

static void
settle_deployment(struct api_object *deployment)
{
        int64_t replicas = api_number(deployment->json, "spec.replicas", 1);
        char *hash = api_revision_of(deployment->json);
        char *name = api_format("%s-%s", deployment->name, hash);
        const struct api_type *type = api_type_find("apps", "v1", "replicasets");
        struct api_object *fresh = api_find(type, deployment->ns, name);

        if (fresh == NULL) {
                make_set(deployment, name, hash, replicas);
        } else {
                scale_set(fresh, replicas);
                /* The old ones go once the new one is there. */
                json_t *sets = api_owned("apps", "replicasets", deployment->json);
                bool is_up = api_number(fresh->json, "status.readyReplicas", 0) >= replicas;
                for (size_t idx = 0; idx < json_array_size(sets) && is_up; idx++) {
                        struct api_object *set =
                            api_find_json("apps", "replicasets", json_array_get(sets, idx));
                        if (set != NULL && set != fresh)
                                scale_set(set, 0);
                }
                json_decref(sets);
        }
        set_status(deployment, name);
        free(name);
        free(hash);
}

void
api_control_deployments(void)
{
        json_t *list = api_snapshot("apps", "deployments");

        for (size_t idx = 0; idx < json_array_size(list); idx++) {
                struct api_object *object =
                    api_find_json("apps", "deployments", json_array_get(list, idx));
                if (object != NULL && object->doomed_ms == 0)
                        settle_deployment(object);
        }
        json_decref(list);
        list = api_snapshot("apps", "replicasets");
        for (size_t idx = 0; idx < json_array_size(list); idx++) {
                struct api_object *object =
                    api_find_json("apps", "replicasets", json_array_get(list, idx));
                if (object != NULL && object->doomed_ms == 0)
                        settle_set(object);
        }
        json_decref(list);
}

/* Jobs: one pod, whose annotation test/exit says how it ends (0 where it is absent). */
void
api_control_jobs(void)
{
        json_t *list = api_snapshot("batch", "jobs");

        for (size_t idx = 0; idx < json_array_size(list); idx++) {
                struct api_object *job = api_find_json("batch", "jobs", json_array_get(list, idx));
                if (job == NULL || job->doomed_ms != 0 ||
                    api_at(job->json, "status.conditions") != NULL)
                        continue;
                json_t *owned = api_owned("", "pods", job->json);
                const json_t *pod = json_array_get(owned, 0);
                const char *phase = api_text(pod, "status.phase");
                if (pod == NULL) {
                        char suffix[6];
                        if (rand_id(suffix, 5, NULL) < 0)
                                fault_fail("no random bytes");
                        char *name = api_format("%s-%s", job->name, suffix);
                        json_t *made = api_make_pod(job, name, "job-name", job->name);
                        if (*api_text(made, "metadata.annotations.test/exit") == '\0')
                                api_set_text(made, "metadata.annotations.test/exit", "0");
                        api_store(api_type_find("", "v1", "pods"), made);
                        free(name);
                        api_set_status(
                            job, json_pack("{s:i, s:o}", "active", 1, "startTime", api_now_json()));
                } else if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0) {
                        bool good = strcmp(phase, "Succeeded") == 0;
                        json_t *status =
                            json_pack("{s:i, s:o, s:[o]}", good ? "succeeded" : "failed", 1,
                                "startTime", api_now_json(), "conditions",
                                condition(good ? "Complete" : "Failed", true,
                                    good ? "CompletionsReached" : "BackoffLimitExceeded"));
                        if (good)
                                api_set(status, "completionTime", api_now_json());
                        api_set_status(job, status);
                }
                json_decref(owned);
        }
        json_decref(list);
}
