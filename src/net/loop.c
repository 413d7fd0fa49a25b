#include "moonkeep/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http_internal.h"
#include "loop_internal.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

/* Bound on the watches of one loop: each request has one for its cancel token. */
#define WATCHES_MAX 65536

/* The array with room for size bytes; on failure as it was, and *ok is false. */
static void *
grow(void *array, size_t size, bool *ok, struct err *err)
{
        void *grown = mem_realloc(array, size, err);

        if (grown == NULL)
                *ok = false;
        return grown != NULL ? grown : array;
}

static int
watches_reserve(struct watches *watches, size_t count, struct err *err)
{
        size_t cap = watches->cap != 0 ? watches->cap : 8;

        if (count <= watches->cap)
                return 0;
        if (count > WATCHES_MAX)
                return err_set(
                    err, ERR_TOO_BIG, "cannot watch one more descriptor than %d", WATCHES_MAX);
        while (cap < count)
                cap *= 2;
        bool ok = true;
        watches->all = grow(watches->all, cap * sizeof(*watches->all), &ok, err);
        watches->curl_fds =
            grow(watches->curl_fds, (cap + 1) * sizeof(*watches->curl_fds), &ok, err);
        watches->poll_fds =
            grow(watches->poll_fds, (cap + 1) * sizeof(*watches->poll_fds), &ok, err);
        watches->ids = grow(watches->ids, (cap + 1) * sizeof(*watches->ids), &ok, err);
        if (!ok)
                return -1;
        watches->cap = cap;
        return 0;
}

static void
watches_free(struct watches *watches)
{
        mem_free(watches->all);
        mem_free(watches->curl_fds);
        mem_free(watches->poll_fds);
        mem_free(watches->ids);
}

struct loop *
loop_new(struct err *err)
{
        struct loop *loop = mem_zalloc(sizeof(*loop), err);

        if (loop == NULL)
                return NULL;
        loop->looked_ms = time_mono_ms();
        loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->wake_fd < 0) {
                err_sys(err, "cannot create an event descriptor");
                goto fail;
        }
        /* Now, so that a wait never fails for want of memory. */
        if (watches_reserve(&loop->watches, 1, err) < 0 || job_pool_init(&loop->jobs, err) < 0)
                goto fail_watches;
        return loop;

fail_watches:
        watches_free(&loop->watches);
        close(loop->wake_fd);
fail:
        mem_free(loop);
        return NULL;
}

