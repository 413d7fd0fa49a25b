/*
 * Streams out of and into the far end that do not trust what carries them, and
 * commands there (docs/design/far-streams.md).
 *
 * The far end needs a POSIX shell, and of each function what it names; what is
 * missing there is ERR_UNSUPPORTED and named.  All of these run a script of
 * ours there, which goes in by standard input with all that varies: nothing of it
 * is in a command line.  The script ends its whole process group when our
 * connection goes.
 */
#ifndef MOONKEEP_FAR_STREAM_H
#define MOONKEEP_FAR_STREAM_H

#include <stdint.h>

#include "moonkeep/far.h"
#include "moonkeep/proc.h"
#include "moonkeep/secret.h"
#include "moonkeep/stream.h"
#include "moonkeep/tar.h"

enum far_proof {
        FAR_STRUCTURE, /* the tar to its end blocks (or the byte count), exit status, ack, end */
        FAR_DIGEST     /* and the SHA-256 that the far end took of what it sent or got */
};

struct far_tar_opts {
        const char *root;
        const char *const *names; /* relative to root, NULL-terminated; NULL: all below root */
        bool follow_names;        /* names that are symbolic links: what they lead to */
        enum far_proof proof;
        int64_t stall_ms;        /* neither output nor a sign of life for so long: ERR_TIMEOUT */
        _Atomic uint64_t *total; /* if not NULL: set to about how many bytes will come (du) */
};

/*
 * far_tar_source: a directory there as a tar; needs tar.  Its end is reported
 * when it is proven.  ERR_TRUNCATED for whatever is cut, ERR_CORRUPT for whatever is
 * changed on its way, ERR_IO with what tar said when it could not read something.
 */
struct source *far_tar_source(
    struct far_host *host, const struct far_tar_opts *opts, struct cancel *cancel, struct err *err);

/* far_file_source: one file there, to the size that it had at first; needs dd. */
struct source *far_file_source(struct far_host *host, const char *path, enum far_proof proof,
    int64_t stall_ms, struct cancel *cancel, struct err *err);

struct far_extract_opts {
        const char *dest; /* existing directory */
        bool chown;       /* give all to uid and gid (the far end is root) */
        uid_t uid;
        gid_t gid;
        enum far_proof proof;
        int64_t stall_ms;
        struct tar_watcher watcher; /* sees what passes; may be zeroed */
};

/*
 * far_tar_extract: extract src below dest there; needs tar and dd.  What
 * tar_extract refuses is refused here before it is sent.  src is read to its
 * verified end; 0 means that the far end extracted and synced all of it.  After a
 * failure the caller removes dest.  Takes src (freed in all cases).
 */
int far_tar_extract(struct source *src, struct far_host *host, const struct far_extract_opts *opts,
    struct cancel *cancel, struct err *err);

/* far_file_write: src (taken) as a file there: written beside path, synced, renamed; needs dd. */
struct far_file_opts {
        unsigned mode;
        bool exclusive; /* ERR_EXISTS when path is there */
        enum far_proof proof;
        int64_t stall_ms;
};
int far_file_write(struct source *src, struct far_host *host, const char *path,
    const struct far_file_opts *opts, struct cancel *cancel, struct err *err);

struct far_shell;

struct far_env {
        const char *name;
        const char *value;     /* or NULL */
        struct secret *secret; /* its bytes then; sent by stdin, never in argv */
};

struct far_run_spec {
        const char *const *argv; /* no shell interprets it */
        const struct far_env *env;
        size_t env_count;
        const char *cwd;   /* or NULL */
        const void *input; /* its standard input, then the end of it; or NULL: /dev/null */
        size_t input_len;
        size_t output_max; /* as proc_run */
        int64_t stall_ms;
        bool bare; /* without our script: the far end has no shell; then no env, cwd, input */
        struct far_shell *shell; /* one that waits there, or NULL: one of its own, with its end */
};

/*
 * far_run: run it to its end, as proc_run: 0 whatever its exit status.  Ending
 * early (cancel, stall, bound) ends its process group there.  With a shell that waits, what
 * is said of far_shell_run holds, and after -1 that can only be freed.
 */
int far_run(struct far_host *host, const struct far_run_spec *spec, struct proc_result *result,
    struct cancel *cancel, struct err *err);

/*
 * A shell there that waits for scripts, for many small questions on one
 * connection.  One thread at a time.
 */
struct far_shell *far_shell_open(
    struct far_host *host, int64_t stall_ms, struct cancel *cancel, struct err *err);
/*
 * far_shell_run: run a script text there in a subshell, with args as $1, $2 ...,
 * and input on its stdin.  As far_run.  After -1 the shell can only be freed.
 * What ends a run early is the token that the shell was opened with; cancel is
 * looked at before it.
 */
int far_shell_run(struct far_shell *shell, const char *script, const char *const *args,
    const void *input, size_t input_len, size_t output_max, struct proc_result *result,
    struct cancel *cancel, struct err *err);
/* far_shell_free: NULL is fine. */
void far_shell_free(struct far_shell *shell);

#endif
