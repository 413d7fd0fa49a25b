#include "harness/far_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/buf.h"
#include "moonkeep/mem.h"

struct test_host {
        struct far_host host;
        struct far_host *inner;
        struct far_lies *lies;
        char *shell;
        char *path;
};

struct liar {
        struct far far;
        struct far *inner;
        struct far_lies *lies;
        struct buf held[2]; /* of each output */
        bool inner_ended;
        int status;
        char one[2];
        struct far_event rest;
        struct buf copy;
};

static bool
is_hit(const struct far_lies *lies, const struct far_event *event)
{
        uint64_t seen = lies->kind == FAR_OUT ? lies->out_bytes : lies->err_bytes;

        return event->kind == lies->kind && seen <= lies->at && lies->at < seen + event->len;
}

/* What of the event is lost: as many bytes, of one event or of several. */
static int
drop(struct liar *it, struct far_event *event, struct err *err)
{
        struct far_lies *lies = it->lies;
        uint64_t *seen = event->kind == FAR_OUT ? &lies->out_bytes : &lies->err_bytes;
        uint64_t end = lies->at + (lies->count > 1 ? lies->count : 1);
        uint64_t from = *seen > lies->at ? *seen : lies->at;
        uint64_t to = *seen + event->len < end ? *seen + event->len : end;
        size_t at = (size_t)(from - *seen), lost = from < to ? (size_t)(to - from) : 0;

        *seen += event->len;
        if (event->kind != lies->kind || lost == 0)
                return 0;
        buf_clear(&it->copy);
        CHECK_OK(buf_add(&it->copy, event->data, event->len, err), *err);
        memmove(it->copy.data + at, it->copy.data + at + lost, event->len - at - lost);
        event->len -= lost;
        event->data = (const unsigned char *)it->copy.data;
        return 0;
}

/* The event with the fault in it; it may become shorter. */
static int
lie(struct liar *it, struct far_event *event, struct err *err)
{
        struct far_lies *lies = it->lies;
        bool is_data = event->kind == FAR_OUT || event->kind == FAR_ERR;
        bool hit = is_data && is_hit(lies, event);
        uint64_t *seen = event->kind == FAR_OUT ? &lies->out_bytes : &lies->err_bytes;
        size_t at = hit ? (size_t)(lies->at - *seen) : 0;

        if (is_data && lies->lie == LIE_DROP)
                return drop(it, event, err);
        if (is_data)
                *seen += event->len;
        if (!hit || lies->lie == LIE_NONE)
                return 0;
        buf_clear(&it->copy);
        CHECK_OK(buf_add(&it->copy, event->data, event->len, err), *err);
        switch (lies->lie) {
        case LIE_CUT:
        case LIE_END:
        case LIE_SILENT:
                event->len = at;
                break;
        case LIE_TWICE:
                CHECK_OK(buf_add(&it->copy, "x", 1, err), *err);
                memmove(it->copy.data + at + 1, it->copy.data + at, event->len - at);
                event->len++;
                break;
        case LIE_FLIP:
                it->copy.data[at] ^= 0x10;
                break;
        default:
                return 0;
        }
        event->data = (const unsigned char *)it->copy.data;
        return 0;
}

static bool
is_over(const struct far_lies *lies)
{
        uint64_t seen = lies->kind == FAR_OUT ? lies->out_bytes : lies->err_bytes;

        return seen > lies->at;
}

/* Held-back output waits until the other one and the end were seen. */
static int
reordered(struct liar *it, int wait_ms, struct far_event *out, struct err *err)
{
        enum far_kind late = it->lies->lie == LIE_ERR_FIRST ? FAR_OUT : FAR_ERR;
        int quiet = 0;

        for (;;) {
                size_t len = it->held[0].len;
                if (len > 0 && (quiet > 0 || it->inner_ended)) {
                        buf_clear(&it->copy);
                        CHECK_OK(buf_add(&it->copy, it->held[0].data, len, err), *err);
                        buf_clear(&it->held[0]);
                        *out = (struct far_event){ .kind = late,
                                .data = (const unsigned char *)it->copy.data,
                                .len = len };
                        return 0;
                }
                if (it->inner_ended) {
                        *out = (struct far_event){ .kind = FAR_ENDED, .status = it->status };
                        return 0;
                }
                if (far_next(it->inner, len > 0 ? 20 : wait_ms, out, err) < 0)
                        return -1;
                if (out->kind == late) {
                        CHECK_OK(buf_add(&it->held[0], out->data, out->len, err), *err);
                        continue;
                }
                if (out->kind == FAR_ENDED) {
                        it->inner_ended = true;
                        it->status = out->status;
                        continue;
                }
                if (out->kind == FAR_NOTHING && len > 0) {
                        quiet++;
                        continue;
                }
                return 0;
        }
}

