/* One page of a listing, as it was received. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "azure_list.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* The service may answer with a page that is empty and says where to go on; not for ever. */
#define EMPTY_PAGES_MAX 10000

/* A blob, or names that are folded into one; all but `own` is borrowed from the page. */
struct entry {
        const char *key;              /* without the store's prefix */
        char *own;                    /* of key, if it was encoded */
        const struct xml *properties; /* NULL: folded */
};

void
azure_etag(const char *text, char out[STORE_ETAG_MAX + 1])
{
        size_t len = strlen(text);

        if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
                text++;
                len -= 2;
        }
        if (len > STORE_ETAG_MAX)
                len = 0;
        memcpy(out, text, len);
        out[len] = '\0';
}

/*
 * A name that XML cannot carry is escaped as in URLs and marked by an
 * attribute, which our tree does not keep: it is made an element.
 */
static void
keep_marks(struct buf *body)
{
        static const char from[] = "<Name Encoded=\"true\">";
        static const char to[] = "<Name><Encoded     />";
        char *at = body->data;
        size_t left = body->len;

        while (left > 0 && (at = memmem(at, left, from, sizeof(from) - 1)) != NULL) {
                memcpy(at, to, sizeof(to) - 1);
                left = body->len - (size_t)(at - body->data);
        }
}

static int
cannot_list(const struct azure_listing *list, struct err *err)
{
        const char *name =
            *list->prefix != '\0' ? list->prefix : store_place(&list->it->object.store);

        return err_prefix(err, "cannot list \"%s\"", name);
}

static int
malformed(const struct azure_listing *list, const char *why, struct err *err)
{
        err_set(err, ERR_PROTOCOL, "the server's answer is malformed: %s", why);
        return cannot_list(list, err);
}

static char *
decode_name(const struct azure_listing *list, const char *text, struct err *err)
{
        struct buf out;
        struct err why;

        err_init(&why);
        buf_init(&out, 4 * STORE_KEY_MAX);
        if (url_decode(text, strlen(text), &out, &why) == 0 && out.len > 0 &&
            memchr(out.data, '\0', out.len) == NULL)
                return buf_detach(&out, err);
        buf_free(&out);
        if (why.code == ERR_NOMEM && err != NULL)
                *err = why;
        else
                malformed(list, "a name that cannot be decoded", err);
        return NULL;
}

static int
read_entry(
    const struct azure_listing *list, const struct xml *element, struct entry *out, struct err *err)
{
        const struct xml *name = xml_first(element, "Name");
        const char *store_prefix = list->it->object.prefix;
        size_t prefix_len = strlen(store_prefix);

        out->key = xml_text(name);
        if (xml_first(name, "Encoded") != NULL) {
                out->own = decode_name(list, out->key, err);
                if (out->own == NULL)
                        return -1;
                out->key = out->own;
        }
        if (strncmp(out->key, store_prefix, prefix_len) != 0)
                return malformed(list, "a name without the prefix", err);
        out->key += prefix_len;
        size_t asked = strlen(list->prefix);
        if (strncmp(out->key, list->prefix, asked) != 0)
                return malformed(list, "a name without the prefix", err);
        if (strcmp(xml_name(element), "Blob") == 0)
                out->properties = xml_first(element, "Properties");
        if (strcmp(xml_name(element), "Blob") == 0 && out->properties == NULL)
                return malformed(list, "a blob without properties", err);
        return 0;
}

static int
read_stat(const struct azure_listing *list, const struct xml *properties, struct store_stat *out,
    struct err *err)
{
        const char *size = xml_text_at(properties, "Content-Length");
        const char *time = xml_text_at(properties, "Last-Modified");
        const char *tier = xml_text_at(properties, "AccessTier");
        const char *etag = xml_text_at(properties, "Etag");
        char *end;

        memset(out, 0, sizeof(*out));
        errno = 0;
        if (size == NULL || *size < '0' || *size > '9')
                return malformed(list, "a blob without a size", err);
        out->size = strtoull(size, &end, 10);
        if (*end != '\0' || errno != 0)
                return malformed(list, "a blob without a size", err);
        /* Blobs that are only about to be written have no time yet. */
        if ((time == NULL || time_http_parse(time, &out->mtime_ms, NULL) < 0) &&
            list->include == NULL)
                return malformed(list, "a blob without a time", err);
        out->archived = tier != NULL && strcmp(tier, "Archive") == 0;
        azure_etag(etag != NULL ? etag : "", out->etag);
        return 0;
}

static int
by_key(const void *left, const void *right)
{
        return strcmp(((const struct entry *)left)->key, ((const struct entry *)right)->key);
}

