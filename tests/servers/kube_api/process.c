#include "servers/kube_api/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/fault_rules.h"
#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"
#include "moonkeep/path.h"

#define PROCESSES_MAX 1024
#define ENV_MAX 512

static const char *root = "/tmp";

/* Those that have not been waited for; guarded by the lock, as is the waiting itself. */
static struct {
        pid_t pid;
        char uid[37];
} running[PROCESSES_MAX];
static size_t running_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void
api_process_root(const char *path)
{
        root = path;
}

char *
api_process_dir(const json_t *pod)
{
        struct err err;
        char *dir = api_format(
            "%s/%s/%s", root, api_text(pod, "metadata.namespace"), api_text(pod, "metadata.name"));

        if (path_make_dirs(dir, 0755, &err) < 0)
                fault_fail("%s", err.msg);
        return dir;
}

/* Environment. */

extern char **environ;

static void
add_env(char **env, size_t *count, const char *name, const char *value)
{
        size_t len = strlen(name);

        for (size_t idx = 0; idx < *count; idx++) {
                if (strncmp(env[idx], name, len) == 0 && env[idx][len] == '=') {
                        free(env[idx]);
                        env[idx] = api_format("%s=%s", name, value);
                        return;
                }
        }
        if (*count + 1 < ENV_MAX)
                env[(*count)++] = api_format("%s=%s", name, value);
        env[*count] = NULL;
}

/* Ours, and what the pod says. */
static size_t
make_env(const struct api_command *command, const char *dir, char **env)
{
        const char *path = api_text(command->pod, "metadata.annotations.test/path");
        const json_t *containers = api_at(command->pod, "spec.containers");
        size_t count = 0;

        for (char **own = environ; *own != NULL && count + 16 < ENV_MAX; own++)
                env[count++] = fault_checked(strdup(*own));
        env[count] = NULL;
        add_env(env, &count, "HOME", dir);
        add_env(env, &count, "HOSTNAME", api_text(command->pod, "metadata.name"));
        if (*path != '\0')
                add_env(env, &count, "PATH", path);
        for (size_t idx = 0; idx < json_array_size(containers); idx++) {
                const json_t *container = json_array_get(containers, idx);
                const json_t *list = api_at(container, "env");
                if (strcmp(api_text(container, "name"), command->container) != 0)
                        continue;
                for (size_t at = 0; at < json_array_size(list); at++)
                        add_env(env, &count, api_text(json_array_get(list, at), "name"),
                            api_text(json_array_get(list, at), "value"));
        }
        return count;
}

/* The program that a name means, to be freed; NULL when there is none. */
static char *
look_up(const char *name, char **env)
{
        const char *path = "";

        if (strchr(name, '/') != NULL)
                return fault_checked(strdup(name));
        for (; *env != NULL; env++) {
                if (strncmp(*env, "PATH=", 5) == 0)
                        path = *env + 5;
        }
        while (*path != '\0') {
                size_t len = strcspn(path, ":");
                char *file = api_format("%.*s/%s", (int)len, path, name);
                if (access(file, X_OK) == 0)
                        return file;
                free(file);
                path += len;
                path += *path == ':';
        }
        return NULL;
}

/* Starting. */

static void
run_child(char *const argv[], char *const env[], const char *file, const char *dir,
    const int fds[3], int report)
{
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setsid();
        if (chdir(dir) == 0 && dup2(fds[0], 0) >= 0 && dup2(fds[1], 1) >= 0 && dup2(fds[2], 2) >= 0)
                execve(file, argv, env);
        int why = errno;
        (void)!write(report, &why, sizeof(why));
        _exit(127);
}

