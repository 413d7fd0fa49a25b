/*
 * store:copy: objects from one store to another, some in one job.
 */
#include <string.h>

#include "l_store.h"
#include "l_stream.h"
#include "lx.h"

/* Bound on the objects of one job: what they became, and why not, is kept till its end. */
#define COPY_MAX 64

struct object {
        const char *key; /* like all that this points to, on the task's stack */
        struct store_stat seen;
        struct store_copied copied;
        struct err err; /* ERR_NONE: copied */
};

struct copy {
        struct lx_job lj;
        struct store *from;
        struct store *to;
        struct progress *progress;
        size_t count;
        struct object objects[];
};

static int
copy_run(struct job *job, struct err *err)
{
        struct copy *copy = (struct copy *)job;

        for (size_t idx = 0; idx < copy->count; idx++) {
                struct object *one = &copy->objects[idx];
                err_init(&one->err);
                if (store_copy(copy->from, copy->to, one->key, &one->seen, &one->copied,
                        copy->progress, job->cancel, &one->err) == 0)
                        continue;
                if (one->err.code == ERR_CANCELLED) {
                        *err = one->err;
                        return -1;
                }
        }
        return 0;
}

static int
copy_push(lua_State *L, struct lx_job *lj)
{
        const struct copy *copy = (const struct copy *)lj;

        lua_createtable(L, (int)copy->count, 0);
        for (size_t idx = 0; idx < copy->count; idx++) {
                const struct object *one = &copy->objects[idx];
                if (one->err.code != ERR_NONE) {
                        lx_push_err(L, &one->err);
                } else {
                        lua_createtable(L, 0, 5);
                        lx_store_push_stat(L, &one->copied.made);
                        lua_pushboolean(L, one->copied.by_server);
                        lua_setfield(L, -2, "by_server");
                }
                lua_rawseti(L, -2, (lua_Integer)idx + 1);
        }
        return 1;
}

/* The entry {key, size, mtime, etag} on the stack's top, which stays anchored in its list. */
static void
read_entry(lua_State *L, struct object *out)
{
        int entry = lua_gettop(L);

        luaL_checktype(L, entry, LUA_TTABLE);
        lua_getfield(L, entry, "key");
        out->key = lx_store_key(L, -1);
        const char *etag = lx_field_string(L, entry, "etag", "");
        out->seen.size = (uint64_t)lx_field_int(L, entry, "size", 0);
        out->seen.mtime_ms = lx_field_int(L, entry, "mtime", 0);
        if (strlen(etag) >= sizeof(out->seen.etag))
                lx_fail(L, ERR_TOO_BIG, "an ETag is longer than %zu bytes", STORE_ETAG_MAX);
        memcpy(out->seen.etag, etag, strlen(etag) + 1);
        lua_settop(L, entry);
}

/*
 * from:copy(to, {{key, size, mtime, etag} as listed, ...}, progress) -> list: of each
 * {size, mtime, etag, archived, by_server}, what `to` says of it, or the error; waits.
 * The entries must not be changed meanwhile.
 */
int
lx_store_copy(lua_State *L)
{
        struct store *from = lx_store_check(L, 1);
        struct store *to = lx_store_check(L, 2);

        luaL_checktype(L, 3, LUA_TTABLE);
        struct progress *progress = lx_progress_opt(L, 4);
        size_t count = lua_rawlen(L, 3);
        luaL_argcheck(L, count <= COPY_MAX, 3, "too many objects for one job");
        struct copy *copy =
            lua_newuserdatauv(L, sizeof(*copy) + count * sizeof(copy->objects[0]), 0);
        memset(copy, 0, sizeof(*copy) + count * sizeof(copy->objects[0]));
        copy->lj.job.run = copy_run;
        copy->lj.push = copy_push;
        copy->from = from;
        copy->to = to;
        copy->progress = progress;
        copy->count = count;
        for (size_t idx = 0; idx < count; idx++) {
                lua_rawgeti(L, 3, (lua_Integer)idx + 1);
                read_entry(L, &copy->objects[idx]);
                lua_pop(L, 1);
        }
        return lx_job_wait(L, -1, &copy->lj);
}
