/*
 * Commands of this machine as a far end, by pipes: what tests use, and what
 * other transports can be compared with.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/far.h"
#include "moonkeep/mem.h"
#include "moonkeep/proc.h"
#include "moonkeep/time.h"
#include "proc_spawn.h"

#define READ_SIZE ((size_t)64 * 1024)
#define KILL_AFTER_MS 5000

/* Most of one output that is kept while input is sent; then it has to wait. */
#define KEPT_MAX ((size_t)4 * 1024 * 1024)

struct output {
        int fd; /* -1 once everybody has closed it */
        enum far_kind kind;
        size_t left;     /* of an ended command: what it had written before */
        struct buf kept; /* came while input was sent */
        size_t taken;    /* of kept, by the last event */
};

struct far_process {
        struct far far;
        struct cancel *cancel;
        char *name;
        pid_t pid;
        int pid_fd; /* readable once it ended */
        int in;     /* -1 once it is closed */
        int wake_fd;
        bool ended;
        struct output outputs[2];
        char chunk[READ_SIZE];
};

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* It ended: what it wrote before counts, and not what others who hold the pipes write later. */
static void
note_end(struct far_process *it)
{
        it->ended = true;
        close_fd(&it->in);
        for (size_t which = 0; which < 2; which++) {
                int left = 0;
                struct output *output = &it->outputs[which];
                if (output->fd < 0 || ioctl(output->fd, FIONREAD, &left) < 0 || left <= 0)
                        close_fd(&output->fd);
                output->left = left > 0 ? (size_t)left : 0;
        }
}

/* Returns how much was read into out, 0 when nothing is there now or nothing will come. */
static size_t
read_output(struct far_process *it, struct output *output, char *out)
{
        size_t max = it->ended && output->left < READ_SIZE ? output->left : READ_SIZE;
        ssize_t got = max > 0 ? read(output->fd, out, max) : 0;

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (it->ended && got > 0)
                output->left -= (size_t)got;
        if (got <= 0 || (it->ended && output->left == 0))
                close_fd(&output->fd);
        return got > 0 ? (size_t)got : 0;
}

static int
wait_for(struct far_process *it, struct pollfd polls[6], bool feed, int wait_ms, struct err *err)
{
        polls[0] = (struct pollfd){ .fd = it->ended ? -1 : it->pid_fd, .events = POLLIN };
        for (size_t which = 0; which < 2; which++) {
                const struct output *output = &it->outputs[which];
                bool full = output->kept.len >= KEPT_MAX;
                polls[1 + which] =
                    (struct pollfd){ .fd = full ? -1 : output->fd, .events = POLLIN };
        }
        polls[3] = (struct pollfd){ .fd = cancel_fd(it->cancel), .events = POLLIN };
        polls[4] = (struct pollfd){ .fd = feed ? it->in : -1, .events = POLLOUT };
        polls[5] = (struct pollfd){ .fd = feed ? -1 : it->wake_fd, .events = POLLIN };
        int ready = poll(polls, 6, wait_ms);
        if (ready < 0 && errno != EINTR)
                return err_sys(err, "cannot wait for \"%s\"", it->name);
        if (cancel_check(it->cancel, err) < 0)
                return -1;
        if (ready < 0)
                memset(polls, 0, 6 * sizeof(*polls));
        return ready > 0;
}

static bool
hand_out(struct output *output, const char *data, size_t len, struct far_event *out)
{
        if (len > 0)
                *out = (struct far_event){
                        .kind = output->kind, .data = (const unsigned char *)data, .len = len
                };
        return len > 0;
}

/* What came while input was sent. */
static bool
take_kept(struct far_process *it, struct far_event *out)
{
        for (size_t which = 0; which < 2; which++) {
                struct output *output = &it->outputs[which];
                buf_consume(&output->kept, output->taken);
                output->taken = output->kept.len < READ_SIZE ? output->kept.len : READ_SIZE;
                if (hand_out(output, output->kept.data, output->taken, out)) {
                        it->outputs[1 - which].taken = 0;
                        return true;
                }
        }
        return false;
}

static int
end_event(struct far_process *it, struct far_event *out, struct err *err)
{
        siginfo_t info;

        memset(&info, 0, sizeof(info));
        /* Not reaped before it is freed, so that its group's number stays its own. */
        while (waitid(P_PID, (id_t)it->pid, &info, WEXITED | WNOWAIT) < 0) {
                if (errno != EINTR)
                        return err_sys(err, "cannot learn the exit status of \"%s\"", it->name);
        }
        int status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        *out = (struct far_event){ .kind = FAR_ENDED, .status = status };
        return 0;
}

static int
process_next(struct far *far, int wait_ms, struct far_event *out, struct err *err)
{
        struct far_process *it = (struct far_process *)far;
        /* What is closed takes everything. */
        bool has_room = far->wants_room && it->in < 0;

        if (take_kept(it, out))
                return 0;
        for (;;) {
                struct pollfd polls[6];
                if (it->ended && it->outputs[0].fd < 0 && it->outputs[1].fd < 0)
                        return end_event(it, out, err);
                int ready =
                    wait_for(it, polls, far->wants_room, it->ended || has_room ? 0 : wait_ms, err);
                if (ready < 0)
                        return -1;
                if (polls[0].revents != 0)
                        note_end(it);
                for (size_t which = 0; which < 2; which++) {
                        struct output *output = &it->outputs[which];
                        if (output->fd >= 0 && (polls[1 + which].revents != 0 || it->ended) &&
                            hand_out(output, it->chunk, read_output(it, output, it->chunk), out))
                                return 0;
                }
                if ((ready == 0 || polls[4].revents != 0 || polls[5].revents != 0) && !it->ended) {
                        *out = (struct far_event){ .kind = FAR_NOTHING };
                        return 0;
                }
        }
}

