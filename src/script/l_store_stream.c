/*
 * The methods of a store that make streams.
 */
#include "l_store.h"
#include "l_stream.h"
#include "lx.h"

static int
read_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;

        op->src = store_read(op->store, op->key, op->offset, op->length, op->token, err);
        return op->src != NULL ? 0 : -1;
}

static int
read_push(lua_State *L, struct lx_job *lj)
{
        struct lx_store_op *op = (struct lx_store_op *)lj;
        struct lx_source *source = lx_source_new(L, 1);

        cancel_unref(source->token);
        source->token = op->token;
        source->src = op->src;
        op->token = NULL;
        op->src = NULL;
        return 1;
}

static struct cancel *
stream_token(lua_State *L)
{
        struct err err;

        err_init(&err);
        struct cancel *token = cancel_new(task_token(L), &err);
        if (token == NULL)
                lx_raise(L, &err);
        return token;
}

/* store:read(key, offset, length) -> source; waits */
int
lx_store_read(lua_State *L)
{
        lua_Integer offset = luaL_optinteger(L, 3, 0);
        lua_Integer length = luaL_optinteger(L, 4, -1);
        struct lx_store_op *op = lx_store_op(L, read_run, read_push);

        op->offset = (uint64_t)offset;
        op->length = length < 0 ? UINT64_MAX : (uint64_t)length;
        op->token = stream_token(L);
        return lx_store_wait(L, op);
}

static int
create_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;

        op->sink = store_create(op->store, op->key, &op->how, op->token, err);
        return op->sink != NULL ? 0 : -1;
}

static int
create_push(lua_State *L, struct lx_job *lj)
{
        struct lx_store_op *op = (struct lx_store_op *)lj;
        struct lx_sink *sink = lx_sink_new(L, 3);

        cancel_unref(sink->token);
        sink->token = op->token;
        sink->sink = op->sink;
        op->token = NULL;
        op->sink = NULL;
        return 1;
}

/* store:create(key, {exclusive, resume, digest}) -> sink; waits */
int
lx_store_create(lua_State *L)
{
        struct store_write how = { 0 };

        lua_settop(L, 3);
        lx_store_write(L, 3, &how);
        /* The sink's anchor, in place of the options: the store and the digest. */
        lua_createtable(L, 2, 0);
        lua_pushvalue(L, 1);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, 4);
        lua_rawseti(L, -2, 2);
        lua_replace(L, 3);
        struct lx_store_op *op = lx_store_op(L, create_run, create_push);
        op->how = how;
        op->token = stream_token(L);
        return lx_store_wait(L, op);
}
