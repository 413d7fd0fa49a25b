#include "servers/kube_api/control.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/defaults.h"
#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"
#include "moonkeep/crc32c.h"
#include "moonkeep/time.h"

#define IDLE_MS 1000

static int start_delay_ms = 20, stop_delay_ms = 20;

void
api_control_times(int start_ms, int stop_ms)
{
        start_delay_ms = start_ms;
        stop_delay_ms = stop_ms;
}

static json_t *
snapshot_of(const struct api_type *type)
{
        size_t count;
        struct api_object **objects = api_objects(type, &count);
        json_t *list = json_array();

        for (size_t idx = 0; idx < count; idx++)
                json_array_append(list, objects[idx]->json);
        return list;
}

json_t *
api_snapshot(const char *group, const char *plural)
{
        return snapshot_of(api_type_find(group, "v1", plural));
}

struct api_object *
api_find_json(const char *group, const char *plural, const json_t *json)
{
        return api_find(api_type_find(group, "v1", plural), api_text(json, "metadata.namespace"),
            api_text(json, "metadata.name"));
}

/* The reference to the owner with that uid, or NULL. */
static const json_t *
owner_of(const json_t *object, const char *uid)
{
        const json_t *owners = api_at(object, "metadata.ownerReferences");

        for (size_t idx = 0; idx < json_array_size(owners); idx++) {
                const json_t *owner = json_array_get(owners, idx);
                if (strcmp(api_text(owner, "uid"), uid) == 0)
                        return owner;
        }
        return NULL;
}

/* Owners that do not control count for the collection of garbage only. */
static bool
is_controlled_by(const json_t *object, const char *uid)
{
        return json_is_true(json_object_get(owner_of(object, uid), "controller"));
}

json_t *
api_owned(const char *group, const char *plural, const json_t *owner)
{
        json_t *all = api_snapshot(group, plural);
        json_t *owned = json_array();

        for (size_t idx = 0; idx < json_array_size(all); idx++) {
                if (is_controlled_by(json_array_get(all, idx), api_text(owner, "metadata.uid")))
                        json_array_append(owned, json_array_get(all, idx));
        }
        json_decref(all);
        return owned;
}

bool
api_is_ready(const json_t *pod)
{
        const json_t *conditions = api_at(pod, "status.conditions");

        if (api_at(pod, "metadata.deletionTimestamp") != NULL)
                return false;
        for (size_t idx = 0; idx < json_array_size(conditions); idx++) {
                const json_t *condition = json_array_get(conditions, idx);
                if (strcmp(api_text(condition, "type"), "Ready") == 0)
                        return strcmp(api_text(condition, "status"), "True") == 0;
        }
        return false;
}

char *
api_revision_of(const json_t *workload)
{
        char *text = api_dump(api_at(workload, "spec.template"));
        char *revision = api_format("%08x", crc32c(0, text, strlen(text)));

        free(text);
        return revision;
}

void
api_set_status(const struct api_object *object, json_t *status)
{
        if (json_equal(json_object_get(object->json, "status"), status)) {
                json_decref(status);
                return;
        }
        json_t *copy = api_copy(object->json);
        json_object_set_new(copy, "status", status);
        api_store(object->type, copy);
}

json_t *
api_make_owned(
    const struct api_object *owner, const char *kind, const char *api_version, const char *name)
{
        char uid[37];

        api_new_uid(uid);
        return api_checked(json_pack(
            "{s:s, s:s, s:{s:s, s:s, s:s, s:o, s:[{s:s, s:s, s:s, s:s, s:b, s:b}]}}", "apiVersion",
            api_version, "kind", kind, "metadata", "name", name, "namespace", owner->ns, "uid", uid,
            "creationTimestamp", api_now_json(), "ownerReferences", "apiVersion",
            api_type_version(owner->type), "kind", owner->type->kind, "name", owner->name, "uid",
            api_text(owner->json, "metadata.uid"), "controller", 1, "blockOwnerDeletion", 1));
}

