#include "yaml_internal.h"

#include <string.h>

#include "moonkeep/mem.h"

int
yaml_tree_init(struct yaml_tree *tree, struct err *err)
{
        *tree = (struct yaml_tree){ .depth = 0 };
        tree->documents = json_new_array(err);
        return tree->documents != NULL ? 0 : -1;
}

static void
free_level(struct yaml_level *level)
{
        json_free(level->container);
        json_free(level->own_keys);
        buf_free(&level->key);
}

void
yaml_tree_free(struct yaml_tree *tree)
{
        while (tree->depth > 0)
                free_level(&tree->levels[--tree->depth]);
        mem_free(tree->levels);
        yaml_anchor_forget(tree);
        mem_free(tree->anchors);
        json_free(tree->root);
        json_free(tree->documents);
}

static struct yaml_level *
top(const struct yaml_tree *tree)
{
        return tree->depth > 0 ? &tree->levels[tree->depth - 1] : NULL;
}

bool
yaml_tree_wants_key(const struct yaml_tree *tree)
{
        const struct yaml_level *level = top(tree);

        return level != NULL && level->object && !level->has_key && !level->merging;
}

/* One node more, with text of that length. */
static int
count(struct yaml_tree *tree, size_t text_len, struct err *err)
{
        tree->nodes++;
        tree->bytes += text_len;
        if (tree->nodes > YAML_NODES_MAX)
                return err_set(err, ERR_TOO_BIG, "more than %d values", YAML_NODES_MAX);
        if (tree->bytes > YAML_TEXT_MAX)
                return err_set(err, ERR_TOO_BIG, "strings of more than %zu bytes", YAML_TEXT_MAX);
        return 0;
}

static int
too_deep(struct err *err)
{
        return err_set(err, ERR_TOO_BIG, "nested more than %d deep", YAML_DEPTH_MAX);
}

/* Merge value, which is freed, into the object at hand. */
static int
merge(struct yaml_level *level, struct json *value, struct err *err)
{
        struct json *child;
        const char *key;
        size_t key_len;
        void *iter = NULL;
        int rc = 0;

        level->merging = false;
        if (level->own_keys == NULL) {
                /* From now on a key may be there without having been written there. */
                level->own_keys = json_new_object(err);
                if (level->own_keys == NULL)
                        rc = -1;
                while (rc == 0 && json_object_next(level->container, &iter, &key, &key_len, &child))
                        rc = json_set(level->own_keys, key, key_len, json_new_null(err), err);
        }
        if (rc == 0)
                rc = yaml_merge(level->container, value, err);
        json_free(value);
        return rc;
}

/* Put a value, which is taken, where the text has it. */
static int
place(struct yaml_tree *tree, struct json *value, struct err *err)
{
        struct yaml_level *level = top(tree);

        if (value == NULL)
                return -1;
        if (level == NULL) {
                tree->root = value;
                return 0;
        }
        if (level->merging)
                return merge(level, value, err);
        if (!level->object)
                return json_append(level->container, value, err);
        level->has_key = false;
        return json_set(level->container, level->key.data, level->key.len, value, err);
}

static int
set_key(struct yaml_tree *tree, const struct yaml_scalar *scalar, struct err *err)
{
        struct yaml_level *level = top(tree);
        struct json *seen = level->own_keys != NULL ? level->own_keys : level->container;

        if (scalar->plain && scalar->tag == NULL && scalar->len == 2 &&
            memcmp(scalar->text, "<<", 2) == 0) {
                level->merging = true;
                return 0;
        }
        /* An empty key is a text, too. */
        buf_clear(&level->key);
        level->key.max = scalar->len + YAML_NUMBER_SIZE;
        if (buf_reserve(&level->key, 1, err) == NULL)
                return -1;
        level->key.data[0] = '\0';
        if (yaml_scalar_key(scalar, &level->key, err) < 0 || count(tree, level->key.len, err) < 0)
                return -1;
        if (json_get(seen, level->key.data) != NULL) {
                char text[YAML_SHOWN_SIZE];
                return err_set(err, ERR_INVALID, "the key \"%s\" is there twice",
                    yaml_shown(level->key.data, level->key.len, text));
        }
        level->has_key = true;
        if (level->own_keys == NULL)
                return 0;
        return json_set(level->own_keys, level->key.data, level->key.len, json_new_null(err), err);
}

static int
add_scalar(struct yaml_tree *tree, const struct yaml_scalar *scalar, struct err *err)
{
        if (yaml_tree_wants_key(tree))
                return set_key(tree, scalar, err);
        if (count(tree, scalar->len, err) < 0)
                return -1;
        return place(tree, yaml_scalar_value(scalar, err), err);
}

