#include "object_source.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "object_pool.h"

/* After so many bytes from buffers the loop gets its turn, so that what is read ahead comes. */
#define LOOK_BYTES STREAM_CHUNK

static struct object_range *
range_at(struct object_source *it, size_t idx)
{
        return &it->ranges[(it->head + idx) % it->range_cap];
}

int
object_source_learn(struct object_source *it, uint64_t size, struct err *err)
{
        bool unknown = it->is_stream && !it->has_size;

        if (!unknown &&
            (it->offset > size || (it->length != UINT64_MAX && it->length > size - it->offset)))
                return err_set(err, ERR_TRUNCATED,
                    "it has %llu bytes, and %llu from %llu on are wanted", (unsigned long long)size,
                    (unsigned long long)(it->length != UINT64_MAX ? it->length : 1),
                    (unsigned long long)it->offset);
        if (it->length == UINT64_MAX && !unknown)
                it->length = size - it->offset;
        it->source.expected = it->length;
        it->size = size;
        it->known = true;
        return 0;
}

/* Ask for more, as many at once as there may be and there is memory for. */
static int
read_ahead(struct object_source *it, struct err *err)
{
        uint64_t end = it->offset + it->length;
        size_t part_size = it->store->part_size;

        if (!it->known || it->is_stream || it->failed)
                return 0;
        while (it->next < end && it->count < it->range_cap) {
                struct object_range *range = range_at(it, it->count);
                memset(range, 0, sizeof(*range));
                range->it = it;
                range->offset = it->next;
                range->len = end - it->next < part_size ? end - it->next : part_size;
                /* What is read next has to have a buffer; what comes later may wait for one. */
                if (it->count > 0) {
                        range->cap = part_size;
                        int got = object_pool_get(range->cap, false, &range->data, err);
                        if (got <= 0)
                                return got;
                        range->pooled = true;
                }
                it->count++;
                if (object_range_start(range, err) < 0)
                        return -1;
                it->next += range->len;
        }
        return 0;
}

static void
drop_head(struct object_source *it)
{
        object_range_clear(range_at(it, 0));
        it->head = (it->head + 1) % it->range_cap;
        it->count--;
}

/* Nothing is under way any more: others can use the connections. */
static void
give_lane_back(struct object_source *it)
{
        if (it->lane != NULL)
                object_lane_put(it->lane);
        it->lane = NULL;
}

/* Up to cap bytes of what the first range has. */
static size_t
take(struct object_source *it, char *buf, size_t cap)
{
        struct object_range *range = range_at(it, 0);
        uint64_t limit = it->count > 0 ? range->got - range->taken : 0;
        uint64_t left = it->length - it->source.bytes;

        /* A stream may be longer than what is wanted of it. */
        if (limit > left)
                limit = left;
        size_t len = limit < cap ? (size_t)limit : cap;
        if (len == 0)
                return 0;
        if (it->is_stream) {
                memcpy(buf, range->data, len);
                memmove(range->data, range->data + len, (size_t)(range->got - range->taken) - len);
        } else {
                memcpy(buf, range->data + range->taken, len);
        }
        range->taken += len;
        it->unlooked += len;
        return len;
}

static bool
is_head_complete(struct object_source *it)
{
        struct object_range *range = range_at(it, 0);

        return !range->under_way && range->taken == range->got &&
               (it->is_stream ? !it->failed : range->got == range->len);
}

/* Let go on what is under way; wait when there is nothing to deliver. */
static int
look(struct object_source *it, bool wait, struct err *err)
{
        it->unlooked = 0;
        if (it->under_way == 0)
                return 0;
        return object_lane_run(it->lane, wait ? -1 : 0, err);
}

