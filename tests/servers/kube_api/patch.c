#include "servers/kube_api/patch.h"

#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"

void
api_merge(json_t *target, const json_t *patch)
{
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)(uintptr_t)patch, key, value)
        {
                json_t *old = json_object_get(target, key);
                if (json_is_null(value)) {
                        json_object_del(target, key);
                } else if (json_is_object(value)) {
                        /* Also a new object loses its nulls. */
                        if (!json_is_object(old)) {
                                old = json_object();
                                json_object_set_new(target, key, old);
                        }
                        api_merge(old, value);
                } else {
                        json_object_set_new(target, key, api_copy(value));
                }
        }
}

const char *
api_key_of_list(const json_t *list)
{
        static const char *const keys[] = { "uid", "mountPath", "containerPort", "port", "name",
                "type" };

        if (json_array_size(list) == 0)
                return NULL;
        for (size_t key = 0; key < sizeof(keys) / sizeof(keys[0]); key++) {
                bool all = true;
                for (size_t idx = 0; idx < json_array_size(list) && all; idx++) {
                        const json_t *item = json_array_get(list, idx);
                        if (api_at(item, "$patch") != NULL && api_at(item, keys[key]) == NULL)
                                continue;
                        all = json_is_object(item) && json_object_get(item, keys[key]) != NULL;
                }
                if (all)
                        return keys[key];
        }
        return NULL;
}

json_t *
api_list_find(const json_t *list, const char *key, const json_t *value)
{
        for (size_t idx = 0; idx < json_array_size(list); idx++) {
                json_t *item = json_array_get(list, idx);
                if (json_equal(json_object_get(item, key), value))
                        return item;
        }
        return NULL;
}

static bool
is_directive(const json_t *value, const char *directive)
{
        return strcmp(api_text(value, "$patch"), directive) == 0;
}

static void
merge_list(json_t *old, const json_t *patch, const char *key)
{
        for (size_t idx = 0; idx < json_array_size(patch); idx++) {
                const json_t *item = json_array_get(patch, idx);
                json_t *found = api_list_find(old, key, json_object_get(item, key));
                if (is_directive(item, "delete")) {
                        for (size_t at = 0; found != NULL && at < json_array_size(old); at++) {
                                if (json_array_get(old, at) == found) {
                                        json_array_remove(old, at);
                                        break;
                                }
                        }
                } else if (is_directive(item, "replace")) {
                        continue;
                } else if (found != NULL) {
                        api_merge_strategic(found, item);
                } else {
                        json_t *fresh = json_object();
                        api_merge_strategic(fresh, item);
                        json_array_append_new(old, fresh);
                }
        }
}

/* "$deleteFromPrimitiveList/finalizers": ["a"] */
static void
delete_primitives(json_t *target, const char *name, const json_t *values)
{
        json_t *list = json_object_get(target, name);

        for (size_t idx = 0; idx < json_array_size(values); idx++) {
                for (size_t at = json_array_size(list); at-- > 0;) {
                        if (json_equal(json_array_get(list, at), json_array_get(values, idx)))
                                json_array_remove(list, at);
                }
        }
}

void
api_merge_strategic(json_t *target, const json_t *patch)
{
        const char *key;
        json_t *value;

        if (is_directive(patch, "replace"))
                json_object_clear(target);
        json_object_foreach((json_t *)(uintptr_t)patch, key, value)
        {
                json_t *old = json_object_get(target, key);
                if (strncmp(key, "$deleteFromPrimitiveList/", 25) == 0)
                        delete_primitives(target, key + 25, value);
                if (*key == '$')
                        continue;
                if (json_is_null(value) || is_directive(value, "delete")) {
                        json_object_del(target, key);
                } else if (json_is_object(value)) {
                        if (!json_is_object(old)) {
                                old = json_object();
                                json_object_set_new(target, key, old);
                        }
                        api_merge_strategic(old, value);
                } else if (json_is_array(value) && api_key_of_list(value) != NULL) {
                        if (!json_is_array(old)) {
                                old = json_array();
                                json_object_set_new(target, key, old);
                        }
                        merge_list(old, value, api_key_of_list(value));
                } else if (json_is_array(value) && strcmp(key, "finalizers") == 0 &&
                           json_is_array(old)) {
                        json_t *once = json_pack("{s:O}", key, old);
                        delete_primitives(once, key, value);
                        json_decref(once);
                        json_array_extend(old, value);
                } else {
                        json_object_set_new(target, key, api_copy(value));
                }
        }
}

