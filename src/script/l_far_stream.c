/*
 * The functions of _far that make and take streams.
 */
#include <string.h>

#include "l_far.h"
#include "l_stream.h"
#include "lx.h"
#include "moonkeep/far_stream.h"
#include "task.h"

/* Neither output nor a sign of life for so long, where nobody says otherwise. */
#define STALL_MS 120000

/* Opens a source, or takes one, on a thread; its arguments stay on the stack. */
struct far_job {
        struct lx_job lj;
        struct far_host *host;
        struct lx_source source;
        struct far_tar_opts tar;
        struct far_extract_opts extract;
        struct far_file_opts file;
        const char *path;
        enum far_proof proof;
        int64_t stall_ms;
};

static void
far_job_close(void *object)
{
        struct far_job *job = object;

        lx_source_close(&job->source);
        far_host_unref(job->host);
        job->host = NULL;
}

static const struct lx_class far_job_class = { "moonkeep.far_job", far_job_close, NULL, false };

static enum far_proof
proof_of(lua_State *L, int arg)
{
        const char *name = lx_field_string(L, arg, "proof", "structure");

        if (strcmp(name, "structure") != 0 && strcmp(name, "digest") != 0)
                lx_fail(L, ERR_RECIPE, "proof is \"structure\" or \"digest\", not \"%s\"", name);
        return strcmp(name, "digest") == 0 ? FAR_DIGEST : FAR_STRUCTURE;
}

/* Push a job for the host at host_arg, with what the options at opts_arg say for all. */
static struct far_job *
new_job(lua_State *L, int host_arg, int opts_arg, int (*run)(struct job *job, struct err *err))
{
        struct far_host *host = lx_far_host_check(L, host_arg);
        enum far_proof proof = proof_of(L, opts_arg);
        int64_t stall_ms = lx_field_int(L, opts_arg, "stall_ms", STALL_MS);

        task_can_wait(L);
        struct far_job *job = lx_new(L, &far_job_class, sizeof(*job));
        job->host = far_host_ref(host);
        job->proof = proof;
        job->stall_ms = stall_ms;
        job->lj.job.run = run;
        return job;
}

static void
new_token(lua_State *L, struct far_job *job)
{
        struct err err;

        err_init(&err);
        job->source.token = cancel_new(task_token(L), &err);
        if (job->source.token == NULL)
                lx_raise(L, &err);
}

/* The stack's first table anchors what the source refers to. */
static int
push_source(lua_State *L, struct lx_job *lj)
{
        struct far_job *job = (struct far_job *)lj;
        struct lx_source *source = lx_source_new(L, 2);

        cancel_unref(source->token);
        *source = job->source;
        job->source = (struct lx_source){ NULL, NULL };
        return 1;
}

static int
tar_source_run(struct job *base, struct err *err)
{
        struct far_job *job = (struct far_job *)base;

        job->source.src = far_tar_source(job->host, &job->tar, job->source.token, err);
        return job->source.src != NULL ? 0 : -1;
}

/* tar_source(host, {root, names, follow_names, proof, stall_ms, progress}) -> source; waits */
static int
tar_source(lua_State *L)
{
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        struct far_job *job = new_job(L, 1, 2, tar_source_run);
        job->tar.root = lx_field_string(L, 2, "root", NULL);
        if (job->tar.root == NULL)
                lx_fail(L, ERR_RECIPE, "field \"root\" is missing");
        lua_getfield(L, 2, "root"); /* anchored, as the names */
        job->tar.names = lx_string_array(L, 2, "names");
        job->tar.follow_names = lx_field_bool(L, 2, "follow_names", false);
        job->tar.proof = job->proof;
        job->tar.stall_ms = job->stall_ms;
        lua_getfield(L, 2, "progress");
        struct progress *progress = lx_progress_opt(L, -1);
        if (progress != NULL) {
                job->tar.total = &progress->total;
                /* The source may say it later: the options are its anchor. */
                lua_createtable(L, 1, 0);
                lua_pushvalue(L, -2);
                lua_rawseti(L, -2, 1);
                lua_replace(L, 2);
        }
        new_token(L, job);
        job->lj.push = push_source;
        return lx_job_wait(L, 3, &job->lj);
}

