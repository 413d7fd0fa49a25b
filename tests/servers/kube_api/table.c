#include "servers/kube_api/table.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"
#include "moonkeep/time.h"

static void
add_column(json_t *table, const char *name)
{
        json_array_append_new(api_at(table, "columnDefinitions"),
            json_pack("{s:s, s:s, s:s, s:s, s:i}", "name", name, "type", "string", "format",
                strcmp(name, "Name") == 0 ? "name" : "", "description", "", "priority", 0));
}

static void
add_text(json_t *cells, char *text)
{
        json_array_append_new(cells, api_checked(json_string(text)));
        free(text);
}

static char *
ready_of_pod(const json_t *pod)
{
        const json_t *statuses = api_at(pod, "status.containerStatuses");
        size_t ready = 0;

        for (size_t idx = 0; idx < json_array_size(statuses); idx++)
                ready += json_is_true(api_at(json_array_get(statuses, idx), "ready"));
        return api_format("%zu/%zu", ready, json_array_size(api_at(pod, "spec.containers")));
}

static char *
age_of(const json_t *object)
{
        int64_t created_ms = 0;

        time_parse(api_text(object, "metadata.creationTimestamp"), &created_ms, NULL);
        int64_t seconds = (time_now_ms() - created_ms) / 1000;
        return seconds < 120 ? api_format("%llds", (long long)seconds)
                             : api_format("%lldm", (long long)seconds / 60);
}

/* The columns between name and age, by resource. */
static const struct {
        const char *plural;
        const char *columns[4];
} tables[] = {
        { "pods", { "Ready", "Status", "Restarts" } },
        { "statefulsets", { "Ready" } },
        { "deployments", { "Ready" } },
        { "events", { "Type", "Reason", "Object", "Message" } },
};

static const char *const *
columns_of(const char *plural)
{
        static const char *const none[4];

        for (size_t idx = 0; idx < sizeof(tables) / sizeof(tables[0]); idx++) {
                if (strcmp(tables[idx].plural, plural) == 0)
                        return tables[idx].columns;
        }
        return none;
}

static char *
cell_of(const char *plural, const char *column, const json_t *object)
{
        if (strcmp(plural, "pods") == 0 && strcmp(column, "Ready") == 0)
                return ready_of_pod(object);
        if (strcmp(column, "Ready") == 0)
                return api_format("%lld/%lld",
                    (long long)api_number(object, "status.readyReplicas", 0),
                    (long long)api_number(object, "spec.replicas", 1));
        if (strcmp(column, "Status") == 0)
                return api_format("%s", api_at(object, "metadata.deletionTimestamp") != NULL
                                            ? "Terminating"
                                            : api_text(object, "status.phase"));
        if (strcmp(column, "Restarts") == 0)
                return api_format("0");
        if (strcmp(column, "Object") == 0)
                return api_format("%s/%s", api_text(object, "involvedObject.kind"),
                    api_text(object, "involvedObject.name"));
        return api_format("%s", api_text(object, strcmp(column, "Type") == 0     ? "type"
                                                 : strcmp(column, "Reason") == 0 ? "reason"
                                                                                 : "message"));
}

static json_t *
row_of(const char *plural, json_t *object)
{
        const char *const *columns = columns_of(plural);
        json_t *cells = json_array();
        json_t *meta = json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion",
            "meta.k8s.io/v1", "metadata", api_at(object, "metadata"));

        add_text(cells, api_format("%s", api_text(object, "metadata.name")));
        for (size_t idx = 0; idx < 4 && columns[idx] != NULL; idx++)
                add_text(cells, cell_of(plural, columns[idx], object));
        add_text(cells, age_of(object));
        return json_pack("{s:o, s:o}", "cells", cells, "object", meta);
}

static json_t *
table_of(const struct api_type *type, const json_t *value)
{
        const char *const *columns = columns_of(type->plural);
        json_t *table = json_pack("{s:s, s:s, s:{}, s:[], s:[]}", "kind", "Table", "apiVersion",
            "meta.k8s.io/v1", "metadata", "columnDefinitions", "rows");
        json_t *items = api_at(value, "items");

        add_column(table, "Name");
        for (size_t idx = 0; idx < 4 && columns[idx] != NULL; idx++)
                add_column(table, columns[idx]);
        add_column(table, "Age");
        if (items == NULL) {
                api_set(table, "metadata.resourceVersion",
                    api_copy(api_at(value, "metadata.resourceVersion")));
                json_array_append_new(
                    api_at(table, "rows"), row_of(type->plural, (json_t *)(uintptr_t)value));
                return table;
        }
        json_object_set(table, "metadata", api_at(value, "metadata"));
        for (size_t idx = 0; idx < json_array_size(items); idx++)
                json_array_append_new(
                    api_at(table, "rows"), row_of(type->plural, json_array_get(items, idx)));
        return table;
}

json_t *
api_as_table(struct api_conn *conn, const struct api_type *type, json_t *value)
{
        char *accept = api_header(&conn->request, "Accept");

        if (accept != NULL && strncmp(accept, "application/json;as=Table;v=v1;", 31) == 0) {
                json_t *table = table_of(type, value);
                json_decref(value);
                value = api_checked(table);
        }
        free(accept);
        return value;
}
