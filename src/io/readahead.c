#include "moonkeep/stream_driver.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/thread.h"

/* Two, so that one can be filled while the other is emptied; more than the last helps nobody. */
#define CHUNKS_MIN 2
#define CHUNKS_MAX 256

/*
 * A ring of bytes with one writer (the thread) and one reader.  Bytes are
 * copied without the lock: those from tail to head belong to the reader, the
 * others to the writer, and only their owner moves either end.
 */
struct readahead {
        struct source source;
        struct cancel *cancel;
        pthread_t thread;
        unsigned char *ring;
        size_t size;

        /* Only touched by the thread until it is joined. */
        struct source *upstream;

        pthread_mutex_t lock;
        pthread_cond_t filled;  /* head moved or finished was set */
        pthread_cond_t emptied; /* tail moved or stop was set */
        /* Under the lock. */
        uint64_t head; /* bytes put in so far */
        uint64_t tail; /* bytes taken out so far */
        bool stop;
        bool finished;      /* no bytes follow head */
        bool failed;        /* ... because upstream failed */
        struct err failure; /* written before failed */
};

/* Wait for room for a whole chunk; says where the writer may write, or false when it has to stop.
 */
static bool
wait_for_room(struct readahead *it, size_t *at, size_t *len)
{
        pthread_mutex_lock(&it->lock);
        while (!it->stop && it->size - (size_t)(it->head - it->tail) < STREAM_CHUNK)
                pthread_cond_wait(&it->emptied, &it->lock);
        bool go_on = !it->stop;
        *at = (size_t)(it->head % it->size);
        pthread_mutex_unlock(&it->lock);

        *len = it->size - *at < STREAM_CHUNK ? it->size - *at : STREAM_CHUNK;
        return go_on;
}

static void *
fill(void *arg)
{
        struct readahead *it = arg;
        size_t at, len;
        struct err err;
        ssize_t got = 0;

        err_init(&err);
        while (wait_for_room(it, &at, &len)) {
                got = cancel_check(it->cancel, &err);
                if (got == 0)
                        got = source_read(it->upstream, it->ring + at, len, &err);
                if (got <= 0)
                        break;
                pthread_mutex_lock(&it->lock);
                it->head += (uint64_t)got;
                pthread_cond_signal(&it->filled);
                pthread_mutex_unlock(&it->lock);
        }

        pthread_mutex_lock(&it->lock);
        it->finished = true;
        it->failed = got < 0;
        it->failure = err;
        pthread_cond_signal(&it->filled);
        pthread_mutex_unlock(&it->lock);
        return NULL;
}

static ssize_t
readahead_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct readahead *it = (struct readahead *)src;

        if (cancel_check(it->cancel, err) < 0)
                return -1;

        /* No wait on the token here: it wakes upstream, and that wakes this. */
        pthread_mutex_lock(&it->lock);
        while (it->head == it->tail && !it->finished)
                pthread_cond_wait(&it->filled, &it->lock);
        size_t len = (size_t)(it->head - it->tail);
        size_t at = (size_t)(it->tail % it->size);
        pthread_mutex_unlock(&it->lock);

        /* Finished, and what was written before that has all been read. */
        if (len == 0) {
                if (!it->failed)
                        return 0;
                *err = it->failure;
                return -1;
        }

        if (len > cap)
                len = cap;
        size_t first = it->size - at < len ? it->size - at : len;
        memcpy(buf, it->ring + at, first);
        memcpy((unsigned char *)buf + first, it->ring, len - first);

        pthread_mutex_lock(&it->lock);
        it->tail += len;
        pthread_cond_signal(&it->emptied);
        pthread_mutex_unlock(&it->lock);
        return (ssize_t)len;
}

/* Release all but the thread. */
static void
release(struct readahead *it)
{
        pthread_cond_destroy(&it->emptied);
        pthread_cond_destroy(&it->filled);
        pthread_mutex_destroy(&it->lock);
        source_free(it->upstream);
        cancel_unref(it->cancel);
        mem_free(it->ring);
        mem_free(it);
}

static void
readahead_free(struct source *src)
{
        struct readahead *it = (struct readahead *)src;

        pthread_mutex_lock(&it->lock);
        it->stop = true;
        pthread_cond_signal(&it->emptied);
        pthread_mutex_unlock(&it->lock);
        thread_join(it->thread);
        release(it);
}

static const struct source_ops readahead_ops = { "readahead", readahead_read, readahead_free };

struct source *
readahead_source(struct source *src, unsigned chunks, struct cancel *cancel, struct err *err)
{
        if (src == NULL)
                return NULL;

        struct readahead *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        if (chunks < CHUNKS_MIN)
                chunks = CHUNKS_MIN;
        if (chunks > CHUNKS_MAX)
                chunks = CHUNKS_MAX;
        it->size = chunks * STREAM_CHUNK;
        it->ring = mem_alloc(it->size, err);
        if (it->ring == NULL)
                goto fail_it;
        source_init(&it->source, &readahead_ops);
        /* Without attributes these do not fail on Linux. */
        pthread_mutex_init(&it->lock, NULL);
        pthread_cond_init(&it->filled, NULL);
        pthread_cond_init(&it->emptied, NULL);
        it->upstream = src;
        it->cancel = cancel_ref(cancel);
        if (thread_start(&it->thread, "readahead", fill, it, err) < 0) {
                release(it);
                return NULL;
        }
        return &it->source;

fail_it:
        mem_free(it);
fail:
        source_free(src);
        return NULL;
}
