/*
 * Commands in the pods of the API server for tests: processes of this machine,
 * each in a session of its own.
 */
#ifndef TESTS_KUBE_API_PROCESS_H
#define TESTS_KUBE_API_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#define API_ARGS_MAX 256

struct api_process {
        pid_t pid;
        int pidfd; /* readable when it has ended */
        int in;    /* -1 where it has none */
        int out;
        int err;
};

struct api_command {
        char *argv[API_ARGS_MAX + 1];
        const json_t *pod;
        const char *container;
        bool in, out, err; /* which of them are connected; others are /dev/null */
};

/* api_process_root: below which directory pods have theirs, ROOT/NS/POD. */
void api_process_root(const char *root);

/* api_process_dir: that of a pod, made when it is not there; to be freed. */
char *api_process_dir(const json_t *pod);

/* api_process_start: NULL, or why it could not be started, as runc says it; to be freed. */
char *api_process_start(const struct api_command *command, struct api_process *process);

/* api_process_wait: its exit code, once it has ended (it waits for that). */
int api_process_wait(struct api_process *process);

/* api_process_kill: its whole process group. */
void api_process_kill(const struct api_process *process);

/* api_processes_end: those of a pod's uid, or all (NULL); all are waited for. */
void api_processes_end(const char *uid);

#endif
