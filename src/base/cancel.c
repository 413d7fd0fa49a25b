#include "moonkeep/cancel.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "moonkeep/time.h"

struct cancel {
        atomic_bool set;
        int fd;
        /* All below is guarded by tree_lock. */
        unsigned long refs; /* each child holds one */
        struct cancel *parent;
        struct cancel *first_child;
        struct cancel *next, *prev; /* siblings */
};

/*
 * One lock for all trees: tokens are made and set rarely, and a lock per tree
 * would have to live somewhere that outlasts the root.  Asking whether a
 * token is set takes no lock.
 */
static pthread_mutex_t tree_lock = PTHREAD_MUTEX_INITIALIZER;

static void
set_one(struct cancel *token)
{
        uint64_t one = 1;

        if (atomic_exchange(&token->set, true))
                return;
        /* The counter was 0 and nobody else writes: this can neither block nor fall short. */
        while (write(token->fd, &one, sizeof(one)) < 0 && errno == EINTR)
                continue;
}

static void
link_below(struct cancel *parent, struct cancel *token)
{
        parent->refs++;
        token->parent = parent;
        token->next = parent->first_child;
        if (token->next != NULL)
                token->next->prev = token;
        parent->first_child = token;
}

static void
unlink_from_parent(struct cancel *token)
{
        if (token->prev != NULL)
                token->prev->next = token->next;
        else
                token->parent->first_child = token->next;
        if (token->next != NULL)
                token->next->prev = token->prev;
}

struct cancel *
cancel_new(struct cancel *parent, struct err *err)
{
        struct cancel *token = mem_zalloc(sizeof(*token), err);

        if (token == NULL)
                return NULL;
        atomic_init(&token->set, false);
        token->refs = 1;
        token->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (token->fd < 0) {
                err_sys(err, "cannot create an event descriptor");
                mem_free(token);
                return NULL;
        }
        if (parent != NULL) {
                pthread_mutex_lock(&tree_lock);
                link_below(parent, token);
                if (atomic_load(&parent->set))
                        set_one(token);
                pthread_mutex_unlock(&tree_lock);
        }
        return token;
}

struct cancel *
cancel_ref(struct cancel *token)
{
        if (token == NULL)
                return NULL;
        pthread_mutex_lock(&tree_lock);
        token->refs++;
        pthread_mutex_unlock(&tree_lock);
        return token;
}

void
cancel_unref(struct cancel *token)
{
        pthread_mutex_lock(&tree_lock);
        /* The reference that a freed child held may be its parent's last one. */
        while (token != NULL && --token->refs == 0) {
                struct cancel *parent = token->parent;

                if (parent != NULL)
                        unlink_from_parent(token);
                close(token->fd);
                mem_free(token);
                token = parent;
        }
        pthread_mutex_unlock(&tree_lock);
}

void
cancel_trigger(struct cancel *token)
{
        if (token == NULL)
                return;

        pthread_mutex_lock(&tree_lock);
        /* The subtree in preorder, without recursion: depth is up to the callers. */
        struct cancel *at = token;
        for (;;) {
                set_one(at);
                if (at->first_child != NULL) {
                        at = at->first_child;
                        continue;
                }
                while (at != token && at->next == NULL)
                        at = at->parent;
                if (at == token)
                        break;
                at = at->next;
        }
        pthread_mutex_unlock(&tree_lock);
}

bool
cancel_is_set(const struct cancel *token)
{
        return token != NULL && atomic_load(&token->set);
}

int
cancel_fd(const struct cancel *token)
{
        return token != NULL ? token->fd : -1;
}

int
cancel_check(const struct cancel *token, struct err *err)
{
        if (cancel_is_set(token))
                return err_set(err, ERR_CANCELLED, "cancelled");
        return 0;
}

int
cancel_wait_fd(struct cancel *token, int fd, short events, int stall_ms, struct err *err)
{
        struct pollfd fds[2] = {
                { .fd = fd, .events = events },
                { .fd = cancel_fd(token), .events = POLLIN },
        };
        int64_t deadline = time_mono_ms() + stall_ms;
        int left = stall_ms;

        for (;;) {
                if (cancel_check(token, err) < 0)
                        return -1;
                int ready = poll(fds, 2, left);
                if (ready < 0 && errno != EINTR)
                        return err_sys(err, "cannot wait for a descriptor");
                if (ready > 0 && fds[1].revents == 0)
                        return 0;
                if (ready > 0)
                        return err_set(err, ERR_CANCELLED, "cancelled");
                if (ready == 0)
                        break;
                if (stall_ms >= 0) {
                        /* Interrupted: what is left of the time, rounded to "now" when none is. */
                        int64_t rest = deadline - time_mono_ms();
                        left = rest > 0 ? (int)rest : 0;
                }
        }
        if (stall_ms % 1000 == 0)
                return err_set(err, ERR_TIMEOUT, "no progress for %d s", stall_ms / 1000);
        return err_set(err, ERR_TIMEOUT, "no progress for %d ms", stall_ms);
}

int
cancel_sleep(const struct cancel *token, int64_t ms, struct err *err)
{
        struct pollfd waited = { .fd = cancel_fd(token), .events = POLLIN };
        int64_t until = time_mono_ms() + ms;

        for (int64_t left = ms; left > 0 && !cancel_is_set(token); left = until - time_mono_ms())
                (void)poll(&waited, 1, left < INT_MAX ? (int)left : INT_MAX);
        return cancel_check(token, err);
}
