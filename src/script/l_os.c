/*
 * _os: this process and this machine: environment, terminal, users, names.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lx.h"
#include "moonkeep/log.h"
#include "moonkeep/rand.h"
#include "moonkeep/secret.h"
#include "moonkeep/version.h"
#include "task.h"

/* Bounds on a typed line and on an identifier. */
#define LINE_MAX_LEN 256
#define ID_MAX_LEN 64

/* getenv(name) -> text or nil */
static int
get_env(lua_State *L)
{
        lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
        return 1;
}

/* write(fd, text): all of it to standard output (1) or error (2), redacted */
static int
write_fd(lua_State *L)
{
        int fd = (int)luaL_checkinteger(L, 1);
        size_t len;
        const char *text = luaL_checklstring(L, 2, &len);
        struct err err;

        luaL_argcheck(L, fd == 1 || fd == 2, 1, "only 1 and 2 can be written to");
        char *copy = lua_newuserdatauv(L, len != 0 ? len : 1, 0);
        memcpy(copy, text, len);
        secret_redact(copy, len);
        while (len > 0) {
                ssize_t done = write(fd, copy, len);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0 && errno == EAGAIN) {
                        struct pollfd wait = { .fd = fd, .events = POLLOUT };
                        (void)poll(&wait, 1, 1000);
                        continue;
                }
                if (done < 0) {
                        err_init(&err);
                        err_sys(&err, "cannot write to standard %s", fd == 1 ? "output" : "error");
                        lx_raise(L, &err);
                }
                copy += done;
                len -= (size_t)done;
        }
        return 0;
}

/* is_terminal(fd) -> boolean */
static int
is_terminal(lua_State *L)
{
        lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
        return 1;
}

/* columns(fd) -> width of the terminal, or 80 */
static int
columns(lua_State *L)
{
        struct winsize size;
        int width = 80;

        if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                width = size.ws_col;
        lua_pushinteger(L, width);
        return 1;
}

struct read_line {
        struct lx_job lj;
        char line[LINE_MAX_LEN];
        size_t len;
};

static int
read_line_run(struct job *job, struct err *err)
{
        struct read_line *rl = (struct read_line *)job;

        while (rl->len < sizeof(rl->line)) {
                char byte;
                if (cancel_wait_fd(job->cancel, STDIN_FILENO, POLLIN, -1, err) != 0)
                        return -1;
                ssize_t got = read(STDIN_FILENO, &byte, 1);
                if (got < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (got < 0)
                        return err_sys(err, "cannot read from the terminal");
                if (got == 0 || byte == '\n')
                        break;
                rl->line[rl->len++] = byte;
        }
        return 0;
}

static int
read_line_push(lua_State *L, struct lx_job *lj)
{
        struct read_line *rl = (struct read_line *)lj;

        lua_pushlstring(L, rl->line, rl->len);
        return 1;
}

/* read_line() -> a line from standard input; waits */
static int
read_line(lua_State *L)
{
        struct read_line *rl = lua_newuserdatauv(L, sizeof(*rl), 0);

        memset(rl, 0, sizeof(*rl));
        rl->lj.job.run = read_line_run;
        rl->lj.push = read_line_push;
        return lx_job_wait(L, -1, &rl->lj);
}

/* host() -> {name, system, release, machine, boot_id} */
static int
host(lua_State *L)
{
        struct utsname uts;

        if (uname(&uts) != 0)
                memset(&uts, 0, sizeof(uts));
        lua_createtable(L, 0, 5);
        lua_pushstring(L, uts.nodename);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, uts.sysname);
        lua_setfield(L, -2, "system");
        lua_pushstring(L, uts.release);
        lua_setfield(L, -2, "release");
        lua_pushstring(L, uts.machine);
        lua_setfield(L, -2, "machine");
        int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        char id[37] = "";
        if (fd >= 0) {
                ssize_t len = read(fd, id, 36);
                id[len > 0 ? len : 0] = '\0';
                close(fd);
        }
        lua_pushstring(L, id);
        lua_setfield(L, -2, "boot_id");
        return 1;
}

