#include "harness/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/far.h"

#define SHELL(script)                                                                              \
        (const char *const[])                                                                      \
        {                                                                                          \
                "sh", "-c", script, NULL                                                           \
        }

struct seen {
        struct buf out;
        struct buf err_out;
        int status;
};

static struct far *
start(const char *const *argv)
{
        struct err err;
        struct far_host *host = far_process_host(&err);

        signal(SIGPIPE, SIG_IGN);
        CHECK_PTR(host, err);
        struct far *far = far_open(host, argv, NULL, &err);
        CHECK_PTR(far, err);
        far_host_unref(host);
        return far;
}

static void
follow(struct far *far, struct seen *seen)
{
        struct far_event event = { .kind = FAR_NOTHING };
        struct err err;

        buf_init(&seen->out, (size_t)64 * 1024 * 1024);
        buf_init(&seen->err_out, 1024 * 1024);
        while (event.kind != FAR_ENDED) {
                CHECK_OK(far_next(far, -1, &event, &err), err);
                if (event.kind == FAR_OUT)
                        CHECK_OK(buf_add(&seen->out, event.data, event.len, &err), err);
                if (event.kind == FAR_ERR)
                        CHECK_OK(buf_add(&seen->err_out, event.data, event.len, &err), err);
        }
        seen->status = event.status;
        CHECK_OK(far_next(far, -1, &event, &err), err);
        CHECK_INT(event.kind, FAR_ENDED);
}

static void
seen_free(struct seen *seen)
{
        buf_free(&seen->out);
        buf_free(&seen->err_out);
}

TEST(both_outputs_come_before_the_end)
{
        struct far *far = start(SHELL("echo to-out; echo to-err >&2; exit 7"));
        struct seen seen;

        follow(far, &seen);
        CHECK_STR(seen.out.data, "to-out\n");
        CHECK_STR(seen.err_out.data, "to-err\n");
        CHECK_INT(seen.status, 7);
        seen_free(&seen);
        far_free(far);
}

TEST(a_signal_is_told_as_128_and_its_number)
{
        struct far *far = start(SHELL("kill -9 $$"));
        struct seen seen;

        follow(far, &seen);
        CHECK_INT(seen.status, 137);
        seen_free(&seen);
        far_free(far);
}

/* More than both pipes hold together: input and output must flow at once. */
TEST(what_comes_while_input_is_sent_is_kept)
{
        const size_t len = (size_t)2 * 1024 * 1024;
        struct far *far = start(SHELL("cat"));
        char *data = malloc(len);
        struct seen seen;
        struct err err;

        CHECK(data != NULL);
        for (size_t pos = 0; pos < len; pos++)
                data[pos] = (char)(pos * 2654435761u >> 13);
        CHECK_OK(far_send(far, data, len, &err), err);
        CHECK_OK(far->ops->end_input(far, &err), err);
        follow(far, &seen);
        CHECK_INT(seen.out.len, len);
        CHECK(memcmp(seen.out.data, data, len) == 0);
        free(data);
        seen_free(&seen);
        far_free(far);
}

TEST(input_that_nobody_takes_is_dropped)
{
        struct far *far = start(SHELL("exec <&-; echo closed; read -r _ < /dev/null; exit 3"));
        char data[4096] = { 0 };
        struct seen seen;
        struct err err;

        for (int round = 0; round < 100; round++)
                CHECK_OK(far_send(far, data, sizeof(data), &err), err);
        follow(far, &seen);
        CHECK_INT(seen.status, 3);
        seen_free(&seen);
        far_free(far);
}

TEST(input_that_is_not_taken_for_too_long_is_an_error)
{
        struct far *far = start(SHELL("exec sleep 60"));
        char data[65536] = { 0 };
        struct err err;
        int rc = 0;

        far->stall_ms = 50;
        while (rc == 0)
                rc = far_send(far, data, sizeof(data), &err);
        CHECK_ERR(rc < 0, err, ERR_TIMEOUT, "took no input for 50 ms");
        far_free(far);
}

TEST(waiting_ends_after_its_time)
{
        struct far *far = start(SHELL("exec sleep 60"));
        struct far_event event;
        struct err err;

        CHECK_OK(far_next(far, 1, &event, &err), err);
        CHECK_INT(event.kind, FAR_NOTHING);
        far_free(far);
}

TEST(a_readable_descriptor_ends_a_wait)
{
        struct far *far = start(SHELL("exec sleep 60"));
        struct far_event event;
        struct err err;
        int ends[2];

        CHECK_INT(pipe(ends), 0);
        far->ops->wake_on(far, ends[0]);
        CHECK_INT(write(ends[1], "x", 1), 1);
        CHECK_OK(far_next(far, -1, &event, &err), err);
        CHECK_INT(event.kind, FAR_NOTHING);
        far_free(far);
        close(ends[0]);
        close(ends[1]);
}

TEST(what_is_freed_is_gone_with_its_group)
{
        char script[512];
        struct err err;
        struct far_event event;
        int pid = 0;

        snprintf(script, sizeof(script), "trap '' TERM; sleep 60 & echo $!; wait");
        struct far *far = start(SHELL(script));
        CHECK_OK(far_next(far, -1, &event, &err), err);
        CHECK_INT(event.kind, FAR_OUT);
        CHECK(sscanf((const char *)event.data, "%d", &pid) == 1);
        far_free(far);
        for (int tries = 0; tries < 500 && kill(pid, 0) == 0; tries++) {
                char path[64], state = '?';
                snprintf(path, sizeof(path), "/proc/%d/stat", pid);
                FILE *file = fopen(path, "r");
                if (file == NULL || fscanf(file, "%*d %*s %c", &state) != 1 || state == 'Z') {
                        if (file != NULL)
                                fclose(file);
                        return;
                }
                fclose(file);
                usleep(10000);
        }
        CHECK(kill(pid, 0) < 0);
}

TEST(a_command_that_is_not_there_is_told)
{
        struct err err;
        struct far_host *host = far_process_host(&err);
        const char *const argv[] = { "no-such-program-here", NULL };

        CHECK_ERR(far_open(host, argv, NULL, &err) == NULL, err, ERR_NOT_FOUND,
            "cannot run \"no-such-program-here\"");
        far_host_unref(host);
}

TEST(a_cancelled_wait_ends)
{
        struct err err;
        struct cancel *token = cancel_new(NULL, &err);
        struct far_host *host = far_process_host(&err);
        struct far *far = far_open(host, SHELL("exec sleep 60"), token, &err);
        struct far_event event;

        CHECK_PTR(far, err);
        cancel_trigger(token);
        CHECK_ERR(far_next(far, -1, &event, &err) < 0, err, ERR_CANCELLED, "");
        CHECK_ERR(far_open(host, SHELL("exit"), token, &err) == NULL, err, ERR_CANCELLED, "");
        far_free(far);
        far_host_unref(host);
        cancel_unref(token);
}

static int
run_once(void *arg, struct err *err)
{
        const char *const argv[] = { "true", NULL };
        struct far_host *host = far_process_host(err);
        struct far *far = host != NULL ? far_open(host, argv, NULL, err) : NULL;

        (void)arg;
        far_free(far);
        far_host_unref(host);
        return far != NULL ? 0 : -1;
}

TEST(survives_each_failed_allocation)
{
        test_each_allocation(run_once, NULL);
}
