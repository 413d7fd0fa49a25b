#include "object_pool.h"

#include <pthread.h>
#include <stdbool.h>

#include "moonkeep/digest.h"
#include "moonkeep/mem.h"

/*
 * What all buffers together may take, in bytes: a sink with four parts under
 * way and one that is being filled.  With the program itself below 64 MiB.
 */
#define BUDGET (5 * DIGEST_PART_SIZE)

/* A buffer that waits for its next use; it lies in its own memory. */
struct idle {
        struct idle *next;
        size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t used;       /* bytes lent */
static size_t idle_bytes; /* bytes waiting */
static struct idle *idle_list;

static void
free_idle(void)
{
        while (idle_list != NULL) {
                struct idle *next = idle_list->next;
                mem_free(idle_list);
                idle_list = next;
        }
        idle_bytes = 0;
}

static struct idle *
take_idle(size_t size)
{
        for (struct idle **at = &idle_list; *at != NULL; at = &(*at)->next) {
                struct idle *found = *at;
                if (found->size != size)
                        continue;
                *at = found->next;
                idle_bytes -= size;
                return found;
        }
        return NULL;
}

int
object_pool_get(size_t size, bool must, char **out, struct err *err)
{
        void *buffer = NULL;

        pthread_mutex_lock(&lock);
        bool lend = must || used + size <= BUDGET;
        if (lend) {
                used += size;
                buffer = take_idle(size);
                if (buffer == NULL && used + idle_bytes > BUDGET)
                        free_idle();
        }
        pthread_mutex_unlock(&lock);
        if (!lend)
                return 0;
        if (buffer == NULL)
                buffer = mem_alloc(size > sizeof(struct idle) ? size : sizeof(struct idle), err);
        if (buffer == NULL) {
                pthread_mutex_lock(&lock);
                used -= size;
                pthread_mutex_unlock(&lock);
                return -1;
        }
        *out = buffer;
        return 1;
}

void
object_pool_put(char *buffer, size_t size)
{
        struct idle *idle = (struct idle *)(void *)buffer;

        if (buffer == NULL)
                return;
        pthread_mutex_lock(&lock);
        used -= size;
        bool keep = size >= sizeof(*idle) && used + idle_bytes + size <= BUDGET;
        if (keep) {
                idle->size = size;
                idle->next = idle_list;
                idle_list = idle;
                idle_bytes += size;
        }
        pthread_mutex_unlock(&lock);
        if (!keep)
                mem_free(buffer);
}

void
object_pool_drain(void)
{
        pthread_mutex_lock(&lock);
        free_idle();
        pthread_mutex_unlock(&lock);
}