/* Keep what comes for later, so that a command that answers while it reads gets on. */
static int
keep_output(struct far_process *it, const struct pollfd polls[6], struct err *err)
{
        for (size_t which = 0; which < 2; which++) {
                struct output *output = &it->outputs[which];
                if (polls[1 + which].revents == 0 || output->fd < 0)
                        continue;
                char *room = buf_reserve(&output->kept, READ_SIZE, err);
                if (room == NULL)
                        return -1;
                buf_commit(&output->kept, read_output(it, output, room));
        }
        return 0;
}

static int
process_send(struct far *far, const void *data, size_t len, struct err *err)
{
        struct far_process *it = (struct far_process *)far;
        const char *from = data;
        int wait_ms = far->stall_ms > 0 ? (int)far->stall_ms : -1;

        while (len > 0 && it->in >= 0) {
                struct pollfd polls[6];
                ssize_t put = write(it->in, from, len);
                if (put < 0 && errno == EPIPE) {
                        close_fd(&it->in);
                        break;
                }
                if (put < 0 && errno != EAGAIN && errno != EINTR)
                        return err_sys(err, "cannot write to \"%s\"", it->name);
                if (put > 0) {
                        from += put;
                        len -= (size_t)put;
                        continue;
                }
                int ready = wait_for(it, polls, true, wait_ms, err);
                if (ready < 0 || keep_output(it, polls, err) < 0)
                        return -1;
                if (polls[0].revents != 0)
                        note_end(it);
                else if (ready == 0)
                        return err_set(
                            err, ERR_TIMEOUT, "\"%s\" took no input for %d ms", it->name, wait_ms);
        }
        return 0;
}

static int
process_send_some(struct far *far, const void *data, size_t len, size_t *sent, struct err *err)
{
        struct far_process *it = (struct far_process *)far;
        ssize_t put = it->in >= 0 ? write(it->in, data, len) : (ssize_t)len;

        *sent = put > 0 ? (size_t)put : 0;
        if (put >= 0 || errno == EAGAIN || errno == EINTR)
                return 0;
        if (errno != EPIPE)
                return err_sys(err, "cannot write to \"%s\"", it->name);
        close_fd(&it->in);
        *sent = len;
        return 0;
}

static int
process_end_input(struct far *far, struct err *err)
{
        (void)err;
        close_fd(&((struct far_process *)far)->in);
        return 0;
}

static void
process_wake_on(struct far *far, int fd)
{
        ((struct far_process *)far)->wake_fd = fd;
}

/* SIGTERM, time to obey, SIGKILL for what is left of the group. */
static void
end_group(struct far_process *it)
{
        int64_t until = time_mono_ms() + KILL_AFTER_MS;
        struct pollfd gone = { .fd = it->pid_fd, .events = POLLIN };

        if (!it->ended) {
                kill(-it->pid, SIGTERM);
                kill(-it->pid, SIGCONT);
        }
        while (!it->ended && it->pid_fd >= 0) {
                int64_t left_ms = until - time_mono_ms();
                if (left_ms <= 0 || poll(&gone, 1, (int)left_ms) > 0)
                        break;
        }
        kill(-it->pid, SIGKILL);
        while (waitid(P_PID, (id_t)it->pid, NULL, WEXITED) < 0 && errno == EINTR)
                continue;
}

static void
process_free(struct far *far)
{
        struct far_process *it = (struct far_process *)far;

        close_fd(&it->in);
        /* Who writes to us is to notice, too. */
        for (size_t which = 0; which < 2; which++) {
                close_fd(&it->outputs[which].fd);
                buf_free(&it->outputs[which].kept);
        }
        if (it->pid > 0)
                end_group(it);
        close_fd(&it->pid_fd);
        cancel_unref(it->cancel);
        mem_free(it->name);
        far_host_unref(far->host);
        mem_free(it);
}

static const struct far_ops process_ops = { process_next, process_send, process_send_some,
        process_end_input, process_wake_on, process_free };

static struct far *
process_open(struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err)
{
        const struct proc_spec spec = { .argv = argv };
        struct far_process *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->far.ops = &process_ops;
        it->far.host = far_host_ref(host);
        it->cancel = cancel_ref(cancel);
        it->pid_fd = it->in = it->wake_fd = -1;
        it->outputs[0] = (struct output){ .fd = -1, .kind = FAR_OUT };
        it->outputs[1] = (struct output){ .fd = -1, .kind = FAR_ERR };
        for (size_t which = 0; which < 2; which++)
                buf_init(&it->outputs[which].kept, KEPT_MAX + READ_SIZE);
        it->name = mem_strdup(argv[0], err);
        if (it->name == NULL ||
            proc_spawn(&spec, &it->pid, &it->in, &it->outputs[0].fd, &it->outputs[1].fd, err) < 0)
                goto fail;
        it->pid_fd = (int)syscall(SYS_pidfd_open, it->pid, 0);
        if (it->pid_fd < 0) {
                err_set(err, ERR_UNSUPPORTED,
                    "cannot watch a process: this needs Linux 5.3 or newer (%s)", strerror(errno));
                goto fail;
        }
        return &it->far;

fail:
        process_free(&it->far);
        return NULL;
}

static void
process_host_free(struct far_host *host)
{
        mem_free(host);
}

static const struct far_host_ops process_host_ops = { "process", process_open, process_host_free };

struct far_host *
far_process_host(struct err *err)
{
        struct far_host *host = mem_zalloc(sizeof(*host), err);

        if (host == NULL)
                return NULL;
        if (far_host_init(host, &process_host_ops, "this machine", err) < 0) {
                mem_free(host);
                return NULL;
        }
        return host;
}
