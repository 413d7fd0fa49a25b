#include "object_sink.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "object_pool.h"

/* The first buffer of an object, and how far it grows before it is one for a whole part. */
#define FIRST_BYTES ((size_t)64 * 1024)
#define GROWN_BYTES ((size_t)1024 * 1024)

/* After so many bytes the loop gets its turn. */
#define LOOK_BYTES STREAM_CHUNK

static size_t
limit(const struct object_sink *it)
{
        return it->upload.how.exclusive ? STORE_EXCLUSIVE_MAX : it->store->part_size;
}

/* Digests. */

static struct parts_digest *
part_digests(const struct object_sink *it)
{
        return it->own != NULL || it->digest == NULL ? it->own : it->digest->parts;
}

const unsigned char *
object_sink_sha256(const struct object_sink *it, size_t number)
{
        const struct parts_digest *digests = part_digests(it);

        if (it->store->dialect->no_sha256 || digests == NULL)
                return NULL;
        return parts_digest_at(digests, number - 1);
}

static int
update(struct object_sink *it, const void *data, size_t len, struct err *err)
{
        if (it->digest != NULL && parts_digest_update(it->digest->parts, data, len, err) < 0)
                return -1;
        if (it->own != NULL && parts_digest_update(it->own, data, len, err) < 0)
                return -1;
        return it->whole != NULL ? sha256_update(it->whole, data, len, err) : 0;
}

static int
finish_digests(struct object_sink *it, struct err *err)
{
        if (it->digest != NULL && parts_digest_final(it->digest->parts, err) < 0)
                return -1;
        if (it->whole != NULL && sha256_final(it->whole, it->digest->whole, err) < 0)
                return -1;
        return it->own != NULL ? parts_digest_final(it->own, err) : 0;
}

static int
make_digests(struct object_sink *it, struct err *err)
{
        size_t part_size = it->store->part_size;
        bool fits = it->digest != NULL && parts_digest_part_size(it->digest->parts) == part_size;

        if (!fits && !it->store->dialect->no_sha256) {
                it->own = parts_digest_new(part_size, err);
                if (it->own == NULL)
                        return -1;
        }
        if (it->digest != NULL && it->digest->want_whole) {
                it->whole = sha256_new(err);
                if (it->whole == NULL)
                        return -1;
        }
        return 0;
}

/* The buffer. */

static void
drop_buffer(struct object_sink *it)
{
        if (it->pooled)
                object_pool_put(it->data, it->cap);
        else
                mem_free(it->data);
        it->data = NULL;
        it->len = it->cap = 0;
        it->pooled = false;
}

/* A buffer for a whole part, as soon as there may be one more. */
static int
get_part_buffer(struct object_sink *it, struct err *err)
{
        char *data;
        int got;

        while ((got = object_pool_get(it->store->part_size, it->under_way == 0, &data, err)) == 0) {
                if (object_sink_look(it, true, err) < 0)
                        return -1;
        }
        if (got < 0)
                return -1;
        if (it->len > 0)
                memcpy(data, it->data, it->len);
        mem_free(it->data);
        it->data = data;
        it->cap = it->store->part_size;
        it->pooled = true;
        return 0;
}

/* Small objects have small buffers; they double, so that large ones soon have large ones. */
static int
grow(struct object_sink *it, struct err *err)
{
        size_t cap = it->cap > 0 ? it->cap * 2 : FIRST_BYTES;

        if (cap > limit(it))
                cap = limit(it);
        bool is_part = cap > GROWN_BYTES || cap == limit(it) || it->begun;
        if (is_part && !it->upload.how.exclusive)
                return get_part_buffer(it, err);
        char *data = mem_realloc(it->data, cap, err);
        if (data == NULL)
                return -1;
        it->data = data;
        it->cap = cap;
        return 0;
}