/* In an account with a hierarchical namespace, directories are blobs, too. */
static bool
is_directory(const struct entry *entry)
{
        const char *type = xml_text_at(entry->properties, "ResourceType");

        return type != NULL && strcmp(type, "directory") == 0;
}

static int
tell(struct azure_listing *list, const struct entry *entry, struct err *err)
{
        struct store_stat stat;
        int order = list->last != NULL ? strcmp(entry->key, list->last) : 1;

        if (is_directory(entry) || (order == 0 && entry->properties == NULL))
                return 0;
        if (order == 0)
                return malformed(list, "a name comes twice", err);
        if (order < 0) {
                malformed(list, "the names are not in order", err);
                return err_hint(err, "an account with a hierarchical namespace (Data Lake) sorts "
                                     "otherwise, and cannot be used");
        }
        if (entry->properties != NULL && read_stat(list, entry->properties, &stat, err) < 0)
                return -1;
        char *last = mem_strdup(entry->key, err);
        if (last == NULL)
                return -1;
        mem_free(list->last);
        list->last = last;
        return list->fn(list->arg, last, entry->properties != NULL ? &stat : NULL, err);
}

/* The entries of a page, in the order of their bytes: servers sort blobs and folded names apart. */
static int
tell_page(struct azure_listing *list, const struct xml *blobs, bool *told, struct err *err)
{
        size_t count = 0, cap = 0;
        struct entry *entries = NULL;
        int rc = -1;

        *told = false;
        for (const struct xml *at = xml_first(blobs, NULL); at != NULL; at = xml_next(at, NULL))
                cap++;
        if (cap == 0)
                return 0;
        entries = mem_zalloc(cap * sizeof(*entries), err);
        if (entries == NULL)
                return -1;
        for (const struct xml *at = xml_first(blobs, NULL); at != NULL; at = xml_next(at, NULL)) {
                if (strcmp(xml_name(at), "Blob") != 0 && strcmp(xml_name(at), "BlobPrefix") != 0)
                        continue;
                if (read_entry(list, at, &entries[count++], err) < 0)
                        goto done;
        }
        qsort(entries, count, sizeof(*entries), by_key);
        for (size_t idx = 0; idx < count; idx++) {
                if (tell(list, &entries[idx], err) < 0)
                        goto done;
        }
        *told = count > 0;
        rc = 0;
done:
        for (size_t idx = 0; idx < count; idx++)
                mem_free(entries[idx].own);
        mem_free(entries);
        return rc;
}

/* Where to go on; NULL at the end. */
static int
take_marker(struct azure_listing *list, const struct xml *root, bool told, struct err *err)
{
        const char *next = xml_text_at(root, "NextMarker");

        if (next == NULL || *next == '\0') {
                mem_free(list->marker);
                list->marker = NULL;
                return 0;
        }
        if (list->marker != NULL && strcmp(next, list->marker) == 0)
                return malformed(list, "it goes on where it was", err);
        list->empty_pages = told ? 0 : list->empty_pages + 1;
        if (list->empty_pages > EMPTY_PAGES_MAX)
                return malformed(list, "it does not end", err);
        char *marker = mem_strdup(next, err);
        if (marker == NULL)
                return -1;
        mem_free(list->marker);
        list->marker = marker;
        return 0;
}

int
azure_page_read(struct azure_listing *list, struct buf *body, struct err *err)
{
        struct err why;
        bool told;
        int rc = -1;

        err_init(&why);
        keep_marks(body);
        struct xml *root = xml_parse(body->data != NULL ? body->data : "", body->len, &why);
        buf_free(body);
        if (root == NULL) {
                if (why.code == ERR_INVALID)
                        return malformed(list, why.msg, err);
                if (err != NULL)
                        *err = why;
                return -1;
        }
        /* The end has its element even when it is empty: without it something is missing. */
        if (strcmp(xml_name(root), "EnumerationResults") != 0 || xml_first(root, "Blobs") == NULL ||
            xml_first(root, "NextMarker") == NULL)
                malformed(list, "it is no list of blobs", err);
        else if (tell_page(list, xml_first(root, "Blobs"), &told, err) == 0)
                rc = take_marker(list, root, told, err);
        xml_free(root);
        return rc;
}

int
azure_list_page(struct azure_store *it, struct buf *body, store_list_fn *fn, void *arg,
    char **marker, struct err *err)
{
        struct azure_listing list = { .it = it, .prefix = "", .fn = fn, .arg = arg };
        int rc = azure_page_read(&list, body, err);

        mem_free(list.last);
        if (rc == 0)
                *marker = list.marker;
        else
                mem_free(list.marker);
        return rc;
}
