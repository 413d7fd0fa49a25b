/* An object that is written in parts. */
#include <string.h>

#include "moonkeep/mem.h"
#include "object_pool.h"
#include "object_sink.h"

static void
fail(struct object_sink *it, const struct err *err)
{
        if (it->failed)
                return;
        it->failed = true;
        it->failure = *err;
}

int
object_sink_look(struct object_sink *it, bool wait, struct err *err)
{
        unsigned before = it->under_way;

        it->unlooked = 0;
        while (it->under_way > 0) {
                if (object_lane_run(it->lane, wait ? -1 : 0, err) < 0)
                        return -1;
                if (!wait || it->failed || it->under_way < before)
                        break;
        }
        if (!it->failed)
                return 0;
        *err = it->failure;
        return -1;
}

static int
begin(struct object_sink *it, struct err *err)
{
        struct object_store *store = it->store;

        it->part_count = store->connections > 0 ? store->connections : 1;
        it->parts = mem_zalloc(it->part_count * sizeof(*it->parts), err);
        if (it->parts == NULL)
                return -1;
        it->lane = object_lane_get(store, err);
        if (it->lane == NULL || store->dialect->begin(it->lane, &it->upload, it->cancel, err) < 0)
                return -1;
        it->begun = true;
        return 0;
}

static int
add_part(struct object_upload *upload, size_t len, struct err *err)
{
        if (upload->count == upload->cap) {
                size_t cap = upload->cap > 0 ? upload->cap * 2 : 16;
                char **tags = mem_realloc(upload->tags, cap * sizeof(*tags), err);
                if (tags == NULL)
                        return -1;
                upload->tags = tags;
                upload->cap = cap;
        }
        upload->tags[upload->count++] = NULL;
        upload->bytes += len;
        return 0;
}

static void
release(struct object_part *part)
{
        object_pool_put(part->data, part->it->store->part_size);
        part->data = NULL;
}

static void
on_part_done(void *arg, struct http_answer *answer, const struct err *failure)
{
        struct object_part *part = arg;
        struct object_sink *it = part->it;
        struct err err;

        it->under_way--;
        release(part);
        err_init(&err);
        if (failure != NULL)
                fail(it, failure);
        else if (it->store->dialect->part_done(&it->upload, part->number, answer, &err) < 0)
                fail(it, &err);
}

/* A place for one more part, waited for if need be. */
static struct object_part *
find_place(struct object_sink *it, struct err *err)
{
        while (it->under_way == it->part_count) {
                if (object_sink_look(it, true, err) < 0)
                        return NULL;
        }
        struct object_part *part = it->parts;
        while (part->data != NULL)
                part++;
        return part;
}

static int
start(struct object_sink *it, struct object_part *part, struct err *err)
{
        const struct object_dialect *dialect = it->store->dialect;
        const unsigned char *sha256 = object_sink_sha256(it, part->number);
        struct object_request request;

        object_request_init(&request, it->store, "write", "PUT", it->upload.key);
        request.payload = part->data;
        request.payload_len = part->len;
        if (sha256 != NULL) {
                memcpy(part->sha256, sha256, SHA256_SIZE);
                request.sha256 = part->sha256;
        }
        int rc = dialect->part(&it->upload, part->number, &request, err);
        if (rc != 0) {
                object_request_clear(&request);
                release(part);
                return rc > 0 ? 0 : -1;
        }
        if (object_start(it->lane, &request, it->cancel, on_part_done, part, err) < 0) {
                release(part);
                return -1;
        }
        it->under_way++;
        return 0;
}

int
object_sink_send(struct object_sink *it, struct err *err)
{
        if (!it->begun && begin(it, err) < 0)
                return -1;
        struct object_part *part = find_place(it, err);
        if (part == NULL || add_part(&it->upload, it->len, err) < 0)
                return -1;
        part->it = it;
        part->data = it->data;
        part->len = it->len;
        part->number = it->upload.count;
        it->data = NULL;
        it->len = it->cap = 0;
        it->pooled = false;
        return start(it, part, err);
}

int
object_sink_complete(struct object_sink *it, struct err *err)
{
        if (it->len > 0 && object_sink_send(it, err) < 0)
                return -1;
        while (it->under_way > 0) {
                if (object_sink_look(it, true, err) < 0)
                        return -1;
        }
        return it->store->dialect->complete(it->lane, &it->upload, it->cancel, err);
}

void
object_sink_give_up(struct object_sink *it)
{
        struct err err;

        err_init(&err);
        err_set(&err, ERR_CANCELLED, "the upload was given up");
        object_lane_stop(it->lane, &err);
        if (it->upload.id != NULL)
                it->store->dialect->abort(it->lane, &it->upload);
}
