/*
 * What far_run needs of a shell beyond far_shell_run.  Internal to far.
 */
#ifndef IO_FAR_SHELL_H
#define IO_FAR_SHELL_H

#include "moonkeep/far_stream.h"

struct far_shell_job {
        const char *script;
        const char *const *args;
        const void *input;
        size_t input_len;
        size_t output_max;
        int64_t quiet_max_ms; /* if > 0: without output for so long is ERR_TIMEOUT */
};

int far_shell_job_run(struct far_shell *shell, const struct far_shell_job *job,
    struct proc_result *result, struct err *err);

#endif
