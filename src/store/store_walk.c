#include "moonkeep/store_walk.h"

#include <pthread.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/thread.h"

/* Keys that are handed over at a time: a page of most servers. */
#define BATCH_KEYS 1000
#define BATCH_BYTES ((size_t)4 * 1024 * 1024)

/* Batches. */

/* In front of each key, which a NUL ends; behind the key the ETag, likewise. */
struct head {
        uint64_t size;
        int64_t mtime_ms;
        bool folded;
        bool archived;
};

void
store_batch_init(struct store_batch *batch, size_t max)
{
        buf_init(&batch->bytes, max);
        batch->count = 0;
}

void
store_batch_free(struct store_batch *batch)
{
        buf_free(&batch->bytes);
        batch->count = 0;
}

int
store_batch_add(
    struct store_batch *batch, const char *key, const struct store_stat *stat, struct err *err)
{
        struct head head = { .folded = stat == NULL };
        const char *etag = stat != NULL ? stat->etag : "";
        size_t key_size = strlen(key) + 1, etag_size = strlen(etag) + 1;

        if (stat != NULL) {
                head.size = stat->size;
                head.mtime_ms = stat->mtime_ms;
                head.archived = stat->archived;
        }
        /* Whole or not at all. */
        char *at = buf_reserve(&batch->bytes, sizeof(head) + key_size + etag_size, err);
        if (at == NULL)
                return -1;
        memcpy(at, &head, sizeof(head));
        memcpy(at + sizeof(head), key, key_size);
        memcpy(at + sizeof(head) + key_size, etag, etag_size);
        buf_commit(&batch->bytes, sizeof(head) + key_size + etag_size);
        batch->count++;
        return 0;
}

const char *
store_batch_next(const struct store_batch *batch, size_t *at, struct store_stat *stat, bool *folded)
{
        struct head head;

        if (*at >= batch->bytes.len)
                return NULL;
        memcpy(&head, batch->bytes.data + *at, sizeof(head));
        const char *key = batch->bytes.data + *at + sizeof(head);
        const char *etag = key + strlen(key) + 1;
        size_t etag_size = strlen(etag) + 1;
        *at = (size_t)(etag + etag_size - batch->bytes.data);
        *folded = head.folded;
        if (!head.folded) {
                stat->size = head.size;
                stat->mtime_ms = head.mtime_ms;
                stat->archived = head.archived;
                memcpy(stat->etag, etag, etag_size);
        }
        return key;
}

/* Walks. */

struct store_walk {
        struct store *store;
        char *prefix;
        bool shallow;
        struct cancel *cancel; /* of its own: a walk that is freed ends what it waits for */
        pthread_t thread;

        struct store_batch filling; /* the thread's, until it has ended */

        pthread_mutex_t lock;
        pthread_cond_t filled;  /* full or finished was set */
        pthread_cond_t emptied; /* full was cleared, or stop was set */
        /* Under the lock. */
        struct store_batch ready;
        bool full; /* ready is for the reader */
        bool stop;
        bool finished; /* nothing follows ready */
        bool failed;
        struct err failure; /* written before failed */
};

/* Hand over what was collected, once the reader has taken what came before. */
static int
hand_over(struct store_walk *walk, struct err *err)
{
        pthread_mutex_lock(&walk->lock);
        while (walk->full && !walk->stop)
                pthread_cond_wait(&walk->emptied, &walk->lock);
        bool go_on = !walk->stop;
        if (go_on) {
                struct store_batch taken = walk->ready;
                walk->ready = walk->filling;
                walk->filling = taken;
                walk->full = true;
                pthread_cond_signal(&walk->filled);
        }
        pthread_mutex_unlock(&walk->lock);
        if (!go_on)
                return err_set(err, ERR_CANCELLED, "the listing was ended");
        buf_clear(&walk->filling.bytes);
        walk->filling.count = 0;
        return 0;
}

static int
collect(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct store_walk *walk = arg;

        if (store_batch_add(&walk->filling, key, stat, err) < 0)
                return -1;
        return walk->filling.count < BATCH_KEYS ? 0 : hand_over(walk, err);
}

static void *
list(void *arg)
{
        struct store_walk *walk = arg;
        struct err err;

        err_init(&err);
        int result =
            store_list(walk->store, walk->prefix, walk->shallow, collect, walk, walk->cancel, &err);
        /* What was found before a failure is told before it, too. */
        if (walk->filling.count != 0 && hand_over(walk, result == 0 ? &err : NULL) < 0)
                result = -1;

        pthread_mutex_lock(&walk->lock);
        walk->finished = true;
        walk->failed = result < 0;
        walk->failure = err;
        pthread_cond_signal(&walk->filled);
        pthread_mutex_unlock(&walk->lock);
        return NULL;
}

int
store_walk_next(struct store_walk *walk, struct store_batch *batch, struct err *err)
{
        /* No wait on a token here: it wakes the listing, and that wakes this. */
        pthread_mutex_lock(&walk->lock);
        while (!walk->full && !walk->finished)
                pthread_cond_wait(&walk->filled, &walk->lock);
        bool found = walk->full;
        if (found) {
                struct store_batch emptied = *batch;
                *batch = walk->ready;
                walk->ready = emptied;
                walk->ready.bytes.max = BATCH_BYTES;
                walk->full = false;
                pthread_cond_signal(&walk->emptied);
        }
        pthread_mutex_unlock(&walk->lock);
        if (found)
                return 1;
        if (!walk->failed)
                return 0;
        *err = walk->failure;
        return -1;
}

/* Release all but the thread. */
static void
release(struct store_walk *walk)
{
        pthread_cond_destroy(&walk->emptied);
        pthread_cond_destroy(&walk->filled);
        pthread_mutex_destroy(&walk->lock);
        store_batch_free(&walk->filling);
        store_batch_free(&walk->ready);
        cancel_unref(walk->cancel);
        mem_free(walk->prefix);
        mem_free(walk);
}

struct store_walk *
store_walk_new(
    struct store *store, const char *prefix, bool shallow, struct cancel *cancel, struct err *err)
{
        struct store_walk *walk = mem_zalloc(sizeof(*walk), err);

        if (walk == NULL)
                return NULL;
        walk->store = store;
        walk->shallow = shallow;
        store_batch_init(&walk->filling, BATCH_BYTES);
        store_batch_init(&walk->ready, BATCH_BYTES);
        /* Without attributes these do not fail on Linux. */
        pthread_mutex_init(&walk->lock, NULL);
        pthread_cond_init(&walk->filled, NULL);
        pthread_cond_init(&walk->emptied, NULL);
        walk->prefix = mem_strdup(prefix, err);
        if (walk->prefix == NULL)
                goto fail;
        walk->cancel = cancel_new(cancel, err);
        if (walk->cancel == NULL || thread_start(&walk->thread, "listing", list, walk, err) < 0)
                goto fail;
        return walk;

fail:
        release(walk);
        return NULL;
}

void
store_walk_free(struct store_walk *walk)
{
        if (walk == NULL)
                return;
        cancel_trigger(walk->cancel);
        pthread_mutex_lock(&walk->lock);
        walk->stop = true;
        pthread_cond_signal(&walk->emptied);
        pthread_mutex_unlock(&walk->lock);
        thread_join(walk->thread);
        release(walk);
}
