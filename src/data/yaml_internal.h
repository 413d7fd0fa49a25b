/*
 * What the files of the YAML module share: what a scalar means, and the tree
 * that becomes of a text.  The events are libyaml's (yaml_parse.c), the values
 * jansson's.
 */
#ifndef MOONKEEP_DATA_YAML_INTERNAL_H
#define MOONKEEP_DATA_YAML_INTERNAL_H

#include "json_internal.h"

#include "moonkeep/yaml.h"

/* What a plain scalar resolves to. */
enum yaml_kind {
        YAML_KIND_NULL,
        YAML_KIND_BOOL,
        YAML_KIND_INT,
        YAML_KIND_WIDE, /* an integer past int64, within uint64 */
        YAML_KIND_FLOAT,
        YAML_KIND_STRING
};

struct yaml_resolved {
        enum yaml_kind kind;
        bool boolean;
        int64_t integer;
        double real; /* of WIDE and FLOAT; may be infinite or no number */
};

/* A scalar as it stands in the text. */
struct yaml_scalar {
        const char *text;
        size_t len;
        const char *tag; /* "tag:yaml.org,2002:int", or NULL */
        bool plain;      /* neither quoted nor tagged: resolved by what it looks like */
};

/* yaml_resolve: what a plain scalar is; fails only for want of memory. */
int yaml_resolve(const char *text, size_t len, struct yaml_resolved *out, struct err *err);

/* yaml_resolve_number: the same, for a text that begins with a sign, a digit or a dot. */
int yaml_resolve_number(const char *text, size_t len, struct yaml_resolved *out, struct err *err);

/* yaml_scalar_value: the value of a scalar. */
struct json *yaml_scalar_value(const struct yaml_scalar *scalar, struct err *err);

/* yaml_scalar_key: the key that it is in JSON, appended to out. */
int yaml_scalar_key(const struct yaml_scalar *scalar, struct buf *out, struct err *err);

/* yaml_shown: the beginning of a text, fit for a message. */
#define YAML_SHOWN_SIZE 64
const char *yaml_shown(const char *text, size_t len, char out[YAML_SHOWN_SIZE]);

/* Room for any number's text. */
#define YAML_NUMBER_SIZE 48

/* yaml_float_is_integer: is the number an integer of 64 bits once it is JSON text? */
bool yaml_float_is_integer(double value, int64_t *out);

/* yaml_float_key, yaml_float_text: a finite number as a key, and as it is written. */
void yaml_float_key(double value, char out[YAML_NUMBER_SIZE]);
void yaml_float_text(double value, char out[YAML_NUMBER_SIZE]);

/* An array or object whose end has not come. */
struct yaml_level {
        struct json *container;
        struct json *own_keys; /* of an object with merges: the keys that are no merge's */
        struct buf key;        /* that the next value belongs to */
        bool object;
        bool has_key;
        bool merging; /* the next value is merged into the object */
        size_t anchor;
};

/* What a name refers to: a container, or a scalar as it stood there. */
struct yaml_anchor {
        struct json *value; /* NULL while the container is open */
        struct yaml_scalar scalar;
        char *text;
        char *tag;
        bool is_scalar;
};

struct yaml_tree {
        struct json *documents;
        struct json *root; /* of the document at hand */
        struct yaml_level *levels;
        size_t depth;
        size_t levels_cap;
        struct yaml_anchor *anchors;
        size_t anchors_count;
        size_t anchors_cap;
        struct json *anchor_names; /* name -> index; NULL while there is none */
        size_t nodes;
        size_t bytes;
        bool from_json; /* reals that JSON text would make integers are made that */
};

int yaml_tree_init(struct yaml_tree *tree, struct err *err);
void yaml_tree_free(struct yaml_tree *tree);

/* yaml_tree_wants_key: is the next node the key of a mapping? */
bool yaml_tree_wants_key(const struct yaml_tree *tree);

/*
 * Add what comes next in the text.  Errors do not say where: the caller knows.
 * yaml_tree_copy adds a copy of a finished value.  anchor may be NULL.
 */
int yaml_tree_scalar(
    struct yaml_tree *tree, const struct yaml_scalar *scalar, const char *anchor, struct err *err);
int yaml_tree_open(struct yaml_tree *tree, bool object, const char *anchor, struct err *err);
int yaml_tree_close(struct yaml_tree *tree, struct err *err);
int yaml_tree_alias(struct yaml_tree *tree, const char *anchor, struct err *err);
int yaml_tree_copy(struct yaml_tree *tree, const struct json *value, struct err *err);

/* yaml_tree_end_document: what was added is a document (nothing, if nothing was). */
int yaml_tree_end_document(struct yaml_tree *tree, struct err *err);

/* Names of values (yaml_anchor.c).  yaml_anchor_add gives the index, from 1. */
size_t yaml_anchor_add(struct yaml_tree *tree, const char *name, struct err *err);
int yaml_anchor_set_scalar(
    struct yaml_anchor *anchor, const struct yaml_scalar *scalar, struct err *err);
struct yaml_anchor *yaml_anchor_find(struct yaml_tree *tree, const char *name, struct err *err);
void yaml_anchor_forget(struct yaml_tree *tree);

/*
 * yaml_merge: put the members of value, an object or an array of them, into
 * object, as "<<" does.
 */
int yaml_merge(struct json *object, const struct json *value, struct err *err);

/*
 * yaml_json_stream: add the documents of a text that is nothing but JSON values,
 * one behind the other.  Returns 1; 0 when it is not such a text; -1.
 */
int yaml_json_stream(struct yaml_tree *tree, const char *text, size_t len, struct err *err);

/* yaml_dump_string: a string as the text behind "key:" or "-", in a block at that column. */
int yaml_dump_string(const char *text, size_t len, size_t column, struct buf *out, struct err *err);

/* yaml_dump_quoted: a string in double quotes. */
int yaml_dump_quoted(const char *text, size_t len, struct buf *out, struct err *err);

#endif
