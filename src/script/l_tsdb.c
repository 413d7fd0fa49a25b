/*
 * _tsdb: the check of Prometheus TSDB blocks.
 */
#include <string.h>

#include "l_stream.h"
#include "lx.h"
#include "moonkeep/tsdb.h"
#include "task.h"

struct check_box {
        struct tsdb_check *check;
        struct cancel *token;
};

static void
check_close(void *object)
{
        struct check_box *box = object;

        tsdb_check_free(box->check);
        cancel_unref(box->token);
        *box = (struct check_box){ NULL, NULL };
}

static int check_dir(lua_State *L);
static int check_finish(lua_State *L);

static const luaL_Reg check_methods[] = {
        { "dir", check_dir },
        { "finish", check_finish },
        { NULL, NULL },
};
static const struct lx_class check_class = { "moonkeep.tsdb", check_close, check_methods, false };

bool
lx_tsdb_watcher(lua_State *L, int arg, struct tar_watcher *out)
{
        struct check_box *box = lx_test(L, arg, &check_class);

        if (box == NULL)
                return false;
        *out = tsdb_check_watcher(box->check);
        return true;
}

/* new(spool_dir) -> check */
static int new (lua_State *L)
{
        const char *spool = lx_check_path(L, 1);
        struct check_box *box = lx_new(L, &check_class, sizeof(*box));
        struct err err;

        err_init(&err);
        box->token = cancel_ref(task_token(L));
        box->check = tsdb_check_new(spool, box->token, &err);
        if (box->check == NULL)
                lx_raise(L, &err);
        return 1;
}

struct check_job {
        struct lx_job lj;
        struct tsdb_check *check;
        const char *dir;
};

static struct check_job *
new_job(lua_State *L, int (*run)(struct job *job, struct err *err))
{
        struct check_box *box = lx_check(L, 1, &check_class);
        struct check_job *job = lua_newuserdatauv(L, sizeof(*job), 0);

        memset(job, 0, sizeof(*job));
        job->check = box->check;
        job->lj.job.run = run;
        return job;
}

static int
dir_run(struct job *job, struct err *err)
{
        const struct check_job *cj = (struct check_job *)job;

        return tsdb_check_dir(cj->check, cj->dir, err);
}

/* check:dir(path): feed it the blocks below path; waits */
static int
check_dir(lua_State *L)
{
        const char *dir = lx_check_path(L, 2);
        struct check_job *job = new_job(L, dir_run);

        job->dir = dir;
        return lx_job_wait(L, -1, &job->lj);
}

static int
finish_run(struct job *job, struct err *err)
{
        return tsdb_check_finish(((struct check_job *)job)->check, err);
}

static void
set_integer(lua_State *L, const char *name, lua_Integer value)
{
        lua_pushinteger(L, value);
        lua_setfield(L, -2, name);
}

static int
finish_push(lua_State *L, struct lx_job *lj)
{
        const struct tsdb_check *check = ((struct check_job *)lj)->check;
        size_t count = tsdb_check_count(check);

        lua_createtable(L, (int)count, 0);
        for (size_t idx = 0; idx < count; idx++) {
                const struct tsdb_block *block = tsdb_check_at(check, idx);
                lua_createtable(L, 0, 11);
                lua_pushstring(L, block->ulid);
                lua_setfield(L, -2, "ulid");
                set_integer(L, "min_time", block->min_time_ms);
                set_integer(L, "max_time", block->max_time_ms);
                set_integer(L, "samples", (lua_Integer)block->num_samples);
                set_integer(L, "series", (lua_Integer)block->num_series);
                set_integer(L, "chunks", (lua_Integer)block->num_chunks);
                set_integer(L, "tombstones", (lua_Integer)block->num_tombstones);
                set_integer(L, "level", block->level);
                set_integer(L, "bytes", (lua_Integer)block->bytes);
                lua_pushstring(L, block->meta_sha256);
                lua_setfield(L, -2, "meta_sha256");
                if (block->tombstones_sha256[0] != '\0') {
                        lua_pushstring(L, block->tombstones_sha256);
                        lua_setfield(L, -2, "tombstones_sha256");
                }
                lua_rawseti(L, -2, (lua_Integer)idx + 1);
        }
        return 1;
}

/* check:finish() -> list of blocks, by time; raises "corrupt"; waits */
static int
check_finish(lua_State *L)
{
        struct check_job *job = new_job(L, finish_run);

        job->lj.push = finish_push;
        return lx_job_wait(L, -1, &job->lj);
}

int
lx_open_tsdb(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "new", new },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
