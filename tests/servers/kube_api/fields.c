#include "servers/kube_api/fields.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/patch.h"
#include "servers/kube_api/status.h"

/* Fields that belong to the server. */
static const char *const servers[] = { "apiVersion", "kind", "status", "metadata.name",
        "metadata.namespace", "metadata.uid", "metadata.resourceVersion", "metadata.generation",
        "metadata.creationTimestamp", "metadata.deletionTimestamp", "metadata.managedFields",
        "metadata.deletionGracePeriodSeconds", "metadata.selfLink", "metadata.generateName" };

static json_t *
without_servers(const json_t *object)
{
        json_t *copy = api_copy(object);

        for (size_t idx = 0; idx < sizeof(servers) / sizeof(servers[0]); idx++)
                api_remove(copy, servers[idx]);
        if (json_object_size(json_object_get(copy, "metadata")) == 0)
                json_object_del(copy, "metadata");
        return copy;
}

/* "k:{"name":"x"}" of a list's item, to be freed. */
static char *
item_name(const char *key, const json_t *item)
{
        json_t *only = json_pack("{s:O}", key, json_object_get(item, key));
        char *text = api_dump(only);
        char *name = api_format("k:%s", text);

        json_decref(only);
        free(text);
        return name;
}

/* The fields of value that are not the same in before (may be NULL), as FieldsV1. */
static json_t *
fields_of(const json_t *value, const json_t *before)
{
        json_t *set = json_object();
        const char *key = api_key_of_list(value);
        const char *name;
        json_t *child;

        json_object_foreach((json_t *)(uintptr_t)value, name, child)
        {
                const json_t *old = json_object_get(before, name);
                if (old != NULL && json_equal(child, old))
                        continue;
                char *field = api_format("f:%s", name);
                json_object_set_new(set, field, fields_of(child, old));
                free(field);
        }
        for (size_t idx = 0; key != NULL && idx < json_array_size(value); idx++) {
                const json_t *item = json_array_get(value, idx);
                const json_t *old = api_list_find(before, key, json_object_get(item, key));
                if (old != NULL && json_equal(item, old))
                        continue;
                char *field = item_name(key, item);
                json_object_set_new(set, field, fields_of(item, old));
                free(field);
        }
        return api_checked(set);
}

static void
unite(json_t *into, const json_t *set)
{
        const char *name;
        json_t *child;

        json_object_foreach((json_t *)(uintptr_t)set, name, child)
        {
                json_t *old = json_object_get(into, name);
                if (old != NULL)
                        unite(old, child);
                else
                        json_object_set_new(into, name, api_copy(child));
        }
}

/* Take the leaves of set out of from. */
static void
subtract(json_t *from, const json_t *set)
{
        const char *name;
        json_t *child;

        json_object_foreach((json_t *)(uintptr_t)set, name, child)
        {
                json_t *old = json_object_get(from, name);
                if (old == NULL)
                        continue;
                if (json_object_size(child) > 0 && json_object_size(old) > 0)
                        subtract(old, child);
                if (json_object_size(child) == 0 || json_object_size(old) == 0)
                        json_object_del(from, name);
        }
}

static json_t *
entry_of(json_t *object, const char *manager, const char *operation)
{
        json_t *entries = api_at(object, "metadata.managedFields");

        if (entries == NULL) {
                entries = json_array();
                api_set(object, "metadata.managedFields", entries);
        }
        for (size_t idx = 0; idx < json_array_size(entries); idx++) {
                json_t *entry = json_array_get(entries, idx);
                if (strcmp(api_text(entry, "manager"), manager) == 0 &&
                    strcmp(api_text(entry, "operation"), operation) == 0)
                        return entry;
        }
        json_t *entry =
            json_pack("{s:s, s:s, s:s, s:s, s:{}}", "manager", manager, "operation", operation,
                "apiVersion", api_text(object, "apiVersion"), "fieldsType", "FieldsV1", "fieldsV1");
        json_array_append_new(entries, api_checked(entry));
        return entry;
}

static void
take_from_others(json_t *object, const json_t *mine, const json_t *set)
{
        json_t *entries = api_at(object, "metadata.managedFields");

        for (size_t idx = json_array_size(entries); idx-- > 0;) {
                json_t *entry = json_array_get(entries, idx);
                if (entry == mine)
                        continue;
                subtract(api_at(entry, "fieldsV1"), set);
                if (json_object_size(api_at(entry, "fieldsV1")) == 0)
                        json_array_remove(entries, idx);
        }
}

void
api_fields_note(json_t *object, const json_t *before, const char *manager)
{
        json_t *now = without_servers(object);
        json_t *was = before != NULL ? without_servers(before) : NULL;
        json_t *changed = fields_of(now, was);

        /* What was sent of these is not believed. */
        api_remove(object, "metadata.managedFields");
        if (before != NULL && api_at(before, "metadata.managedFields") != NULL)
                api_set(object, "metadata.managedFields",
                    api_copy(api_at(before, "metadata.managedFields")));
        if (json_object_size(changed) > 0) {
                json_t *entry = entry_of(object, manager, "Update");
                unite(api_at(entry, "fieldsV1"), changed);
                api_set(entry, "time", api_now_json());
                take_from_others(object, entry, changed);
        }
        json_decref(now);
        json_decref(was);
        json_decref(changed);
}

