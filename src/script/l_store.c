/*
 * _store: stores.  Everything that may wait is a job.
 */
#include "l_store.h"

#include <string.h>

#include "l_stream.h"
#include "lx.h"
#include "moonkeep/mem_io.h"

/* Bound on the keys of one list, and what is known of them. */
#define LIST_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct store_box {
        struct store *store;
};

static void
store_close(void *object)
{
        struct store_box *box = object;

        store_free(box->store);
        box->store = NULL;
}

static const luaL_Reg store_methods[];
static const struct lx_class store_class = { "moonkeep.store", store_close, store_methods, false };

struct store *
lx_store_check(lua_State *L, int arg)
{
        return ((struct store_box *)lx_check(L, arg, &store_class))->store;
}

const char *
lx_store_key(lua_State *L, int arg)
{
        size_t len;
        const char *key = luaL_checklstring(L, arg, &len);

        if (strlen(key) != len)
                lx_fail(L, ERR_INVALID, "a key must not hold a NUL");
        return key;
}

void
lx_store_op_close(void *object)
{
        struct lx_store_op *op = object;

        source_free(op->src);
        sink_free(op->sink);
        op->src = NULL;
        op->sink = NULL;
        cancel_unref(op->token);
        op->token = NULL;
        store_batch_free(&op->batch);
        buf_free(&op->bytes);
}

static const struct lx_class op_class = { "moonkeep.store.op", lx_store_op_close, NULL, false };

struct lx_store_op *
lx_store_op(lua_State *L, int (*run)(struct job *job, struct err *err),
    int (*push)(lua_State *L, struct lx_job *lj))
{
        struct store *store = lx_store_check(L, 1);
        const char *key = lx_store_key(L, 2);
        struct lx_store_op *op = lx_new(L, &op_class, sizeof(*op));

        op->store = store;
        op->key = key;
        op->length = UINT64_MAX;
        op->lj.job.run = run;
        op->lj.push = push;
        store_batch_init(&op->batch, LIST_BYTES_MAX);
        return op;
}

int
lx_store_wait(lua_State *L, struct lx_store_op *op)
{
        return lx_job_wait(L, -1, &op->lj);
}

void
lx_store_write(lua_State *L, int arg, struct store_write *out)
{
        if (lua_isnoneornil(L, arg)) {
                lua_pushnil(L);
                return;
        }
        luaL_checktype(L, arg, LUA_TTABLE);
        out->exclusive = lx_field_bool(L, arg, "exclusive", false);
        out->resume = lx_field_bool(L, arg, "resume", false);
        if (lua_getfield(L, arg, "digest") != LUA_TNIL)
                out->digest = lx_digest_take(L, -1);
}

void
lx_store_push_stat(lua_State *L, const struct store_stat *stat)
{
        lua_pushinteger(L, (lua_Integer)stat->size);
        lua_setfield(L, -2, "size");
        lua_pushinteger(L, stat->mtime_ms);
        lua_setfield(L, -2, "mtime");
        if (stat->etag[0] != '\0') {
                lua_pushstring(L, stat->etag);
                lua_setfield(L, -2, "etag");
        }
        lua_pushboolean(L, stat->archived);
        lua_setfield(L, -2, "archived");
}

/* store:url() -> text: it opens the same store */
static int
url(lua_State *L)
{
        lua_pushstring(L, store_url(lx_store_check(L, 1)));
        return 1;
}

/* store:place() -> text: which place that is, however it is reached */
static int
place(lua_State *L)
{
        lua_pushstring(L, store_place(lx_store_check(L, 1)));
        return 1;
}

/* store:can() -> {exclusive, whole_digest, probe} */
static int
can(lua_State *L)
{
        unsigned has = store_capabilities(lx_store_check(L, 1));

        lua_createtable(L, 0, 3);
        lua_pushboolean(L, (has & STORE_EXCLUSIVE) != 0);
        lua_setfield(L, -2, "exclusive");
        lua_pushboolean(L, (has & STORE_WHOLE_DIGEST) != 0);
        lua_setfield(L, -2, "whole_digest");
        lua_pushboolean(L, (has & STORE_PROBE) != 0);
        lua_setfield(L, -2, "probe");
        return 1;
}

static int
stat_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;

        op->count = 1;
        if (store_stat(op->store, op->key, &op->stat, job->cancel, err) == 0)
                return 0;
        if (err->code != ERR_NOT_FOUND)
                return -1;
        op->count = 0;
        return 0;
}