int
yaml_tree_scalar(
    struct yaml_tree *tree, const struct yaml_scalar *scalar, const char *anchor, struct err *err)
{
        if (anchor != NULL) {
                size_t idx = yaml_anchor_add(tree, anchor, err);
                if (idx == 0 || yaml_anchor_set_scalar(&tree->anchors[idx - 1], scalar, err) < 0)
                        return -1;
        }
        return add_scalar(tree, scalar, err);
}

static int
grow(struct yaml_tree *tree, struct err *err)
{
        if (tree->depth < tree->levels_cap)
                return 0;
        size_t cap = tree->levels_cap != 0 ? tree->levels_cap * 2 : 16;
        void *levels = mem_realloc(tree->levels, cap * sizeof(*tree->levels), err);
        if (levels == NULL)
                return -1;
        tree->levels = levels;
        tree->levels_cap = cap;
        return 0;
}

int
yaml_tree_open(struct yaml_tree *tree, bool object, const char *anchor, struct err *err)
{
        struct yaml_level level = { .object = object };

        if (yaml_tree_wants_key(tree))
                return err_set(err, ERR_INVALID, "a list or a mapping cannot be a key");
        if (tree->depth == YAML_DEPTH_MAX)
                return too_deep(err);
        if (count(tree, 0, err) < 0 || grow(tree, err) < 0)
                return -1;
        if (anchor != NULL) {
                level.anchor = yaml_anchor_add(tree, anchor, err);
                if (level.anchor == 0)
                        return -1;
        }
        level.container = object ? json_new_object(err) : json_new_array(err);
        if (level.container == NULL)
                return -1;
        buf_init(&level.key, 0);
        tree->levels[tree->depth++] = level;
        return 0;
}

int
yaml_tree_close(struct yaml_tree *tree, struct err *err)
{
        struct yaml_level *level = &tree->levels[--tree->depth];
        struct json *value = level->container;

        level->container = NULL;
        if (level->anchor != 0)
                tree->anchors[level->anchor - 1].value = json_outer(json_incref(json_inner(value)));
        free_level(level);
        return place(tree, value, err);
}

/* A copy of a value that will lie below depth containers. */
static struct json *
copy(struct yaml_tree *tree, const struct json *value, size_t depth, struct err *err)
{
        struct json *into, *child;
        const char *text = NULL;
        size_t len = 0;
        int64_t integer;

        enum json_type type = json_type_of(value);
        if (type == JSON_T_STRING)
                text = json_string(value, &len);
        if (count(tree, len, err) < 0)
                return NULL;
        if (tree->from_json && type == JSON_T_REAL &&
            yaml_float_is_integer(json_real(value), &integer))
                return json_new_int(integer, err);
        if (type == JSON_T_STRING)
                return json_new_string(text, len, err);
        if (type != JSON_T_ARRAY && type != JSON_T_OBJECT)
                return json_outer(json_incref(json_inner(value)));

        if (depth == YAML_DEPTH_MAX) {
                too_deep(err);
                return NULL;
        }
        into = type == JSON_T_ARRAY ? json_new_array(err) : json_new_object(err);
        if (into == NULL)
                return NULL;
        for (size_t idx = 0; type == JSON_T_ARRAY && idx < json_array_len(value); idx++) {
                child = copy(tree, json_array_at(value, idx), depth + 1, err);
                if (json_append(into, child, err) < 0)
                        goto fail;
        }
        void *iter = NULL;
        while (type == JSON_T_OBJECT && json_object_next(value, &iter, &text, &len, &child)) {
                if (count(tree, len, err) < 0 ||
                    json_set(into, text, len, copy(tree, child, depth + 1, err), err) < 0)
                        goto fail;
        }
        return into;
fail:
        json_free(into);
        return NULL;
}

int
yaml_tree_copy(struct yaml_tree *tree, const struct json *value, struct err *err)
{
        return place(tree, copy(tree, value, tree->depth, err), err);
}

int
yaml_tree_alias(struct yaml_tree *tree, const char *name, struct err *err)
{
        const struct yaml_anchor *anchor = yaml_anchor_find(tree, name, err);

        if (anchor == NULL)
                return -1;
        if (anchor->is_scalar)
                return add_scalar(tree, &anchor->scalar, err);
        if (yaml_tree_wants_key(tree))
                return err_set(err, ERR_INVALID, "a list or a mapping cannot be a key");
        return yaml_tree_copy(tree, anchor->value, err);
}

int
yaml_tree_end_document(struct yaml_tree *tree, struct err *err)
{
        struct json *root = tree->root;

        tree->root = NULL;
        yaml_anchor_forget(tree);
        return root != NULL ? json_append(tree->documents, root, err) : 0;
}