/* A pipe or /dev/null: [0] is the command's end, [1] ours or -1. */
static void
open_end(bool wanted, bool is_input, int ends[2])
{
        int fds[2];

        ends[1] = -1;
        if (!wanted) {
                ends[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
                return;
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
                fault_fail("pipe: %s", strerror(errno));
        ends[0] = is_input ? fds[0] : fds[1];
        ends[1] = is_input ? fds[1] : fds[0];
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

static void
enter(const struct api_command *command, struct api_process *process)
{
        if (running_count == PROCESSES_MAX)
                fault_fail("more than %d processes", PROCESSES_MAX);
        running[running_count].pid = process->pid;
        snprintf(running[running_count].uid, sizeof(running[0].uid), "%s",
            api_text(command->pod, "metadata.uid"));
        running_count++;
}

static char *
start_file(const struct api_command *command, struct api_process *process, char **env,
    const char *file, const char *dir)
{
        int in[2], out[2], err[2], report[2], why = 0;

        open_end(command->in, true, in);
        open_end(command->out, false, out);
        open_end(command->err, false, err);
        if (pipe2(report, O_CLOEXEC) < 0)
                fault_fail("pipe: %s", strerror(errno));
        pthread_mutex_lock(&lock);
        process->pid = fork();
        if (process->pid == 0)
                run_child(
                    command->argv, env, file, dir, (int[]){ in[0], out[0], err[0] }, report[1]);
        if (process->pid < 0)
                fault_fail("fork: %s", strerror(errno));
        enter(command, process);
        process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
        pthread_mutex_unlock(&lock);
        close(in[0]);
        close(out[0]);
        close(err[0]);
        close(report[1]);
        process->in = in[1];
        process->out = out[1];
        process->err = err[1];
        while (read(report[0], &why, sizeof(why)) < 0 && errno == EINTR)
                continue;
        close(report[0]);
        if (why == 0)
                return NULL;
        api_process_wait(process);
        for (int idx = 0; idx < 3; idx++) {
                int fd = (int[]){ in[1], out[1], err[1] }[idx];
                if (fd >= 0)
                        close(fd);
        }
        return why == ENOENT
                   ? api_format("stat %s: no such file or directory", file)
                   : api_format("%s", why == EACCES ? "permission denied" : strerror(why));
}

char *
api_process_start(const struct api_command *command, struct api_process *process)
{
        char *env[ENV_MAX];

        if (command->argv[0] == NULL)
                return api_format("args must not be empty");
        char *dir = api_process_dir(command->pod);
        size_t count = make_env(command, dir, env);
        char *file = look_up(command->argv[0], env);
        char *why = file == NULL ? api_format("executable file not found in $PATH")
                                 : start_file(command, process, env, file, dir);
        if (why != NULL) {
                char *whole = api_format(
                    "unable to start container process: exec: \"%s\": %s", command->argv[0], why);
                free(why);
                why = whole;
        }
        for (size_t idx = 0; idx < count; idx++)
                free(env[idx]);
        free(file);
        free(dir);
        return why;
}

/* Ending. */

int
api_process_wait(struct api_process *process)
{
        struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };
        int status = 0;

        while (poll(&ended, 1, -1) < 0 && errno == EINTR)
                continue;
        pthread_mutex_lock(&lock);
        while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
                continue;
        for (size_t idx = 0; idx < running_count; idx++) {
                if (running[idx].pid == process->pid) {
                        running[idx] = running[--running_count];
                        break;
                }
        }
        pthread_mutex_unlock(&lock);
        close(process->pidfd);
        process->pidfd = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void
api_process_kill(const struct api_process *process)
{
        kill(-process->pid, SIGKILL);
        kill(process->pid, SIGKILL);
}

void
api_processes_end(const char *uid)
{
        pthread_mutex_lock(&lock);
        for (size_t idx = 0; idx < running_count; idx++) {
                if (uid != NULL && strcmp(running[idx].uid, uid) != 0)
                        continue;
                kill(-running[idx].pid, SIGKILL);
                kill(running[idx].pid, SIGKILL);
        }
        pthread_mutex_unlock(&lock);
        /* Their threads wait for them. */
        for (int turn = 0; uid == NULL && turn < 100; turn++) {
                struct timespec moment = { .tv_nsec = 10000000 };
                pthread_mutex_lock(&lock);
                size_t left = running_count;
                pthread_mutex_unlock(&lock);
                if (left == 0)
                        return;
                nanosleep(&moment, NULL);
        }
}