static int
stat_push(lua_State *L, struct lx_job *lj)
{
        const struct lx_store_op *op = (struct lx_store_op *)lj;

        if (op->count == 0)
                return 0;
        lua_createtable(L, 0, 4);
        lx_store_push_stat(L, &op->stat);
        return 1;
}

/* store:stat(key) -> {size, mtime, etag, archived}, or nil when there is no such key; waits */
static int
stat_key(lua_State *L)
{
        return lx_store_wait(L, lx_store_op(L, stat_run, stat_push));
}

static int
get_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;
        struct source *src = store_read(op->store, op->key, 0, UINT64_MAX, job->cancel, err);

        op->count = 1;
        if (src == NULL) {
                op->count = 0;
                return err->code == ERR_NOT_FOUND ? 0 : -1;
        }
        struct sink *sink = mem_sink(&op->bytes, op->bytes.max, err);
        int result = sink != NULL && stream_copy(src, sink, NULL, job->cancel, NULL, err) == 0 &&
                             sink_commit(sink, err) == 0
                         ? 0
                         : -1;
        if (result != 0)
                err_prefix(err, "cannot read \"%s\"", op->key);
        sink_free(sink);
        source_free(src);
        return result;
}

static int
get_push(lua_State *L, struct lx_job *lj)
{
        struct lx_store_op *op = (struct lx_store_op *)lj;

        if (op->count == 0)
                return 0;
        lua_pushlstring(L, op->bytes.data != NULL ? op->bytes.data : "", op->bytes.len);
        lx_store_op_close(op);
        return 1;
}

/* store:get(key, max) -> bytes, or nil when there is no such key; waits */
static int
get(lua_State *L)
{
        lua_Integer max = luaL_checkinteger(L, 3);
        struct lx_store_op *op = lx_store_op(L, get_run, get_push);

        buf_init(&op->bytes, max > 0 ? (size_t)max : 0);
        return lx_store_wait(L, op);
}

static int
put_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;
        struct sink *sink = store_create(op->store, op->key, &op->how, job->cancel, err);

        int result = sink != NULL && sink_write(sink, op->data, op->data_len, err) == 0 &&
                             sink_commit(sink, err) == 0
                         ? 0
                         : -1;
        sink_free(sink);
        return result;
}

/* store:put(key, bytes, {exclusive, digest}): atomically; waits */
static int
put(lua_State *L)
{
        struct store_write how = { 0 };
        size_t len;
        const char *data = luaL_checklstring(L, 3, &len);

        lx_store_write(L, 4, &how);
        struct lx_store_op *op = lx_store_op(L, put_run, NULL);
        op->data = data;
        op->data_len = len;
        op->how = how;
        return lx_store_wait(L, op);
}

static int
remove_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;

        return store_remove(op->store, op->key, job->cancel, err);
}

/* store:remove(key): a missing key is fine; waits */
static int
remove_key(lua_State *L)
{
        return lx_store_wait(L, lx_store_op(L, remove_run, NULL));
}

static int
sweep_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;

        return store_sweep(op->store, op->key, &op->count, job->cancel, err);
}

static int
sweep_push(lua_State *L, struct lx_job *lj)
{
        lua_pushinteger(L, (lua_Integer)((struct lx_store_op *)lj)->count);
        return 1;
}

/* store:sweep(prefix) -> how much was removed; waits */
static int
sweep(lua_State *L)
{
        return lx_store_wait(L, lx_store_op(L, sweep_run, sweep_push));
}

static const luaL_Reg store_methods[] = {
        { "url", url },
        { "place", place },
        { "can", can },
        { "stat", stat_key },
        { "list", lx_store_list },
        { "walk", lx_store_walk },
        { "read", lx_store_read },
        { "create", lx_store_create },
        { "get", get },
        { "put", put },
        { "remove", remove_key },
        { "sweep", sweep },
        { "copy", lx_store_copy },
        { "call", lx_store_call },
        { NULL, NULL },
};

/* open(url) -> store */
static int
open_url(lua_State *L)
{
        const char *text = luaL_checkstring(L, 1);
        struct store_box *box = lx_new(L, &store_class, sizeof(*box));
        struct err err;

        err_init(&err);
        box->store = store_open(text, &err);
        if (box->store == NULL)
                lx_raise(L, &err);
        return 1;
}

int
lx_open_store(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "open", open_url },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