static int
bytewise(struct liar *it, int wait_ms, struct far_event *out, struct err *err)
{
        if (it->rest.len == 0) {
                if (far_next(it->inner, wait_ms, out, err) < 0)
                        return -1;
                if (out->kind != FAR_OUT && out->kind != FAR_ERR)
                        return 0;
                buf_clear(&it->copy);
                CHECK_OK(buf_add(&it->copy, out->data, out->len, err), *err);
                it->rest = *out;
                it->rest.data = (const unsigned char *)it->copy.data;
        }
        it->one[0] = (char)it->rest.data[0];
        *out = (struct far_event){
                .kind = it->rest.kind, .data = (const unsigned char *)it->one, .len = 1
        };
        it->rest.data++;
        it->rest.len--;
        return 0;
}

static int
liar_next(struct far *far, int wait_ms, struct far_event *out, struct err *err)
{
        struct liar *it = (struct liar *)far;
        struct far_lies *lies = it->lies;

        if (lies->lie == LIE_ERR_FIRST || lies->lie == LIE_OUT_FIRST)
                return reordered(it, wait_ms, out, err);
        if (lies->lie == LIE_BYTEWISE)
                return bytewise(it, wait_ms, out, err);
        if ((lies->lie == LIE_CUT || lies->lie == LIE_END) && is_over(lies)) {
                if (lies->lie == LIE_CUT)
                        return err_set(err, ERR_TRUNCATED, "the connection ended");
                *out = (struct far_event){ .kind = FAR_ENDED };
                return 0;
        }
        if (lies->lie == LIE_SILENT && is_over(lies)) {
                usleep(1000 * (useconds_t)(wait_ms >= 0 && wait_ms < 100 ? wait_ms : 100));
                *out = (struct far_event){ .kind = FAR_NOTHING };
                return 0;
        }
        if (far_next(it->inner, wait_ms, out, err) < 0)
                return -1;
        return lie(it, out, err);
}

static int
liar_send(struct far *far, const void *data, size_t len, struct err *err)
{
        struct liar *it = (struct liar *)far;
        struct far_lies *lies = it->lies;
        uint64_t from = lies->in_bytes;

        lies->in_bytes += len;
        it->inner->stall_ms = far->stall_ms;
        if (lies->lie == LIE_LOSE_INPUT && lies->in_bytes > lies->at) {
                len = lies->at > from ? (size_t)(lies->at - from) : 0;
                return len > 0 ? far_send(it->inner, data, len, err) : 0;
        }
        if (lies->lie != LIE_FLIP_INPUT || lies->at < from || lies->at >= lies->in_bytes)
                return far_send(it->inner, data, len, err);
        char *copy = malloc(len);
        CHECK(copy != NULL);
        memcpy(copy, data, len);
        copy[lies->at - from] ^= 0x10;
        int rc = far_send(it->inner, copy, len, err);
        free(copy);
        return rc;
}

static void
liar_free(struct far *far)
{
        struct liar *it = (struct liar *)far;

        far_free(it->inner);
        buf_free(&it->held[0]);
        buf_free(&it->held[1]);
        buf_free(&it->copy);
        far_host_unref(far->host);
        free(it);
}

static const struct far_ops liar_ops = { .next = liar_next, .send = liar_send, .free = liar_free };

static struct far *
test_open(struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err)
{
        struct test_host *it = (struct test_host *)host;
        const char *full[16];
        char path[4096];
        size_t count = 0;

        if (it->path != NULL) {
                snprintf(path, sizeof(path), "PATH=%s", it->path);
                full[count++] = "/usr/bin/env";
                full[count++] = path;
        }
        if (strcmp(argv[0], "sh") == 0) {
                full[count++] = strncmp(it->shell, "busybox", 7) == 0 ? "/bin/busybox" : it->shell;
                if (strcmp(it->shell, "busybox sh") == 0)
                        full[count++] = "sh";
                argv++;
        }
        while (*argv != NULL && count < 15)
                full[count++] = *argv++;
        full[count] = NULL;
        struct far *inner = far_open(it->inner, full, cancel, err);
        if (inner == NULL || it->lies == NULL)
                return inner;
        struct liar *liar = calloc(1, sizeof(*liar));
        CHECK(liar != NULL);
        liar->far.ops = &liar_ops;
        liar->far.host = far_host_ref(host);
        liar->inner = inner;
        liar->lies = it->lies;
        buf_init(&liar->held[0], (size_t)64 * 1024 * 1024);
        buf_init(&liar->held[1], 1);
        buf_init(&liar->copy, (size_t)64 * 1024 * 1024);
        return &liar->far;
}

