/* Uploads that were begun and neither completed nor aborted. */
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "s3.h"

#define PAGE_MAX ((size_t)16 * 1024 * 1024)

static struct xml *
fetch(struct object_store *it, const char *prefix, const struct s3_markers *markers,
    struct cancel *cancel, struct err *err)
{
        struct object_request request;

        object_request_init(&request, it, "list the unfinished uploads of", "GET", NULL);
        object_request_query(&request, "uploads", NULL);
        object_request_query(&request, "encoding-type", "url");
        object_request_query(&request, "prefix", prefix);
        if (markers->key != NULL)
                object_request_query(&request, "key-marker", markers->key);
        if (markers->id != NULL)
                object_request_query(&request, "upload-id-marker", markers->id);
        request.answer_max = PAGE_MAX;
        return s3_call_xml(it, NULL, &request, "ListMultipartUploadsResult", cancel, err);
}

static int
broken(const struct object_store *it, struct err *err, const char *why)
{
        return err_set(err, ERR_PROTOCOL, "cannot list the unfinished uploads of \"%s\": %s",
            store_place(&it->store), why);
}

static int
tell(struct object_store *it, const char *prefix, const struct xml *root, const struct xml *entry,
    s3_upload_fn *fn, void *arg, struct err *err)
{
        const char *began = xml_text_at(entry, "Initiated");
        const char *text = xml_text_at(entry, "Key");
        struct s3_upload upload = { .id = xml_text_at(entry, "UploadId"),
                .class = xml_text_at(entry, "StorageClass") };

        if (text == NULL || upload.id == NULL || *upload.id == '\0')
                return broken(it, err, "an entry has no key or no id");
        if (began == NULL || time_parse(began, &upload.began_ms, NULL) < 0)
                return broken(it, err, "an entry has no date");
        char *key = s3_decoded(root, text, err);
        if (key == NULL)
                return -1;
        upload.key = key;
        /* Servers that do not know about prefixes list all: not ours. */
        int rc = strncmp(key, prefix, strlen(prefix)) == 0 ? fn(arg, &upload, err) : 0;
        mem_free(key);
        return rc;
}

/* 1: there is one, 0: that was all. */
static int
find_next(const struct object_store *it, const struct xml *root, struct s3_markers *markers,
    struct err *err)
{
        const char *truncated = xml_text_at(root, "IsTruncated");
        const char *next_key = xml_text_at(root, "NextKeyMarker");
        const char *next_id = xml_text_at(root, "NextUploadIdMarker");

        if (truncated != NULL && strcmp(truncated, "false") == 0)
                return 0;
        if (truncated == NULL || strcmp(truncated, "true") != 0 || next_key == NULL ||
            *next_key == '\0')
                return broken(it, err, "a page breaks off without saying how to go on");
        char *key = s3_decoded(root, next_key, err);
        char *id = key != NULL ? mem_strdup(next_id != NULL ? next_id : "", err) : NULL;
        bool same = id != NULL && markers->key != NULL && strcmp(markers->key, key) == 0 &&
                    strcmp(markers->id, id) == 0;
        if (id == NULL || same) {
                mem_free(key);
                mem_free(id);
                return same ? broken(it, err, "a page goes on with itself") : -1;
        }
        s3_markers_clear(markers);
        *markers = (struct s3_markers){ key, id };
        return 1;
}

int
s3_uploads_take(struct object_store *it, const char *prefix, const struct xml *root,
    struct s3_markers *markers, s3_upload_fn *fn, void *arg, struct err *err)
{
        for (const struct xml *entry = xml_first(root, "Upload"); entry != NULL;
             entry = xml_next(entry, "Upload")) {
                if (tell(it, prefix, root, entry, fn, arg, err) < 0)
                        return -1;
        }
        return find_next(it, root, markers, err);
}

void
s3_markers_clear(struct s3_markers *markers)
{
        mem_free(markers->key);
        mem_free(markers->id);
}

int
s3_uploads(struct object_store *it, const char *prefix, s3_upload_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        struct s3_markers markers = { NULL, NULL };
        int more;

        do {
                struct xml *root = fetch(it, prefix, &markers, cancel, err);
                more =
                    root != NULL ? s3_uploads_take(it, prefix, root, &markers, fn, arg, err) : -1;
                xml_free(root);
        } while (more > 0);
        s3_markers_clear(&markers);
        return more;
}

/* Sweeping. */

int
s3_upload_request(struct object_request *request, struct object_store *it, const char *doing,
    const char *method, const char *key, const char *id, struct err *err)
{
        object_request_init(request, it, doing, method, NULL);
        request->key = mem_strdup(key, err);
        if (request->key == NULL)
                return -1;
        object_request_query(request, "uploadId", id);
        return 0;
}

struct sweep {
        struct object_store *it;
        struct cancel *cancel;
        uint64_t removed;
};

static int
abort_one(void *arg, const struct s3_upload *upload, struct err *err)
{
        struct sweep *sweep = arg;
        struct object_request request;
        struct http_answer answer = { 0 };

        if (s3_upload_request(&request, sweep->it, "abort the unfinished upload of", "DELETE",
                upload->key, upload->id, err) < 0 ||
            object_call(sweep->it, &request, sweep->cancel, &answer, err) < 0)
                return -1;
        http_answer_clear(&answer);
        sweep->removed++;
        return 0;
}

int
s3_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err)
{
        struct object_store *it = (struct object_store *)store;
        struct sweep sweep = { it, cancel, 0 };

        char *full = s3_full_key(it, prefix, err);
        if (full == NULL)
                return -1;
        int rc = s3_uploads(it, full, abort_one, &sweep, cancel, err);
        mem_free(full);
        if (rc == 0)
                *removed = sweep.removed;
        return rc;
}
