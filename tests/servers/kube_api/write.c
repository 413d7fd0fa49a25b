/*
 * Objects of the API server for tests: what is asked of those that are written, and create.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/access.h"
#include "servers/kube_api/defaults.h"
#include "servers/kube_api/fields.h"
#include "servers/kube_api/proto.h"
#include "servers/kube_api/rest.h"
#include "servers/kube_api/status.h"
#include "moonkeep/rand.h"

#define NAME_MAX_LEN 253

json_t *
api_read_body(struct api_conn *conn)
{
        const struct buf *body = &conn->request.body;
        json_error_t error;
        json_t *value = api_proto_read(body->data, body->len);

        if (value == NULL)
                value = json_loadb(body->len > 0 ? body->data : "", body->len, 0, &error);
        if (value == NULL && body->len > 4 && memcmp(body->data, "k8s", 4) == 0) {
                api_refuse(conn,
                    api_status(415, "UnsupportedMediaType",
                        "this kind is not understood in protobuf by the server of the tests"));
                return NULL;
        }

        if (value == NULL)
                api_refuse(
                    conn, api_status(400, "BadRequest",
                              "the object provided is unrecognized (must be of type JSON): %s",
                              error.text));
        return value;
}

bool
api_is_dry(const struct api_conn *conn)
{
        const char *dry = api_param(&conn->request, "dryRun");

        return dry != NULL && strcmp(dry, "All") == 0;
}

char *
api_manager_of(const struct api_conn *conn)
{
        const char *said = api_param(&conn->request, "fieldManager");

        if (said != NULL && *said != '\0')
                return api_format("%s", said);
        char *agent = api_header(&conn->request, "User-Agent");
        char *manager = agent != NULL ? api_format("%.*s", (int)strcspn(agent, "/ "), agent)
                                      : api_format("unknown");
        free(agent);
        return manager;
}

static json_t *
invalid(const struct api_type *type, const char *name, const char *field, const char *why)
{
        json_t *status = api_status(422, "Invalid", "%s%s%s \"%s\" is invalid: %s: %s", type->kind,
            *type->group != '\0' ? "." : "", type->group, name, field, why);

        api_status_about(status, type->group, type->kind, name);
        api_set(status, "details.causes",
            json_pack("[{s:s, s:s, s:s}]", "reason", "FieldValueInvalid", "message", why, "field",
                field));
        return status;
}

static bool
is_name(const char *name)
{
        size_t len = strlen(name);

        if (len == 0 || len > NAME_MAX_LEN)
                return false;
        for (size_t idx = 0; idx < len; idx++) {
                bool inner = idx > 0 && idx + 1 < len;
                if (!islower((unsigned char)name[idx]) && !isdigit((unsigned char)name[idx]) &&
                    !(inner && (name[idx] == '-' || name[idx] == '.')))
                        return false;
        }
        return true;
}

json_t *
api_check_object(const struct api_target *target, const json_t *object)
{
        const struct api_type *type = target->type;
        const char *name = api_text(object, "metadata.name");
        const char *ns = api_text(object, "metadata.namespace");

        if (strcmp(api_text(object, "kind"), type->kind) != 0 ||
            strcmp(api_text(object, "apiVersion"), api_type_version(type)) != 0)
                return api_status(400, "BadRequest",
                    "%s in version \"%s\" cannot be handled as a %s: the object is \"%s\" of "
                    "\"%s\"",
                    type->kind, type->version, type->kind, api_text(object, "kind"),
                    api_text(object, "apiVersion"));
        if (*ns != '\0' && strcmp(ns, target->ns) != 0)
                return api_status(400, "BadRequest",
                    "the namespace of the provided object does not match the namespace sent on the "
                    "request");
        if (*target->name != '\0' && strcmp(name, target->name) != 0)
                return api_status(400, "BadRequest",
                    "the name of the object (%s) does not match the name on the URL (%s)", name,
                    target->name);
        if (!is_name(name))
                return invalid(type, name, "metadata.name",
                    *name == '\0' ? "Required value: name or generateName is required"
                                  : "Invalid value: a lowercase RFC 1123 subdomain must consist of "
                                    "lower case alphanumeric characters, '-' or '.'");
        if (strcmp(type->kind, "Pod") == 0 &&
            json_array_size(api_at(object, "spec.containers")) == 0)
                return invalid(type, name, "spec.containers", "Required value");
        return NULL;
}

/* Create. */