/* process() -> {pid, uid, gid, user, home, cwd} */
static int
process(lua_State *L)
{
        char cwd[4096];

        lua_createtable(L, 0, 6);
        lua_pushinteger(L, getpid());
        lua_setfield(L, -2, "pid");
        lua_pushinteger(L, geteuid());
        lua_setfield(L, -2, "uid");
        lua_pushinteger(L, getegid());
        lua_setfield(L, -2, "gid");
        const struct passwd *pw = getpwuid(geteuid());
        if (pw != NULL) {
                lua_pushstring(L, pw->pw_name);
                lua_setfield(L, -2, "user");
                lua_pushstring(L, pw->pw_dir);
                lua_setfield(L, -2, "home");
        }
        if (getcwd(cwd, sizeof(cwd)) != NULL) {
                lua_pushstring(L, cwd);
                lua_setfield(L, -2, "cwd");
        }
        return 1;
}

/*
 * started(pid) -> when the process started, in clock ticks since boot, as
 * text; nil when there is no such process.  With the pid it names one process.
 */
static int
started(lua_State *L)
{
        char path[64];
        char stat[1024];

        snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)luaL_checkinteger(L, 1));
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t len = fd >= 0 ? read(fd, stat, sizeof(stat) - 1) : -1;
        if (fd >= 0)
                close(fd);
        if (len <= 0)
                return 0;
        stat[len] = '\0';

        /* The name in parentheses may hold anything; field 22 counts from behind it. */
        char *at = strrchr(stat, ')');
        for (int field = 2; at != NULL && field < 22; field++)
                at = strchr(at + 1, ' ');
        if (at == NULL)
                return 0;
        lua_pushlstring(L, at + 1, strcspn(at + 1, " "));
        return 1;
}

/* user(name) -> uid, gid, or nothing when unknown */
static int
user(lua_State *L)
{
        const struct passwd *pw = getpwnam(luaL_checkstring(L, 1));

        if (pw == NULL)
                return 0;
        lua_pushinteger(L, pw->pw_uid);
        lua_pushinteger(L, pw->pw_gid);
        return 2;
}

/* group(name) -> gid, or nothing when unknown */
static int
group(lua_State *L)
{
        const struct group *gr = getgrnam(luaL_checkstring(L, 1));

        if (gr == NULL)
                return 0;
        lua_pushinteger(L, gr->gr_gid);
        return 1;
}

/* random_id(len) -> lower-case letters and digits */
static int
random_id(lua_State *L)
{
        lua_Integer len = luaL_checkinteger(L, 1);
        char id[ID_MAX_LEN + 1];
        struct err err;

        luaL_argcheck(L, len > 0 && len <= ID_MAX_LEN, 1, "1 to 64");
        err_init(&err);
        if (rand_id(id, (size_t)len, &err) != 0)
                lx_raise(L, &err);
        lua_pushstring(L, id);
        return 1;
}

/* errors() -> list of {code, status, doc} */
static int
errors(lua_State *L)
{
        lua_createtable(L, ERR_COUNT, 0);
        for (int code = 0; code < ERR_COUNT; code++) {
                lua_createtable(L, 0, 3);
                lua_pushstring(L, err_code_name((enum err_code)code));
                lua_setfield(L, -2, "code");
                lua_pushinteger(L, err_exit_status((enum err_code)code));
                lua_setfield(L, -2, "status");
                lua_pushstring(L, err_code_doc((enum err_code)code));
                lua_setfield(L, -2, "doc");
                lua_rawseti(L, -2, code + 1);
        }
        return 1;
}

/* debug(json): show what the C modules say for debugging, as text or JSON lines */
static int
debug(lua_State *L)
{
        log_setup(LOG_DEBUG, lua_toboolean(L, 1));
        return 0;
}

/* tell(text): a line for debugging */
static int
tell(lua_State *L)
{
        log_msg(LOG_DEBUG, "%s", luaL_checkstring(L, 1));
        return 0;
}

int
lx_open_os(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "getenv", get_env },
                { "write", write_fd },
                { "is_terminal", is_terminal },
                { "columns", columns },
                { "read_line", read_line },
                { "host", host },
                { "process", process },
                { "started", started },
                { "user", user },
                { "group", group },
                { "random_id", random_id },
                { "errors", errors },
                { "debug", debug },
                { "tell", tell },
                { NULL, NULL },
        };

        lx_module(L, functions);
        lua_pushstring(L, MOONKEEP_VERSION);
        lua_setfield(L, -2, "version");
        return 1;
}
