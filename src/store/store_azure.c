#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

const struct object_dialect azure_dialect = { .name = "Azure Blob",
        .ca_option = "ca_file=FILE in the URL of the store",
        .sign = azure_sign_request,
        .judge = azure_judge,
        .writing = azure_writing,
        .begin = azure_begin,
        .part = azure_part,
        .part_done = azure_part_done,
        .complete = azure_complete,
        .abort = azure_abort };

void
azure_stat_read(const struct http_answer *answer, struct store_stat *out)
{
        const char *size = http_answer_header(answer, "content-length");
        const char *time = http_answer_header(answer, "last-modified");
        const char *tier = http_answer_header(answer, "x-ms-access-tier");
        const char *etag = http_answer_header(answer, "etag");

        memset(out, 0, sizeof(*out));
        out->size = size != NULL ? strtoull(size, NULL, 10) : 0;
        if (time == NULL || time_http_parse(time, &out->mtime_ms, NULL) < 0)
                out->mtime_ms = 0;
        out->archived = tier != NULL && strcmp(tier, "Archive") == 0;
        azure_etag(etag != NULL ? etag : "", out->etag);
}

int
azure_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        struct object_store *it = (struct object_store *)store;
        struct object_request request;
        struct http_answer answer = { 0 };

        object_request_init(&request, it, "look at", "HEAD", key);
        if (object_call(it, &request, cancel, &answer, err) < 0)
                return -1;
        azure_stat_read(&answer, out);
        http_answer_clear(&answer);
        return 0;
}

static struct source *
azure_read(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        return object_source((struct object_store *)store, key, offset, length, cancel, err);
}

static struct sink *
azure_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        return object_sink((struct object_store *)store, key, how, cancel, err);
}

static int
azure_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        struct object_store *it = (struct object_store *)store;
        struct object_request request;
        struct http_answer answer = { 0 };

        object_request_init(&request, it, "remove", "DELETE", key);
        object_request_header(&request, "x-ms-delete-snapshots", "include");
        if (object_call(it, &request, cancel, &answer, err) < 0)
                return -1;
        http_answer_clear(&answer);
        return 0;
}

static void
azure_free(struct store *store)
{
        struct azure_store *it = (struct azure_store *)store;

        object_store_clear(&it->object);
        azure_creds_free(it->creds);
        mem_free(it->account);
        mem_free(it->container);
        mem_free(it->endpoint);
        mem_free(it->tags);
        mem_free(it->object.store.url);
        mem_free(it->object.store.place);
        mem_free(it);
}

static const struct store_ops azure_ops = { .name = "azure",
        .stat = azure_stat,
        .list = azure_list,
        .read = azure_read,
        .create = azure_create,
        .remove = azure_remove,
        .sweep = azure_sweep,
        .copy = azure_copy,
        .call = object_store_call,
        .free = azure_free,
        .digests = true };

struct store *
azure_open(const struct url *url, struct err *err)
{
        struct azure_store *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        char *prefix = mem_strdup("", err);
        if (prefix == NULL || object_store_init(&it->object, &azure_dialect, prefix, err) < 0 ||
            azure_options_read(it, url, err) < 0) {
                azure_free(&it->object.store);
                return NULL;
        }
        it->object.store.ops = &azure_ops;
        it->object.store.capabilities = STORE_EXCLUSIVE;
        return &it->object.store;
}

struct store *
store_azure_open(const struct url *url, struct err *err)
{
        return store_span(azure_open(url, err), (uint64_t)AZURE_BLOCKS_MAX * DIGEST_PART_SIZE, err);
}
