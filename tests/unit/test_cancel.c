#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/cancel.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

static bool
readable(const struct cancel *token)
{
        struct pollfd pfd = { .fd = cancel_fd(token), .events = POLLIN };

        return poll(&pfd, 1, 0) == 1;
}

TEST(no_token_is_never_set)
{
        struct err err;

        CHECK(!cancel_is_set(NULL));
        CHECK_INT(cancel_fd(NULL), -1);
        CHECK_OK(cancel_check(NULL, &err), err);
        cancel_trigger(NULL);
        CHECK(cancel_ref(NULL) == NULL);
        cancel_unref(NULL);
}

TEST(trigger_sets_all_below_and_nothing_else)
{
        struct err err;
        struct cancel *root = cancel_new(NULL, &err);
        struct cancel *a = cancel_new(root, &err);
        struct cancel *a1 = cancel_new(a, &err);
        struct cancel *a2 = cancel_new(a, &err);
        struct cancel *a11 = cancel_new(a1, &err);
        struct cancel *b = cancel_new(root, &err);

        cancel_trigger(a);
        cancel_trigger(a);
        CHECK(cancel_is_set(a) && cancel_is_set(a1) && cancel_is_set(a2) && cancel_is_set(a11));
        CHECK(readable(a) && readable(a1) && readable(a2) && readable(a11));
        CHECK(!cancel_is_set(root) && !cancel_is_set(b) && !readable(root) && !readable(b));
        CHECK_ERR(cancel_check(a11, &err) < 0, err, ERR_CANCELLED, "cancelled");

        cancel_trigger(root);
        CHECK(cancel_is_set(root) && cancel_is_set(b) && readable(b));
        cancel_unref(root);
        cancel_unref(a);
        cancel_unref(a1);
        cancel_unref(a2);
        cancel_unref(a11);
        cancel_unref(b);
}

TEST(a_child_of_a_set_token_is_born_set)
{
        struct err err;
        struct cancel *root = cancel_new(NULL, &err);

        cancel_trigger(root);
        struct cancel *child = cancel_new(root, &err);
        CHECK(cancel_is_set(child) && readable(child));
        cancel_unref(child);
        cancel_unref(root);
}

TEST(a_token_stays_below_the_root_when_those_between_were_dropped)
{
        struct err err;
        struct cancel *root = cancel_new(NULL, &err);
        struct cancel *middle = cancel_new(root, &err);
        struct cancel *leaf = cancel_new(middle, &err);

        cancel_unref(middle);
        cancel_trigger(root);
        CHECK(cancel_is_set(leaf));
        cancel_unref(cancel_ref(leaf));
        CHECK(cancel_is_set(leaf));
        cancel_unref(root);
        cancel_unref(leaf);
}

TEST(a_tree_of_any_shape_comes_apart_in_any_order)
{
        struct err err;
        struct cancel *tokens[200];

        for (size_t idx = 0; idx < 200; idx++)
                tokens[idx] = cancel_new(idx == 0 ? NULL : tokens[idx * 7 % idx], &err);
        for (size_t idx = 0; idx < 200; idx++) {
                if (idx == 100)
                        cancel_trigger(tokens[77]);
                cancel_unref(tokens[idx * 77 % 200]);
                tokens[idx * 77 % 200] = NULL;
                if (idx == 99 && tokens[77] == NULL)
                        tokens[77] = cancel_new(NULL, &err);
        }
        for (size_t idx = 0; idx < 200; idx++)
                cancel_unref(tokens[idx]);
}

TEST(wait_returns_when_the_descriptor_is_ready)
{
        struct err err;
        struct cancel *token = cancel_new(NULL, &err);
        int fds[2];

        CHECK(pipe(fds) == 0);
        CHECK_OK(cancel_wait_fd(token, fds[1], POLLOUT, -1, &err), err);
        CHECK_ERR(cancel_wait_fd(token, fds[0], POLLIN, 30, &err) < 0, err, ERR_TIMEOUT,
            "no progress for 30 ms");
        CHECK(write(fds[1], "x", 1) == 1);
        CHECK_OK(cancel_wait_fd(token, fds[0], POLLIN, 1000, &err), err);
        CHECK_OK(cancel_wait_fd(NULL, fds[0], POLLIN, 1000, &err), err);
        cancel_trigger(token);
        CHECK_ERR(cancel_wait_fd(token, fds[0], POLLIN, 1000, &err) < 0, err, ERR_CANCELLED, NULL);
        close(fds[1]);
        CHECK_OK(cancel_wait_fd(NULL, fds[0], POLLIN, -1, &err), err);
        close(fds[0]);
        cancel_unref(token);
}

