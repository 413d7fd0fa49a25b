/*
 * StatefulSets of the API server for tests: pods NAME-0 ..., one after the other,
 * and the claims of their templates.
 */
#include "servers/kube_api/control.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"

#define REVISION "controller-revision-hash"

/* The claims that pods of these templates use; they stay when the pods go. */
static void
make_claims(const struct api_object *set, json_t *pod)
{
        const struct api_type *type = api_type_find("", "v1", "persistentvolumeclaims");
        const json_t *templates = api_at(set->json, "spec.volumeClaimTemplates");

        for (size_t idx = 0; idx < json_array_size(templates); idx++) {
                const json_t *template = json_array_get(templates, idx);
                const char *volume = api_text(template, "metadata.name");
                char *name = api_format("%s-%s", volume, api_text(pod, "metadata.name"));
                json_t *volumes = api_at(pod, "spec.volumes");
                if (volumes == NULL) {
                        volumes = json_array();
                        api_set(pod, "spec.volumes", volumes);
                }
                json_array_append_new(volumes, json_pack("{s:s, s:{s:s}}", "name", volume,
                                                   "persistentVolumeClaim", "claimName", name));
                if (api_find(type, set->ns, name) == NULL) {
                        json_t *claim = api_make_owned(set, "PersistentVolumeClaim", "v1", name);
                        json_t *spec = api_at(template, "spec");
                        char *pv = api_format("pv-%s", name);
                        api_remove(claim, "metadata.ownerReferences");
                        json_object_set_new(
                            claim, "spec", spec != NULL ? api_copy(spec) : json_object());
                        api_set_text(claim, "spec.volumeName", pv);
                        api_store(type, claim);
                        free(pv);
                }
                free(name);
        }
}

static char *
pod_name(const struct api_object *set, int64_t ordinal)
{
        return api_format("%s-%lld", set->name, (long long)ordinal);
}

static void
make_pod(const struct api_object *set, int64_t ordinal, const char *revision)
{
        char *name = pod_name(set, ordinal);
        char *number = api_format("%lld", (long long)ordinal);
        json_t *pod = api_make_pod(set, name, REVISION, revision);
        json_t *labels = api_at(pod, "metadata.labels");

        json_object_set_new(labels, "statefulset.kubernetes.io/pod-name", json_string(name));
        json_object_set_new(labels, "apps.kubernetes.io/pod-index", json_string(number));
        api_set_text(pod, "spec.hostname", name);
        if (*api_text(set->json, "spec.serviceName") != '\0')
                api_set_text(pod, "spec.subdomain", api_text(set->json, "spec.serviceName"));
        char *prefix = api_format("%s-", set->name);
        api_set_text(pod, "metadata.generateName", prefix);
        free(prefix);
        make_claims(set, pod);
        api_store(api_type_find("", "v1", "pods"), pod);
        char *message = api_format("create Pod %s in StatefulSet %s successful", name, set->name);
        api_add_event(set, "Normal", "SuccessfulCreate", message);
        free(message);
        free(number);
        free(name);
}

static bool
is_of_revision(const json_t *pod, const char *revision)
{
        return strcmp(json_string_value(
                          json_object_get(api_at(pod, "metadata.labels"), REVISION)) != NULL
                          ? json_string_value(
                                json_object_get(api_at(pod, "metadata.labels"), REVISION))
                          : "",
                   revision) == 0;
}

/* One step towards what is wanted: at most one pod is made or replaced. */
static void
step(const struct api_object *set, const char *revision, int64_t replicas)
{
        const struct api_type *pods = api_type_find("", "v1", "pods");
        bool parallel = strcmp(api_text(set->json, "spec.podManagementPolicy"), "Parallel") == 0;
        bool by_hand = strcmp(api_text(set->json, "spec.updateStrategy.type"), "OnDelete") == 0;

        for (int64_t ordinal = 0; ordinal < replicas; ordinal++) {
                char *name = pod_name(set, ordinal);
                const struct api_object *pod = api_find(pods, set->ns, name);
                bool ready = pod != NULL && api_is_ready(pod->json);
                free(name);
                if (pod == NULL)
                        make_pod(set, ordinal, revision);
                if (!ready && !parallel)
                        return;
        }
        for (int64_t ordinal = replicas - 1; ordinal >= 0 && !by_hand; ordinal--) {
                char *name = pod_name(set, ordinal);
                struct api_object *pod = api_find(pods, set->ns, name);
                free(name);
                if (pod == NULL || is_of_revision(pod->json, revision))
                        continue;
                if (pod->doomed_ms == 0)
                        api_doom(pod, -1, "Background");
                return;
        }
}

static void
end_superfluous(const struct api_object *set, int64_t replicas)
{
        json_t *owned = api_owned("", "pods", set->json);
        size_t prefix = strlen(set->name) + 1;

        for (size_t idx = 0; idx < json_array_size(owned); idx++) {
                struct api_object *pod = api_find_json("", "pods", json_array_get(owned, idx));
                if (pod == NULL || pod->doomed_ms != 0 || strlen(pod->name) <= prefix ||
                    strtoll(pod->name + prefix, NULL, 10) < replicas)
                        continue;
                char *message =
                    api_format("delete Pod %s in StatefulSet %s successful", pod->name, set->name);
                api_doom(pod, -1, "Background");
                api_add_event(set, "Normal", "SuccessfulDelete", message);
                free(message);
        }
        json_decref(owned);
}

static void
set_status(const struct api_object *set, const char *revision, const char *name_of_revision)
{
        json_t *owned = api_owned("", "pods", set->json);
        int ready = 0, updated = 0, count = (int)json_array_size(owned);

        for (size_t idx = 0; idx < json_array_size(owned); idx++) {
                const json_t *pod = json_array_get(owned, idx);
                bool fresh = is_of_revision(pod, revision);
                ready += api_is_ready(pod);
                updated += fresh && api_at(pod, "metadata.deletionTimestamp") == NULL;
        }
        const char *current =
            updated == count ? name_of_revision : api_text(set->json, "status.currentRevision");
        json_t *status = json_pack("{s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:s}",
            "observedGeneration", (json_int_t)api_number(set->json, "metadata.generation", 1),
            "replicas", count, "readyReplicas", ready, "availableReplicas", ready,
            "currentReplicas", updated == count ? count : count - updated, "updatedReplicas",
            updated, "collisionCount", 0, "currentRevision",
            *current != '\0' ? current : name_of_revision, "updateRevision", name_of_revision);
        api_set_status(set, api_checked(status));
        json_decref(owned);
}

void
api_control_sets(void)
{
        json_t *sets = api_snapshot("apps", "statefulsets");

        for (size_t idx = 0; idx < json_array_size(sets); idx++) {
                const json_t *json = json_array_get(sets, idx);
                struct api_object *set = api_find_json("apps", "statefulsets", json);
                if (set == NULL || set->doomed_ms != 0)
                        continue;
                int64_t replicas = api_number(set->json, "spec.replicas", 1);
                char *hash = api_revision_of(set->json);
                char *revision = api_format("%s-%s", set->name, hash);
                end_superfluous(set, replicas);
                step(set, revision, replicas);
                set_status(set, revision, revision);
                free(revision);
                free(hash);
        }
        json_decref(sets);
}
