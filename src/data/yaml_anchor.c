#include "yaml_internal.h"

#include <string.h>

#include "moonkeep/mem.h"

static int
grow(struct yaml_tree *tree, struct err *err)
{
        if (tree->anchors_count < tree->anchors_cap)
                return 0;
        size_t cap = tree->anchors_cap != 0 ? tree->anchors_cap * 2 : 8;
        void *anchors = mem_realloc(tree->anchors, cap * sizeof(*tree->anchors), err);
        if (anchors == NULL)
                return -1;
        tree->anchors = anchors;
        tree->anchors_cap = cap;
        return 0;
}

size_t
yaml_anchor_add(struct yaml_tree *tree, const char *name, struct err *err)
{
        if (tree->anchor_names == NULL) {
                tree->anchor_names = json_new_object(err);
                if (tree->anchor_names == NULL)
                        return 0;
        }
        if (grow(tree, err) < 0)
                return 0;
        size_t idx = tree->anchors_count;
        /* A name may be given again: an alias means the last one in front of it. */
        if (json_set(tree->anchor_names, name, strlen(name), json_new_int((int64_t)idx, err), err) <
            0)
                return 0;
        tree->anchors[idx] = (struct yaml_anchor){ .value = NULL };
        return ++tree->anchors_count;
}

int
yaml_anchor_set_scalar(
    struct yaml_anchor *anchor, const struct yaml_scalar *scalar, struct err *err)
{
        anchor->text = mem_alloc(scalar->len + 1, err);
        if (anchor->text == NULL)
                return -1;
        memcpy(anchor->text, scalar->text, scalar->len);
        anchor->text[scalar->len] = '\0';
        if (scalar->tag != NULL) {
                anchor->tag = mem_strdup(scalar->tag, err);
                if (anchor->tag == NULL)
                        return -1;
        }
        anchor->scalar = *scalar;
        anchor->scalar.text = anchor->text;
        anchor->scalar.tag = anchor->tag;
        anchor->is_scalar = true;
        return 0;
}

struct yaml_anchor *
yaml_anchor_find(struct yaml_tree *tree, const char *name, struct err *err)
{
        const struct json *idx =
            tree->anchor_names != NULL ? json_get(tree->anchor_names, name) : NULL;

        if (idx == NULL) {
                err_set(err, ERR_INVALID, "there is no anchor \"%s\"", name);
                return NULL;
        }
        struct yaml_anchor *anchor = &tree->anchors[json_int(idx)];
        if (!anchor->is_scalar && anchor->value == NULL) {
                err_set(err, ERR_INVALID, "the value of the anchor \"%s\" contains itself", name);
                return NULL;
        }
        return anchor;
}

void
yaml_anchor_forget(struct yaml_tree *tree)
{
        for (size_t idx = 0; idx < tree->anchors_count; idx++) {
                json_free(tree->anchors[idx].value);
                mem_free(tree->anchors[idx].text);
                mem_free(tree->anchors[idx].tag);
        }
        tree->anchors_count = 0;
        json_free(tree->anchor_names);
        tree->anchor_names = NULL;
}
