/*
 * Answers of a server that may be anybody: errors, listings of keys, uploads
 * and parts.  What is told of them is one line, keys come in order, and numbers
 * stay in their bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/s3.h"
#include "moonkeep/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char prefix[] = "p/", place[] = "s3://bucket/p";

static void
require(int condition)
{
        if (!condition)
                abort();
}

static int
is_line(const char *text)
{
        return strpbrk(text, "\r\n\t\x7f") == NULL;
}

static void
told(int rc, const struct err *err)
{
        require(rc >= -1 && rc <= 1);
        require(rc >= 0 || (err->code != ERR_NONE && err->msg[0] != '\0'));
}

static int
take_key(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        char **last = arg;

        require(*last == NULL || strcmp(key, *last) > 0);
        require(stat == NULL || strlen(stat->etag) <= STORE_ETAG_MAX);
        mem_free(*last);
        *last = mem_strdup(key, err);
        return *last != NULL ? 0 : -1;
}

static void
listing(struct s3_store *store, const struct xml *root)
{
        char *last = NULL;
        struct s3_listing it = {
                .it = &store->object, .prefix = "p/a/", .fn = take_key, .arg = &last
        };
        struct err err;

        err_init(&err);
        int rc = s3_listing_take(&it, root, &err);
        told(rc, &err);
        require((rc == 1) == (it.token != NULL));
        require(it.last == NULL || strncmp(it.last, it.prefix, strlen(it.prefix)) == 0);
        mem_free(last);
        s3_listing_clear(&it);
}

static int
take_upload(void *arg, const struct s3_upload *upload, struct err *err)
{
        (void)arg;
        (void)err;
        require(strncmp(upload->key, "p/a/", 4) == 0 && upload->id[0] != '\0');
        return 0;
}

static void
uploads(struct s3_store *store, const struct xml *root)
{
        struct s3_markers markers = { NULL, NULL };
        struct err err;

        err_init(&err);
        int rc = s3_uploads_take(&store->object, "p/a/", root, &markers, take_upload, NULL, &err);
        told(rc, &err);
        require((rc == 1) == (markers.key != NULL));
        s3_markers_clear(&markers);
}

static void
parts(struct s3_store *store, const struct xml *root)
{
        static char key[] = "k";
        struct object_upload upload = { .it = &store->object, .key = key };
        uint64_t marker = 0;
        struct err err;

        err_init(&err);
        int rc = s3_parts_take(&upload, root, &marker, &err);
        told(rc, &err);
        require((rc == 1) == (marker > 0));
        require(upload.known_count <= S3_PARTS_MAX);
        s3_forget(&upload);
}

static void
failure(const uint8_t *data, size_t size)
{
        struct http_answer answer = { .status = 403 };
        struct s3_error error;
        struct err err;

        buf_init(&answer.body, size + 1);
        require(buf_add(&answer.body, data, size, &err) == 0);
        bool found = s3_error_read(&answer, &error);
        require(!s3_error_hides(&answer) || found || error.code[0] == '\0');
        require(is_line(error.code) && is_line(error.message));
        require(error.region[0] == '\0' || s3_region_is_good(error.region, strlen(error.region)));
        http_answer_clear(&answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct s3_store store = { .object.prefix = prefix, .object.store.url = place };
        struct err err;

        failure(data, size);
        struct xml *root = xml_parse((const char *)data, size, &err);
        if (root == NULL)
                return 0;
        listing(&store, root);
        uploads(&store, root);
        parts(&store, root);
        xml_free(root);
        return 0;
}