static ssize_t
object_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct object_source *it = (struct object_source *)src;

        if (cancel_check(it->cancel, err) < 0)
                return -1;
        if (it->unlooked >= LOOK_BYTES && look(it, false, err) < 0)
                return -1;
        if (it->under_way == 0 && it->next >= it->offset + it->length)
                give_lane_back(it);
        while (it->count > 0 || it->next < it->offset + it->length) {
                if (it->length != UINT64_MAX && it->source.bytes == it->length)
                        break;
                if (read_ahead(it, err) < 0)
                        return -1;
                size_t len = take(it, buf, cap);
                if (len > 0)
                        return (ssize_t)len;
                if (it->count > 0 && is_head_complete(it)) {
                        drop_head(it);
                        if (it->is_stream)
                                break;
                        continue;
                }
                if (it->count == 0 || !range_at(it, 0)->under_way) {
                        *err = it->failure;
                        return -1;
                }
                if (look(it, true, err) < 0)
                        return -1;
        }
        /* Of an answer that does not say its length, the end comes as a surprise. */
        if (it->length != UINT64_MAX && it->source.bytes < it->length)
                return err_set(err, ERR_TRUNCATED,
                    "cannot read \"%s\": it has %llu bytes, and %llu are wanted", it->key,
                    (unsigned long long)it->source.bytes, (unsigned long long)it->length);
        return 0;
}

static void
object_source_free(struct source *src)
{
        struct object_source *it = (struct object_source *)src;
        struct err err;

        if (it->lane != NULL) {
                err_init(&err);
                err_set(&err, ERR_CANCELLED, "the reading was given up");
                it->closing = true;
                object_lane_stop(it->lane, &err);
                give_lane_back(it);
        }
        while (it->count > 0)
                drop_head(it);
        mem_free(it->ranges);
        mem_free(it->key);
        cancel_unref(it->cancel);
        mem_free(it);
}

static const struct source_ops object_source_ops = { "object", object_source_read,
        object_source_free };

/*
 * "Range not satisfiable": the object ends before or at the offset.  Where it is
 * not the first byte that is missing, only its size tells which.
 */
static int
look_at_the_end(struct object_source *it, struct err *err)
{
        struct store *store = &it->store->store;
        struct store_stat stat = { 0 };

        if (it->offset > 0 && store->ops->stat(store, it->key, &stat, it->cancel, err) < 0)
                return -1;
        it->failed = false;
        drop_head(it);
        it->next = it->offset;
        if (object_source_learn(it, it->offset > 0 ? stat.size : 0, err) < 0)
                return err_prefix(err, "cannot read \"%s\"", it->key);
        /* It has grown since. */
        return it->length == 0 ? 0 : read_ahead(it, err);
}

/* Ask for the first range, and wait until something is known of the object. */
static int
open_object(struct object_source *it, struct err *err)
{
        struct object_range *first = range_at(it, 0);
        size_t part_size = it->store->part_size;

        first->it = it;
        first->offset = it->offset;
        first->len = it->length < part_size ? it->length : part_size;
        it->count = 1;
        it->next = it->offset + first->len;
        if (object_range_start(first, err) < 0)
                return -1;
        while (first->under_way && !it->known) {
                if (object_lane_run(it->lane, -1, err) < 0)
                        return -1;
        }
        if (it->failed && it->failure.http == 416 && !it->known)
                return look_at_the_end(it, err);
        if (it->failed) {
                *err = it->failure;
                return -1;
        }
        if (!it->is_stream)
                it->next = first->offset + first->len;
        else
                it->next = it->length == UINT64_MAX ? UINT64_MAX : it->offset + it->length;
        return read_ahead(it, err);
}

struct source *
object_source(struct object_store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        struct object_source *it = mem_zalloc(sizeof(*it), err);
        struct err failure;

        if (it == NULL)
                return NULL;
        source_init(&it->source, &object_source_ops);
        it->store = store;
        it->cancel = cancel_ref(cancel);
        it->offset = offset;
        it->length = length;
        it->range_cap = store->connections > 0 ? store->connections : 1;
        err_init(&failure);
        if (offset > UINT64_MAX / 2 || (length != UINT64_MAX && length > UINT64_MAX / 2)) {
                err_set(
                    &failure, ERR_TRUNCATED, "cannot read \"%s\": no object is that large", key);
                goto fail;
        }
        it->key = mem_strdup(key, &failure);
        it->ranges = mem_zalloc(it->range_cap * sizeof(*it->ranges), &failure);
        if (it->key == NULL || it->ranges == NULL)
                goto fail;
        it->lane = object_lane_get(store, &failure);
        if (it->lane == NULL || open_object(it, &failure) < 0)
                goto fail;
        return &it->source;

fail:
        if (err != NULL)
                *err = failure;
        object_source_free(&it->source);
        return NULL;
}