static int
file_source_run(struct job *base, struct err *err)
{
        struct far_job *job = (struct far_job *)base;

        job->source.src = far_file_source(
            job->host, job->path, job->proof, job->stall_ms, job->source.token, err);
        return job->source.src != NULL ? 0 : -1;
}

/* file_source(host, path, {proof, stall_ms}) -> source; waits */
static int
file_source(lua_State *L)
{
        const char *path = lx_check_path(L, 2);

        luaL_checktype(L, 3, LUA_TTABLE);
        lua_settop(L, 3);
        struct far_job *job = new_job(L, 1, 3, file_source_run);
        job->path = path;
        new_token(L, job);
        job->lj.push = push_source;
        return lx_job_wait(L, 4, &job->lj);
}

static void
give_source(lua_State *L, int arg, struct far_job *job)
{
        struct lx_source *source = lx_source_check(L, arg);

        job->source = *source;
        *source = (struct lx_source){ NULL, NULL };
}

static int
extract_run(struct job *base, struct err *err)
{
        struct far_job *job = (struct far_job *)base;

        return far_tar_extract(
            lx_source_take(&job->source), job->host, &job->extract, base->cancel, err);
}

/*
 * tar_extract(source, host, {dest, uid, gid, proof, stall_ms}, watcher, watcher):
 * takes the source; waits
 */
static int
tar_extract_there(lua_State *L)
{
        lua_settop(L, 5);
        luaL_checktype(L, 3, LUA_TTABLE);
        lx_source_check(L, 1);
        struct tar_watcher watcher = lx_two_watchers(L, 4, 5); /* anchored on the stack */
        struct far_job *job = new_job(L, 2, 3, extract_run);
        job->extract.dest = lx_field_string(L, 3, "dest", NULL);
        if (job->extract.dest == NULL)
                lx_fail(L, ERR_RECIPE, "field \"dest\" is missing");
        lua_getfield(L, 3, "dest");
        lua_getfield(L, 3, "uid");
        job->extract.chown = !lua_isnil(L, -1);
        job->extract.uid = (uid_t)lx_field_int(L, 3, "uid", 0);
        job->extract.gid = (gid_t)lx_field_int(L, 3, "gid", 0);
        job->extract.proof = job->proof;
        job->extract.stall_ms = job->stall_ms;
        job->extract.watcher = watcher;
        give_source(L, 1, job);
        return lx_job_wait(L, 7, &job->lj);
}

static int
file_write_run(struct job *base, struct err *err)
{
        struct far_job *job = (struct far_job *)base;

        return far_file_write(
            lx_source_take(&job->source), job->host, job->path, &job->file, base->cancel, err);
}

/* file_write(source, host, path, {mode, exclusive, proof, stall_ms}): takes the source; waits */
static int
file_write_there(lua_State *L)
{
        const char *path = lx_check_path(L, 3);

        lua_settop(L, 4);
        luaL_checktype(L, 4, LUA_TTABLE);
        lx_source_check(L, 1);
        struct far_job *job = new_job(L, 2, 4, file_write_run);
        job->path = path;
        job->file.mode = (unsigned)lx_field_int(L, 4, "mode", 0600);
        job->file.exclusive = lx_field_bool(L, 4, "exclusive", false);
        job->file.proof = job->proof;
        job->file.stall_ms = job->stall_ms;
        give_source(L, 1, job);
        return lx_job_wait(L, 5, &job->lj);
}

const luaL_Reg lx_far_stream_functions[] = {
        { "tar_source", tar_source },
        { "file_source", file_source },
        { "tar_extract", tar_extract_there },
        { "file_write", file_write_there },
        { NULL, NULL },
};
