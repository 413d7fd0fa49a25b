/*
 * Objects of the API server for tests: get and list.  A list that is paged shows at
 * each page what is there then, not one moment of all.
 */
#include "servers/kube_api/rest.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/select.h"
#include "servers/kube_api/status.h"
#include "servers/kube_api/table.h"
#include "moonkeep/encode.h"

json_t *
api_not_found(const struct api_target *target)
{
        const struct api_type *type = target->type;

        return api_status_about(api_status(404, "NotFound", "%s%s%s \"%s\" not found", type->plural,
                                    *type->group != '\0' ? "." : "", type->group, target->name),
            type->group, type->plural, target->name);
}

json_t *
api_scale_of(const struct api_type *type, const json_t *object)
{
        json_t *scale = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:{s:I}, s:{s:I}}",
            "kind", "Scale", "apiVersion", "autoscaling/v1", "metadata", "name",
            api_text(object, "metadata.name"), "namespace", api_text(object, "metadata.namespace"),
            "uid", api_text(object, "metadata.uid"), "resourceVersion",
            api_text(object, "metadata.resourceVersion"), "creationTimestamp",
            api_text(object, "metadata.creationTimestamp"), "spec", "replicas",
            (json_int_t)api_number(object, "spec.replicas", 1), "status", "replicas",
            (json_int_t)api_number(object, "status.replicas", 0));
        const json_t *labels = api_at(object, "spec.selector.matchLabels");
        const char *key;
        json_t *value;
        struct buf text;

        (void)type;
        buf_init(&text, 65536);
        json_object_foreach((json_t *)(uintptr_t)labels, key, value) buf_addf(
            &text, NULL, "%s%s=%s", text.len > 0 ? "," : "", key, json_string_value(value));
        if (text.len > 0)
                api_set_text(scale, "status.selector", text.data);
        buf_free(&text);
        return api_checked(scale);
}

/* "continue": the place where the next page begins. */

static char *
token_of(const struct api_object *next)
{
        struct buf text;
        char *plain =
            api_format("%llu %s %s", (unsigned long long)api_version(), next->ns, next->name);

        buf_init(&text, 4096);
        base64_encode(plain, strlen(plain), &text, NULL);
        free(plain);
        return buf_detach(&text, NULL);
}

/* A Status when it is none, or too old. */
static json_t *
read_token(const char *token, struct buf *plain, const char **ns, const char **name)
{
        if (base64_decode(token, strlen(token), plain, NULL) < 0 || plain->len == 0)
                return api_status(400, "BadRequest",
                    "invalid continue token: continue key is not valid: illegal base64 data");
        char *space = strchr(plain->data, ' ');
        char *second = space != NULL ? strchr(space + 1, ' ') : NULL;
        if (second == NULL)
                return api_status(400, "BadRequest",
                    "invalid continue token: continue key is not valid: unexpected end of input");
        *second = '\0';
        *ns = space + 1;
        *name = second + 1;
        if (!api_is_forgotten(strtoull(plain->data, NULL, 10)))
                return NULL;
        return api_status(410, "Expired",
            "The provided continue parameter is too old to display a consistent list result. You "
            "can start a new list without the continue parameter.");
}

static json_t *
item_of(const struct api_type *type, json_t *object)
{
        /* Within a list, only custom resources say what they are. */
        if ((type->traits & API_CUSTOM) != 0)
                return json_incref(object);
        json_t *item = api_checked(json_copy(object));
        json_object_del(item, "kind");
        json_object_del(item, "apiVersion");
        return item;
}

