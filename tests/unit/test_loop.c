#include "harness/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "moonkeep/loop.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

static struct loop *
make(void)
{
        struct err err;

        err_init(&err);
        struct loop *loop = loop_new(&err);
        CHECK_PTR(loop, err);
        return loop;
}

static void
run(struct loop *loop, int max_wait_ms)
{
        struct err err;

        err_init(&err);
        CHECK_OK(loop_run_once(loop, max_wait_ms, &err), err);
}

static char order[64];

static void
note(void *arg)
{
        strncat(order, arg, sizeof(order) - strlen(order) - 1);
}

TEST(an_empty_loop_waits_no_longer_than_asked)
{
        struct loop *loop = make();

        run(loop, 0);
        run(loop, 10);
        CHECK_INT(loop_pending(loop), 0);
        loop_free(loop);
        loop_free(NULL);
}

TEST(timers_fire_in_the_order_of_their_times_and_once)
{
        struct loop *loop = make();
        struct err err;

        err_init(&err);
        CHECK(loop_timer(loop, 600, note, "c", &err) != 0);
        CHECK(loop_timer(loop, 1, note, "a", &err) != 0);
        CHECK(loop_timer(loop, 300, note, "b", &err) != 0);
        CHECK(loop_timer(loop, 600, note, "d", &err) != 0);
        CHECK_INT(loop_pending(loop), 4);
        while (loop_pending(loop) > 0)
                run(loop, -1);
        CHECK_STR(order, "abcd");
        loop_free(loop);
}

TEST(a_stopped_timer_is_not_called)
{
        struct loop *loop = make();
        struct err err;
        uint64_t ids[9];

        err_init(&err);
        for (int idx = 0; idx < 9; idx++) {
                static char names[] = "a\0b\0c\0d\0e\0f\0g\0h\0i";
                ids[idx] = loop_timer(loop, 100 * ((idx * 5) % 9), note, names + 2 * idx, &err);
                CHECK(ids[idx] != 0);
        }
        loop_timer_stop(loop, ids[0]);
        loop_timer_stop(loop, ids[4]);
        loop_timer_stop(loop, ids[4]);
        loop_timer_stop(loop, 0);
        while (loop_pending(loop) > 0)
                run(loop, -1);
        loop_timer_stop(loop, ids[1]);
        /* Tenths 0 5 1 6 2 7 3 8 4, without the first and the fifth. */
        CHECK_STR(order, "cgibdfh");
        loop_free(loop);
}

struct again {
        struct loop *loop;
        int left;
};

static void
set_again(void *arg)
{
        struct again *again = arg;

        if (--again->left > 0)
                CHECK(loop_timer(again->loop, 0, set_again, again, NULL) != 0);
}

TEST(a_timer_that_sets_itself_again_leaves_others_their_turn)
{
        struct loop *loop = make();
        struct again again = { loop, 1000 };
        struct err err;
        int fds[2];

        CHECK(pipe(fds) == 0);
        CHECK(write(fds[1], "x", 1) == 1);
        err_init(&err);
        CHECK(loop_timer(loop, 0, set_again, &again, &err) != 0);
        uint64_t id = loop_watch_fd(loop, fds[0], note, "x", &err);
        CHECK(id != 0);
        run(loop, -1);
        run(loop, -1);
        CHECK(order[0] == 'x');
        CHECK(again.left > 0);
        while (loop_pending(loop) > 0)
                run(loop, -1);
        loop_unwatch_fd(loop, id);
        close(fds[0]);
        close(fds[1]);
        loop_free(loop);
}

TEST(a_descriptor_may_be_watched_by_several)
{
        struct loop *loop = make();
        struct err err;
        uint64_t ids[20];
        int fds[2];

        CHECK(pipe(fds) == 0);
        err_init(&err);
        for (int idx = 0; idx < 20; idx++) {
                ids[idx] = loop_watch_fd(loop, fds[0], note, idx == 3 ? "3" : "-", &err);
                CHECK(ids[idx] != 0);
        }
        run(loop, 0);
        CHECK_STR(order, "");
        CHECK(write(fds[1], "x", 1) == 1);
        run(loop, -1);
        CHECK_INT(strlen(order), 20);
        for (int idx = 0; idx < 20; idx++) {
                if (idx != 3)
                        loop_unwatch_fd(loop, ids[idx]);
        }
        order[0] = '\0';
        run(loop, -1);
        CHECK_STR(order, "3");
        loop_unwatch_fd(loop, ids[3]);
        loop_unwatch_fd(loop, 0);
        order[0] = '\0';
        run(loop, 0);
        CHECK_STR(order, "");
        close(fds[0]);
        close(fds[1]);
        loop_free(loop);
}

struct pair {
        struct loop *loop;
        uint64_t ids[2];
        int calls;
};

static void
unwatch_both(void *arg)
{
        struct pair *pair = arg;

        pair->calls++;
        loop_unwatch_fd(pair->loop, pair->ids[0]);
        loop_unwatch_fd(pair->loop, pair->ids[1]);
}

TEST(a_watch_that_another_one_ended_is_not_called_any_more)
{
        struct pair pair = { .loop = make() };
        struct err err;
        int fds[2];

        CHECK(pipe(fds) == 0);
        CHECK(write(fds[1], "x", 1) == 1);
        err_init(&err);
        pair.ids[0] = loop_watch_fd(pair.loop, fds[0], unwatch_both, &pair, &err);
        pair.ids[1] = loop_watch_fd(pair.loop, fds[0], unwatch_both, &pair, &err);
        run(pair.loop, 100);
        CHECK_INT(pair.calls, 1);
        close(fds[0]);
        close(fds[1]);
        loop_free(pair.loop);
}

static void *
wake_soon(void *arg)
{
        usleep(20000);
        loop_wake(arg);
        return NULL;
}

TEST(a_wake_from_another_thread_ends_the_wait)
{
        struct loop *loop = make();
        struct err err;
        pthread_t thread;

        err_init(&err);
        int64_t start = time_mono_ms();
        CHECK_OK(thread_start(&thread, "waker", wake_soon, loop, &err), err);
        run(loop, 60000);
        CHECK(time_mono_ms() - start < 30000);
        thread_join(thread);
        /* The wake was used up. */
        start = time_mono_ms();
        run(loop, 20);
        CHECK(time_mono_ms() - start >= 15);
        loop_free(loop);
}

static struct loop *signalled;

static void
on_alarm(int sig)
{
        (void)sig;
        loop_wake(signalled);
}

TEST(a_wake_from_a_signal_handler_ends_the_wait)
{
        struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

        signalled = make();
        sigaction(SIGALRM, &action, NULL);
        ualarm(20000, 0);
        int64_t start = time_mono_ms();
        run(signalled, 60000);
        CHECK(time_mono_ms() - start < 30000);
        loop_free(signalled);
}

static int
use_loop(void *arg, struct err *err)
{
        struct loop *loop = loop_new(err);
        int rc = -1;

        (void)arg;
        if (loop == NULL)
                return -1;
        uint64_t id = loop_watch_fd(loop, 0, note, "", err);
        if (id == 0)
                goto done;
        loop_unwatch_fd(loop, id);
        if (loop_timer(loop, 0, note, "", err) == 0)
                goto done;
        rc = loop_run_once(loop, 0, err);
done:
        loop_free(loop);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        test_each_allocation(use_loop, NULL);
}