static void
set_generated_name(json_t *object)
{
        char suffix[6];

        if (*api_text(object, "metadata.name") != '\0' ||
            *api_text(object, "metadata.generateName") == '\0')
                return;
        if (rand_id(suffix, 5, NULL) < 0)
                fault_fail("no random bytes");
        char *name = api_format("%s%s", api_text(object, "metadata.generateName"), suffix);
        api_set_text(object, "metadata.name", name);
        free(name);
}

static void
set_server_fields(const struct api_type *type, json_t *object)
{
        char uid[37];

        api_new_uid(uid);
        api_set_text(object, "metadata.uid", uid);
        api_set(object, "metadata.creationTimestamp", api_now_json());
        api_remove(object, "metadata.resourceVersion");
        api_remove(object, "metadata.deletionTimestamp");
        if ((type->traits & API_HAS_GENERATION) != 0)
                api_set_number(object, "metadata.generation", 1);
        if ((type->traits & API_HAS_STATUS) != 0)
                json_object_del(object, "status");
        api_set_defaults(type, object);
}

json_t *
api_create(const struct api_target *target, json_t *object, const char *manager, bool dry)
{
        const struct api_type *namespaces = api_type_find("", "v1", "namespaces");
        struct api_target named = *target;
        json_t *status = api_check_object(target, object);

        if (status != NULL)
                return status;
        named.name = api_text(object, "metadata.name");
        if (api_find(target->type, target->ns, named.name) != NULL)
                return api_status_about(
                    api_status(409, "AlreadyExists", "%s%s%s \"%s\" already exists",
                        target->type->plural, *target->type->group != '\0' ? "." : "",
                        target->type->group, named.name),
                    target->type->group, target->type->plural, named.name);
        const struct api_object *ns =
            *target->ns != '\0' ? api_find(namespaces, "", target->ns) : NULL;
        if (*target->ns != '\0' && ns == NULL)
                return api_not_found(&(struct api_target){
                    .type = namespaces, .name = target->ns, .ns = "", .sub = "" });
        if (ns != NULL && ns->doomed_ms != 0)
                return api_status(403, "Forbidden",
                    "%s \"%s\" is forbidden: unable to create new content in namespace %s because "
                    "it "
                    "is being terminated",
                    target->type->plural, named.name, target->ns);
        /* Who set what is said of what came, not of what is filled in. */
        api_fields_note(object, NULL, manager);
        set_server_fields(target->type, object);
        if (strcmp(target->type->plural, "pods") == 0)
                api_admit_pod(object);
        if (!dry)
                api_store(target->type, json_incref(object));
        return json_incref(object);
}

void
api_serve_create(struct api_conn *conn, const struct api_target *target)
{
        if ((target->type->traits & API_CREATE_ONLY) != 0) {
                api_serve_review(conn);
                return;
        }
        json_t *object = api_read_body(conn);
        if (object == NULL)
                return;
        char *manager = api_manager_of(conn);
        set_generated_name(object);
        if (*target->ns != '\0' && *api_text(object, "metadata.namespace") == '\0')
                api_set_text(object, "metadata.namespace", target->ns);
        api_lock();
        json_t *answer = api_create(target, object, manager, api_is_dry(conn));
        struct api_rendered rendered = api_render(answer, 201);
        json_decref(object);
        api_unlock();
        api_send(conn, rendered);
        free(manager);
}
