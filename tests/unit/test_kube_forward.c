/*
 * Connections through commands, here of this machine; those through a cluster
 * are in tests/lua/kube_native.lua.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "harness/kube_test.h"
#include "moonkeep/kube.h"
#include "moonkeep/thread.h"

static struct far_host *host;
static struct kube_forward *forward;
static struct err err;

static int
dial(const char *script, struct cancel *cancel)
{
        const char *const argv[] = { "sh", "-c", script, NULL };

        host = far_process_host(&err);
        CHECK_PTR(host, err);
        int fd = kube_command_dial(host, argv, cancel, &forward, &err);
        CHECK_OK(fd < 0 ? -1 : 0, err);
        return fd;
}

/* The end of the connection, and the failure that it had. */
static struct err
hang_up(int fd)
{
        struct err why;

        err_init(&why);
        kube_forward_free(forward, &why);
        if (fd >= 0)
                close(fd);
        far_host_unref(host);
        return why;
}

static void
read_all(int fd, const char *want)
{
        char text[256];
        size_t len = 0;
        ssize_t got;

        while ((got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
                len += (size_t)got;
        text[len] = '\0';
        CHECK_STR(text, want);
}

TEST(bytes_go_both_ways_and_each_way_ends_by_itself)
{
        int fd = dial("read -r x; echo got $x; cat; echo end", NULL);

        CHECK(write(fd, "a\nb", 3) == 3);
        CHECK(shutdown(fd, SHUT_WR) == 0);
        read_all(fd, "got a\nbend\n");
        CHECK_INT(hang_up(fd).code, ERR_NONE);
}

struct flood {
        pthread_t thread;
        int fd;
        _Atomic size_t len;
};

static void *
write_flood(void *arg)
{
        struct flood *flood = arg;
        char data[65536];

        memset(data, 'x', sizeof(data));
        while (flood->len > 0) {
                size_t piece = flood->len < sizeof(data) ? flood->len : sizeof(data);
                ssize_t sent = write(flood->fd, data, piece);
                if (sent <= 0)
                        break;
                flood->len -= (size_t)sent;
        }
        shutdown(flood->fd, SHUT_WR);
        return NULL;
}

TEST(what_is_not_read_waits_and_nothing_is_lost)
{
        struct flood flood = { .fd = dial("cat", NULL), .len = (size_t)20 * 1024 * 1024 };
        char data[65536];
        size_t total = 0;
        ssize_t got;

        CHECK_OK(thread_start(&flood.thread, "flood", write_flood, &flood, &err), err);
        usleep(100000);
        /* Neither side holds all of it: the writer has to wait for the reader. */
        CHECK(flood.len > 0);
        while ((got = read(flood.fd, data, sizeof(data))) > 0)
                total += (size_t)got;
        thread_join(flood.thread);
        CHECK_INT(total, 20 * 1024 * 1024);
        CHECK_INT(hang_up(flood.fd).code, ERR_NONE);
}

TEST(a_command_that_fails_says_why)
{
        int fd = dial("echo no such host >&2; exit 3", NULL);

        read_all(fd, "");
        err = hang_up(fd);
        CHECK_ERR(err.code != ERR_NONE, err, ERR_NETWORK,
            "\"sh\" in this machine ended with status 3: no such host");
}

TEST(a_command_that_is_not_there_is_told)
{
        const char *const argv[] = { "/nowhere/nc", NULL };

        host = far_process_host(&err);
        CHECK_PTR(host, err);
        int fd = kube_command_dial(host, argv, NULL, &forward, &err);
        read_all(fd, "");
        err = hang_up(fd);
        CHECK_ERR(err.code != ERR_NONE, err, ERR_NOT_FOUND, "/nowhere/nc");
}

TEST(hanging_up_ends_the_command)
{
        int fd = dial("trap 'echo gone >\"$0\"' TERM; cat; cat", NULL);

        CHECK(write(fd, "x", 1) == 1);
        close(fd);
        CHECK_INT(hang_up(-1).code, ERR_NONE);
        fd = dial("exec sleep 60", NULL);
        CHECK_INT(hang_up(fd).code, ERR_NONE);
}

TEST(a_cancel_ends_it_and_is_told)
{
        struct cancel *cancel = cancel_new(NULL, &err);
        int fd = dial("exec sleep 60", cancel);

        cancel_trigger(cancel);
        read_all(fd, "");
        CHECK_INT(hang_up(fd).code, ERR_CANCELLED);
        cancel_unref(cancel);
}

TEST(a_port_that_is_none_is_refused)
{
        CHECK_ERR(kube_forward_dial(NULL, "n", "p", 0, NULL, &forward, &err) < 0, err, ERR_USAGE,
            "0 is no port");
        CHECK_ERR(kube_forward_dial(NULL, "n", "p", 65536, NULL, &forward, &err) < 0, err,
            ERR_USAGE, "no port");
}