/* RFC 6902. */

/* The next token of a JSON pointer, decoded, to be freed; *pointer is behind it. */
static char *
next_token(const char **pointer)
{
        size_t len = strcspn(++*pointer, "/");
        char *token = fault_checked(strndup(*pointer, len));
        char *out = token;

        for (const char *at = token; *at != '\0'; at++) {
                if (at[0] == '~' && (at[1] == '0' || at[1] == '1'))
                        *out++ = *++at == '0' ? '~' : '/';
                else
                        *out++ = *at;
        }
        *out = '\0';
        *pointer += len;
        return token;
}

static json_t *
child(json_t *value, const char *token)
{
        char *end;

        if (json_is_object(value))
                return json_object_get(value, token);
        size_t idx = strtoul(token, &end, 10);
        return json_is_array(value) && *token != '\0' && *end == '\0' ? json_array_get(value, idx)
                                                                      : NULL;
}

/* The value that the pointer's last token is in; *last is that token, to be freed. */
static json_t *
parent(json_t *root, const char *pointer, char **last)
{
        *last = NULL;
        if (*pointer != '/')
                return NULL;
        for (;;) {
                char *token = next_token(&pointer);
                if (*pointer == '\0') {
                        *last = token;
                        return root;
                }
                root = child(root, token);
                free(token);
                if (root == NULL)
                        return NULL;
        }
}

static bool
put_at(json_t *holder, const char *token, json_t *value, bool replaces)
{
        if (json_is_object(holder)) {
                if (replaces && json_object_get(holder, token) == NULL)
                        return false;
                return json_object_set(holder, token, value) == 0;
        }
        if (!json_is_array(holder))
                return false;
        if (strcmp(token, "-") == 0 && !replaces)
                return json_array_append(holder, value) == 0;
        size_t idx = strtoul(token, NULL, 10);
        return (replaces ? json_array_set(holder, idx, value)
                         : json_array_insert(holder, idx, value)) == 0;
}

static bool
remove_at(json_t *holder, const char *token)
{
        if (json_is_object(holder))
                return json_object_del(holder, token) == 0;
        return json_array_remove(holder, strtoul(token, NULL, 10)) == 0;
}

static json_t *
value_at(json_t *root, const char *pointer)
{
        char *token;

        if (*pointer == '\0')
                return root;
        json_t *holder = parent(root, pointer, &token);
        json_t *value = holder != NULL ? child(holder, token) : NULL;
        free(token);
        return value;
}

static bool
operate(json_t *root, const json_t *operation)
{
        const char *op = api_text(operation, "op");
        const char *path = api_text(operation, "path");
        json_t *value = json_object_get(operation, "value");
        bool is_move = strcmp(op, "move") == 0;
        char *token;
        bool done = false;

        if (strcmp(op, "test") == 0) {
                const json_t *found = value_at(root, path);
                return found != NULL ? json_equal(found, value) == 1 : json_is_null(value);
        }
        if (is_move || strcmp(op, "copy") == 0) {
                value = value_at(root, api_text(operation, "from"));
                json_incref(value);
                if (is_move && value != NULL) {
                        json_t *holder = parent(root, api_text(operation, "from"), &token);
                        remove_at(holder, token);
                        free(token);
                }
        } else {
                json_incref(value);
        }
        json_t *holder = parent(root, path, &token);
        if (holder != NULL && strcmp(op, "remove") == 0) {
                done = remove_at(holder, token);
        } else if (holder != NULL && value != NULL) {
                json_t *own = api_copy(value);
                done = put_at(holder, token, own, strcmp(op, "replace") == 0);
                json_decref(own);
        }
        free(token);
        json_decref(value);
        return done;
}

json_t *
api_patch_json(const json_t *target, const json_t *operations, char **why)
{
        json_t *result = api_copy(target);

        for (size_t idx = 0; idx < json_array_size(operations); idx++) {
                const json_t *operation = json_array_get(operations, idx);
                if (operate(result, operation))
                        continue;
                const char *op = api_text(operation, "op");
                const char *path = api_text(operation, "path");
                if (strcmp(op, "test") == 0)
                        *why = api_format("testing value %s failed: test failed", path);
                else
                        *why =
                            api_format("%s operation does not apply: doc is missing path: \"%s\": "
                                       "missing value",
                                op, path);
                json_decref(result);
                return NULL;
        }
        return result;
}