static void
test_host_free(struct far_host *host)
{
        struct test_host *it = (struct test_host *)host;

        far_host_unref(it->inner);
        free(it->shell);
        free(it->path);
        free(it);
}

static const struct far_host_ops test_host_ops = { "test", test_open, test_host_free };

struct far_host *
far_test_host(const char *shell, const char *path, struct far_lies *lies)
{
        struct test_host *it = calloc(1, sizeof(*it));
        struct err err;

        signal(SIGPIPE, SIG_IGN);
        CHECK(it != NULL);
        it->inner = far_process_host(&err);
        CHECK_PTR(it->inner, err);
        CHECK_OK(far_host_init(&it->host, &test_host_ops, "test host", &err), err);
        it->lies = lies;
        it->shell = strdup(shell);
        it->path = path != NULL ? strdup(path) : NULL;
        return &it->host;
}

const char *const *
far_test_shells(void)
{
        static const char *here[4];
        size_t count = 0;

        if (access("/bin/dash", X_OK) == 0)
                here[count++] = "dash";
        if (access("/bin/bash", X_OK) == 0)
                here[count++] = "bash";
        if (access("/bin/busybox", X_OK) == 0)
                here[count++] = "busybox sh";
        CHECK(count > 0);
        here[count] = NULL;
        return here;
}

const char *
far_test_busybox(void)
{
        static char path[1024];
        char command[4096];

        if (access("/bin/busybox", X_OK) != 0)
                return NULL;
        snprintf(path, sizeof(path), "%s/busybox-bin", test_dir());
        snprintf(command, sizeof(command),
            "mkdir -p '%s' && cd '%s' && for a in $(busybox --list); do ln -sf /bin/busybox $a; "
            "done",
            path, path);
        CHECK_INT(system(command), 0);
        return path;
}

int
far_test_take(struct source *src, struct buf *into, struct err *err)
{
        char piece[65536];
        ssize_t got;

        buf_init(into, (size_t)64 * 1024 * 1024);
        if (src == NULL)
                return -1;
        while ((got = source_read(src, piece, sizeof(piece), err)) > 0)
                CHECK_OK(buf_add(into, piece, (size_t)got, err), *err);
        source_free(src);
        return got < 0 ? -1 : 0;
}

#define MUCH ((size_t)100 * 1024 * 1024)

void
far_test_much(struct far_shell *shell)
{
        uint64_t *data = malloc(MUCH);
        struct proc_result result;
        struct err err;

        CHECK(data != NULL);
        /* Each 8 bytes say where they are. */
        for (size_t pos = 0; pos < MUCH / sizeof(*data); pos++)
                data[pos] = pos;
        CHECK_OK(far_shell_run(shell, "cat", NULL, data, MUCH, MUCH, &result, NULL, &err), err);
        CHECK_INT(result.out.len, MUCH);
        CHECK(memcmp(result.out.data, data, MUCH) == 0);
        proc_result_free(&result);
        /* Far more than is kept while input is sent, before any of it is taken. */
        CHECK_OK(
            far_shell_run(shell, "head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2; cat",
                NULL, data, MUCH / 8, MUCH, &result, NULL, &err),
            err);
        CHECK_INT(result.out.len, 50000000 + MUCH / 8);
        CHECK_INT(result.err_out.len, 50000000);
        CHECK(memcmp(result.out.data + 50000000, data, MUCH / 8) == 0);
        proc_result_free(&result);
        free(data);
}

/* Has /proc/PID/NAME that text in it? */
static bool
holds(const char *pid, const char *name, const char *text, size_t len)
{
        static char data[128 * 1024];
        char path[300];
        size_t got = 0;
        ssize_t piece;

        snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        while ((piece = read(fd, data + got, sizeof(data) - got)) > 0)
                got += (size_t)piece;
        close(fd);
        return memmem(data, got, text, len) != NULL;
}

static bool
any_holds(const char *name, const char *text, size_t len)
{
        DIR *dir = opendir("/proc");
        bool found = false;
        const struct dirent *entry;

        CHECK(dir != NULL);
        while (!found && (entry = readdir(dir)) != NULL) {
                if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
                    atoi(entry->d_name) != getpid())
                        found = holds(entry->d_name, name, text, len);
        }
        closedir(dir);
        return found;
}

static bool
left(const char *name, const char *text, size_t len)
{
        for (int tries = 0; tries < 1000; tries++) {
                if (!any_holds(name, text, len))
                        return false;
                usleep(10000);
        }
        return true;
}

bool
far_test_left(const char *text)
{
        return left("cmdline", text, strlen(text));
}

bool
far_test_left_home(const char *dir)
{
        char text[4096];

        snprintf(text, sizeof(text), "HOME=%s", dir);
        /* With its NUL: nobody whose HOME only begins so. */
        return left("environ", text, strlen(text) + 1);
}