static void *
trigger_soon(void *arg)
{
        poll(NULL, 0, 50);
        cancel_trigger(arg);
        return NULL;
}

TEST(trigger_wakes_a_waiter_of_another_thread)
{
        struct err err;
        struct cancel *root = cancel_new(NULL, &err);
        struct cancel *token = cancel_new(root, &err);
        pthread_t thread;
        int fds[2];

        CHECK(pipe(fds) == 0);
        CHECK_OK(thread_start(&thread, "trigger", trigger_soon, root, &err), err);
        CHECK_ERR(cancel_wait_fd(token, fds[0], POLLIN, 60000, &err) < 0, err, ERR_CANCELLED, NULL);
        thread_join(thread);
        close(fds[0]);
        close(fds[1]);
        cancel_unref(token);
        cancel_unref(root);
}

static void
on_alarm(int sig)
{
        (void)sig;
}

TEST(signals_do_not_stretch_the_stall_time)
{
        struct sigaction action = { .sa_handler = on_alarm };
        struct itimerval every = { { 0, 20000 }, { 0, 20000 } };
        struct itimerval never = { { 0, 0 }, { 0, 0 } };
        struct err err;
        int64_t start = time_mono_ms();

        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &every, NULL);
        CHECK_ERR(cancel_wait_fd(NULL, -1, 0, 300, &err) < 0, err, ERR_TIMEOUT, NULL);
        setitimer(ITIMER_REAL, &never, NULL);
        int64_t took = time_mono_ms() - start;
        CHECK(took >= 299 && took < 5000);
}

static void *
churn(void *arg)
{
        for (int idx = 0; idx < 2000; idx++) {
                struct cancel *a = cancel_new(arg, NULL);
                struct cancel *b = cancel_new(a, NULL);
                if (idx % 3 == 0)
                        cancel_trigger(a);
                cancel_unref(a);
                if (idx % 3 == 0 && !cancel_is_set(b))
                        return arg;
                cancel_unref(b);
        }
        return NULL;
}

TEST(many_threads_share_a_tree)
{
        struct err err;
        struct cancel *root = cancel_new(NULL, &err);
        pthread_t threads[4];

        for (int idx = 0; idx < 4; idx++)
                CHECK_OK(thread_start(&threads[idx], "churn", churn, root, &err), err);
        for (int idx = 0; idx < 100; idx++)
                CHECK(!cancel_is_set(root));
        cancel_trigger(root);
        for (int idx = 0; idx < 4; idx++)
                thread_join(threads[idx]);
        cancel_unref(root);
}

static void *
show_mask(void *arg)
{
        pthread_sigmask(SIG_BLOCK, NULL, arg);
        return NULL;
}

TEST(a_thread_has_its_signals_blocked_and_leaves_ours_alone)
{
        struct err err;
        sigset_t theirs, before, after;
        pthread_t thread;

        pthread_sigmask(SIG_BLOCK, NULL, &before);
        CHECK_OK(thread_start(&thread, "mask", show_mask, &theirs, &err), err);
        thread_join(thread);
        pthread_sigmask(SIG_BLOCK, NULL, &after);
        CHECK(sigismember(&theirs, SIGTERM) && sigismember(&theirs, SIGINT) &&
              sigismember(&theirs, SIGCHLD) && sigismember(&theirs, SIGPIPE));
        CHECK(!sigismember(&theirs, SIGSEGV));
        CHECK(!sigismember(&before, SIGTERM) && !sigismember(&after, SIGTERM));
}

static int
make_tokens(void *arg, struct err *err)
{
        struct cancel *root = cancel_new(NULL, err);
        struct cancel *child = root != NULL ? cancel_new(root, err) : NULL;
        int rc = child != NULL ? 0 : -1;

        (void)arg;
        cancel_unref(root);
        cancel_unref(child);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(make_tokens, NULL);
}

TEST(a_sleep_ends_with_its_time_or_the_token)
{
        struct err err;
        struct cancel *token = cancel_new(NULL, &err);
        int64_t begun = time_mono_ms();

        CHECK_OK(cancel_sleep(NULL, 30, &err), err);
        CHECK_OK(cancel_sleep(token, 30, &err), err);
        CHECK(time_mono_ms() - begun >= 60);
        cancel_trigger(token);
        CHECK_ERR(cancel_sleep(token, 600000, &err) < 0, err, ERR_CANCELLED, "cancelled");
        cancel_unref(token);
}
