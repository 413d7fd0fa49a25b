#include "moonkeep/stream_driver.h"

#include "moonkeep/mem.h"

static void
copy_failure(struct err *err, const struct err *failure)
{
        if (err != NULL)
                *err = *failure;
}

void
source_init(struct source *src, const struct source_ops *ops)
{
        src->ops = ops;
        src->state = STREAM_OPEN;
        src->bytes = 0;
        src->expected = UINT64_MAX;
        err_init(&src->failure);
}

ssize_t
source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        if (src->state == STREAM_OPEN) {
                /* The driver fills the kept failure, so that it sticks even for a NULL err. */
                ssize_t got = src->ops->read(src, buf, cap, &src->failure);
                if (got > 0) {
                        src->bytes += (uint64_t)got;
                        return got;
                }
                src->state = got == 0 ? STREAM_END : STREAM_FAILED;
        }
        if (src->state == STREAM_END)
                return 0;
        copy_failure(err, &src->failure);
        return -1;
}

uint64_t
source_bytes(const struct source *src)
{
        return src->bytes;
}

void
source_free(struct source *src)
{
        if (src != NULL)
                src->ops->free(src);
}

void
sink_init(struct sink *sink, const struct sink_ops *ops)
{
        sink->ops = ops;
        sink->room = NULL;
        sink->state = STREAM_OPEN;
        sink->bytes = 0;
        err_init(&sink->failure);
}

/* Is sink one that can still be written and committed? */
static int
check_open(const struct sink *sink, struct err *err)
{
        if (sink->state == STREAM_OPEN)
                return 0;
        if (sink->state == STREAM_FAILED)
                copy_failure(err, &sink->failure);
        else
                err_set(err, ERR_INTERNAL, "the %s sink was committed before", sink->ops->name);
        return -1;
}

void *
sink_room(struct sink *sink, size_t *len)
{
        if (sink->room == NULL || sink->state != STREAM_OPEN)
                return NULL;
        return sink->room(sink, len);
}

int
sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        if (check_open(sink, err) < 0)
                return -1;
        if (len == 0)
                return 0;
        if (sink->ops->write(sink, data, len, &sink->failure) < 0) {
                sink->state = STREAM_FAILED;
                copy_failure(err, &sink->failure);
                return -1;
        }
        sink->bytes += len;
        return 0;
}

int
sink_commit(struct sink *sink, struct err *err)
{
        if (check_open(sink, err) < 0)
                return -1;
        if (sink->ops->commit(sink, &sink->failure) < 0) {
                sink->state = STREAM_FAILED;
                copy_failure(err, &sink->failure);
                return -1;
        }
        sink->state = STREAM_END;
        return 0;
}

uint64_t
sink_bytes(const struct sink *sink)
{
        return sink->bytes;
}

void
sink_free(struct sink *sink)
{
        if (sink != NULL)
                sink->ops->free(sink);
}

/*
 * As many bytes as there is room for, up to a chunk, or to the end: sources that
 * give what a connection brings (16 KiB of TLS) would make each of the steps
 * behind them small.
 */
static ssize_t
fill(struct source *src, unsigned char *place, size_t room, struct err *err)
{
        size_t len = 0;

        if (room > STREAM_CHUNK)
                room = STREAM_CHUNK;
        while (len < room) {
                ssize_t got = source_read(src, place + len, room - len, err);
                if (got < 0)
                        return -1;
                if (got == 0)
                        break;
                len += (size_t)got;
        }
        return (ssize_t)len;
}

/* The one copy loop; without a sink the bytes are dropped. */
static int
pump(struct source *src, struct sink *sink, struct progress *progress, struct cancel *cancel,
    uint64_t *bytes, struct err *err)
{
        uint64_t total = 0;
        unsigned char *chunk = mem_alloc(STREAM_CHUNK, err);

        if (chunk == NULL)
                return -1;
        for (;;) {
                if (cancel_check(cancel, err) < 0)
                        goto fail;
                size_t room = STREAM_CHUNK;
                void *place = sink != NULL ? sink_room(sink, &room) : NULL;
                if (place == NULL) {
                        place = chunk;
                        room = STREAM_CHUNK;
                }
                ssize_t got = fill(src, place, room, err);
                if (got < 0)
                        goto fail;
                if (got == 0)
                        break;
                if (sink != NULL && sink_write(sink, place, (size_t)got, err) < 0)
                        goto fail;
                total += (uint64_t)got;
                if (progress != NULL)
                        atomic_fetch_add(&progress->bytes_out, (uint64_t)got);
        }
        mem_free(chunk);
        if (bytes != NULL)
                *bytes = total;
        return 0;

fail:
        mem_free(chunk);
        return -1;
}

int
stream_copy(struct source *src, struct sink *sink, struct progress *progress, struct cancel *cancel,
    uint64_t *bytes, struct err *err)
{
        return pump(src, sink, progress, cancel, bytes, err);
}

int
stream_drain(struct source *src, struct progress *progress, struct cancel *cancel, struct err *err)
{
        return pump(src, NULL, progress, cancel, NULL, err);
}
