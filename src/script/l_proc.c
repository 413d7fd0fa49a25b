/*
 * _proc: commands of this machine, run as jobs.
 */
#include <stdlib.h>
#include <string.h>

#include "l_secret.h"
#include "lx.h"
#include "moonkeep/log.h"
#include "moonkeep/proc.h"
#include "task.h"

/* Bound on the variables added to a command's environment. */
#define ENV_MAX 256

/* Default bound on a command's output, each stream. */
#define OUTPUT_MAX ((int64_t)16 * 1024 * 1024)

struct run {
        struct lx_job lj;
        struct proc_spec spec;
        struct proc_result result;
        bool has_result;
        char *env[ENV_MAX + 1]; /* "NAME=value"; wiped */
};

static void
run_close(void *object)
{
        struct run *run = object;

        for (size_t idx = 0; run->env[idx] != NULL; idx++) {
                secret_wipe(run->env[idx], strlen(run->env[idx]));
                free(run->env[idx]);
                run->env[idx] = NULL;
        }
        if (run->has_result)
                proc_result_free(&run->result);
        run->has_result = false;
}

static const struct lx_class run_class = { "moonkeep.proc", run_close, NULL, false };

/* Copy the table at the stack's top, NAME = string or secret, into run->env. */
static void
copy_env(lua_State *L, struct run *run)
{
        size_t count = 0;

        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
                size_t name_len;
                size_t len;
                if (lua_type(L, -2) != LUA_TSTRING || count == ENV_MAX)
                        lx_fail(L, ERR_RECIPE, "env must be a table of at most %d names", ENV_MAX);
                const char *name = lua_tolstring(L, -2, &name_len);
                const struct secret *secret = lx_secret(L, -1);
                const char *value =
                    secret != NULL ? secret_bytes(secret, &len) : lua_tolstring(L, -1, &len);
                if (value == NULL)
                        lx_fail(L, ERR_RECIPE, "env \"%s\" must be a string or a secret", name);
                if (memchr(value, '\0', len) != NULL || name_len == 0 ||
                    strcspn(name, "=") != name_len)
                        lx_fail(L, ERR_RECIPE, "env \"%s\" cannot be passed on", name);
                char *entry = calloc(1, name_len + len + 2);
                if (entry == NULL)
                        lx_fail(L, ERR_NOMEM, "cannot copy the environment: out of memory");
                memcpy(entry, name, name_len);
                entry[name_len] = '=';
                memcpy(entry + name_len + 1, value, len);
                run->env[count++] = entry;
                lua_pop(L, 1);
        }
        run->spec.env = (const char *const *)run->env;
}

static int
run_run(struct job *job, struct err *err)
{
        struct run *run = (struct run *)job;

        run->has_result = true;
        int result = proc_run(&run->spec, &run->result, job->cancel, err);
        if (result == 0)
                log_msg(LOG_DEBUG, "%s: status %d", run->spec.argv[0], run->result.status);
        return result;
}

static int
run_push(lua_State *L, struct lx_job *lj)
{
        struct run *run = (struct run *)lj;
        const struct proc_result *result = &run->result;

        lua_createtable(L, 0, 3);
        lua_pushinteger(L, result->status);
        lua_setfield(L, -2, "status");
        lua_pushlstring(L, result->out.data != NULL ? result->out.data : "", result->out.len);
        lua_setfield(L, -2, "stdout");
        lua_pushlstring(
            L, result->err_out.data != NULL ? result->err_out.data : "", result->err_out.len);
        lua_setfield(L, -2, "stderr");
        run_close(run);
        return 1;
}

/*
 * run{argv, env, cwd, input, output_max, stall_ms} -> {status, stdout, stderr};
 * env is NAME = string or secret; waits
 */
static int
run_command(lua_State *L)
{
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        struct run *run = lx_new(L, &run_class, sizeof(*run));
        run->spec.argv = (const char *const *)lx_string_array(L, 1, "argv");
        if (run->spec.argv == NULL || run->spec.argv[0] == NULL)
                lx_fail(L, ERR_RECIPE, "argv is missing or empty");
        if (lua_getfield(L, 1, "env") != LUA_TNIL)
                copy_env(L, run);
        run->spec.cwd = lx_field_string(L, 1, "cwd", NULL);
        lua_getfield(L, 1, "cwd"); /* anchored here while the job runs */
        if (lua_getfield(L, 1, "input") != LUA_TNIL)
                run->spec.input = luaL_checklstring(L, -1, &run->spec.input_len);
        run->spec.output_max = (size_t)lx_field_int(L, 1, "output_max", OUTPUT_MAX);
        run->spec.stall_ms = (int)lx_field_int(L, 1, "stall_ms", -1);
        run->lj.job.run = run_run;
        run->lj.push = run_push;
        return lx_job_wait(L, 2, &run->lj);
}

int
lx_open_proc(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "run", run_command },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
