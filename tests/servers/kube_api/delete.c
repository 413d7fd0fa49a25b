/*
 * Objects of the API server for tests: delete, collections too, and evictions.
 */
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/exec.h"
#include "servers/kube_api/rest.h"
#include "servers/kube_api/select.h"
#include "servers/kube_api/status.h"
#include "servers/kube_api/table.h"
#include "moonkeep/time.h"

#define GRACE_DEFAULT_S 30

struct doom {
        int64_t grace_s; /* -1: the default */
        const char *propagation;
        const char *uid;     /* it has to have; or "" */
        const char *version; /* the same */
        bool dry;
};

/* Take the owner out of what it owns. */
static void
orphan(const char *uid)
{
        for (size_t at = 0; at < api_type_count(); at++) {
                size_t count;
                struct api_object **objects = api_objects(api_type_at(at), &count);
                for (size_t idx = 0; idx < count; idx++) {
                        json_t *copy = api_copy(objects[idx]->json);
                        json_t *owners = api_at(copy, "metadata.ownerReferences");
                        size_t before = json_array_size(owners);
                        for (size_t owner = before; owner-- > 0;) {
                                if (strcmp(api_text(json_array_get(owners, owner), "uid"), uid) ==
                                    0)
                                        json_array_remove(owners, owner);
                        }
                        if (json_array_size(owners) != before)
                                api_store(api_type_at(at), copy);
                        else
                                json_decref(copy);
                }
        }
}

static void
finish(struct api_object *object)
{
        if (strcmp(object->type->plural, "pods") == 0)
                api_exec_end_pod(api_text(object->json, "metadata.uid"));
        api_drop(object);
}

void
api_doom(struct api_object *object, int64_t grace_s, const char *propagation)
{
        bool is_pod = strcmp(object->type->plural, "pods") == 0;
        bool held = json_array_size(api_at(object->json, "metadata.finalizers")) > 0 ||
                    strcmp(object->type->plural, "namespaces") == 0;

        if (grace_s < 0)
                grace_s = is_pod ? api_number(object->json, "spec.terminationGracePeriodSeconds",
                                       GRACE_DEFAULT_S)
                                 : 0;
        if (strcmp(propagation, "Orphan") == 0)
                orphan(api_text(object->json, "metadata.uid"));
        bool waits =
            !is_pod && object->doomed_ms == 0 && strcmp(propagation, API_FOREGROUND_POLICY) == 0;
        held = held || waits;
        if (is_pod && *api_text(object->json, "spec.nodeName") != '\0' && grace_s > 0)
                held = true;
        if (!held || (object->doomed_ms != 0 && grace_s == 0 &&
                         json_array_size(api_at(object->json, "metadata.finalizers")) == 0)) {
                finish(object);
                return;
        }
        if (object->doomed_ms != 0)
                return;
        json_t *copy = api_copy(object->json);
        api_set(copy, "metadata.deletionTimestamp", api_later_json(grace_s));
        api_set_number(copy, "metadata.deletionGracePeriodSeconds", grace_s);
        if (strcmp(object->type->plural, "namespaces") == 0)
                api_set_text(copy, "status.phase", "Terminating");
        if (waits) {
                if (api_at(copy, "metadata.finalizers") == NULL)
                        api_set(copy, "metadata.finalizers", json_array());
                json_array_append_new(
                    api_at(copy, "metadata.finalizers"), json_string(API_FOREGROUND_FINALIZER));
        }
        api_store(object->type, copy);
}

static struct doom
doom_of(const struct api_conn *conn, const json_t *body)
{
        const struct api_request *request = &conn->request;
        const char *grace = api_param(request, "gracePeriodSeconds");
        const char *propagation = api_param(request, "propagationPolicy");
        struct doom doom = {
                .grace_s = grace != NULL ? atoi(grace) : -1,
                .propagation = propagation != NULL ? propagation : "Background",
                .uid = api_text(body, "preconditions.uid"),
                .version = api_text(body, "preconditions.resourceVersion"),
                .dry = api_is_dry(conn) || json_array_size(api_at(body, "dryRun")) > 0,
        };

        doom.grace_s = api_number(body, "gracePeriodSeconds", doom.grace_s);
        if (*api_text(body, "propagationPolicy") != '\0')
                doom.propagation = api_text(body, "propagationPolicy");
        return doom;
}

