#include "loop_internal.h"

#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* Bound on the timers of one loop: far above what tasks and requests need. */
#define TIMERS_MAX 65536

static bool
is_before(const struct timer *one, const struct timer *other)
{
        if (one->due_ms != other->due_ms)
                return one->due_ms < other->due_ms;
        return one->id < other->id;
}

static void
swap(struct timers *timers, size_t one, size_t other)
{
        struct timer kept = timers->heap[one];

        timers->heap[one] = timers->heap[other];
        timers->heap[other] = kept;
}

static void
sift_up(struct timers *timers, size_t at)
{
        while (at > 0) {
                size_t parent = (at - 1) / 2;
                if (!is_before(&timers->heap[at], &timers->heap[parent]))
                        break;
                swap(timers, at, parent);
                at = parent;
        }
}

static void
sift_down(struct timers *timers, size_t at)
{
        for (;;) {
                size_t least = at;
                for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
                        if (child < timers->count &&
                            is_before(&timers->heap[child], &timers->heap[least]))
                                least = child;
                }
                if (least == at)
                        break;
                swap(timers, at, least);
                at = least;
        }
}

static void
remove_at(struct timers *timers, size_t at)
{
        timers->count--;
        if (at == timers->count)
                return;
        timers->heap[at] = timers->heap[timers->count];
        sift_up(timers, at);
        sift_down(timers, at);
}

static int
make_room(struct timers *timers, struct err *err)
{
        if (timers->count < timers->cap)
                return 0;
        if (timers->cap == TIMERS_MAX)
                return err_set(err, ERR_TOO_BIG, "cannot set a timer: %d are set", TIMERS_MAX);
        size_t cap = timers->cap != 0 ? timers->cap * 2 : 16;
        struct timer *heap = mem_realloc(timers->heap, cap * sizeof(*heap), err);
        if (heap == NULL)
                return -1;
        timers->heap = heap;
        timers->cap = cap;
        return 0;
}

uint64_t
loop_timer(struct loop *loop, int64_t delay_ms, loop_fn *fn, void *arg, struct err *err)
{
        struct timers *timers = &loop->timers;
        int64_t now = time_mono_ms();

        if (make_room(timers, err) < 0)
                return 0;
        if (delay_ms < 0)
                delay_ms = 0;
        if (delay_ms > INT64_MAX - now)
                delay_ms = INT64_MAX - now;
        timers->heap[timers->count++] = (struct timer){
                .due_ms = now + delay_ms,
                .id = ++loop->last_id,
                .fn = fn,
                .arg = arg,
        };
        sift_up(timers, timers->count - 1);
        return loop->last_id;
}

void
loop_timer_stop(struct loop *loop, uint64_t id)
{
        struct timers *timers = &loop->timers;

        /* There are few timers at a time: looking at each is cheaper than an index. */
        for (size_t idx = 0; idx < timers->count; idx++) {
                if (timers->heap[idx].id == id) {
                        remove_at(timers, idx);
                        return;
                }
        }
}

int64_t
timers_wait_ms(const struct loop *loop)
{
        if (loop->timers.count == 0)
                return -1;
        int64_t left = loop->timers.heap[0].due_ms - time_mono_ms();
        return left > 0 ? left : 0;
}

void
timers_run(struct loop *loop)
{
        struct timers *timers = &loop->timers;
        uint64_t newest = loop->last_id;
        int64_t now = time_mono_ms();

        /* A timer that is set from here waits for the next round, so that everyone gets a turn. */
        while (timers->count > 0 && timers->heap[0].due_ms <= now && timers->heap[0].id <= newest) {
                struct timer due = timers->heap[0];
                remove_at(timers, 0);
                due.fn(due.arg);
        }
}

void
timers_free(struct timers *timers)
{
        mem_free(timers->heap);
}
