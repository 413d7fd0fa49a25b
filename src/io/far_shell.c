/*
 * A shell at the far end that answers many questions.  Each run has a mark of
 * its own, which both outputs carry in front and behind, so that neither what
 * ran before nor a cut is taken for an answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "far_link.h"
#include "far_script.h"
#include "far_shell.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem.h"

/* Room for the marks around what is bounded by output_max. */
#define MARKS_ROOM ((size_t)256)
#define TEXT_MAX ((size_t)64 * 1024 * 1024)
/* A dd is started there for each frame. */
#define FRAME ((size_t)1024 * 1024)

/* One output of a run. */
struct gather {
        struct buf buf;
        const char *name;
        size_t searched; /* up to here buf holds no end */
        bool begun;
        bool ended;
        int status;
};

struct far_shell {
        struct far_link link;
        struct gather out;
        struct gather err_out;
        char mark[FAR_MARK_SIZE]; /* of this run */
        bool ready;
        bool broken;
};

static char *
find(const struct gather *it, size_t from, const char *text)
{
        size_t len = strlen(text);

        if (it->buf.len < from + len)
                return NULL;
        return memmem(it->buf.data + from, it->buf.len - from, text, len);
}

/* What came before the run is dropped; what lies between its marks is the answer. */
static int
gather(struct far_shell *shell, struct gather *it, const char *data, size_t len, struct err *err)
{
        char text[FAR_MARK_SIZE + 16];

        if (it->ended)
                return 0;
        if (buf_add(&it->buf, data, len, err) < 0)
                return err_prefix(err, "the %s", it->name);
        if (!it->begun) {
                memcpy(text, "\n", 2);
                strcat(strcat(text, shell->mark), " begin\n");
                char *at = find(it, 0, text);
                if (at == NULL) {
                        size_t keep = strlen(text) - 1;
                        if (it->buf.len > keep)
                                buf_consume(&it->buf, it->buf.len - keep);
                        return 0;
                }
                buf_consume(&it->buf, (size_t)(at - it->buf.data) + strlen(text));
                it->begun = true;
                it->searched = 0;
        }
        memcpy(text, "\n", 2);
        strcat(strcat(text, shell->mark), " end ");
        const char *at = find(it, it->searched, text);
        if (at == NULL) {
                size_t keep = strlen(text) - 1;
                it->searched = it->buf.len > keep ? it->buf.len - keep : 0;
                return 0;
        }
        size_t before = (size_t)(at - it->buf.data);
        const char *number = at + strlen(text);
        /* A dot: the newline behind it may be held back as the beginning of a mark. */
        if (memchr(number, '.', it->buf.len - before - strlen(text)) == NULL) {
                it->searched = before;
                return 0;
        }
        it->status = (int)strtol(number, NULL, 10);
        it->ended = true;
        it->buf.len = before;
        it->buf.data[before] = '\0';
        return 0;
}

static int
on_other(void *arg, const char *data, size_t len, struct err *err)
{
        struct far_shell *shell = arg;

        return gather(shell, &shell->err_out, data, len, err);
}

static int
on_line(void *arg, const char *word, const char *rest, struct err *err)
{
        struct far_shell *shell = arg;

        (void)rest;
        (void)err;
        if (strcmp(word, "ready") == 0)
                shell->ready = true;
        return 0;
}

static int
next(struct far_shell *shell, int wait_ms, bool *nothing, struct err *err)
{
        struct far_event event;

        if (far_link_next(&shell->link, wait_ms, &event, err) < 0)
                return -1;
        *nothing = event.kind == FAR_NOTHING;
        if (event.kind == FAR_ENDED)
                return far_link_early_end(&shell->link, err);
        if (event.kind == FAR_OUT)
                return gather(shell, &shell->out, (const char *)event.data, event.len, err);
        return 0;
}

struct far_shell *
far_shell_open(struct far_host *host, int64_t stall_ms, struct cancel *cancel, struct err *err)
{
        struct far_shell *shell = mem_zalloc(sizeof(*shell), err);
        bool nothing;

        if (shell == NULL)
                return NULL;
        shell->link.line = on_line;
        shell->link.other = NULL;
        shell->link.arg = shell;
        if (far_link_open(&shell->link, host, far_script_shell, NULL, stall_ms, cancel, err) < 0)
                goto fail;
        buf_init(&shell->out.buf, MARKS_ROOM);
        buf_init(&shell->err_out.buf, MARKS_ROOM);
        while (!shell->ready) {
                if (next(shell, -1, &nothing, err) < 0)
                        goto fail;
        }
        shell->link.other = on_other;
        return shell;

fail:
        err_prefix(err, "cannot start a shell in %s", host->label);
        far_shell_free(shell);
        return NULL;
}

void
far_shell_free(struct far_shell *shell)
{
        if (shell == NULL)
                return;
        if (shell->link.host != NULL)
                far_link_close(&shell->link);
        buf_free(&shell->out.buf);
        buf_free(&shell->err_out.buf);
        mem_free(shell);
}

