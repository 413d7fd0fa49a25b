/*
 * _store: stores.  Everything that may wait is a job.
 */
#include <string.h>

#include "l_stream.h"
#include "lx.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/store.h"
#include "task.h"

/* Bound on the keys of one listing, and on their text. */
#define LIST_MAX 1000000
#define LIST_TEXT_MAX ((size_t)256 * 1024 * 1024)

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

static struct store *
check_store(lua_State *L)
{
        return ((struct store_box *)lx_check(L, 1, &store_class))->store;
}

/* A store operation as a job. */
struct op {
        struct lx_job lj;
        struct store *store;
        const char *key; /* anchored on the task's stack */
        bool flag;       /* shallow, exclusive */
        uint64_t offset;
        uint64_t length;
        const char *data; /* anchored on the task's stack */
        size_t data_len;

        struct store_stat stat;
        struct buf bytes;
        uint64_t count;
        struct cancel *token; /* of the stream that is made */
        struct source *src;
        struct sink *sink;
};

static void
op_close(void *object)
{
        struct op *op = object;

        source_free(op->src);
        sink_free(op->sink);
        op->src = NULL;
        op->sink = NULL;
        cancel_unref(op->token);
        op->token = NULL;
        buf_free(&op->bytes);
}

static const struct lx_class op_class = { "moonkeep.store.op", op_close, NULL, false };

static struct op *
new_op(lua_State *L, int (*run)(struct job *job, struct err *err),
    int (*push)(lua_State *L, struct lx_job *lj))
{
        struct store *store = check_store(L);
        size_t len;
        const char *key = luaL_checklstring(L, 2, &len);

        if (strlen(key) != len)
                lx_fail(L, ERR_INVALID, "a key must not hold a NUL");
        struct op *op = lx_new(L, &op_class, sizeof(*op));
        op->store = store;
        op->key = key;
        op->length = UINT64_MAX;
        op->lj.job.run = run;
        op->lj.push = push;
        buf_init(&op->bytes, LIST_TEXT_MAX);
        return op;
}

static int
wait_op(lua_State *L, struct op *op)
{
        return lx_job_wait(L, -1, &op->lj);
}

/* store:url() -> text */
static int
url(lua_State *L)
{
        lua_pushstring(L, store_url(check_store(L)));
        return 1;
}

/* store:can() -> {exclusive, whole_digest} */
static int
can(lua_State *L)
{
        unsigned has = store_capabilities(check_store(L));

        lua_createtable(L, 0, 2);
        lua_pushboolean(L, (has & STORE_EXCLUSIVE) != 0);
        lua_setfield(L, -2, "exclusive");
        lua_pushboolean(L, (has & STORE_WHOLE_DIGEST) != 0);
        lua_setfield(L, -2, "whole_digest");
        return 1;
}

static int
stat_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;

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
        const struct op *op = (struct op *)lj;

        if (op->count == 0)
                return 0;
        lua_createtable(L, 0, 2);
        lua_pushinteger(L, (lua_Integer)op->stat.size);
        lua_setfield(L, -2, "size");
        lua_pushinteger(L, op->stat.mtime_ms);
        lua_setfield(L, -2, "mtime");
        return 1;
}

/* store:stat(key) -> {size, mtime}, or nil when there is no such key; waits */
static int
stat_key(lua_State *L)
{
        return wait_op(L, new_op(L, stat_run, stat_push));
}

/* One listed key in op->bytes: the stat, then the name and a NUL. */
static int
collect(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        static const struct store_stat none = { .size = UINT64_MAX };
        struct op *op = arg;

        if (++op->count > LIST_MAX)
                return err_set(err, ERR_TOO_BIG, "more than %d keys", LIST_MAX);
        if (buf_add(&op->bytes, stat != NULL ? stat : &none, sizeof(none), err) != 0)
                return -1;
        return buf_add(&op->bytes, key, strlen(key) + 1, err);
}

static int
list_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;

        return store_list(op->store, op->key, op->flag, collect, op, job->cancel, err);
}

static int
list_push(lua_State *L, struct lx_job *lj)
{
        struct op *op = (struct op *)lj;
        const char *at = op->bytes.data;

        lua_createtable(L, (int)op->count, 0);
        for (uint64_t idx = 1; idx <= op->count; idx++) {
                struct store_stat stat;
                memcpy(&stat, at, sizeof(stat));
                at += sizeof(stat);
                lua_createtable(L, 0, 3);
                lua_pushstring(L, at);
                lua_setfield(L, -2, "key");
                if (stat.size != UINT64_MAX) {
                        lua_pushinteger(L, (lua_Integer)stat.size);
                        lua_setfield(L, -2, "size");
                        lua_pushinteger(L, stat.mtime_ms);
                        lua_setfield(L, -2, "mtime");
                }
                lua_rawseti(L, -2, (lua_Integer)idx);
                at += strlen(at) + 1;
        }
        op_close(op);
        return 1;
}

