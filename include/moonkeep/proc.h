/*
 * Processes of this machine.
 */
#ifndef MOONKEEP_PROC_H
#define MOONKEEP_PROC_H

#include <stddef.h>

#include "moonkeep/buf.h"
#include "moonkeep/cancel.h"
#include "moonkeep/err.h"

struct proc_spec {
        const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
        const char *const *env;  /* "NAME=value" to add to ours, NULL-terminated; or NULL */
        const char *cwd;         /* or NULL */
        const void *input;       /* its standard input (then end of file); or NULL: /dev/null */
        size_t input_len;
        size_t output_max; /* bound on stdout and on stderr, each; more is ERR_TOO_BIG */
        int stall_ms;      /* ERR_TIMEOUT when it neither writes nor ends for so long; -1: none */
};

struct proc_result {
        int status; /* exit status, or 128 + signal */
        struct buf out;
        struct buf err_out;
};

/*
 * proc_run: run it in a process group of its own and wait for its end.
 *
 * Returns 0 whatever its exit status; -1 when it could not be started
 * (ERR_NOT_FOUND, ERR_PERMISSION), was cancelled, or a bound was reached; then
 * the group got SIGTERM, 5 s later SIGKILL, and is gone when this returns.
 * A daemon that the command leaves behind in a session of its own stays.  The
 * end of the command itself counts, not the closing of its output by others.
 * No descriptor of ours is inherited.  result is initialised here and
 * released with proc_result_free in both cases.
 */
int proc_run(const struct proc_spec *spec, struct proc_result *result, struct cancel *cancel,
    struct err *err);

void proc_result_free(struct proc_result *result);

#endif
