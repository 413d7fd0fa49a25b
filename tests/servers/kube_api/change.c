/*
 * Objects of the API server for tests: update and patch, status and scale too.
 */
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/defaults.h"
#include "servers/kube_api/fields.h"
#include "servers/kube_api/patch.h"
#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"

static json_t *
conflict(const struct api_target *target, const char *why)
{
        const struct api_type *type = target->type;

        return api_status_about(
            api_status(409, "Conflict", "Operation cannot be fulfilled on %s%s%s \"%s\": %s",
                type->plural, *type->group != '\0' ? "." : "", type->group, target->name, why),
            type->group, type->plural, target->name);
}

/* The value that a patch makes of one; NULL with a Status. */
static json_t *
patched(struct api_conn *conn, const struct api_target *target, const json_t *live,
    const json_t *patch, json_t **status)
{
        char *type = api_header(&conn->request, "Content-Type");
        bool custom = (target->type->traits & API_CUSTOM) != 0 && strcmp(target->sub, "scale") != 0;
        char *why = NULL;
        json_t *result = api_copy(live);

        if (type != NULL && strncmp(type, "application/json-patch+json", 27) == 0) {
                json_decref(result);
                result = api_patch_json(live, patch, &why);
                if (result == NULL)
                        *status = api_status(422, "Invalid",
                            "the server rejected our request due to an "
                            "error in our request: %s",
                            why);
        } else if (type != NULL && strncmp(type, "application/merge-patch+json", 28) == 0) {
                api_merge(result, patch);
        } else if (type != NULL && !custom &&
                   strncmp(type, "application/strategic-merge-patch+json", 38) == 0) {
                api_merge_strategic(result, patch);
        } else if (type != NULL && strncmp(type, "application/apply-patch+yaml", 28) == 0) {
                const char *manager = api_param(&conn->request, "fieldManager");
                if (manager == NULL || *manager == '\0')
                        *status = api_status(422, "Invalid",
                            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required "
                            "value: "
                            "is required for apply patch");
                else
                        *status = api_fields_apply(
                            result, patch, manager, api_flag(&conn->request, "force"));
        } else {
                *status = api_status(415, "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types "
                    "include: "
                    "application/json-patch+json, application/merge-patch+json, "
                    "application/apply-patch+yaml");
        }
        if (*status != NULL && result != NULL) {
                json_decref(result);
                result = NULL;
        }
        free(type);
        free(why);
        return result;
}

static const char *const kept[] = { "metadata.uid", "metadata.creationTimestamp",
        "metadata.resourceVersion", "metadata.generation", "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds" };

/* What a request cannot change stays; of a subresource, nothing else changes. */
static json_t *
settle(const struct api_target *target, const json_t *live, json_t *fresh)
{
        const struct api_type *type = target->type;

        if (strcmp(target->sub, "status") == 0) {
                json_t *with_status = api_copy(live);
                json_t *status = json_object_get(fresh, "status");
                if (status != NULL)
                        json_object_set(with_status, "status", status);
                json_decref(fresh);
                return with_status;
        }
        api_set_defaults(type, fresh);
        for (size_t idx = 0; idx < sizeof(kept) / sizeof(kept[0]); idx++) {
                json_t *value = api_at(live, kept[idx]);
                if (value != NULL)
                        api_set(fresh, kept[idx], json_incref(value));
                else
                        api_remove(fresh, kept[idx]);
        }
        if ((type->traits & API_HAS_STATUS) != 0) {
                json_t *status = json_object_get(live, "status");
                if (status != NULL)
                        json_object_set(fresh, "status", status);
                else
                        json_object_del(fresh, "status");
        }
        if ((type->traits & API_HAS_GENERATION) != 0 &&
            json_equal(json_object_get(live, "spec"), json_object_get(fresh, "spec")) == 0)
                api_set_number(
                    fresh, "metadata.generation", api_number(live, "metadata.generation", 1) + 1);
        return fresh;
}

