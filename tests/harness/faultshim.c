/*
 * Preloaded into moonkeep: counts the calls that change files or start
 * programs, and breaks the n-th one.
 *
 *     FAULT_AT=n             which call; 0 or nothing: none
 *     FAULT_WHEN=before|half|after   half: a write does half of it first
 *     FAULT_ACTION=kill|error:ENOSPC|error:EIO|error:NUMBER|count
 *     FAULT_ACTION=signal:NUMBER     send the program that signal, and let the call pass
 *     FAULT_FOREVER=1        the n-th call and all later ones
 *     FAULT_MATCH=REGEXP     count only calls whose "path" or "old -> new" matches
 *     FAULT_LOG=FILE         append "n name path" for each call
 *     FAULT_EXE=NAME         the program that it is for (default moonkeep)
 *
 * Programs that it starts inherit the library and are left alone, and so is a
 * child that was forked and has not called exec yet.  Writes count on regular
 * files only, and not on those that stdout and stderr lead to.  Our own work goes through
 * syscall(2), which nobody counts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATH_LEN (2 * PATH_MAX + 8)

enum when {
        BEFORE,
        HALF,
        AFTER
};

static struct {
        pid_t pid; /* 0: not for this program */
        unsigned long at;
        enum when when;
        int error;  /* 0: kill */
        int signal; /* 0: none */
        bool count_only;
        bool forever;
        bool filtered;
        regex_t match;
        struct stat printed[2]; /* what stdout and stderr were at the start */
        char log[PATH_MAX];
} shim;
static atomic_ulong counter;

static void
die(const char *what)
{
        fprintf(stderr, "faultshim: %s\n", what);
        _exit(99);
}

static void
read_action(const char *action)
{
        if (strcmp(action, "kill") == 0)
                shim.error = 0;
        else if (strncmp(action, "signal:", 7) == 0 && atoi(action + 7) > 0)
                shim.signal = atoi(action + 7);
        else if (strcmp(action, "count") == 0)
                shim.count_only = true;
        else if (strcmp(action, "error:ENOSPC") == 0)
                shim.error = ENOSPC;
        else if (strcmp(action, "error:EIO") == 0)
                shim.error = EIO;
        else if (strncmp(action, "error:", 6) == 0 && atoi(action + 6) > 0)
                shim.error = atoi(action + 6);
        else
                die("FAULT_ACTION is unknown");
}

__attribute__((constructor)) static void
start(void)
{
        const char *at = getenv("FAULT_AT");
        const char *when = getenv("FAULT_WHEN");
        const char *action = getenv("FAULT_ACTION");
        const char *match = getenv("FAULT_MATCH");
        const char *log = getenv("FAULT_LOG");
        const char *exe = getenv("FAULT_EXE");
        char self[PATH_MAX];

        ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (len <= 0)
                return;
        self[len] = '\0';
        if (strcmp(strrchr(self, '/') + 1, exe != NULL ? exe : "moonkeep") != 0)
                return;
        shim.at = at != NULL ? strtoul(at, NULL, 10) : 0;
        if (when != NULL && strcmp(when, "before") != 0)
                shim.when = strcmp(when, "half") == 0 ? HALF : AFTER;
        read_action(action != NULL ? action : "count");
        shim.forever = getenv("FAULT_FOREVER") != NULL;
        if (match != NULL && *match != '\0') {
                if (regcomp(&shim.match, match, REG_EXTENDED | REG_NOSUB) != 0)
                        die("FAULT_MATCH is not a regular expression");
                shim.filtered = true;
        }
        if (log != NULL)
                snprintf(shim.log, sizeof(shim.log), "%s", log);
        for (int fd = 1; fd <= 2; fd++)
                (void)fstat(fd, &shim.printed[fd - 1]);
        shim.pid = getpid();
}

static bool
active(void)
{
        return shim.pid != 0 && getpid() == shim.pid;
}