json_t *
api_make_pod(const struct api_object *owner, const char *name, const char *label, const char *value)
{
        json_t *pod = api_make_owned(owner, "Pod", "v1", name);
        const json_t *template = api_at(owner->json, "spec.template");
        json_t *labels = api_at(template, "metadata.labels");
        json_t *annotations = api_at(template, "metadata.annotations");
        json_t *spec = api_at(template, "spec");

        api_set(pod, "metadata.labels", labels != NULL ? api_copy(labels) : json_object());
        json_object_set_new(api_at(pod, "metadata.labels"), label, json_string(value));
        if (annotations != NULL)
                api_set(pod, "metadata.annotations", api_copy(annotations));
        json_object_set_new(pod, "spec", spec != NULL ? api_copy(spec) : json_object());
        api_admit_pod(pod);
        json_object_set_new(pod, "status", json_pack("{s:s}", "phase", "Pending"));
        return pod;
}

void
api_add_event(
    const struct api_object *object, const char *kind, const char *reason, const char *message)
{
        static unsigned long number;
        const struct api_type *type = api_type_find("", "v1", "events");
        char *name = api_format("%s.%lx", object->name, ++number);
        const char *ns = *object->ns != '\0' ? object->ns : "default";
        char uid[37];

        api_new_uid(uid);
        json_t *event = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:o}, s:{s:s, s:s, s:s, s:s, s:s, "
                                  "s:s}, s:s, s:s, s:s, s:i, "
                                  "s:o, s:o, s:n, s:{s:s}, s:s, s:s}",
            "apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace", ns, "uid",
            uid, "creationTimestamp", api_now_json(), "involvedObject", "kind", object->type->kind,
            "apiVersion", api_type_version(object->type), "name", object->name, "namespace",
            object->ns, "uid", api_text(object->json, "metadata.uid"), "resourceVersion",
            api_text(object->json, "metadata.resourceVersion"), "type", kind, "reason", reason,
            "message", message, "count", 1, "firstTimestamp", api_now_json(), "lastTimestamp",
            api_now_json(), "eventTime", "source", "component", "controller", "reportingComponent",
            "", "reportingInstance", "");
        api_store(type, api_checked(event));
        free(name);
}

/* Garbage: what is being deleted and held by nothing; what had an owner; namespaces. */

static bool
is_uid_known(const char *uid)
{
        for (size_t at = 0; at < api_type_count(); at++) {
                size_t count;
                struct api_object **objects = api_objects(api_type_at(at), &count);
                for (size_t idx = 0; idx < count; idx++) {
                        if (strcmp(api_text(objects[idx]->json, "metadata.uid"), uid) == 0)
                                return true;
                }
        }
        return false;
}

static bool
is_abandoned(const json_t *object)
{
        const json_t *owners = api_at(object, "metadata.ownerReferences");
        size_t count = json_array_size(owners);

        for (size_t idx = 0; idx < count; idx++) {
                if (is_uid_known(api_text(json_array_get(owners, idx), "uid")))
                        return false;
        }
        return count > 0;
}

static bool
is_in_doomed_namespace(const struct api_object *object)
{
        const struct api_object *ns =
            *object->ns != '\0' ? api_find(api_type_find("", "v1", "namespaces"), "", object->ns)
                                : NULL;

        return ns != NULL && ns->doomed_ms != 0;
}

static bool
is_empty_namespace(const struct api_object *object)
{
        for (size_t at = 0; at < api_type_count(); at++) {
                size_t count;
                struct api_object **objects = api_objects(api_type_at(at), &count);
                for (size_t idx = 0; idx < count; idx++) {
                        if (strcmp(objects[idx]->ns, object->name) == 0)
                                return false;
                }
        }
        return true;
}

static bool
has_finalizer(const json_t *object, const char *wanted, size_t *idx)
{
        const json_t *finalizers = api_at(object, "metadata.finalizers");

        for (*idx = 0; *idx < json_array_size(finalizers); (*idx)++) {
                const char *name = json_string_value(json_array_get(finalizers, *idx));
                if (name != NULL && strcmp(name, wanted) == 0)
                        return true;
        }
        return false;
}