void
loop_free(struct loop *loop)
{
        if (loop == NULL)
                return;
        job_pool_free(&loop->jobs);
        if (loop->multi != NULL)
                curl_multi_cleanup(loop->multi);
        timers_free(&loop->timers);
        watches_free(&loop->watches);
        close(loop->wake_fd);
        mem_free(loop);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_set_up;

static void
set_up_curl(void)
{
        curl_set_up = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
http_set_up_curl(struct err *err)
{
        pthread_once(&curl_once, set_up_curl);
        if (curl_set_up != CURLE_OK)
                return err_set(err, ERR_INTERNAL, "cannot set up libcurl: %s",
                    curl_easy_strerror(curl_set_up));
        return 0;
}

CURLM *
loop_multi(struct loop *loop, struct err *err)
{
        if (loop->multi != NULL)
                return loop->multi;
        if (http_set_up_curl(err) < 0)
                return NULL;
        loop->multi = curl_multi_init();
        if (loop->multi == NULL)
                err_set(err, ERR_NOMEM, "cannot make a multi handle of libcurl");
        return loop->multi;
}

unsigned
loop_pending(const struct loop *loop)
{
        return loop->jobs.pending + loop->transfers + (unsigned)loop->timers.count;
}

void
loop_wake(struct loop *loop)
{
        int sys = errno;
        uint64_t one = 1;

        /* EAGAIN: the counter is full, and so readable. */
        while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
                continue;
        errno = sys;
}

/* Watches. */

uint64_t
loop_watch_fd(struct loop *loop, int fd, loop_fn *fn, void *arg, struct err *err)
{
        struct watches *watches = &loop->watches;

        if (watches_reserve(watches, watches->count + 1, err) < 0)
                return 0;
        watches->all[watches->count++] = (struct watch){
                .id = ++loop->last_id,
                .fd = fd,
                .fn = fn,
                .arg = arg,
        };
        return loop->last_id;
}

static struct watch *
watch_find(struct watches *watches, uint64_t id)
{
        for (size_t idx = 0; idx < watches->count; idx++) {
                if (watches->all[idx].id == id)
                        return &watches->all[idx];
        }
        return NULL;
}

void
loop_unwatch_fd(struct loop *loop, uint64_t id)
{
        struct watch *watch = watch_find(&loop->watches, id);

        if (watch != NULL)
                *watch = loop->watches.all[--loop->watches.count];
}

/* The wait. */

/* With libcurl's own descriptors and time-outs. */
static int
wait_with_curl(struct loop *loop, size_t count, int wait_ms, struct err *err)
{
        struct watches *watches = &loop->watches;

        watches->curl_fds[0].fd = loop->wake_fd;
        for (size_t idx = 1; idx < count; idx++)
                watches->curl_fds[idx].fd = watches->all[idx - 1].fd;
        for (size_t idx = 0; idx < count; idx++) {
                watches->curl_fds[idx].events = CURL_WAIT_POLLIN;
                watches->curl_fds[idx].revents = 0;
        }
        CURLMcode rc =
            curl_multi_poll(loop->multi, watches->curl_fds, (unsigned)count, wait_ms, NULL);
        if (rc != CURLM_OK)
                return err_set(err, rc == CURLM_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
                    "cannot wait: %s", curl_multi_strerror(rc));
        for (size_t idx = 0; idx < count; idx++)
                watches->poll_fds[idx].revents = watches->curl_fds[idx].revents;
        return 0;
}

static int
wait_without_curl(struct loop *loop, size_t count, int wait_ms, struct err *err)
{
        struct watches *watches = &loop->watches;

        watches->poll_fds[0].fd = loop->wake_fd;
        for (size_t idx = 1; idx < count; idx++)
                watches->poll_fds[idx].fd = watches->all[idx - 1].fd;
        for (size_t idx = 0; idx < count; idx++) {
                watches->poll_fds[idx].events = POLLIN;
                watches->poll_fds[idx].revents = 0;
        }
        /* Interrupted by a signal is "something happened". */
        if (poll(watches->poll_fds, count, wait_ms) < 0 && errno != EINTR)
                return err_sys(err, "cannot wait");
        return 0;
}

/* Wait, empty the wake descriptor, and call the watches that are ready. */
static int
wait_and_call(struct loop *loop, int wait_ms, struct err *err)
{
        struct watches *watches = &loop->watches;
        size_t count = watches->count + 1;
        uint64_t counter;

        for (size_t idx = 1; idx < count; idx++)
                watches->ids[idx] = watches->all[idx - 1].id;
        int rc = loop->multi != NULL ? wait_with_curl(loop, count, wait_ms, err)
                                     : wait_without_curl(loop, count, wait_ms, err);
        if (rc < 0)
                return -1;
        if (watches->poll_fds[0].revents != 0)
                (void)!read(loop->wake_fd, &counter, sizeof(counter));

        /*
         * What is called may watch and unwatch, and let the arrays move: the
         * ready ones are sorted out first.
         */
        size_t ready = 0;
        for (size_t idx = 1; idx < count; idx++) {
                if (watches->poll_fds[idx].revents != 0)
                        watches->ids[ready++] = watches->ids[idx];
        }
        for (size_t idx = 0; idx < ready; idx++) {
                const struct watch *watch = watch_find(watches, watches->ids[idx]);
                if (watch != NULL)
                        watch->fn(watch->arg);
        }
        return 0;
}

static int
call_due(struct loop *loop, struct err *err)
{
        job_pool_run(loop);
        /*
         * Before the timers: what has come while nobody looked is progress, not
         * a stall.
         */
        if (loop->multi != NULL && http_run(loop, err) < 0)
                return -1;
        timers_run(loop);
        return 0;
}

int64_t
loop_clock(const struct loop *loop)
{
        return time_mono_ms() - loop->away_ms;
}

void
loop_is_back(struct loop *loop)
{
        int64_t now = time_mono_ms();

        if (loop->running)
                return;
        loop->away_ms += now - loop->looked_ms;
        loop->looked_ms = now;
}

int
loop_run_once(struct loop *loop, int max_wait_ms, struct err *err)
{
        /* What is due already ends the wait at once: a timer, libcurl's own time, a finished job.
         */
        int64_t wait_ms = timers_wait_ms(loop);
        if (wait_ms < 0 || wait_ms > INT_MAX)
                wait_ms = INT_MAX;
        if (max_wait_ms >= 0 && wait_ms > max_wait_ms)
                wait_ms = max_wait_ms;
        loop_is_back(loop);
        loop->running = true;
        int rc = wait_and_call(loop, (int)wait_ms, err);
        if (rc == 0)
                rc = call_due(loop, err);
        loop->running = false;
        loop->looked_ms = time_mono_ms();
        return rc;
}
