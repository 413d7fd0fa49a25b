/*
 * The functions of _far that run commands, and shells.
 */
#include <stdlib.h>
#include <string.h>

#include "l_far.h"
#include "l_secret.h"
#include "lx.h"
#include "moonkeep/far_stream.h"
#include "task.h"

#define ENV_MAX 256
#define OUTPUT_MAX ((int64_t)16 * 1024 * 1024)

static void
push_result(lua_State *L, const struct proc_result *result)
{
        lua_createtable(L, 0, 3);
        lua_pushinteger(L, result->status);
        lua_setfield(L, -2, "status");
        lua_pushlstring(L, result->out.data != NULL ? result->out.data : "", result->out.len);
        lua_setfield(L, -2, "stdout");
        lua_pushlstring(
            L, result->err_out.data != NULL ? result->err_out.data : "", result->err_out.len);
        lua_setfield(L, -2, "stderr");
}

/* A shell, with a token of its own: it outlives the task that opened it. */
struct shell_box {
        struct far_shell *shell;
        struct cancel *token;
        bool busy;
};

static void
shell_close(void *object)
{
        struct shell_box *box = object;

        if (box->busy)
                return; /* its job has it, and closes it */
        if (box->token != NULL)
                cancel_trigger(box->token);
        far_shell_free(box->shell);
        cancel_unref(box->token);
        *box = (struct shell_box){ 0 };
}

static int shell_run(lua_State *L);
static int shell_close_method(lua_State *L);

static const luaL_Reg shell_methods[] = {
        { "run", shell_run },
        { "close", shell_close_method },
        { NULL, NULL },
};
static const struct lx_class shell_class = { "moonkeep.far_shell", shell_close, shell_methods,
        true };

/* The shell of box, which nobody uses; raises. */
static struct far_shell *
idle_shell(lua_State *L, const struct shell_box *box)
{
        if (box->busy)
                lx_fail(L, ERR_RECIPE, "the shell is in use by another task");
        if (box->shell == NULL)
                lx_fail(L, ERR_RECIPE, "the shell is closed");
        return box->shell;
}

static void
abort_shell(void *arg)
{
        cancel_trigger(arg);
}

/* The shell's token is no child of the task's: set it when that is set. */
static void
occupy(struct shell_box *box, struct lx_job *lj)
{
        box->busy = true;
        task_abortable(lj->task, abort_shell, box->token);
}

/* After a failure, on the job's thread: the far end may take a while to end. */
static void
drop_shell(struct shell_box *box)
{
        struct far_shell *shell = box->shell;

        box->shell = NULL;
        far_shell_free(shell);
}

struct run {
        struct lx_job lj;
        struct far_host *host;
        struct shell_box *box; /* a shell that waits, anchored on the stack; or NULL */
        struct far_run_spec spec;
        struct proc_result result;
        struct far_env env[ENV_MAX]; /* names and values are anchored on the stack */
};

static void
run_close(void *object)
{
        struct run *run = object;

        for (size_t idx = 0; idx < run->spec.env_count; idx++)
                secret_unref(run->env[idx].secret);
        run->spec.env_count = 0;
        proc_result_free(&run->result);
        far_host_unref(run->host);
        run->host = NULL;
}

static const struct lx_class run_class = { "moonkeep.far_run", run_close, NULL, false };

static int
run_run(struct job *job, struct err *err)
{
        struct run *run = (struct run *)job;
        int rc = far_run(run->host, &run->spec, &run->result, job->cancel, err);

        if (rc < 0 && run->box != NULL)
                drop_shell(run->box);
        return rc;
}

static void
run_begun(struct lx_job *lj)
{
        occupy(((struct run *)lj)->box, lj);
}

static void
run_ended(struct lx_job *lj)
{
        ((struct run *)lj)->box->busy = false;
}

static int
run_push(lua_State *L, struct lx_job *lj)
{
        struct run *run = (struct run *)lj;

        push_result(L, &run->result);
        run_close(run);
        return 1;
}

/* The table at the stack's top, NAME = string or secret, which stays alive. */
static void
take_env(lua_State *L, struct run *run)
{
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
                size_t len;
                if (lua_type(L, -2) != LUA_TSTRING || run->spec.env_count == ENV_MAX)
                        lx_fail(L, ERR_RECIPE, "env must be a table of at most %d names", ENV_MAX);
                const char *name = lua_tostring(L, -2);
                struct secret *secret = lx_secret(L, -1);
                const char *value = NULL;
                /* A number would be made a string that nothing keeps. */
                if (secret == NULL) {
                        value = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
                        if (value == NULL)
                                lx_fail(
                                    L, ERR_RECIPE, "env \"%s\" must be a string or a secret", name);
                        if (strlen(value) != len)
                                lx_fail(L, ERR_RECIPE, "env \"%s\" cannot be passed on", name);
                }
                struct far_env *env = &run->env[run->spec.env_count++];
                *env = (struct far_env){ name, value, secret != NULL ? secret_ref(secret) : NULL };
                lua_pop(L, 1);
        }
        run->spec.env = run->env;
}

/*
 * run(host, {argv, env, cwd, input, output_max, stall_ms, bare, shell}) -> {status,
 * stdout, stderr}; env is NAME = string or secret; shell is one that waits there, and
 * is closed by an error; waits
 */
