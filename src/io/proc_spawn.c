#include "proc_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "moonkeep/mem.h"

/* What the spawn needs and the command gets. */
struct setup {
        int in;
        int feed; /* our end of it, where it is a pipe */
        int out[2];
        int err_out[2];
        int cwd;
        char **env;
};

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/*
 * The input as a file in memory: nothing has to be written while the command
 * runs, and it does not matter whether it reads any of it.
 */
static int
open_input(const struct proc_spec *spec, struct err *err)
{
        const char *data = spec->input;
        size_t done = 0;

        if (data == NULL) {
                int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                return fd >= 0 ? fd : err_sys(err, "cannot open \"/dev/null\"");
        }
        int fd = memfd_create("stdin", MFD_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "cannot make a file in memory for its input");
        while (done < spec->input_len) {
                ssize_t put = write(fd, data + done, spec->input_len - done);
                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0)
                        goto fail;
                done += (size_t)put;
        }
        if (lseek(fd, 0, SEEK_SET) < 0)
                goto fail;
        return fd;

fail:
        err_sys(err, "cannot store its input in memory");
        close(fd);
        return -1;
}

static bool
same_name(const char *one, const char *other)
{
        size_t len = strcspn(one, "=");

        return strncmp(one, other, len) == 0 && other[len] == '=';
}

/* Our environment with the additions; the strings are borrowed. */
static char **
make_env(const char *const *add, struct err *err)
{
        size_t ours = 0;
        size_t added = 0;
        size_t used = 0;

        while (environ[ours] != NULL)
                ours++;
        while (add != NULL && add[added] != NULL)
                added++;
        char **env = mem_alloc((ours + added + 1) * sizeof(*env), err);
        if (env == NULL)
                return NULL;
        for (size_t idx = 0; idx < ours; idx++) {
                bool replaced = false;
                for (size_t at = 0; at < added && !replaced; at++)
                        replaced = same_name(add[at], environ[idx]);
                if (!replaced)
                        env[used++] = environ[idx];
        }
        for (size_t at = 0; at < added; at++)
                env[used++] = (char *)add[at];
        env[used] = NULL;
        return env;
}

static void
setup_free(struct setup *setup)
{
        close_fd(&setup->in);
        close_fd(&setup->feed);
        close_fd(&setup->out[0]);
        close_fd(&setup->out[1]);
        close_fd(&setup->err_out[0]);
        close_fd(&setup->err_out[1]);
        close_fd(&setup->cwd);
        mem_free(setup->env);
        setup->env = NULL;
}

/* Its standard input as a pipe that is written to while it runs. */
static int
open_feed(struct setup *setup, struct err *err)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_sys(err, "cannot make a pipe");
        setup->in = ends[0];
        setup->feed = ends[1];
        if (fcntl(setup->feed, F_SETFL, O_NONBLOCK) < 0)
                return err_sys(err, "cannot set up a pipe");
        return 0;
}

static int
setup_init(struct setup *setup, const struct proc_spec *spec, bool feed, struct err *err)
{
        *setup = (struct setup){
                .in = -1, .feed = -1, .out = { -1, -1 }, .err_out = { -1, -1 }, .cwd = -1
        };

        if (feed) {
                if (open_feed(setup, err) < 0)
                        goto fail;
        } else {
                setup->in = open_input(spec, err);
                if (setup->in < 0)
                        goto fail;
        }
        if (pipe2(setup->out, O_CLOEXEC) < 0 || pipe2(setup->err_out, O_CLOEXEC) < 0) {
                err_sys(err, "cannot make a pipe");
                goto fail;
        }
        /* Only our ends do not block: the command expects ordinary pipes. */
        if (fcntl(setup->out[0], F_SETFL, O_NONBLOCK) < 0 ||
            fcntl(setup->err_out[0], F_SETFL, O_NONBLOCK) < 0) {
                err_sys(err, "cannot set up a pipe");
                goto fail;
        }
        if (spec->cwd != NULL) {
                /* Opened here, so that its failure is not taken for one of the command. */
                setup->cwd = open(spec->cwd, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (setup->cwd < 0) {
                        err_sys(err, "cannot open the directory \"%s\"", spec->cwd);
                        goto fail;
                }
        }
        setup->env = make_env(spec->env, err);
        if (setup->env == NULL)
                goto fail;
        return 0;

fail:
        setup_free(setup);
        return -1;
}

static int
add_actions(posix_spawn_file_actions_t *actions, const struct setup *setup)
{
        int rc = posix_spawn_file_actions_adddup2(actions, setup->in, 0);

        if (rc == 0)
                rc = posix_spawn_file_actions_adddup2(actions, setup->out[1], 1);
        if (rc == 0)
                rc = posix_spawn_file_actions_adddup2(actions, setup->err_out[1], 2);
        if (rc == 0 && setup->cwd >= 0)
                rc = posix_spawn_file_actions_addfchdir_np(actions, setup->cwd);
        if (rc == 0)
                rc = posix_spawn_file_actions_addclosefrom_np(actions, 3);
        return rc;
}

/* A group of its own, every signal as it was made. */
static int
set_attributes(posix_spawnattr_t *attr)
{
        sigset_t all, none;

        sigfillset(&all);
        sigemptyset(&none);
        int rc = posix_spawnattr_setflags(
            attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        if (rc == 0)
                rc = posix_spawnattr_setpgroup(attr, 0);
        if (rc == 0)
                rc = posix_spawnattr_setsigdefault(attr, &all);
        if (rc == 0)
                rc = posix_spawnattr_setsigmask(attr, &none);
        return rc;
}

static int
spawn(const struct proc_spec *spec, const struct setup *setup, pid_t *pid, struct err *err)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;

        int rc = posix_spawn_file_actions_init(&actions);
        if (rc != 0)
                goto fail;
        rc = posix_spawnattr_init(&attr);
        if (rc != 0)
                goto fail_actions;
        rc = add_actions(&actions, setup);
        if (rc == 0)
                rc = set_attributes(&attr);
        if (rc == 0)
                rc = posix_spawnp(
                    pid, spec->argv[0], &actions, &attr, (char *const *)spec->argv, setup->env);
        posix_spawnattr_destroy(&attr);
        if (rc != 0)
                goto fail_actions;
        posix_spawn_file_actions_destroy(&actions);
        return 0;

fail_actions:
        posix_spawn_file_actions_destroy(&actions);
fail:
        errno = rc;
        err_sys(err, "cannot run \"%s\"", spec->argv[0]);
        if (rc == ENOENT && strchr(spec->argv[0], '/') == NULL)
                err_hint(err, "install the program, or put its directory into PATH");
        return -1;
}

int
proc_spawn(
    const struct proc_spec *spec, pid_t *pid, int *in, int *out, int *err_out, struct err *err)
{
        struct setup setup;

        if (setup_init(&setup, spec, in != NULL, err) < 0)
                return err_prefix(err, "cannot run \"%s\"", spec->argv[0]);
        if (spawn(spec, &setup, pid, err) < 0)
                goto fail;
        if (in != NULL) {
                *in = setup.feed;
                setup.feed = -1;
        }
        *out = setup.out[0];
        *err_out = setup.err_out[0];
        setup.out[0] = setup.err_out[0] = -1;
        setup_free(&setup);
        return 0;

fail:
        setup_free(&setup);
        return -1;
}