/* Room for at least one byte. */
static int
make_room(struct object_sink *it, struct err *err)
{
        if (it->len < it->cap)
                return 0;
        if (it->len == limit(it)) {
                if (it->upload.how.exclusive)
                        return err_set(err, ERR_TOO_BIG,
                            "cannot write \"%s%s\": what must not exist before has at most %zu "
                            "bytes",
                            it->store->prefix, it->upload.key, STORE_EXCLUSIVE_MAX);
                if (object_sink_send(it, err) < 0)
                        return -1;
        }
        return grow(it, err);
}

/* The sink. */

static int
check(struct object_sink *it, struct err *err)
{
        if (cancel_check(it->cancel, err) < 0)
                return -1;
        if (!it->failed)
                return 0;
        *err = it->failure;
        return -1;
}

static int
object_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct object_sink *it = (struct object_sink *)sink;
        const char *at = data;

        if (check(it, err) < 0)
                return -1;
        while (len > 0) {
                if (make_room(it, err) < 0)
                        return -1;
                size_t now = it->cap - it->len < len ? it->cap - it->len : len;
                if (now > STREAM_CHUNK)
                        now = STREAM_CHUNK;
                if (update(it, at, now, err) < 0)
                        return -1;
                if (at != it->data + it->len)
                        memcpy(it->data + it->len, at, now);
                it->len += now;
                at += now;
                len -= now;
                it->unlooked += now;
                if (it->begun && it->len == it->store->part_size && object_sink_send(it, err) < 0)
                        return -1;
                if (it->unlooked >= LOOK_BYTES && object_sink_look(it, false, err) < 0)
                        return -1;
        }
        return 0;
}

/* No more at once than is still in the processor's cache when it is hashed. */
static void *
object_sink_room(struct sink *sink, size_t *len)
{
        struct object_sink *it = (struct object_sink *)sink;
        size_t room = it->cap - it->len;

        if (room == 0)
                return NULL;
        *len = room < STREAM_CHUNK ? room : STREAM_CHUNK;
        return it->data + it->len;
}

static int
object_sink_commit(struct sink *sink, struct err *err)
{
        struct object_sink *it = (struct object_sink *)sink;

        if (check(it, err) < 0 || finish_digests(it, err) < 0)
                return -1;
        if (it->begun) {
                if (object_sink_complete(it, err) < 0)
                        return -1;
        } else if (object_sink_put_whole(it, err) < 0) {
                return -1;
        }
        it->committed = true;
        if (it->digest != NULL)
                it->digest->complete = true;
        return 0;
}

static void
object_sink_free(struct sink *sink)
{
        struct object_sink *it = (struct object_sink *)sink;
        struct object_upload *upload = &it->upload;

        if (it->lane != NULL) {
                if (!it->committed)
                        object_sink_give_up(it);
                object_lane_put(it->lane);
        }
        drop_buffer(it);
        for (size_t idx = 0; idx < upload->count; idx++)
                mem_free(upload->tags[idx]);
        mem_free(upload->tags);
        for (size_t idx = 0; idx < upload->known_count; idx++)
                mem_free(upload->known[idx].tag);
        mem_free(upload->known);
        mem_free(upload->id);
        mem_free(upload->key);
        mem_free(it->parts);
        sha256_free(it->whole);
        parts_digest_free(it->own);
        cancel_unref(it->cancel);
        mem_free(it);
}

static const struct sink_ops object_sink_ops = { "object", object_sink_write, object_sink_commit,
        object_sink_free };

struct sink *
object_sink(struct object_store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        struct object_sink *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        sink_init(&it->sink, &object_sink_ops);
        it->sink.room = object_sink_room;
        it->store = store;
        it->cancel = cancel_ref(cancel);
        it->digest = how->digest;
        it->upload.it = store;
        it->upload.how = *how;
        it->upload.how.digest = NULL;
        it->upload.key = mem_strdup(key, err);
        if (it->upload.key == NULL || make_digests(it, err) < 0) {
                object_sink_free(&it->sink);
                return NULL;
        }
        return &it->sink;
}