/* Begin the deletion of all that this one owns; is there any that holds it back? */
static bool
end_owned(const struct api_type *type, const char *uid)
{
        json_t *all = snapshot_of(type);
        bool holds = false;

        for (size_t idx = 0; idx < json_array_size(all); idx++) {
                const json_t *json = json_array_get(all, idx);
                const json_t *owner = owner_of(json, uid);
                if (owner == NULL)
                        continue;
                struct api_object *owned = api_find(
                    type, api_text(json, "metadata.namespace"), api_text(json, "metadata.name"));
                if (owned == NULL)
                        continue;
                holds = holds || json_is_true(json_object_get(owner, "blockOwnerDeletion"));
                if (owned->doomed_ms == 0)
                        api_doom(owned, -1, API_FOREGROUND_POLICY);
        }
        json_decref(all);
        return holds;
}

/* What is deleted in the foreground goes after what it owns. */
static void
end_after_owned(struct api_object *object, size_t finalizer)
{
        bool holds = false;

        for (size_t at = 0; at < api_type_count(); at++)
                holds |= end_owned(api_type_at(at), api_text(object->json, "metadata.uid"));
        if (holds)
                return;
        json_t *copy = api_copy(object->json);
        json_array_remove(api_at(copy, "metadata.finalizers"), finalizer);
        api_store(object->type, copy);
}

static void
tidy(struct api_object *object)
{
        bool is_pod = strcmp(object->type->plural, "pods") == 0;
        bool is_namespace = strcmp(object->type->plural, "namespaces") == 0;
        bool held = json_array_size(api_at(object->json, "metadata.finalizers")) > 0;
        size_t finalizer;

        if (object->doomed_ms != 0 &&
            has_finalizer(object->json, API_FOREGROUND_FINALIZER, &finalizer)) {
                end_after_owned(object, finalizer);
        } else if (object->doomed_ms != 0 && !held && is_namespace) {
                if (is_empty_namespace(object))
                        api_drop(object);
        } else if (object->doomed_ms != 0 && !held && !is_pod) {
                api_drop(object);
        } else if (object->doomed_ms == 0 &&
                   (is_abandoned(object->json) || is_in_doomed_namespace(object))) {
                api_doom(object, -1, "Background");
        }
}

static void
collect_garbage(void)
{
        for (size_t at = 0; at < api_type_count(); at++) {
                const struct api_type *type = api_type_at(at);
                size_t count;
                struct api_object **objects = api_objects(type, &count);
                json_t *names = json_array();
                for (size_t idx = 0; idx < count; idx++) {
                        if (objects[idx]->doomed_ms != 0 || is_in_doomed_namespace(objects[idx]) ||
                            is_abandoned(objects[idx]->json))
                                json_array_append(names, objects[idx]->json);
                }
                for (size_t idx = 0; idx < json_array_size(names); idx++) {
                        const json_t *json = json_array_get(names, idx);
                        struct api_object *object = api_find(type,
                            api_text(json, "metadata.namespace"), api_text(json, "metadata.name"));
                        if (object != NULL)
                                tidy(object);
                }
                json_decref(names);
        }
}

static int
go_round(int start_ms, int stop_ms)
{
        int again_ms = api_control_pods(start_ms, stop_ms);

        api_control_sets();
        api_control_deployments();
        api_control_jobs();
        api_control_claims();
        collect_garbage();
        return again_ms;
}

void
api_control_settle(void)
{
        uint64_t seen;

        api_lock();
        do {
                seen = api_version();
                go_round(0, 0);
        } while (api_version() != seen);
        api_unlock();
}

void *
api_control(void *arg)
{
        uint64_t seen = 0;
        int again_ms = 0;

        (void)arg;
        api_lock();
        for (;;) {
                if (api_version() == seen)
                        api_wait(again_ms < IDLE_MS ? again_ms : IDLE_MS);
                seen = api_version();
                again_ms = go_round(start_delay_ms, stop_delay_ms);
        }
        return NULL;
}