/* Under the lock: the object or Scale to answer with, or a Status. */
static json_t *
change(struct api_conn *conn, const struct api_target *target, struct api_object *object,
    const json_t *body, const char *manager)
{
        bool is_put = strcmp(conn->request.method, "PUT") == 0;
        bool is_scale = strcmp(target->sub, "scale") == 0;
        char *coding = api_header(&conn->request, "Content-Type");
        bool applies = coding != NULL && !is_put && strstr(coding, "apply-patch") != NULL;
        json_t *live = object->json, *status = NULL;
        json_t *basis = is_scale ? api_scale_of(target->type, live) : json_incref(live);
        json_t *fresh = is_put ? api_copy(body) : patched(conn, target, basis, body, &status);

        free(coding);
        json_decref(basis);
        if (fresh == NULL)
                return status;
        const char *version = api_text(fresh, "metadata.resourceVersion");
        const char *uid = api_text(fresh, "metadata.uid");
        if (*version != '\0' && strcmp(version, api_text(live, "metadata.resourceVersion")) != 0)
                status = conflict(target,
                    "the object has been modified; please apply your changes to the latest version "
                    "and try again");
        else if (*uid != '\0' && strcmp(uid, api_text(live, "metadata.uid")) != 0)
                status =
                    conflict(target, "Precondition failed: UID in precondition and object differ");
        if (status == NULL && is_scale) {
                int64_t replicas = api_number(fresh, "spec.replicas", 0);
                json_decref(fresh);
                fresh = api_copy(live);
                api_set_number(fresh, "spec.replicas", replicas);
                struct api_target main_target = *target;
                main_target.sub = "";
                fresh = settle(&main_target, live, fresh);
        } else if (status == NULL) {
                if (*target->ns != '\0' && *api_text(fresh, "metadata.namespace") == '\0')
                        api_set_text(fresh, "metadata.namespace", target->ns);
                status = api_check_object(target, fresh);
                if (status == NULL)
                        fresh = settle(target, live, fresh);
        }
        if (status != NULL) {
                json_decref(fresh);
                return status;
        }
        if (!applies)
                api_fields_note(fresh, live, manager);
        if (!json_equal(fresh, live) && !api_is_dry(conn)) {
                object = api_store(target->type, json_incref(fresh));
                if (object->doomed_ms != 0 &&
                    json_array_size(api_at(fresh, "metadata.finalizers")) == 0)
                        api_wake();
        }
        if (!is_scale)
                return fresh;
        json_t *scale = api_scale_of(target->type, fresh);
        json_decref(fresh);
        return scale;
}

void
api_serve_change(struct api_conn *conn, const struct api_target *target)
{
        json_t *body = api_read_body(conn);

        if (body == NULL)
                return;
        char *manager = api_manager_of(conn);
        char *coding = api_header(&conn->request, "Content-Type");
        bool applies = strcmp(conn->request.method, "PATCH") == 0 && coding != NULL &&
                       strstr(coding, "apply-patch") != NULL;
        int code = 200;
        json_t *answer;

        api_lock();
        struct api_object *object = api_find(target->type, target->ns, target->name);
        if (object != NULL) {
                answer = change(conn, target, object, body, manager);
        } else if (applies && *target->sub == '\0') {
                code = 201;
                json_t *fresh =
                    api_checked(json_pack("{s:O?, s:O?}", "kind", json_object_get(body, "kind"),
                        "apiVersion", json_object_get(body, "apiVersion")));
                api_set(fresh, "metadata", json_object());
                answer = api_fields_apply(fresh, body, manager, true);
                if (*target->ns != '\0')
                        api_set_text(fresh, "metadata.namespace", target->ns);
                json_t *entries = json_incref(api_at(fresh, "metadata.managedFields"));
                answer = api_create(target, fresh, manager, true);
                if (api_at(answer, "code") == NULL) {
                        api_set(fresh, "metadata.managedFields", json_incref(entries));
                        if (!api_is_dry(conn))
                                api_store(target->type, json_incref(fresh));
                }
                json_decref(entries);
                json_decref(fresh);
        } else {
                answer = api_not_found(target);
        }
        struct api_rendered rendered = api_render(answer, code);
        json_decref(body);
        api_unlock();
        api_send(conn, rendered);
        free(manager);
        free(coding);
}