/* count: count this call; true when it is the one to break. */
static bool
count(const char *name, const char *path)
{
        if (shim.filtered && regexec(&shim.match, path, 0, NULL, 0) != 0)
                return false;
        unsigned long n = atomic_fetch_add(&counter, 1) + 1;
        if (shim.log[0] != '\0') {
                char line[PATH_LEN + 64];
                int len = snprintf(line, sizeof(line), "%lu %s %s\n", n, name, path);
                long fd = syscall(SYS_openat, AT_FDCWD, shim.log,
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                if (fd >= 0) {
                        syscall(SYS_write, fd, line, (size_t)len);
                        syscall(SYS_close, fd);
                }
        }
        if (shim.count_only || shim.at == 0)
                return false;
        if (shim.signal != 0) {
                if (n == shim.at) {
                        /* Let it arrive: another thread may be the one that handles it. */
                        struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
                        syscall(SYS_kill, shim.pid, shim.signal);
                        syscall(SYS_nanosleep, &moment, NULL);
                }
                return false;
        }
        return n == shim.at || (shim.forever && n > shim.at);
}

/* is_data: a regular file that is not what the program prints to. */
static bool
is_data(int fd)
{
        struct stat st;

        if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
                return false;
        for (int idx = 0; idx < 2; idx++) {
                if (st.st_ino == shim.printed[idx].st_ino && st.st_dev == shim.printed[idx].st_dev)
                        return false;
        }
        return true;
}

/* fd_path: the path behind a descriptor, or "?". */
static void
fd_path(int fd, char *path, size_t size)
{
        char link[64];

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (fd == AT_FDCWD)
                snprintf(link, sizeof(link), "/proc/self/cwd");
        ssize_t len = readlink(link, path, size - 1);
        if (len <= 0)
                len = snprintf(path, size, "?");
        path[len] = '\0';
}

static bool
count_fd(const char *name, int fd, bool data_only)
{
        int saved = errno;
        char path[PATH_MAX];
        bool hit = false;

        if (active() && (!data_only || is_data(fd))) {
                fd_path(fd, path, sizeof(path));
                hit = count(name, path);
        }
        errno = saved;
        return hit;
}

static void
at_path(int dir, const char *name, char *path, size_t size)
{
        size_t len = 0;

        path[0] = '\0';
        if (name == NULL || name[0] != '/') {
                fd_path(dir, path, size);
                len = strlen(path);
        }
        if (name != NULL && name[0] != '\0')
                snprintf(path + len, size - len, "%s%s", len > 0 ? "/" : "", name);
}

static bool
count_at(const char *call, int dir, const char *name)
{
        int saved = errno;
        char path[PATH_MAX];
        bool hit = false;

        if (active()) {
                at_path(dir, name, path, sizeof(path));
                hit = count(call, path);
        }
        errno = saved;
        return hit;
}

static bool
count_two(const char *call, int dir, const char *from, int to_dir, const char *to)
{
        int saved = errno;
        char path[PATH_LEN], second[PATH_MAX];
        bool hit = false;

        if (active()) {
                at_path(dir, from, path, PATH_MAX);
                at_path(to_dir, to, second, sizeof(second));
                size_t len = strlen(path);
                snprintf(path + len, sizeof(path) - len, " -> %s", second);
                hit = count(call, path);
        }
        errno = saved;
        return hit;
}

/* act: break the call; returns only when it is to end with errno set. */
static void
act(void)
{
        if (shim.error == 0) {
                syscall(SYS_kill, shim.pid, SIGKILL);
                for (;;)
                        pause();
        }
        errno = shim.error;
}

static void *
next(const char *name)
{
        void *function = dlsym(RTLD_NEXT, name);

        if (function == NULL)
                die(name);
        return function;
}

/* The body of a wrapper whose failure is -1 and errno. */
#define REAL(name)                                                                                 \
        static __typeof__(&(name)) real;                                                           \
        if (real == NULL)                                                                          \
        real = (__typeof__(&(name)))next(#name)
#define AROUND(is_hit, call)                                                                       \
        bool hit = (is_hit);                                                                       \
        if (hit && shim.when == BEFORE) {                                                          \
                act();                                                                             \
                return -1;                                                                         \
        }                                                                                          \
        __auto_type result = (call);                                                               \
        if (hit && shim.when != BEFORE) {                                                          \
                act();                                                                             \
                return -1;                                                                         \
        }                                                                                          \
        return result
#define PART(size) (hit && shim.when == HALF ? (size) / 2 : (size))

#define WRAP(type, name, params, args, is_hit)                                                     \
        type name params                                                                           \
        {                                                                                          \
                REAL(name);                                                                        \
                AROUND(is_hit, real args);                                                         \
        }

/* clang-format off */
WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, PART(size)), count_fd("write", fd, true))
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t off), (fd, data, PART(size), off), count_fd("pwrite", fd, true))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t off), (fd, data, PART(size), off), count_fd("pwrite", fd, true))
WRAP(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n > 1 ? PART(n) : n), count_fd("writev", fd, true))
WRAP(ssize_t, copy_file_range, (int in, off64_t *from, int fd, off64_t *to, size_t size, unsigned flags), (in, from, fd, to, PART(size), flags), count_fd("copy_file_range", fd, true))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), count_fd("ftruncate", fd, false))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), count_fd("ftruncate", fd, false))
WRAP(int, fsync, (int fd), (fd), count_fd("fsync", fd, false))
WRAP(int, fdatasync, (int fd), (fd), count_fd("fdatasync", fd, false))
WRAP(int, syncfs, (int fd), (fd), count_fd("syncfs", fd, false))
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), count_fd("fchown", fd, false))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), count_fd("fchmod", fd, false))
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times), count_fd("futimens", fd, false))
WRAP(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), count_at("chown", AT_FDCWD, path))
WRAP(int, lchown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), count_at("lchown", AT_FDCWD, path))
WRAP(int, fchownat, (int dir, const char *path, uid_t uid, gid_t gid, int flags), (dir, path, uid, gid, flags), count_at("fchownat", dir, path))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode), count_at("chmod", AT_FDCWD, path))
WRAP(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags), count_at("fchmodat", dir, path))
WRAP(int, utimensat, (int dir, const char *path, const struct timespec times[2], int flags), (dir, path, times, flags), count_at("utimensat", dir, path))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), count_at("mkdir", AT_FDCWD, path))
WRAP(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), count_at("mkdirat", dir, path))
WRAP(int, rmdir, (const char *path), (path), count_at("rmdir", AT_FDCWD, path))
WRAP(int, unlink, (const char *path), (path), count_at("unlink", AT_FDCWD, path))
WRAP(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), count_at("unlinkat", dir, path))
WRAP(int, symlink, (const char *to, const char *path), (to, path), count_at("symlink", AT_FDCWD, path))
WRAP(int, symlinkat, (const char *to, int dir, const char *path), (to, dir, path), count_at("symlinkat", dir, path))
WRAP(int, link, (const char *from, const char *to), (from, to), count_two("link", AT_FDCWD, from, AT_FDCWD, to))
WRAP(int, linkat, (int dir, const char *from, int to_dir, const char *to, int flags), (dir, from, to_dir, to, flags), count_two("linkat", dir, from, to_dir, to))
WRAP(int, rename, (const char *from, const char *to), (from, to), count_two("rename", AT_FDCWD, from, AT_FDCWD, to))
WRAP(int, renameat, (int dir, const char *from, int to_dir, const char *to), (dir, from, to_dir, to), count_two("renameat", dir, from, to_dir, to))
WRAP(int, renameat2, (int dir, const char *from, int to_dir, const char *to, unsigned flags), (dir, from, to_dir, to, flags), count_two("renameat2", dir, from, to_dir, to))
WRAP(int, execve, (const char *path, char *const argv[], char *const env[]), (path, argv, env), count_at("execve", AT_FDCWD, path))

