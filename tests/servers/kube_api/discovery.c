#include "servers/kube_api/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"
#include "servers/kube_api/types.h"

static json_t *
resource(const char *name, const struct api_type *type, const char *kind, const char *verbs)
{
        json_t *entry = json_pack("{s:s, s:s, s:b, s:s, s:[]}", "name", name, "singularName",
            strchr(name, '/') != NULL ? "" : type->singular, "namespaced",
            (type->traits & API_NAMESPACED) != 0, "kind", kind, "verbs");

        while (*verbs != '\0') {
                size_t len = strcspn(verbs, " ");
                json_array_append_new(api_at(entry, "verbs"), json_stringn(verbs, len));
                verbs += len;
                verbs += *verbs == ' ';
        }
        return api_checked(entry);
}

static void
add_subresource(json_t *list, const struct api_type *type, const char *sub)
{
        char *name = api_format("%s/%s", type->plural, sub);
        json_t *entry;

        if (strcmp(sub, "scale") == 0) {
                entry = resource(name, type, "Scale", "get patch update");
                api_set_text(entry, "group", "autoscaling");
                api_set_text(entry, "version", "v1");
        } else if (strcmp(sub, "status") == 0) {
                entry = resource(name, type, type->kind, "get patch update");
        } else if (strcmp(sub, "log") == 0) {
                entry = resource(name, type, type->kind, "get");
        } else if (strcmp(sub, "proxy") == 0) {
                entry = resource(name, type,
                    strcmp(type->plural, "pods") == 0 ? "PodProxyOptions" : "ServiceProxyOptions",
                    "create delete get patch update");
        } else if (strcmp(sub, "eviction") == 0) {
                entry = resource(name, type, "Eviction", "create");
                api_set_text(entry, "group", "policy");
                api_set_text(entry, "version", "v1");
        } else if (strcmp(sub, "finalize") == 0) {
                entry = resource(name, type, type->kind, "update");
        } else {
                entry = resource(name, type,
                    strcmp(sub, "exec") == 0 ? "PodExecOptions" : "PodPortForwardOptions",
                    "create get");
        }
        json_array_append_new(list, entry);
        free(name);
}

static json_t *
resource_list(const char *group, const char *version)
{
        char *name = api_format("%s%s%s", group, *group != '\0' ? "/" : "", version);
        json_t *answer = json_pack(
            "{s:s, s:s, s:[]}", "kind", "APIResourceList", "groupVersion", name, "resources");
        json_t *list = api_at(answer, "resources");

        if (*group != '\0')
                api_set_text(answer, "apiVersion", "v1");
        for (size_t idx = 0; idx < api_type_count(); idx++) {
                const struct api_type *type = api_type_at(idx);
                if (strcmp(type->group, group) != 0 || strcmp(type->version, version) != 0)
                        continue;
                json_t *entry = resource(type->plural, type, type->kind,
                    (type->traits & API_CREATE_ONLY) != 0
                        ? "create"
                        : "create delete deletecollection get list patch update watch");
                for (size_t at = 0; at < 3 && type->short_names[at] != NULL; at++) {
                        if (at == 0)
                                json_object_set_new(entry, "shortNames", json_array());
                        json_array_append_new(
                            api_at(entry, "shortNames"), json_string(type->short_names[at]));
                }
                json_array_append_new(list, entry);
                if ((type->traits & API_HAS_STATUS) != 0)
                        add_subresource(list, type, "status");
                if ((type->traits & API_HAS_SCALE) != 0)
                        add_subresource(list, type, "scale");
                for (size_t at = 0; type->more[at] != NULL; at++)
                        add_subresource(list, type, type->more[at]);
        }
        free(name);
        return answer;
}

static json_t *
group_entry(const struct api_type *type)
{
        const char *text = api_type_version(type);

        return api_checked(json_pack("{s:s, s:[{s:s, s:s}], s:{s:s, s:s}}", "name", type->group,
            "versions", "groupVersion", text, "version", type->version, "preferredVersion",
            "groupVersion", text, "version", type->version));
}

static json_t *
group_list(void)
{
        json_t *answer =
            json_pack("{s:s, s:s, s:[]}", "kind", "APIGroupList", "apiVersion", "v1", "groups");
        json_t *list = api_at(answer, "groups");

        for (size_t idx = 0; idx < api_type_count(); idx++) {
                const struct api_type *type = api_type_at(idx);
                bool known = *type->group == '\0';
                for (size_t at = 0; at < json_array_size(list) && !known; at++)
                        known =
                            strcmp(api_text(json_array_get(list, at), "name"), type->group) == 0;
                if (!known)
                        json_array_append_new(list, group_entry(type));
        }
        return answer;
}