/* Under the lock: what is answered. */
static json_t *
delete_one(const struct api_target *target, const struct doom *doom)
{
        const struct api_type *type = target->type;
        struct api_object *object = api_find(type, target->ns, target->name);

        if (object == NULL)
                return api_not_found(target);
        const char *uid = api_text(object->json, "metadata.uid");
        const char *version = api_text(object->json, "metadata.resourceVersion");
        bool other = *doom->uid != '\0' && strcmp(doom->uid, uid) != 0;
        if (other || (*doom->version != '\0' && strcmp(doom->version, version) != 0))
                return api_status_about(
                    api_status(409, "Conflict",
                        "Operation cannot be fulfilled on %s \"%s\": the %s in the precondition "
                        "(%s) "
                        "does not match the %s in record (%s). The object might have been deleted "
                        "and "
                        "then recreated",
                        type->plural, target->name, other ? "UID" : "ResourceVersion",
                        other ? doom->uid : doom->version, other ? "UID" : "ResourceVersion",
                        other ? uid : version),
                    type->group, type->plural, target->name);

        json_t *done = json_pack("{s:s, s:s, s:{}, s:s, s:{s:s, s:s, s:s}}", "kind", "Status",
            "apiVersion", "v1", "metadata", "status", "Success", "details", "name", target->name,
            "kind", type->plural, "uid", uid);
        if (*type->group != '\0')
                api_set_text(done, "details.group", type->group);
        if (doom->dry)
                return done;
        json_t *last = json_incref(object->json);
        api_doom(object, doom->grace_s, doom->propagation);
        object = api_find(type, target->ns, target->name);
        if (object == NULL && strcmp(type->plural, "pods") != 0) {
                json_decref(last);
                return done;
        }
        json_decref(done);
        json_t *answer = api_copy(object != NULL ? object->json : last);
        if (object == NULL) {
                api_set(answer, "metadata.deletionTimestamp", api_now_json());
                api_set_number(answer, "metadata.deletionGracePeriodSeconds", 0);
        }
        json_decref(last);
        return answer;
}

/* Under the lock. */
static json_t *
delete_all(const struct api_conn *conn, const struct api_target *target, const struct doom *doom)
{
        struct api_selector selector = {
                .type = target->type,
                .ns = target->ns,
                .labels = api_param(&conn->request, "labelSelector"),
                .fields = api_param(&conn->request, "fieldSelector"),
        };
        json_t *answer = api_select_check(&selector);
        size_t count;

        if (answer != NULL)
                return answer;
        struct api_object **objects = api_objects(target->type, &count);
        char *kind = api_format("%sList", target->type->kind);
        answer = json_pack("{s:s, s:s, s:{}, s:[]}", "kind", kind, "apiVersion",
            api_type_version(target->type), "metadata", "items");
        free(kind);
        for (size_t idx = 0; idx < count; idx++) {
                if (api_selects(&selector, objects[idx]->json))
                        json_array_append(api_at(answer, "items"), objects[idx]->json);
        }
        for (size_t idx = 0; idx < json_array_size(api_at(answer, "items")) && !doom->dry; idx++) {
                const json_t *item = json_array_get(api_at(answer, "items"), idx);
                struct api_object *object = api_find(target->type,
                    api_text(item, "metadata.namespace"), api_text(item, "metadata.name"));
                if (object != NULL)
                        api_doom(object, doom->grace_s, doom->propagation);
        }
        return answer;
}

void
api_serve_delete(struct api_conn *conn, const struct api_target *target)
{
        json_t *body = conn->request.body.len > 0 ? api_read_body(conn) : json_object();

        if (body == NULL)
                return;
        struct doom doom = doom_of(conn, body);
        api_lock();
        json_t *answer =
            *target->name != '\0' ? delete_one(target, &doom) : delete_all(conn, target, &doom);
        struct api_rendered rendered = api_render(answer, 200);
        api_unlock();
        api_send(conn, rendered);
        json_decref(body);
}

void
api_serve_eviction(struct api_conn *conn, const struct api_target *target)
{
        struct api_target pod = *target;
        struct doom doom = { .grace_s = -1, .propagation = "Background", .uid = "", .version = "" };

        pod.sub = "";
        doom.dry = api_is_dry(conn);
        api_lock();
        json_t *answer = delete_one(&pod, &doom);
        if (api_at(answer, "code") == NULL) {
                json_decref(answer);
                answer = json_pack("{s:s, s:s, s:{}, s:s, s:i}", "kind", "Status", "apiVersion",
                    "v1", "metadata", "status", "Success", "code", 201);
        }
        struct api_rendered rendered = api_render(answer, 201);
        api_unlock();
        api_send(conn, rendered);
}
