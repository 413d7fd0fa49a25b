/*
 * A command at the far end, run by a shell of its own there: its environment,
 * secrets too, goes in by standard input.
 */
#include <stdio.h>
#include <string.h>

#include "far_link.h"
#include "far_shell.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem.h"

/* Without a sign of life for so long a connection is given up, however quiet a command may be. */
#define LINK_STALL_MS 120000

#define SCRIPT_MAX ((size_t)16 * 1024 * 1024)

static bool
is_name(const char *name)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

        if (name[0] == '\0' || strchr(letters, name[0]) == NULL)
                return false;
        return name[strspn(name,
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")] == '\0';
}

static const char *
value_of(const struct far_env *env, size_t *len)
{
        if (env->secret != NULL)
                return secret_bytes(env->secret, len);
        *len = env->value != NULL ? strlen(env->value) : 0;
        return env->value != NULL ? env->value : "";
}

static size_t
guess_size(const struct far_run_spec *spec)
{
        size_t guess = 1024 + (spec->cwd != NULL ? 4 * strlen(spec->cwd) : 0);

        for (size_t idx = 0; idx < spec->env_count; idx++) {
                size_t len;
                value_of(&spec->env[idx], &len);
                guess += strlen(spec->env[idx].name) + 4 * len + 32;
        }
        return guess;
}

/* What cannot be started is told by a line with the run's mark. */
static const char prologue[] = "_mkno() { printf '\\n%s %s\\n' $_mkR $1 >&2; exit 127; }\n";
static const char epilogue[] = "command -v \"$1\" >/dev/null 2>&1 || _mkno missing\n"
                               "exec \"$@\"\n";

static int
add_env(struct buf *script, const struct far_env *env, struct err *err)
{
        size_t len;
        const char *value = value_of(env, &len);

        if (!is_name(env->name))
                return err_set(
                    err, ERR_INVALID, "\"%s\" is no name for a variable of a shell", env->name);
        if (memchr(value, '\0', len) != NULL)
                return err_set(err, ERR_INVALID, "the variable \"%s\" holds a NUL", env->name);
        if (buf_addf(script, err, "export %s=", env->name) < 0 ||
            far_quote(script, value, len, err) < 0)
                return -1;
        return buf_add(script, "\n", 1, err);
}

static int
make_script(struct buf *script, const struct far_run_spec *spec, struct err *err)
{
        /* At once: secrets leave no copies behind when it grows. */
        if (buf_reserve(script, guess_size(spec), err) == NULL ||
            buf_addstr(script, prologue, err) < 0)
                return -1;
        if (spec->cwd != NULL) {
                /* "-" would be another directory. */
                if (buf_addf(script, err, "cd %s", spec->cwd[0] == '-' ? "./" : "") < 0 ||
                    far_quote(script, spec->cwd, strlen(spec->cwd), err) < 0 ||
                    buf_addstr(script, " >/dev/null 2>&1 || _mkno nodir\n", err) < 0)
                        return -1;
        }
        /* Last before the command: PATH may be among them. */
        for (size_t idx = 0; idx < spec->env_count; idx++) {
                if (add_env(script, &spec->env[idx], err) < 0)
                        return -1;
        }
        return buf_addstr(script, epilogue, err);
}

/* Did our script say, in place of the command, that it could not be started? */
static int
check_started(const struct far_run_spec *spec, const struct far_host *host,
    const struct proc_result *result, struct err *err)
{
        const struct buf *said = &result->err_out;

        if (result->status != 127 || said->len < FAR_MARK_SIZE + 1 || said->data[0] != '\n')
                return 0;
        const char *word = said->data + FAR_MARK_SIZE + 1;
        if (strcmp(word, "missing\n") == 0)
                return err_set(
                    err, ERR_NOT_FOUND, "%s has no program \"%s\"", host->label, spec->argv[0]);
        if (strcmp(word, "nodir\n") == 0)
                return err_set(err, ERR_NOT_FOUND, "cannot go to the directory \"%s\" in %s",
                    spec->cwd, host->label);
        return 0;
}

static int
run_by_shell(struct far_host *host, const struct far_run_spec *spec, struct proc_result *result,
    struct cancel *cancel, struct err *err)
{
        struct buf script;
        struct far_shell *own = NULL;
        int rc = -1;

        buf_init(&script, SCRIPT_MAX);
        if (make_script(&script, spec, err) < 0 || cancel_check(cancel, err) < 0)
                goto out;
        if (spec->shell == NULL) {
                own = far_shell_open(host, LINK_STALL_MS, cancel, err);
                if (own == NULL)
                        goto out;
        }
        const struct far_shell_job job = { script.data, spec->argv, spec->input, spec->input_len,
                spec->output_max, spec->stall_ms };
        /* It is initialised anew there. */
        rc = far_shell_job_run(own != NULL ? own : spec->shell, &job, result, err);
        if (rc == 0)
                rc = check_started(spec, host, result, err);
out:
        if (script.data != NULL)
                secret_wipe(script.data, script.cap);
        buf_free(&script);
        far_shell_free(own);
        return rc;
}

static int
run_bare(struct far_host *host, const struct far_run_spec *spec, struct proc_result *result,
    struct cancel *cancel, struct err *err)
{
        struct far *far;
        int rc = -1;

        if (spec->env_count > 0 || spec->cwd != NULL || spec->input_len > 0)
                return err_set(err, ERR_UNSUPPORTED,
                    "without a shell there is no environment, directory or input");
        far = far_open(host, spec->argv, cancel, err);
        if (far == NULL)
                return -1;
        far->stall_ms = spec->stall_ms;
        if (far->ops->end_input != NULL && far->ops->end_input(far, err) < 0)
                goto out;
        for (;;) {
                struct far_event event;
                struct buf *to = NULL;
                int wait_ms = spec->stall_ms > 0 ? (int)spec->stall_ms : -1;
                if (far_next(far, wait_ms, &event, err) < 0)
                        goto out;
                if (event.kind == FAR_NOTHING && wait_ms > 0) {
                        err_set(err, ERR_TIMEOUT, "it neither wrote nor ended for %d ms", wait_ms);
                        goto out;
                }
                if (event.kind == FAR_OUT)
                        to = &result->out;
                if (event.kind == FAR_ERR)
                        to = &result->err_out;
                if (to != NULL && buf_add(to, event.data, event.len, err) < 0)
                        goto out;
                if (event.kind == FAR_ENDED) {
                        result->status = event.status;
                        break;
                }
        }
        rc = 0;
out:
        far_free(far);
        return rc;
}

/* What could not be run, and where; unless the error says so already. */
static int
name_command(struct err *err, const char *program, const char *label)
{
        char said[128];

        int len = snprintf(said, sizeof(said), "cannot run \"%.100s\"", program);
        if (err != NULL && strncmp(err->msg, said, (size_t)len) == 0)
                return -1;
        return err_prefix(err, "cannot run \"%s\" in %s", program, label);
}

int
far_run(struct far_host *host, const struct far_run_spec *spec, struct proc_result *result,
    struct cancel *cancel, struct err *err)
{
        result->status = -1;
        buf_init(&result->out, spec->output_max);
        buf_init(&result->err_out, spec->output_max);
        int rc = spec->bare ? run_bare(host, spec, result, cancel, err)
                            : run_by_shell(host, spec, result, cancel, err);
        return rc < 0 ? name_command(err, spec->argv[0], host->label) : 0;
}
