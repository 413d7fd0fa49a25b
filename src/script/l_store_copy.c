/*
 * store:copy: an object from one store to another, in one job.
 */
#include <string.h>

#include "l_store.h"
#include "l_stream.h"
#include "lx.h"

struct copy {
        struct lx_job lj;
        struct store *from;
        struct store *to;
        const char *key; /* like all that this points to, on the task's stack */
        struct store_stat seen;
        struct store_copied copied;
        struct progress *progress;
};

static int
copy_run(struct job *job, struct err *err)
{
        struct copy *copy = (struct copy *)job;

        return store_copy(copy->from, copy->to, copy->key, &copy->seen, &copy->copied,
            copy->progress, job->cancel, err);
}

static int
copy_push(lua_State *L, struct lx_job *lj)
{
        const struct copy *copy = (const struct copy *)lj;

        lua_createtable(L, 0, 5);
        lx_store_push_stat(L, &copy->copied.made);
        lua_pushboolean(L, copy->copied.by_server);
        lua_setfield(L, -2, "by_server");
        return 1;
}

/*
 * from:copy(key, to, {size, mtime, etag} as listed, progress) -> {size, mtime, etag,
 * archived, by_server}: what `to` says of it; waits
 */
int
lx_store_copy(lua_State *L)
{
        struct store *from = lx_store_check(L, 1);
        const char *key = lx_store_key(L, 2);
        struct store *to = lx_store_check(L, 3);

        luaL_checktype(L, 4, LUA_TTABLE);
        struct progress *progress = lx_progress_opt(L, 5);
        const char *etag = lx_field_string(L, 4, "etag", "");
        struct copy *copy = lua_newuserdatauv(L, sizeof(*copy), 0);
        memset(copy, 0, sizeof(*copy));
        copy->lj.job.run = copy_run;
        copy->lj.push = copy_push;
        copy->from = from;
        copy->to = to;
        copy->key = key;
        copy->progress = progress;
        copy->seen.size = (uint64_t)lx_field_int(L, 4, "size", 0);
        copy->seen.mtime_ms = lx_field_int(L, 4, "mtime", 0);
        if (strlen(etag) >= sizeof(copy->seen.etag))
                lx_fail(L, ERR_TOO_BIG, "an ETag is longer than %zu bytes", STORE_ETAG_MAX);
        memcpy(copy->seen.etag, etag, strlen(etag) + 1);
        return lx_job_wait(L, -1, &copy->lj);
}
