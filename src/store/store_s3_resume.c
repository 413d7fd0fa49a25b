/* Uploads that were interrupted and go on: which parts the server has already. */
#include <stdio.h>
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/md5.h"
#include "moonkeep/mem.h"
#include "s3.h"

#define PAGE_MAX ((size_t)4 * 1024 * 1024)

/* The newest upload of exactly that key. */
struct newest {
        const char *key;
        const char *class;
        char *id;
        int64_t began_ms;
};

static int
look_at_upload(void *arg, const struct s3_upload *upload, struct err *err)
{
        struct newest *newest = arg;

        if (strcmp(upload->key, newest->key) != 0 || strlen(upload->id) > S3_UPLOAD_ID_MAX ||
            (newest->id != NULL && upload->began_ms < newest->began_ms))
                return 0;
        /* Of another class than is wanted now, it is no good. */
        if (newest->class != NULL && upload->class != NULL &&
            strcmp(newest->class, upload->class) != 0)
                return 0;
        char *id = mem_strdup(upload->id, err);
        if (id == NULL)
                return -1;
        mem_free(newest->id);
        newest->id = id;
        newest->began_ms = upload->began_ms;
        return 0;
}

static int
know_part(struct object_upload *upload, const struct xml *entry, struct err *err)
{
        const char *number_text = xml_text_at(entry, "PartNumber");
        const char *size_text = xml_text_at(entry, "Size");
        const char *etag_text = xml_text_at(entry, "ETag");
        char etag[STORE_ETAG_MAX + 1];
        uint64_t number = 0, size = 0;

        if (number_text == NULL || s3_number(number_text, &number) < 0 || number < 1 ||
            number > S3_PARTS_MAX || size_text == NULL || s3_number(size_text, &size) < 0 ||
            etag_text == NULL)
                return err_set(err, ERR_PROTOCOL,
                    "cannot list the parts of \"%s%s\": an entry has "
                    "no good number, size or ETag",
                    upload->it->prefix, upload->key);
        if (number > upload->known_count) {
                struct object_known_part *more =
                    mem_realloc(upload->known, (size_t)number * sizeof(*more), err);
                if (more == NULL)
                        return -1;
                memset(more + upload->known_count, 0,
                    ((size_t)number - upload->known_count) * sizeof(*more));
                upload->known = more;
                upload->known_count = (size_t)number;
        }
        struct object_known_part *part = &upload->known[number - 1];
        s3_etag(etag_text, etag);
        char *tag = mem_strdup(etag, err);
        if (tag == NULL)
                return -1;
        mem_free(part->tag);
        *part = (struct object_known_part){ tag, size };
        return 0;
}

int
s3_parts_take(
    struct object_upload *upload, const struct xml *root, uint64_t *marker, struct err *err)
{
        const char *truncated = xml_text_at(root, "IsTruncated");
        const char *next = xml_text_at(root, "NextPartNumberMarker");
        uint64_t number = 0;

        for (const struct xml *entry = xml_first(root, "Part"); entry != NULL;
             entry = xml_next(entry, "Part")) {
                if (know_part(upload, entry, err) < 0)
                        return -1;
        }
        if (truncated == NULL || strcmp(truncated, "true") != 0)
                return 0;
        if (next == NULL || s3_number(next, &number) < 0 || number <= *marker)
                return err_set(err, ERR_PROTOCOL,
                    "cannot list the parts of \"%s%s\": a page "
                    "breaks off without saying how to go on",
                    upload->it->prefix, upload->key);
        *marker = number;
        return 1;
}

static int
know_parts(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        uint64_t marker = 0;
        char text[24];
        int more;

        do {
                struct object_request request;
                s3_init_of_upload(&request, upload, "list the parts of", "GET");
                snprintf(text, sizeof(text), "%llu", (unsigned long long)marker);
                if (marker > 0)
                        object_request_query(&request, "part-number-marker", text);
                request.answer_max = PAGE_MAX;
                struct xml *root =
                    s3_call_xml(upload->it, lane, &request, "ListPartsResult", cancel, err);
                more = root != NULL ? s3_parts_take(upload, root, &marker, err) : -1;
                xml_free(root);
        } while (more > 0);
        return more;
}

/* Going on with an upload only saves time: where that is not possible, it begins anew. */
static bool
is_no_obstacle(const struct err *err)
{
        return err->code == ERR_PERMISSION || err->code == ERR_UNSUPPORTED ||
               err->code == ERR_NOT_FOUND || err->code == ERR_PROTOCOL;
}

void
s3_forget(struct object_upload *upload)
{
        for (size_t idx = 0; idx < upload->known_count; idx++)
                mem_free(upload->known[idx].tag);
        mem_free(upload->known);
        upload->known = NULL;
        upload->known_count = 0;
        mem_free(upload->id);
        upload->id = NULL;
}

int
s3_find_earlier(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_store *it = upload->it;
        struct newest newest = { .class = s3_of(it)->writing.class };
        struct err why;
        int rc = -1;

        err_init(&why);
        char *key = s3_full_key(it, upload->key, &why);
        newest.key = key;
        if (key != NULL)
                rc = s3_uploads(it, key, look_at_upload, &newest, cancel, &why);
        mem_free(key);
        if (rc == 0 && newest.id != NULL) {
                upload->id = newest.id;
                newest.id = NULL;
                rc = know_parts(lane, upload, cancel, &why);
                if (rc < 0)
                        s3_forget(upload);
        }
        mem_free(newest.id);
        if (rc == 0 || is_no_obstacle(&why))
                return 0;
        if (err != NULL)
                *err = why;
        return -1;
}

bool
s3_is_known(const struct object_upload *upload, size_t number, const struct object_request *request)
{
        unsigned char digest[MD5_SIZE];
        char hex[2 * MD5_SIZE + 1];

        if (number > upload->known_count)
                return false;
        const struct object_known_part *part = &upload->known[number - 1];
        if (part->tag == NULL || part->size != request->payload_len ||
            md5_bytes(request->payload, request->payload_len, digest, NULL) < 0)
                return false;
        hex_encode(digest, sizeof(digest), hex);
        /* With KMS and with keys of customers an ETag is no MD5: then it is sent again. */
        return strcmp(hex, part->tag) == 0;
}
