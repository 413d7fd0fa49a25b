#include "kube_config_internal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/yaml.h"

/* Our own copy, which is freed next: any string in it may be a key or a token. */
static void
wipe(const struct json *value)
{
        size_t len;
        const char *text = json_string(value, &len);
        struct json *child;
        void *iter = NULL;
        const char *key;
        size_t key_len;

        if (text != NULL)
                secret_wipe((char *)(uintptr_t)text, len);
        for (size_t idx = 0; idx < json_array_len(value); idx++)
                wipe(json_array_at(value, idx));
        if (json_type_of(value) != JSON_T_OBJECT)
                return;
        while (json_object_next(value, &iter, &key, &key_len, &child))
                wipe(child);
}

static void
doc_clear(struct kube_doc *doc)
{
        if (doc->values != NULL)
                wipe(doc->values);
        json_free(doc->values);
        mem_free(doc->path);
        mem_free(doc->dir);
        memset(doc, 0, sizeof(*doc));
}

void
kube_docs_clear(struct kube_docs *docs)
{
        while (docs->count > 0)
                doc_clear(&docs->items[--docs->count]);
}

/* The directory of the file, absolute. */
static char *
directory_of(const char *path, struct err *err)
{
        char *parent = path_parent(path, err);
        char here[4096];

        if (parent == NULL || *parent == '/')
                return parent;
        char *dir = NULL;
        if (getcwd(here, sizeof(here)) == NULL)
                err_sys(err, "cannot find the working directory");
        else
                dir = path_join(here, parent, err);
        mem_free(parent);
        return dir;
}

static int
check_root(const struct kube_doc *doc, struct err *err)
{
        const struct json *kind = json_get(doc->root, "kind");
        const char *text = json_string(kind, NULL);

        if (json_type_of(doc->root) != JSON_T_OBJECT)
                return err_set(err, ERR_INVALID, "it is no mapping");
        if (text != NULL && strcmp(text, "Config") != 0)
                return err_set(err, ERR_INVALID, "its kind is \"%.64s\", not \"Config\"", text);
        return 0;
}

/* What stands at a place may be a secret (a password that begins with "*"); the place is told. */
static void
hide_quoted(struct err *err)
{
        char *from = err != NULL ? strchr(err->msg, '"') : NULL;
        const char *to = err != NULL ? strrchr(err->msg, '"') : NULL;
        char rest[256];

        if (from == NULL || to == from)
                return;
        snprintf(rest, sizeof(rest), "%s", to);
        snprintf(from + 1, sizeof(err->msg) - (size_t)(from + 1 - err->msg), "...%s", rest);
}

int
kube_docs_add(
    struct kube_docs *docs, const char *path, const char *text, size_t len, struct err *err)
{
        struct kube_doc doc = { 0 };

        if (docs->count == KUBE_CONFIG_FILES_MAX)
                return err_set(err, ERR_INVALID, "there are more than %d kubeconfig files",
                    KUBE_CONFIG_FILES_MAX);
        doc.path = mem_strdup(path, err);
        doc.dir = doc.path != NULL ? directory_of(path, err) : NULL;
        if (doc.dir == NULL)
                goto fail;
        doc.values = yaml_parse(text, len, err);
        if (doc.values == NULL) {
                hide_quoted(err);
                goto bad;
        }
        size_t count = json_array_len(doc.values);
        if (count > 1) {
                err_set(err, ERR_INVALID, "it has %zu YAML documents, not one", count);
                goto bad;
        }
        doc.root = count == 1 ? json_array_at(doc.values, 0) : NULL;
        if (doc.root != NULL && json_type_of(doc.root) == JSON_T_NULL)
                doc.root = NULL;
        if (doc.root != NULL && check_root(&doc, err) < 0)
                goto bad;
        docs->items[docs->count++] = doc;
        return 0;

bad:
        kube_one_line(err);
        err_prefix(err, "cannot use kubeconfig \"%s\"", path);
fail:
        doc_clear(&doc);
        return -1;
}

int
kube_docs_read(struct kube_docs *docs, const char *path, struct err *err)
{
        struct buf text;
        struct stat st;
        int rc = 0;

        /* Who wants none says /dev/null. */
        if (stat(path, &st) == 0 && S_ISCHR(st.st_mode))
                return kube_docs_add(docs, path, "", 0, err);
        buf_init(&text, KUBE_CONFIG_FILE_MAX);
        rc = file_read(path, &text, err);
        if (rc < 0)
                err_prefix(err, "cannot use kubeconfig \"%s\"", path);
        else
                rc = kube_docs_add(docs, path, text.data != NULL ? text.data : "", text.len, err);
        if (text.data != NULL)
                secret_wipe(text.data, text.cap);
        buf_free(&text);
        return rc;
}

/* The list at the top of the file; 0 with NULL where it is absent. */
static int
top_list(const struct kube_doc *doc, const char *list, const struct json **out, struct err *err)
{
        struct kube_entry top = { .doc = doc, .value = doc->root };

        *out = NULL;
        return kube_field_list(&top, list, out, err);
}

/* In one file, where a name may stand only once. */
static int
find_in(const struct kube_doc *doc, const char *list, const char *member, const char *name,
    struct kube_entry *out, struct err *err)
{
        struct kube_entry found = { .doc = doc };
        const struct json *entries;
        int count = 0;

        if (top_list(doc, list, &entries, err) < 0)
                return -1;
        for (size_t idx = 0; idx < json_array_len(entries); idx++) {
                const char *said = NULL;
                snprintf(found.where, sizeof(found.where), "%s[%zu]", list, idx);
                found.value = json_array_at(entries, idx);
                if (json_type_of(found.value) != JSON_T_OBJECT)
                        return kube_bad(err, &found, NULL, "must be a mapping");
                if (kube_field_text(&found, "name", &said, err) < 0)
                        return -1;
                if (said == NULL || strcmp(said, name) != 0)
                        continue;
                snprintf(found.where, sizeof(found.where), "%s[name=%.128s]", list, name);
                if (count++ > 0)
                        return kube_bad(err, &found, NULL, "is there twice");
                if (kube_field_entry(&found, member, out, err) < 0)
                        return -1;
        }
        return count;
}

int
kube_docs_find(const struct kube_docs *docs, const char *list, const char *member, const char *name,
    struct kube_entry *out, struct err *err)
{
        for (size_t idx = 0; idx < docs->count; idx++) {
                int found = find_in(&docs->items[idx], list, member, name, out, err);
                if (found != 0)
                        return found;
        }
        return 0;
}

void
kube_docs_names(const struct kube_docs *docs, const char *list, char *out, size_t size)
{
        size_t used = 0;

        out[0] = '\0';
        for (size_t idx = 0; idx < docs->count; idx++) {
                const struct json *entries;
                if (top_list(&docs->items[idx], list, &entries, NULL) < 0)
                        continue;
                for (size_t at = 0; at < json_array_len(entries); at++) {
                        const struct json *entry = json_array_at(entries, at);
                        const char *name = json_string(json_get(entry, "name"), NULL);
                        if (name == NULL || used + strlen(name) + 8 > size)
                                continue;
                        used += (size_t)snprintf(
                            out + used, size - used, "%s\"%s\"", used > 0 ? ", " : "", name);
                }
        }
}
