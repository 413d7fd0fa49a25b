#include "servers/kube_api/objects.h"

#include <stdlib.h>
#include <string.h>

#include "harness/fault_rules.h"
#include "servers/kube_api/access.h"
#include "servers/kube_api/control.h"
#include "servers/kube_api/defaults.h"
#include "servers/kube_api/store.h"

static void
complete(const struct api_type *type, json_t *object)
{
        char uid[37];

        api_new_uid(uid);
        if (*api_text(object, "metadata.uid") == '\0')
                api_set_text(object, "metadata.uid", uid);
        if (*api_text(object, "metadata.creationTimestamp") == '\0')
                api_set(object, "metadata.creationTimestamp", api_now_json());
        if ((type->traits & API_HAS_GENERATION) != 0 &&
            api_at(object, "metadata.generation") == NULL)
                api_set_number(object, "metadata.generation", 1);
        api_set_defaults(type, object);
        if ((type->traits & API_NAMESPACED) != 0 && *api_text(object, "metadata.namespace") == '\0')
                api_set_text(object, "metadata.namespace", "default");
}

static void
make_namespace(const char *name)
{
        const struct api_type *type = api_type_find("", "v1", "namespaces");

        if (api_find(type, "", name) != NULL)
                return;
        json_t *object = json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:[s]}, s:{s:s}}", "apiVersion",
            "v1", "kind", "Namespace", "metadata", "name", name, "labels",
            "kubernetes.io/metadata.name", name, "spec", "finalizers", "kubernetes", "status",
            "phase", "Active");
        complete(type, api_checked(object));
        api_store(type, object);
}

static void
make_node(void)
{
        const struct api_type *type = api_type_find("", "v1", "nodes");
        json_t *node =
            json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{}, s:{s:[{s:s, s:s}], s:[{s:s, s:s}]}}",
                "apiVersion", "v1", "kind", "Node", "metadata", "name", API_NODE, "labels",
                "kubernetes.io/hostname", API_NODE, "spec", "status", "conditions", "type", "Ready",
                "status", "True", "addresses", "type", "InternalIP", "address", "127.0.0.1");

        complete(type, api_checked(node));
        api_store(type, node);
}

static void
load(const json_t *list)
{
        size_t idx;
        json_t *given;

        json_array_foreach(list, idx, given)
        {
                const struct api_type *type =
                    api_type_of_kind(api_text(given, "apiVersion"), api_text(given, "kind"));
                if (type == NULL || *api_text(given, "metadata.name") == '\0')
                        fault_fail("object %zu has no known apiVersion and kind, or no name", idx);
                json_t *object = api_copy(given);
                complete(type, object);
                if (strcmp(type->plural, "pods") == 0)
                        api_admit_pod(object);
                if ((type->traits & API_NAMESPACED) != 0)
                        make_namespace(api_text(object, "metadata.namespace"));
                api_store(type, object);
        }
}

void
api_objects_read(const char *path, const char *token)
{
        static const char *const namespaces[] = { "default", "kube-system", "kube-public",
                "kube-node-lease" };
        json_error_t error;
        json_t *file = path != NULL ? json_load_file(path, 0, &error) : json_object();

        if (file == NULL)
                fault_fail("%s: line %d: %s", path, error.line, error.text);
        json_t *deny = json_incref(json_object_get(file, "deny"));
        api_access_set(token, deny, json_is_true(json_object_get(file, "exec_needs_create")));
        api_types_add(json_object_get(file, "types"));
        api_control_times(
            (int)api_number(file, "start_ms", 20), (int)api_number(file, "stop_ms", 20));
        api_keep_events((size_t)api_number(file, "events_kept", 4096));
        api_lock();
        for (size_t idx = 0; idx < sizeof(namespaces) / sizeof(namespaces[0]); idx++)
                make_namespace(namespaces[idx]);
        make_node();
        load(json_object_get(file, "objects"));
        if (json_object_get(file, "items") != NULL)
                load(json_object_get(file, "items"));
        api_unlock();
        json_decref(file);
}
