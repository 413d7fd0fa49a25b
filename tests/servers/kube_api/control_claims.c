/*
 * Claims of the API server for tests: bound as soon as they are there, and held as
 * long as a pod uses them.
 */
#include "servers/kube_api/control.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/status.h"

#define PROTECTION "kubernetes.io/pvc-protection"

static void
bind(const struct api_object *object)
{
        json_t *copy = api_copy(object->json);
        json_t *modes = api_at(copy, "spec.accessModes");
        json_t *requests = api_at(copy, "spec.resources.requests");

        if (*api_text(copy, "spec.volumeName") == '\0') {
                char *name = api_format("pvc-%s", api_text(copy, "metadata.uid"));
                api_set_text(copy, "spec.volumeName", name);
                free(name);
        }
        if (api_at(copy, "metadata.annotations") == NULL)
                api_set(copy, "metadata.annotations", json_object());
        json_object_set_new(api_at(copy, "metadata.annotations"), "pv.kubernetes.io/bind-completed",
            json_string("yes"));
        if (api_at(copy, "metadata.finalizers") == NULL)
                api_set(copy, "metadata.finalizers", json_pack("[s]", PROTECTION));
        api_set_text(copy, "status.phase", "Bound");
        if (modes != NULL)
                api_set(copy, "status.accessModes", api_copy(modes));
        if (requests != NULL)
                api_set(copy, "status.capacity", api_copy(requests));
        api_store(object->type, copy);
}

static bool
is_used(const struct api_object *claim)
{
        json_t *pods = api_snapshot("", "pods");
        bool used = false;

        for (size_t idx = 0; idx < json_array_size(pods) && !used; idx++) {
                const json_t *pod = json_array_get(pods, idx);
                const json_t *volumes = api_at(pod, "spec.volumes");
                if (strcmp(api_text(pod, "metadata.namespace"), claim->ns) != 0)
                        continue;
                for (size_t at = 0; at < json_array_size(volumes); at++)
                        used = used || strcmp(api_text(json_array_get(volumes, at),
                                                  "persistentVolumeClaim.claimName"),
                                           claim->name) == 0;
        }
        json_decref(pods);
        return used;
}

static void
release(const struct api_object *object)
{
        json_t *copy = api_copy(object->json);
        json_t *finalizers = api_at(copy, "metadata.finalizers");
        size_t before = json_array_size(finalizers);

        for (size_t idx = before; idx-- > 0;) {
                if (strcmp(json_string_value(json_array_get(finalizers, idx)), PROTECTION) == 0)
                        json_array_remove(finalizers, idx);
        }
        if (json_array_size(finalizers) == before)
                json_decref(copy);
        else
                api_store(object->type, copy);
}

void
api_control_claims(void)
{
        json_t *claims = api_snapshot("", "persistentvolumeclaims");

        for (size_t idx = 0; idx < json_array_size(claims); idx++) {
                const struct api_object *object =
                    api_find_json("", "persistentvolumeclaims", json_array_get(claims, idx));
                if (object->doomed_ms != 0 && !is_used(object))
                        release(object);
                else if (object->doomed_ms == 0 &&
                         strcmp(api_text(object->json, "status.phase"), "Bound") != 0 &&
                         *api_text(object->json, "metadata.annotations.test/phase") == '\0')
                        bind(object);
        }
        json_decref(claims);
}