static int
run_there(lua_State *L)
{
        struct far_host *host = lx_far_host_check(L, 1);

        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        struct run *run = lx_new(L, &run_class, sizeof(*run));
        run->host = far_host_ref(host);
        run->spec.argv = (const char *const *)lx_string_array(L, 2, "argv");
        if (run->spec.argv == NULL || run->spec.argv[0] == NULL)
                lx_fail(L, ERR_RECIPE, "argv is missing or empty");
        if (lua_getfield(L, 2, "env") != LUA_TNIL) {
                luaL_checktype(L, -1, LUA_TTABLE);
                take_env(L, run);
        }
        run->spec.cwd = lx_field_string(L, 2, "cwd", NULL);
        lua_getfield(L, 2, "cwd"); /* anchored here while the job runs */
        if (lua_getfield(L, 2, "input") != LUA_TNIL)
                run->spec.input = luaL_checklstring(L, -1, &run->spec.input_len);
        run->spec.output_max = (size_t)lx_field_int(L, 2, "output_max", OUTPUT_MAX);
        run->spec.stall_ms = lx_field_int(L, 2, "stall_ms", -1);
        run->spec.bare = lx_field_bool(L, 2, "bare", false);
        if (lua_getfield(L, 2, "shell") != LUA_TNIL) {
                run->box = lx_check(L, -1, &shell_class);
                run->spec.shell = idle_shell(L, run->box);
                run->lj.begun = run_begun;
                run->lj.ended = run_ended;
        }
        run->lj.job.run = run_run;
        run->lj.push = run_push;
        return lx_job_wait(L, 3, &run->lj);
}

struct shell_job {
        struct lx_job lj;
        struct shell_box *box; /* anchored on the stack */
        struct far_host *host; /* to open one there */
        int64_t stall_ms;
        const char *script;
        const char *const *args;
        const char *input;
        size_t input_len;
        size_t output_max;
        struct proc_result result;
};

static void
shell_job_close(void *object)
{
        struct shell_job *job = object;

        proc_result_free(&job->result);
        far_host_unref(job->host);
        job->host = NULL;
}

static const struct lx_class shell_job_class = { "moonkeep.far_shell_job", shell_job_close, NULL,
        false };

static void
shell_begun(struct lx_job *lj)
{
        occupy(((struct shell_job *)lj)->box, lj);
}

static void
shell_ended(struct lx_job *lj)
{
        ((struct shell_job *)lj)->box->busy = false;
}

static int
shell_open_run(struct job *base, struct err *err)
{
        struct shell_job *job = (struct shell_job *)base;

        job->box->shell = far_shell_open(job->host, job->stall_ms, job->box->token, err);
        return job->box->shell != NULL ? 0 : -1;
}

static int
shell_open_push(lua_State *L, struct lx_job *lj)
{
        (void)lj;
        lua_pushvalue(L, 2);
        return 1;
}

/* shell(host, stall_ms) -> shell; waits */
static int
shell_open(lua_State *L)
{
        struct far_host *host = lx_far_host_check(L, 1);
        int64_t stall_ms = luaL_checkinteger(L, 2);
        struct err err;

        lua_settop(L, 1);
        task_can_wait(L);
        struct shell_box *box = lx_new(L, &shell_class, sizeof(*box));
        err_init(&err);
        box->token = cancel_new(NULL, &err);
        if (box->token == NULL)
                lx_raise(L, &err);
        struct shell_job *job = lx_new(L, &shell_job_class, sizeof(*job));
        job->box = box;
        job->host = far_host_ref(host);
        job->stall_ms = stall_ms;
        job->lj.job.run = shell_open_run;
        job->lj.push = shell_open_push;
        job->lj.begun = shell_begun;
        job->lj.ended = shell_ended;
        return lx_job_wait(L, 3, &job->lj);
}

static int
shell_run_run(struct job *base, struct err *err)
{
        struct shell_job *job = (struct shell_job *)base;

        if (far_shell_run(job->box->shell, job->script, job->args, job->input, job->input_len,
                job->output_max, &job->result, base->cancel, err) == 0)
                return 0;
        drop_shell(job->box);
        return -1;
}

static int
shell_run_push(lua_State *L, struct lx_job *lj)
{
        struct shell_job *job = (struct shell_job *)lj;

        push_result(L, &job->result);
        shell_job_close(job);
        return 1;
}

/*
 * shell:run(script, {args}, {input, output_max}) -> {status, stdout, stderr}; waits.
 * After an error the shell is closed.
 */
static int
shell_run(lua_State *L)
{
        struct shell_box *box = lx_check(L, 1, &shell_class);
        const char *script = lx_check_path(L, 2);

        luaL_checktype(L, 3, LUA_TTABLE);
        lua_settop(L, 4);
        (void)idle_shell(L, box);
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, 3);
        lua_setfield(L, -2, "args");
        const char *const *args = (const char *const *)lx_string_array(L, 5, "args");
        struct shell_job *job = lx_new(L, &shell_job_class, sizeof(*job));
        job->output_max = (size_t)OUTPUT_MAX;
        if (lua_istable(L, 4)) {
                job->output_max = (size_t)lx_field_int(L, 4, "output_max", OUTPUT_MAX);
                if (lua_getfield(L, 4, "input") != LUA_TNIL)
                        job->input = luaL_checklstring(L, -1, &job->input_len);
        }
        job->box = box;
        job->script = script;
        job->args = args;
        job->lj.job.run = shell_run_run;
        job->lj.push = shell_run_push;
        job->lj.begun = shell_begun;
        job->lj.ended = shell_ended;
        return lx_job_wait(L, 7, &job->lj);
}

/* shell:close() */
static int
shell_close_method(lua_State *L)
{
        shell_close(lx_check(L, 1, &shell_class));
        return 0;
}

const luaL_Reg lx_far_run_functions[] = {
        { "run", run_there },
        { "shell", shell_open },
        { NULL, NULL },
};