static json_t *
list_from(const struct api_selector *selector, size_t limit, const char *ns, const char *name)
{
        char *kind = api_format("%sList", selector->type->kind);
        char *version = api_format("%llu", (unsigned long long)api_version());
        json_t *list = json_pack("{s:s, s:s, s:{s:s}, s:[]}", "kind", kind, "apiVersion",
            api_type_version(selector->type), "metadata", "resourceVersion", version, "items");
        json_t *items = api_at(list, "items");
        size_t count, left = 0;
        struct api_object **objects = api_objects(selector->type, &count);

        for (size_t idx = 0; idx < count; idx++) {
                const struct api_object *object = objects[idx];
                int order = strcmp(object->ns, ns);
                if (order < 0 || (order == 0 && strcmp(object->name, name) < 0) ||
                    !api_selects(selector, object->json))
                        continue;
                if (limit > 0 && json_array_size(items) == limit) {
                        if (left++ == 0) {
                                char *token = token_of(object);
                                api_set_text(list, "metadata.continue", token);
                                free(token);
                        }
                        continue;
                }
                json_array_append_new(items, item_of(selector->type, object->json));
        }
        if (left > 0 && selector->labels == NULL && selector->fields == NULL)
                api_set_number(list, "metadata.remainingItemCount", (int64_t)left);
        free(kind);
        free(version);
        return list;
}

void
api_serve_list(struct api_conn *conn, const struct api_target *target)
{
        const struct api_request *request = &conn->request;
        struct api_selector selector = {
                .type = target->type,
                .ns = target->ns,
                .labels = api_param(request, "labelSelector"),
                .fields = api_param(request, "fieldSelector"),
        };
        const char *limit = api_param(request, "limit");
        const char *token = api_param(request, "continue");
        const char *ns = "", *name = "";
        struct buf plain;
        json_t *answer = api_select_check(&selector);

        if (answer != NULL) {
                api_refuse(conn, answer);
                return;
        }
        buf_init(&plain, 4096);
        api_lock();
        if (token != NULL && *token != '\0')
                answer = read_token(token, &plain, &ns, &name);
        if (answer == NULL)
                answer =
                    list_from(&selector, limit != NULL ? strtoul(limit, NULL, 10) : 0, ns, name);
        if (api_at(answer, "code") == NULL)
                answer = api_as_table(conn, target->type, answer);
        struct api_rendered rendered = api_render(answer, 200);
        api_unlock();
        buf_free(&plain);
        api_send(conn, rendered);
}

static void
serve_get(struct api_conn *conn, const struct api_target *target)
{
        api_lock();
        const struct api_object *object = api_find(target->type, target->ns, target->name);
        json_t *answer;
        if (object == NULL)
                answer = api_not_found(target);
        else if (strcmp(target->sub, "scale") == 0)
                answer = api_scale_of(target->type, object->json);
        else
                answer = api_as_table(conn, target->type, json_incref(object->json));
        struct api_rendered rendered = api_render(answer, 200);
        api_unlock();
        api_send(conn, rendered);
}

static bool
has_subresource(const struct api_type *type, const char *sub)
{
        return *sub == '\0' ||
               (strcmp(sub, "status") == 0 && (type->traits & API_HAS_STATUS) != 0) ||
               (strcmp(sub, "scale") == 0 && (type->traits & API_HAS_SCALE) != 0);
}

void
api_serve_object(struct api_conn *conn, const struct api_target *target)
{
        const char *method = conn->request.method;
        bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
        bool watches = api_flag(&conn->request, "watch");

        if (strcmp(target->sub, "eviction") == 0 && strcmp(method, "POST") == 0)
                api_serve_eviction(conn, target);
        else if (!has_subresource(target->type, target->sub))
                api_refuse(conn, api_status(404, "NotFound",
                                     "the server could not find the requested resource"));
        else if (is_get && watches)
                api_serve_watch(conn, target);
        else if (is_get && *target->name != '\0')
                serve_get(conn, target);
        else if (is_get)
                api_serve_list(conn, target);
        else if (strcmp(method, "POST") == 0 && *target->name == '\0')
                api_serve_create(conn, target);
        else if ((strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) &&
                 *target->name != '\0')
                api_serve_change(conn, target);
        else if (strcmp(method, "DELETE") == 0 && *target->sub == '\0')
                api_serve_delete(conn, target);
        else
                api_refuse(
                    conn, api_status(405, "MethodNotAllowed",
                              "the server does not allow this method on the requested resource"));
}
