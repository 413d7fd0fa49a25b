#include "moonkeep/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "redact.h"

/* Shorter ones would blot out ordinary words. */
#define REDACT_MIN 4

struct secret {
        atomic_ulong refs;
        char *bytes; /* pages of their own */
        size_t len;
        size_t mapped;
        struct secret *next, *prev; /* in the registry */
};

static struct {
        pthread_mutex_t lock;
        struct secret *first;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Pages of their own can be kept out of dumps and, as far as the system lets us, out of swap. */
static int
map_bytes(struct secret *secret, const void *bytes, size_t len, struct err *err)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t mapped = (len + 1 + page - 1) / page * page;
        void *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (map == MAP_FAILED)
                return err_sys(err, "cannot map memory for a secret");
        (void)madvise(map, mapped, MADV_DONTDUMP);
        (void)mlock(map, mapped);
        if (len != 0)
                memcpy(map, bytes, len);
        secret->bytes = map;
        secret->len = len;
        secret->mapped = mapped;
        return 0;
}

struct secret *
secret_new(const void *bytes, size_t len, struct err *err)
{
        if (len > SECRET_MAX) {
                err_set(
                    err, ERR_TOO_BIG, "a secret of %zu bytes is longer than %d", len, SECRET_MAX);
                return NULL;
        }
        struct secret *secret = mem_zalloc(sizeof(*secret), err);
        if (secret == NULL)
                return NULL;
        atomic_init(&secret->refs, 1);
        if (map_bytes(secret, bytes, len, err) < 0) {
                mem_free(secret);
                return NULL;
        }

        pthread_mutex_lock(&registry.lock);
        secret->next = registry.first;
        if (secret->next != NULL)
                secret->next->prev = secret;
        registry.first = secret;
        pthread_mutex_unlock(&registry.lock);
        return secret;
}

struct secret *
secret_ref(struct secret *secret)
{
        if (secret != NULL)
                atomic_fetch_add(&secret->refs, 1);
        return secret;
}

void
secret_unref(struct secret *secret)
{
        if (secret == NULL || atomic_fetch_sub(&secret->refs, 1) != 1)
                return;

        pthread_mutex_lock(&registry.lock);
        if (secret->prev != NULL)
                secret->prev->next = secret->next;
        else
                registry.first = secret->next;
        if (secret->next != NULL)
                secret->next->prev = secret->prev;
        pthread_mutex_unlock(&registry.lock);

        secret_wipe(secret->bytes, secret->mapped);
        munmap(secret->bytes, secret->mapped);
        mem_free(secret);
}

const char *
secret_bytes(const struct secret *secret, size_t *len)
{
        if (len != NULL)
                *len = secret->len;
        return secret->bytes;
}

void
secret_redact(char *text, size_t len)
{
        unsigned char small[1024];
        unsigned char *mark = small;

        pthread_mutex_lock(&registry.lock);
        if (registry.first == NULL || len == 0)
                goto unlock;
        /*
         * All are found before one is overwritten: secrets contain and overlap
         * each other.
         */
        if (len > sizeof(small)) {
                mark = mem_alloc(len, NULL);
                /* Without the memory to tell what is secret, all is. */
                if (mark == NULL) {
                        memset(text, '*', len);
                        goto unlock;
                }
        }
        memset(mark, 0, len);
        for (const struct secret *at = registry.first; at != NULL; at = at->next) {
                if (at->len >= REDACT_MIN)
                        redact_mark(text, len, (const unsigned char *)at->bytes, at->len, mark);
        }
        for (size_t idx = 0; idx < len; idx++) {
                if (mark[idx])
                        text[idx] = '*';
        }
unlock:
        pthread_mutex_unlock(&registry.lock);
        if (mark != small)
                mem_free(mark);
}

void
secret_wipe(void *mem, size_t len)
{
        if (len != 0)
                explicit_bzero(mem, len);
}

int
secret_no_core_dumps(struct err *err)
{
        /*
         * 1, not 0: the kernel heeds a limit of 0 for files only, and would
         * still feed a dump to a collector behind a pipe; 1 stops that, too,
         * and is too small for a file.
         *
         * PR_SET_DUMPABLE is left alone: it would give our files in /proc to
         * root, and keep the user from looking at a run of his that hangs.
         */
        struct rlimit limit = { .rlim_cur = 1, .rlim_max = 1 };
        struct rlimit now;

        if (getrlimit(RLIMIT_CORE, &now) < 0)
                return err_sys(err, "cannot read the limit on core dumps");
        if (now.rlim_max < limit.rlim_max)
                limit = (struct rlimit){ 0, 0 };
        if (setrlimit(RLIMIT_CORE, &limit) < 0)
                return err_sys(err, "cannot switch off core dumps");
        return 0;
}
