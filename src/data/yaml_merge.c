#include "yaml_internal.h"

static int
wrong_value(struct err *err)
{
        return err_set(
            err, ERR_INVALID, "what \"<<\" merges has to be a mapping or a list of mappings");
}

static int
merge_object(struct json *object, const struct json *from, struct err *err)
{
        struct json *child;
        const char *key;
        size_t key_len;
        void *iter = NULL;

        if (json_type_of(from) != JSON_T_OBJECT)
                return wrong_value(err);
        while (json_object_next(from, &iter, &key, &key_len, &child)) {
                /* from is this document's own, and finished: its members may lie here, too. */
                json_incref(json_inner(child));
                if (json_set(object, key, key_len, child, err) < 0)
                        return -1;
        }
        return 0;
}

int
yaml_merge(struct json *object, const struct json *value, struct err *err)
{
        if (json_type_of(value) != JSON_T_ARRAY)
                return merge_object(object, value, err);
        /* The first mapping of a list wins. */
        for (size_t idx = json_array_len(value); idx > 0; idx--) {
                if (merge_object(object, json_array_at(value, idx - 1), err) < 0)
                        return -1;
        }
        return 0;
}