/* OpenAPI: that each kind may be patched, and that fields are checked by the server. */

static json_t *
openapi_index(void)
{
        json_t *answer = json_pack("{s:{}}", "paths");

        for (size_t idx = 0; idx < api_type_count(); idx++) {
                const struct api_type *type = api_type_at(idx);
                char *path = api_format(
                    "%s/%s", *type->group != '\0' ? "apis" : "api", api_type_version(type));
                char *url = api_format("/openapi/v3/%s", path);
                json_object_set_new(
                    api_at(answer, "paths"), path, json_pack("{s:s}", "serverRelativeURL", url));
                free(url);
                free(path);
        }
        return answer;
}

static json_t *
openapi_of(const char *group, const char *version)
{
        json_t *answer = json_pack("{s:s, s:{s:s, s:s}, s:{}}", "openapi", "3.0.0", "info", "title",
            "Kubernetes", "version", "v1.32.0", "paths");

        for (size_t idx = 0; idx < api_type_count(); idx++) {
                const struct api_type *type = api_type_at(idx);
                if (strcmp(type->group, group) != 0 || strcmp(type->version, version) != 0)
                        continue;
                char *path = api_format("/%s/%s%s/%s/{name}", *group != '\0' ? "apis" : "api",
                    api_type_version(type),
                    (type->traits & API_NAMESPACED) != 0 ? "/namespaces/{namespace}" : "",
                    type->plural);
                json_object_set_new(api_at(answer, "paths"), path,
                    json_pack("{s:{s:{}, s:[{s:s, s:s}, {s:s, s:s}], s:{s:s, s:s, s:s}}}", "patch",
                        "responses", "parameters", "name", "dryRun", "in", "query", "name",
                        "fieldValidation", "in", "query", "x-kubernetes-group-version-kind",
                        "group", group, "kind", type->kind, "version", version));
                free(path);
        }
        return answer;
}

static json_t *
version(void)
{
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "major", "1", "minor", "32",
            "gitVersion", "v1.32.0", "buildDate", "2024-12-11T17:59:15Z", "goVersion", "go1.23.3",
            "platform", "linux/amd64");
}

static json_t *
document(const struct api_request *request)
{
        char *const *parts = request->parts;
        const char *first = request->part_count > 0 ? parts[0] : "";
        size_t count = request->part_count;

        if (strcmp(first, "version") == 0 && count == 1)
                return version();
        if (strcmp(first, "api") == 0 && count == 1)
                return json_pack("{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions",
                    "v1", "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress",
                    "127.0.0.1:6443");
        if (strcmp(first, "api") == 0 && count == 2 && api_has_group_version("", parts[1]))
                return resource_list("", parts[1]);
        if (strcmp(first, "apis") == 0 && count == 1)
                return group_list();
        if (strcmp(first, "apis") == 0 && count == 2) {
                for (size_t idx = 0; idx < api_type_count(); idx++) {
                        if (strcmp(api_type_at(idx)->group, parts[1]) != 0)
                                continue;
                        json_t *entry = group_entry(api_type_at(idx));
                        api_set_text(entry, "kind", "APIGroup");
                        api_set_text(entry, "apiVersion", "v1");
                        return entry;
                }
        }
        if (strcmp(first, "apis") == 0 && count == 3 && api_has_group_version(parts[1], parts[2]))
                return resource_list(parts[1], parts[2]);
        if (strcmp(first, "openapi") == 0 && count >= 2 && strcmp(parts[1], "v3") == 0) {
                if (count == 2)
                        return openapi_index();
                if (count == 4 && strcmp(parts[2], "api") == 0)
                        return openapi_of("", parts[3]);
                if (count == 5 && strcmp(parts[2], "apis") == 0)
                        return openapi_of(parts[3], parts[4]);
        }
        return NULL;
}

bool
api_discover(struct api_conn *conn)
{
        const char *first = conn->request.part_count > 0 ? conn->request.parts[0] : "";

        if (conn->request.part_count == 1 &&
            (strcmp(first, "healthz") == 0 || strcmp(first, "readyz") == 0 ||
                strcmp(first, "livez") == 0)) {
                api_answer(conn, 200, "text/plain; charset=utf-8", NULL, "ok", 2);
                return true;
        }
        json_t *answer = document(&conn->request);
        if (answer == NULL)
                return false;
        api_answer_json(conn, 200, answer);
        return true;
}