/* store:list(prefix, shallow) -> list of {key, size, mtime}; folded names end in "/"; waits */
static int
list(lua_State *L)
{
        bool shallow = lua_toboolean(L, 3);
        struct op *op = new_op(L, list_run, list_push);

        op->flag = shallow;
        return wait_op(L, op);
}

static int
read_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;

        op->src = store_read(op->store, op->key, op->offset, op->length, op->token, err);
        return op->src != NULL ? 0 : -1;
}

static int
read_push(lua_State *L, struct lx_job *lj)
{
        struct op *op = (struct op *)lj;
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
static int
read_key(lua_State *L)
{
        lua_Integer offset = luaL_optinteger(L, 3, 0);
        lua_Integer length = luaL_optinteger(L, 4, -1);
        struct op *op = new_op(L, read_run, read_push);

        op->offset = (uint64_t)offset;
        op->length = length < 0 ? UINT64_MAX : (uint64_t)length;
        op->token = stream_token(L);
        return wait_op(L, op);
}

static int
create_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;

        const struct store_write how = { .exclusive = op->flag };

        op->sink = store_create(op->store, op->key, &how, op->token, err);
        return op->sink != NULL ? 0 : -1;
}

static int
create_push(lua_State *L, struct lx_job *lj)
{
        struct op *op = (struct op *)lj;
        struct lx_sink *sink = lx_sink_new(L, 1);

        cancel_unref(sink->token);
        sink->token = op->token;
        sink->sink = op->sink;
        op->token = NULL;
        op->sink = NULL;
        return 1;
}

/* store:create(key, exclusive) -> sink; waits */
static int
create(lua_State *L)
{
        bool exclusive = lua_toboolean(L, 3);
        struct op *op = new_op(L, create_run, create_push);

        op->flag = exclusive;
        op->token = stream_token(L);
        return wait_op(L, op);
}

static int
get_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;
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
        struct op *op = (struct op *)lj;

        if (op->count == 0)
                return 0;
        lua_pushlstring(L, op->bytes.data != NULL ? op->bytes.data : "", op->bytes.len);
        op_close(op);
        return 1;
}

/* store:get(key, max) -> bytes, or nil when there is no such key; waits */
static int
get(lua_State *L)
{
        lua_Integer max = luaL_checkinteger(L, 3);
        struct op *op = new_op(L, get_run, get_push);

        buf_init(&op->bytes, max > 0 ? (size_t)max : 0);
        return wait_op(L, op);
}

static int
put_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;
        const struct store_write how = { .exclusive = op->flag };
        struct sink *sink = store_create(op->store, op->key, &how, job->cancel, err);

        int result = sink != NULL && sink_write(sink, op->data, op->data_len, err) == 0 &&
                             sink_commit(sink, err) == 0
                         ? 0
                         : -1;
        sink_free(sink);
        return result;
}

/* store:put(key, bytes, exclusive): atomically; waits */
static int
put(lua_State *L)
{
        size_t len;
        const char *data = luaL_checklstring(L, 3, &len);
        bool exclusive = lua_toboolean(L, 4);
        struct op *op = new_op(L, put_run, NULL);

        op->data = data;
        op->data_len = len;
        op->flag = exclusive;
        return wait_op(L, op);
}

static int
remove_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;

        return store_remove(op->store, op->key, job->cancel, err);
}

/* store:remove(key): a missing key is fine; waits */
static int
remove_key(lua_State *L)
{
        return wait_op(L, new_op(L, remove_run, NULL));
}

static int
sweep_run(struct job *job, struct err *err)
{
        struct op *op = (struct op *)job;

        return store_sweep(op->store, op->key, &op->count, job->cancel, err);
}

static int
sweep_push(lua_State *L, struct lx_job *lj)
{
        lua_pushinteger(L, (lua_Integer)((struct op *)lj)->count);
        return 1;
}

/* store:sweep(prefix) -> how much was removed; waits */
static int
sweep(lua_State *L)
{
        return wait_op(L, new_op(L, sweep_run, sweep_push));
}

static const luaL_Reg store_methods[] = {
        { "url", url },
        { "can", can },
        { "stat", stat_key },
        { "list", list },
        { "read", read_key },
        { "create", create },
        { "get", get },
        { "put", put },
        { "remove", remove_key },
        { "sweep", sweep },
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