/* Conflicts: fields of theirs that we would give another value; their paths go to out. */
static void
find_conflicts(
    const json_t *applied, const json_t *live, const json_t *theirs, const char *path, json_t *out)
{
        const char *key = api_key_of_list(applied);
        const char *name;
        json_t *child;

        if (theirs == NULL || live == NULL)
                return;
        if (!json_is_object(applied) && key == NULL) {
                if (!json_equal(applied, live))
                        json_array_append_new(out, json_string(path));
                return;
        }
        json_object_foreach((json_t *)(uintptr_t)applied, name, child)
        {
                char *field = api_format("f:%s", name);
                char *deeper = api_format("%s.%s", path, name);
                find_conflicts(child, json_object_get(live, name), json_object_get(theirs, field),
                    deeper, out);
                free(field);
                free(deeper);
        }
        for (size_t idx = 0; key != NULL && idx < json_array_size(applied); idx++) {
                const json_t *item = json_array_get(applied, idx);
                char *field = item_name(key, item);
                char *deeper = api_format("%s[%s]", path, field + 2);
                find_conflicts(item, api_list_find(live, key, json_object_get(item, key)),
                    json_object_get(theirs, field), deeper, out);
                free(field);
                free(deeper);
        }
}

static json_t *
conflicts_with(const json_t *object, const json_t *applied, const char *manager)
{
        const json_t *entries = api_at(object, "metadata.managedFields");

        for (size_t idx = 0; idx < json_array_size(entries); idx++) {
                const json_t *entry = json_array_get(entries, idx);
                json_t *paths = json_array();
                if (strcmp(api_text(entry, "manager"), manager) == 0 &&
                    strcmp(api_text(entry, "operation"), "Apply") == 0) {
                        json_decref(paths);
                        continue;
                }
                find_conflicts(applied, object, api_at(entry, "fieldsV1"), "", paths);
                if (json_array_size(paths) > 0) {
                        const char *first = json_string_value(json_array_get(paths, 0));
                        json_t *status = api_status(409, "Conflict",
                            "Apply failed with %zu conflict%s: conflict with \"%s\" using %s: %s",
                            json_array_size(paths), json_array_size(paths) > 1 ? "s" : "",
                            api_text(entry, "manager"), api_text(entry, "apiVersion"), first);
                        json_t *causes = json_array();
                        for (size_t at = 0; at < json_array_size(paths); at++) {
                                char *message = api_format("conflict with \"%s\" using %s",
                                    api_text(entry, "manager"), api_text(entry, "apiVersion"));
                                json_array_append_new(causes,
                                    json_pack("{s:s, s:s, s:O}", "reason", "FieldManagerConflict",
                                        "message", message, "field", json_array_get(paths, at)));
                                free(message);
                        }
                        api_set(status, "details.causes", causes);
                        json_decref(paths);
                        return status;
                }
                json_decref(paths);
        }
        return NULL;
}

static bool
others_have(const json_t *others, const char *name)
{
        for (size_t idx = 0; idx < json_array_size(others); idx++) {
                if (json_object_get(json_array_get(others, idx), name) != NULL)
                        return true;
        }
        return false;
}

/* What stands in the old set only is removed from live. */
static void
remove_given_up(json_t *live, const json_t *old, const json_t *fresh, const json_t *others)
{
        const char *name;
        json_t *child;

        json_object_foreach((json_t *)(uintptr_t)old, name, child)
        {
                json_t *found = NULL, *item_key = NULL;
                if (strncmp(name, "f:", 2) == 0) {
                        found = json_object_get(live, name + 2);
                } else {
                        const char *key;
                        json_t *value;
                        item_key = json_loads(name + 2, 0, NULL);
                        json_object_foreach(item_key, key, value) found =
                            api_list_find(live, key, value);
                }
                const json_t *again = json_object_get(fresh, name);
                bool kept = others_have(others, name);
                if (found != NULL && again == NULL && !kept) {
                        if (strncmp(name, "f:", 2) == 0) {
                                json_object_del(live, name + 2);
                        } else {
                                for (size_t at = json_array_size(live); at-- > 0;) {
                                        if (json_array_get(live, at) == found)
                                                json_array_remove(live, at);
                                }
                        }
                } else if (found != NULL) {
                        json_t *deeper = json_array();
                        for (size_t idx = 0; idx < json_array_size(others); idx++) {
                                json_t *set = json_object_get(json_array_get(others, idx), name);
                                if (set != NULL)
                                        json_array_append(deeper, set);
                        }
                        remove_given_up(found, child, again, deeper);
                        json_decref(deeper);
                }
                json_decref(item_key);
        }
}

json_t *
api_fields_apply(json_t *object, const json_t *applied, const char *manager, bool force)
{
        json_t *status = conflicts_with(object, applied, manager);

        if (status != NULL && !force)
                return status;
        json_decref(status);

        json_t *plain = without_servers(applied);
        json_t *set = fields_of(plain, NULL);
        json_t *was = without_servers(object);
        json_t *entry = entry_of(object, manager, "Apply");
        json_t *others = json_array();
        const json_t *entries = api_at(object, "metadata.managedFields");
        for (size_t idx = 0; idx < json_array_size(entries); idx++) {
                if (json_array_get(entries, idx) != entry)
                        json_array_append(others, api_at(json_array_get(entries, idx), "fieldsV1"));
        }
        remove_given_up(object, api_at(entry, "fieldsV1"), set, others);
        json_t *merged = api_copy(applied);
        api_remove(merged, "metadata.managedFields");
        api_merge_strategic(object, merged);
        json_t *now = without_servers(object);
        json_t *changed = fields_of(now, was);
        if (force)
                take_from_others(object, entry, changed);
        if (!json_equal(api_at(entry, "fieldsV1"), set) || json_object_size(changed) > 0) {
                json_object_set(entry, "fieldsV1", set);
                api_set(entry, "time", api_now_json());
        }
        json_decref(plain);
        json_decref(set);
        json_decref(was);
        json_decref(now);
        json_decref(others);
        json_decref(merged);
        json_decref(changed);
        return NULL;
}
