#include "moonkeep/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moonkeep/time.h"
#include "proc_spawn.h"

#define READ_SIZE ((size_t)64 * 1024)
#define KILL_AFTER_MS 5000

/* The command's end, and its two outputs as we see them. */
struct child {
        const char *name;
        pid_t pid;
        int pid_fd; /* readable once it ended */
        struct {
                int fd; /* -1 once everybody has closed it */
                struct buf *to;
                const char *name;
        } outputs[2];
};

static int
open_pid(pid_t pid, struct err *err)
{
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        if (fd < 0)
                return err_set(err, ERR_UNSUPPORTED,
                    "cannot watch a process: this needs Linux 5.3 or newer (%s)", strerror(errno));
        return fd;
}

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/*
 * Read once, at most max bytes, into the output's buffer (dropped where to is
 * NULL).  Returns how much, 0 when nothing is there or nothing will come.
 */
static ssize_t
read_output(struct child *child, size_t which, size_t max, bool drop, struct err *err)
{
        char chunk[READ_SIZE];
        int *fd = &child->outputs[which].fd;
        ssize_t got = read(*fd, chunk, max < sizeof(chunk) ? max : sizeof(chunk));

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (got <= 0) {
                close_fd(fd);
                return 0;
        }
        if (!drop && buf_add(child->outputs[which].to, chunk, (size_t)got, err) < 0)
                return err_prefix(err, "the %s of \"%s\"", child->outputs[which].name, child->name);
        return got;
}

/*
 * What the command wrote before it ended, and not what others who still hold
 * the pipe may write later.
 */
static int
read_rest(struct child *child, struct err *err)
{
        for (size_t which = 0; which < 2; which++) {
                int left = 0;
                if (child->outputs[which].fd < 0 ||
                    ioctl(child->outputs[which].fd, FIONREAD, &left) < 0)
                        continue;
                while (left > 0) {
                        ssize_t got = read_output(child, which, (size_t)left, false, err);
                        if (got < 0)
                                return -1;
                        if (got == 0)
                                break;
                        left -= (int)got;
                }
        }
        return 0;
}

static void
fill_polls(const struct child *child, int cancel, struct pollfd polls[4])
{
        polls[0] = (struct pollfd){ .fd = child->pid_fd, .events = POLLIN };
        polls[1] = (struct pollfd){ .fd = child->outputs[0].fd, .events = POLLIN };
        polls[2] = (struct pollfd){ .fd = child->outputs[1].fd, .events = POLLIN };
        polls[3] = (struct pollfd){ .fd = cancel, .events = POLLIN };
}

/* Gather output until it has ended; 0 when it has, and all of its output is here. */
static int
follow(struct child *child, int stall_ms, struct cancel *cancel, struct err *err)
{
        for (;;) {
                struct pollfd polls[4];
                fill_polls(child, cancel_fd(cancel), polls);
                int ready = poll(polls, 4, stall_ms);
                if (ready < 0 && errno != EINTR)
                        return err_sys(err, "cannot wait for \"%s\"", child->name);
                if (cancel_check(cancel, err) < 0)
                        return -1;
                if (ready < 0)
                        continue;
                if (ready == 0)
                        return err_set(err, ERR_TIMEOUT, "\"%s\" neither wrote nor ended for %d ms",
                            child->name, stall_ms);
                if (polls[0].revents != 0)
                        return read_rest(child, err);
                for (size_t which = 0; which < 2; which++) {
                        if (polls[1 + which].revents != 0 &&
                            read_output(child, which, READ_SIZE, false, err) < 0)
                                return -1;
                }
        }
}

/*
 * End the group: SIGTERM, time to obey until the command has ended and its
 * outputs are closed, then SIGKILL for what is left.  The command is not
 * reaped before, so that its group's number cannot become somebody else's.
 */
static void
end_group(struct child *child)
{
        int64_t until = time_mono_ms() + KILL_AFTER_MS;
        bool ended = false;

        kill(-child->pid, SIGTERM);
        kill(-child->pid, SIGCONT);
        while (!ended || child->outputs[0].fd >= 0 || child->outputs[1].fd >= 0) {
                struct pollfd polls[4];
                int64_t left_ms = until - time_mono_ms();
                if (left_ms <= 0)
                        break;
                fill_polls(child, -1, polls);
                if (ended)
                        polls[0].fd = -1;
                if (poll(polls, 4, (int)left_ms) < 0)
                        continue;
                ended = ended || polls[0].revents != 0;
                for (size_t which = 0; which < 2; which++) {
                        if (polls[1 + which].revents != 0)
                                read_output(child, which, READ_SIZE, true, NULL);
                }
        }
        kill(-child->pid, SIGKILL);
}

static int
reap(const struct child *child, int *status, struct err *err)
{
        siginfo_t info;

        memset(&info, 0, sizeof(info));
        while (waitid(P_PID, (id_t)child->pid, &info, WEXITED) < 0) {
                if (errno != EINTR)
                        return err_sys(err, "cannot learn the exit status of \"%s\"", child->name);
        }
        *status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        return 0;
}

int
proc_run(const struct proc_spec *spec, struct proc_result *result, struct cancel *cancel,
    struct err *err)
{
        struct child child = {
                .name = spec->argv[0],
                .pid_fd = -1,
                .outputs = { { .to = &result->out, .name = "output" },
                    { .to = &result->err_out, .name = "error output" } },
        };
        int rc = -1;

        result->status = -1;
        buf_init(&result->out, spec->output_max);
        buf_init(&result->err_out, spec->output_max);
        if (cancel_check(cancel, err) < 0)
                return -1;

        /* Tried on ourselves first: a command that cannot be watched is not started. */
        int probe = open_pid(getpid(), err);
        if (probe < 0)
                return -1;
        close(probe);
        if (proc_spawn(spec, &child.pid, NULL, &child.outputs[0].fd, &child.outputs[1].fd, err) < 0)
                return -1;

        child.pid_fd = open_pid(child.pid, err);
        if (child.pid_fd < 0)
                kill(-child.pid, SIGKILL);
        else
                rc = follow(&child, spec->stall_ms, cancel, err);
        if (child.pid_fd >= 0 && rc < 0)
                end_group(&child);
        int reaped = reap(&child, &result->status, rc == 0 ? err : NULL);
        close_fd(&child.outputs[0].fd);
        close_fd(&child.outputs[1].fd);
        close_fd(&child.pid_fd);
        return rc == 0 ? reaped : -1;
}

void
proc_result_free(struct proc_result *result)
{
        buf_free(&result->out);
        buf_free(&result->err_out);
}