/* Opening counts when it may create or empty a file. */
#define CHANGES(flags) (((flags) & (O_CREAT | O_TRUNC)) != 0 || ((flags) & O_TMPFILE) == O_TMPFILE)
#define WRAP_OPEN(name, params, args, dir)                                                         \
        int name params                                                                            \
        {                                                                                          \
                REAL(name);                                                                        \
                va_list list;                                                                      \
                va_start(list, flags);                                                             \
                mode_t mode = CHANGES(flags) ? va_arg(list, mode_t) : 0;                           \
                va_end(list);                                                                      \
                AROUND(CHANGES(flags) && count_at("open", dir, path), real args);                  \
        }
WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
WRAP_OPEN(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode), dir)
WRAP_OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode), dir)
/* clang-format on */

/* Failure of these is the number of the error. */
#define WRAP_SPAWN(name)                                                                           \
        int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,          \
            const posix_spawnattr_t *attr, char *const argv[], char *const env[])                  \
        {                                                                                          \
                REAL(name);                                                                        \
                bool hit = count_at(#name, AT_FDCWD, path);                                        \
                if (hit && shim.when == BEFORE) {                                                  \
                        act();                                                                     \
                        return errno;                                                              \
                }                                                                                  \
                int result = real(pid, path, actions, attr, argv, env);                            \
                /* Reporting failure now would leave a child that nobody knows. */                 \
                if (hit && shim.when != BEFORE && shim.error == 0)                                 \
                        act();                                                                     \
                return result;                                                                     \
        }
WRAP_SPAWN(posix_spawn)
WRAP_SPAWN(posix_spawnp)
