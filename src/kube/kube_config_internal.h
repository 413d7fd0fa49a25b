/*
 * What the files of kube_config share.
 */
#ifndef MOONKEEP_KUBE_CONFIG_INTERNAL_H
#define MOONKEEP_KUBE_CONFIG_INTERNAL_H

#include "kube_config.h"
#include "moonkeep/json.h"

/* Files that were read, in the order in which they win. */
struct kube_docs {
        struct kube_doc {
                char *path;
                char *dir;               /* what relative paths in it are relative to */
                struct json *values;     /* the list of YAML's documents; NULL: none */
                const struct json *root; /* of the one; or NULL */
        } items[KUBE_CONFIG_FILES_MAX];
        size_t count;
};

/* kube_docs_read: add the file; a missing one is ERR_NOT_FOUND. */
int kube_docs_read(struct kube_docs *docs, const char *path, struct err *err);
int kube_docs_add(
    struct kube_docs *docs, const char *path, const char *text, size_t len, struct err *err);
/* kube_docs_clear: all strings in them are wiped. */
void kube_docs_clear(struct kube_docs *docs);

/* A mapping in a file, and where it stands: "users[name=admin].user". */
struct kube_entry {
        const struct kube_doc *doc;
        const struct json *value; /* a mapping; or NULL: an empty one */
        char where[320];
};

/*
 * kube_docs_find: the entry called name of the list ("users"), out of the first
 * file that has it: what stands below member ("user").  Returns 1, 0 (there is none), or -1.
 */
int kube_docs_find(const struct kube_docs *docs, const char *list, const char *member,
    const char *name, struct kube_entry *out, struct err *err);

/* kube_docs_names: "a", "b", ... of all entries of the list; for messages. */
void kube_docs_names(const struct kube_docs *docs, const char *list, char *out, size_t size);

/* kube_bad: ERR_INVALID that names the file and the field (NULL: the entry itself).  -1. */
int kube_bad(struct err *err, const struct kube_entry *entry, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

/* kube_one_line: names out of a file may have anything in them; messages have one line. */
void kube_one_line(struct err *err);

/* Fields.  Absent, null and (for texts) empty ones leave *out as it was. */
int kube_field_text(
    const struct kube_entry *entry, const char *name, const char **out, struct err *err);
int kube_field_copy(const struct kube_entry *entry, const char *name, char **out, struct err *err);
int kube_field_bool(const struct kube_entry *entry, const char *name, bool *out, struct err *err);
/* kube_field_path: a path, made absolute against the file's directory. */
int kube_field_path(const struct kube_entry *entry, const char *name, char **out, struct err *err);
/* kube_field_list: a list; NULL where absent. */
int kube_field_list(
    const struct kube_entry *entry, const char *name, const struct json **out, struct err *err);
/* kube_field_entry: a mapping below this one; out->value is NULL where absent. */
int kube_field_entry(
    const struct kube_entry *entry, const char *name, struct kube_entry *out, struct err *err);
/* kube_field_pem: the bytes of NAME-data (base64), or of the file that NAME names, and *file is. */
int kube_field_pem(const struct kube_entry *entry, const char *name, char **out, size_t *len,
    char **file, struct err *err);

/* kube_config_resolve: what the context (NULL: the current one) of the files names; clears docs. */
int kube_config_resolve(
    struct kube_docs *docs, const char *context, struct kube_config *out, struct err *err);

/* kube_config_cluster, kube_config_user, kube_config_exec: read into *out. */
int kube_config_cluster(const struct kube_entry *cluster, struct kube_config *out, struct err *err);
int kube_config_user(const struct kube_entry *user, struct kube_config *out, struct err *err);
int kube_config_exec(const struct kube_entry *exec, struct kube_config *out, struct err *err);
void kube_plugin_free(struct kube_plugin *plugin);

#endif