static int
send_text(struct far_shell *shell, const char *script, const char *const *args, struct err *err)
{
        struct buf text;
        size_t guess = strlen(script) + 256;
        int rc = -1;

        for (size_t idx = 0; args != NULL && args[idx] != NULL; idx++)
                guess += strlen(args[idx]) + 8;
        buf_init(&text, TEXT_MAX);
        /* At once: secrets leave no copies behind when it grows. */
        if (buf_reserve(&text, guess + guess / 4, err) == NULL ||
            buf_addf(&text, err, "run %s\nset --", shell->mark) < 0)
                goto out;
        for (size_t idx = 0; args != NULL && args[idx] != NULL; idx++) {
                if (buf_add(&text, " ", 1, err) < 0 ||
                    far_quote(&text, args[idx], strlen(args[idx]), err) < 0)
                        goto out;
        }
        if (buf_add(&text, "\n", 1, err) < 0 || buf_addstr(&text, script, err) < 0 ||
            buf_addf(&text, err, "\n%s\n", shell->mark) < 0)
                goto out;
        rc = far_link_send(&shell->link, text.data, text.len, err);
out:
        if (text.data != NULL)
                secret_wipe(text.data, text.cap);
        buf_free(&text);
        return rc;
}

/*
 * A part of a frame.  All output that comes is taken meanwhile: a command may write any amount
 * before it takes more input.
 */
static int
send_part(struct far_shell *shell, const char *data, size_t len, struct err *err)
{
        while (len > 0) {
                bool nothing;
                size_t sent;
                if (far_link_send_some(&shell->link, data, len, &sent, err) < 0)
                        return -1;
                data += sent;
                len -= sent;
                int wait_ms = sent > 0 ? 0 : -1;
                do {
                        if (next(shell, wait_ms, &nothing, err) < 0)
                                return -1;
                        wait_ms = 0;
                } while (!nothing);
        }
        return 0;
}

static int
send_frames(struct far_shell *shell, const char *input, size_t len, struct err *err)
{
        while (len > 0) {
                size_t step = len < FRAME ? len : FRAME;
                char head[24];
                int head_len = snprintf(head, sizeof(head), "%zu\n", step);
                if (send_part(shell, head, (size_t)head_len, err) < 0 ||
                    send_part(shell, input, step, err) < 0)
                        return -1;
                input += step;
                len -= step;
        }
        return send_part(shell, "0\n", 2, err);
}

static int
send_input(struct far_shell *shell, const char *input, size_t len, struct err *err)
{
        shell->link.far->wants_room = true;
        int rc = send_frames(shell, input, len, err);
        shell->link.far->wants_room = false;
        return rc;
}

static void
begin(struct gather *it, const char *name, size_t output_max)
{
        buf_free(&it->buf);
        *it = (struct gather){ .name = name };
        buf_init(&it->buf, output_max + MARKS_ROOM);
}

static int
check_bound(const struct gather *it, size_t output_max, struct err *err)
{
        if (it->buf.len <= output_max)
                return 0;
        return err_set(err, ERR_TOO_BIG, "the %s has more than %zu bytes", it->name, output_max);
}

static int
run(struct far_shell *shell, const struct far_shell_job *job, struct err *err)
{
        bool nothing;

        if (far_mark(shell->mark, err) < 0)
                return -1;
        begin(&shell->out, "output", job->output_max);
        begin(&shell->err_out, "error output", job->output_max);
        shell->link.quiet_ms = 0;
        if (send_text(shell, job->script, job->args, err) < 0 ||
            send_input(shell, job->input, job->input_len, err) < 0)
                return -1;
        while (!shell->out.ended || !shell->err_out.ended) {
                int64_t left = job->quiet_max_ms - shell->link.quiet_ms;
                if (next(shell, job->quiet_max_ms > 0 ? (int)(left > 0 ? left : 0) : -1, &nothing,
                        err) < 0)
                        return -1;
                if (nothing && job->quiet_max_ms > 0 && shell->link.quiet_ms >= job->quiet_max_ms)
                        return err_set(err, ERR_TIMEOUT, "it neither wrote nor ended for %lld ms",
                            (long long)job->quiet_max_ms);
        }
        if (check_bound(&shell->out, job->output_max, err) < 0 ||
            check_bound(&shell->err_out, job->output_max, err) < 0)
                return -1;
        return far_link_send(&shell->link, "ok\n", 3, err);
}

int
far_shell_job_run(struct far_shell *shell, const struct far_shell_job *job,
    struct proc_result *result, struct err *err)
{
        result->status = -1;
        buf_init(&result->out, job->output_max);
        buf_init(&result->err_out, job->output_max);
        if (shell->broken)
                return err_set(err, ERR_INTERNAL, "the shell broke before");
        if (run(shell, job, err) < 0) {
                shell->broken = true;
                return -1;
        }
        result->status = shell->out.status;
        result->out = shell->out.buf;
        result->err_out = shell->err_out.buf;
        buf_init(&shell->out.buf, MARKS_ROOM);
        buf_init(&shell->err_out.buf, MARKS_ROOM);
        return 0;
}

int
far_shell_run(struct far_shell *shell, const char *script, const char *const *args,
    const void *input, size_t input_len, size_t output_max, struct proc_result *result,
    struct cancel *cancel, struct err *err)
{
        const struct far_shell_job job = { script, args, input, input_len, output_max, 0 };

        if (cancel_check(cancel, err) < 0) {
                shell->broken = true;
                *result = (struct proc_result){ .status = -1 };
                return -1;
        }
        return far_shell_job_run(shell, &job, result, err);
}
