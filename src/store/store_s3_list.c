/* Listings of a bucket: ListObjectsV2, page by page. */
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/time.h"
#include "s3.h"

/* A page has at most 1000 keys of 1024 bytes, each byte perhaps written as "%XX". */
#define PAGE_MAX ((size_t)16 * 1024 * 1024)

/* Pages without a key that are followed; old versions make such pages. */
#define EMPTY_PAGES_MAX 100000

static int
broken(const struct s3_listing *listing, struct err *err, const char *why)
{
        return err_set(
            err, ERR_PROTOCOL, "cannot list \"%s\": %s", store_place(&listing->it->store), why);
}

static struct xml *
fetch(struct s3_listing *listing, struct cancel *cancel, struct err *err)
{
        struct object_request request;

        object_request_init(&request, listing->it, "list", "GET", NULL);
        object_request_query(&request, "list-type", "2");
        object_request_query(&request, "encoding-type", "url");
        object_request_query(&request, "prefix", listing->prefix);
        if (listing->shallow)
                object_request_query(&request, "delimiter", "/");
        if (listing->token != NULL)
                object_request_query(&request, "continuation-token", listing->token);
        /* Or objects that were brought back from an archive look as if they were there. */
        object_request_header(&request, "x-amz-optional-object-attributes", "RestoreStatus");
        request.answer_max = PAGE_MAX;
        return s3_call_xml(listing->it, NULL, &request, "ListBucketResult", cancel, err);
}

static int
read_stat(const struct xml *entry, struct store_stat *out)
{
        const char *size = xml_text_at(entry, "Size");
        const char *modified = xml_text_at(entry, "LastModified");
        const char *etag = xml_text_at(entry, "ETag");
        const char *busy = xml_text_at(entry, "RestoreStatus/IsRestoreInProgress");

        memset(out, 0, sizeof(*out));
        if (size == NULL || s3_number(size, &out->size) < 0 || modified == NULL ||
            time_parse(modified, &out->mtime_ms, NULL) < 0)
                return -1;
        if (etag != NULL)
                s3_etag(etag, out->etag);
        bool restored = busy != NULL && strcmp(busy, "false") == 0;
        out->archived = s3_class_is_archive(xml_text_at(entry, "StorageClass")) && !restored;
        return 0;
}

/* One key, or folder, in its order; takes key. */
static int
tell(struct s3_listing *listing, char *key, const struct xml *entry, struct err *err)
{
        size_t own = strlen(listing->it->prefix);
        size_t len = strlen(listing->prefix);
        struct store_stat stat;
        int rc = 0;

        if (strncmp(key, listing->prefix, len) != 0)
                rc = broken(listing, err, "the server lists keys that nobody asked for");
        else if (listing->last != NULL && strcmp(key, listing->last) <= 0)
                rc = broken(listing, err, "the server lists keys in another order than S3");
        else if (entry != NULL && read_stat(entry, &stat) < 0)
                rc = broken(listing, err, "an entry has no size or no date");
        if (rc < 0) {
                mem_free(key);
                return -1;
        }
        mem_free(listing->last);
        listing->last = key;
        /* "dir/" of 0 bytes is how consoles make a folder: nobody's object. */
        bool marker =
            entry != NULL && stat.size == 0 && (key[len] == '\0' || key[strlen(key) - 1] == '/');
        if (marker)
                return 0;
        return listing->fn(listing->arg, key + own, entry != NULL ? &stat : NULL, err);
}

static char *
name_of(const struct s3_listing *listing, const struct xml *root, const struct xml *entry,
    const char *name, struct err *err)
{
        const char *text = xml_text_at(entry, name);

        if (text == NULL || *text == '\0') {
                broken(listing, err, "an entry has no name");
                return NULL;
        }
        char *key = s3_decoded(root, text, err);
        if (key == NULL)
                err_prefix(err, "cannot list \"%s\"", store_place(&listing->it->store));
        return key;
}

/* Keys and folders, each in order, are two lists: merged here. */
static int
tell_page(struct s3_listing *listing, const struct xml *root, struct err *err)
{
        const struct xml *entry = xml_first(root, "Contents");
        const struct xml *folder = xml_first(root, "CommonPrefixes");
        char *key = NULL, *dir = NULL;
        int rc = -1;

        listing->empty_pages = entry == NULL && folder == NULL ? listing->empty_pages + 1 : 0;
        while (entry != NULL || folder != NULL) {
                if (entry != NULL && key == NULL &&
                    (key = name_of(listing, root, entry, "Key", err)) == NULL)
                        goto done;
                if (folder != NULL && dir == NULL &&
                    (dir = name_of(listing, root, folder, "Prefix", err)) == NULL)
                        goto done;
                if (dir == NULL || (key != NULL && strcmp(key, dir) < 0)) {
                        char *taken = key;
                        const struct xml *of = entry;
                        key = NULL;
                        entry = xml_next(entry, "Contents");
                        if (tell(listing, taken, of, err) < 0)
                                goto done;
                } else {
                        char *taken = dir;
                        dir = NULL;
                        folder = xml_next(folder, "CommonPrefixes");
                        if (tell(listing, taken, NULL, err) < 0)
                                goto done;
                }
        }
        rc = 0;
done:
        mem_free(key);
        mem_free(dir);
        return rc;
}

/* 1: there is one, 0: that was all. */
static int
find_next(struct s3_listing *listing, const struct xml *root, struct err *err)
{
        const char *truncated = xml_text_at(root, "IsTruncated");
        const char *token = xml_text_at(root, "NextContinuationToken");

        if (truncated != NULL && strcmp(truncated, "false") == 0)
                return 0;
        if (truncated == NULL || strcmp(truncated, "true") != 0)
                return broken(listing, err, "a page does not say whether there are more");
        if (token == NULL || *token == '\0')
                return broken(listing, err, "a page breaks off without saying how to go on");
        if (listing->token != NULL && strcmp(listing->token, token) == 0)
                return broken(listing, err, "a page goes on with itself");
        if (listing->empty_pages > EMPTY_PAGES_MAX)
                return broken(listing, err, "the pages are empty and do not end");
        char *copy = mem_strdup(token, err);
        if (copy == NULL)
                return -1;
        mem_free(listing->token);
        listing->token = copy;
        return 1;
}

int
s3_listing_take(struct s3_listing *listing, const struct xml *root, struct err *err)
{
        return tell_page(listing, root, err) < 0 ? -1 : find_next(listing, root, err);
}

void
s3_listing_clear(struct s3_listing *listing)
{
        mem_free(listing->last);
        mem_free(listing->token);
}

int
s3_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        struct object_store *it = (struct object_store *)store;
        struct s3_listing listing = { .it = it, .shallow = shallow, .fn = fn, .arg = arg };
        int more = -1;

        char *full = s3_full_key(it, prefix, err);
        if (full == NULL)
                return -1;
        listing.prefix = full;
        do {
                struct xml *root = fetch(&listing, cancel, err);
                more = root != NULL ? s3_listing_take(&listing, root, err) : -1;
                xml_free(root);
        } while (more > 0);
        s3_listing_clear(&listing);
        mem_free(full);
        return more;
}
