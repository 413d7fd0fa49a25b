/*
 * _stream: sources and sinks, of files and memory.
 */
#include "l_stream.h"

#include <unistd.h>

#include "lx.h"
#include "moonkeep/fd_io.h"
#include "moonkeep/file.h"
#include "moonkeep/mem_io.h"
#include "task.h"

/* Streams anchor what they refer to in their first user value. */
static void
anchor_at(lua_State *L, int anchor)
{
        if (anchor == 0)
                return;
        lua_pushvalue(L, anchor);
        lua_setiuservalue(L, -2, 1);
}

static struct cancel *
new_token(lua_State *L, struct cancel *parent)
{
        struct err err;

        err_init(&err);
        struct cancel *token = cancel_new(parent, &err);
        if (token == NULL)
                lx_raise(L, &err);
        return token;
}

void
lx_source_close(void *object)
{
        struct lx_source *source = object;

        /* A thread that reads ahead may be blocked far upstream. */
        if (source->src != NULL && source->token != NULL)
                cancel_trigger(source->token);
        source_free(source->src);
        cancel_unref(source->token);
        *source = (struct lx_source){ NULL, NULL };
}

void
lx_sink_close(void *object)
{
        struct lx_sink *sink = object;

        if (sink->sink != NULL && sink->token != NULL)
                cancel_trigger(sink->token);
        sink->closing = sink->pins > 0;
        if (sink->closing)
                return;
        sink_free(sink->sink);
        cancel_unref(sink->token);
        *sink = (struct lx_sink){ 0 };
}

void
lx_sink_pin(struct lx_sink *sink)
{
        sink->pins++;
}

void
lx_sink_unpin(struct lx_sink *sink)
{
        sink->pins--;
        if (sink->closing)
                lx_sink_close(sink);
}

static int source_close_method(lua_State *L);
static int source_bytes_method(lua_State *L);
static int sink_close_method(lua_State *L);
static int sink_bytes_method(lua_State *L);

static const luaL_Reg source_methods[] = {
        { "close", source_close_method },
        { "bytes", source_bytes_method },
        { NULL, NULL },
};
static const struct lx_class source_class = { "moonkeep.source", lx_source_close, source_methods,
        true };

static const luaL_Reg sink_methods[] = {
        { "close", sink_close_method },
        { "bytes", sink_bytes_method },
        { NULL, NULL },
};
static const struct lx_class sink_class = { "moonkeep.sink", lx_sink_close, sink_methods, true };

static int
source_close_method(lua_State *L)
{
        lx_source_close(lx_check(L, 1, &source_class));
        return 0;
}

static int
source_bytes_method(lua_State *L)
{
        const struct lx_source *source = lx_check(L, 1, &source_class);

        lua_pushinteger(L, source->src != NULL ? (lua_Integer)source_bytes(source->src) : 0);
        return 1;
}

static int
sink_close_method(lua_State *L)
{
        lx_sink_close(lx_check(L, 1, &sink_class));
        return 0;
}

static int
sink_bytes_method(lua_State *L)
{
        const struct lx_sink *sink = lx_check(L, 1, &sink_class);

        lua_pushinteger(L, sink->sink != NULL ? (lua_Integer)sink_bytes(sink->sink) : 0);
        return 1;
}

struct lx_source *
lx_source_new(lua_State *L, int anchor)
{
        struct lx_source *source = lx_new(L, &source_class, sizeof(*source));

        anchor_at(L, anchor);
        source->token = new_token(L, task_token(L));
        return source;
}

struct lx_sink *
lx_sink_new(lua_State *L, int anchor)
{
        struct lx_sink *sink = lx_new(L, &sink_class, sizeof(*sink));

        anchor_at(L, anchor);
        sink->token = new_token(L, task_token(L));
        return sink;
}

struct lx_source *
lx_source_check(lua_State *L, int arg)
{
        struct lx_source *source = lx_check(L, arg, &source_class);

        if (source->src == NULL)
                lx_fail(L, ERR_RECIPE, "the source is closed, or was given away");
        return source;
}

struct lx_sink *
lx_sink_check(lua_State *L, int arg)
{
        struct lx_sink *sink = lx_check(L, arg, &sink_class);

        if (sink->sink == NULL || sink->closing)
                lx_fail(L, ERR_RECIPE, "the sink is closed");
        if (sink->busy)
                lx_fail(L, ERR_RECIPE, "the sink is in use by another task");
        return sink;
}

struct lx_source *
lx_source_filter(lua_State *L, int arg, int anchor)
{
        struct lx_source *inner = lx_source_check(L, arg);

        arg = lua_absindex(L, arg);
        if (anchor != 0)
                anchor = lua_absindex(L, anchor);
        struct lx_source *outer = lx_new(L, &source_class, sizeof(*outer));
        lua_createtable(L, 2, 0);
        lua_pushvalue(L, arg);
        lua_rawseti(L, -2, 1);
        if (anchor != 0) {
                lua_pushvalue(L, anchor);
                lua_rawseti(L, -2, 2);
        }
        lua_setiuservalue(L, -2, 1);
        outer->token = cancel_ref(inner->token);
        return outer;
}

struct source *
lx_source_take(struct lx_source *from)
{
        struct source *src = from->src;

        from->src = NULL;
        cancel_unref(from->token);
        from->token = NULL;
        return src;
}

/* Progress. */

struct progress_box {
        struct progress progress;
};

static void
progress_close(void *object)
{
        (void)object;
}

/* progress:get() -> bytes in, bytes out, total or 0 */
static int progress_get(lua_State *L);

static const luaL_Reg progress_methods[] = {
        { "get", progress_get },
        { NULL, NULL },
};
static const struct lx_class progress_class = { "moonkeep.progress", progress_close,
        progress_methods, false };

static int
progress_get(lua_State *L)
{
        struct progress_box *box = lx_check(L, 1, &progress_class);

        lua_pushinteger(L, (lua_Integer)atomic_load(&box->progress.bytes_in));
        lua_pushinteger(L, (lua_Integer)atomic_load(&box->progress.bytes_out));
        lua_pushinteger(L, (lua_Integer)atomic_load(&box->progress.total));
        return 3;
}

struct progress *
lx_progress_opt(lua_State *L, int arg)
{
        if (lua_isnoneornil(L, arg))
                return NULL;
        return &((struct progress_box *)lx_check(L, arg, &progress_class))->progress;
}

/* progress_new(total) -> progress */
static int
progress_new(lua_State *L)
{
        lua_Integer total = luaL_optinteger(L, 1, 0);
        struct progress_box *box = lx_new(L, &progress_class, sizeof(*box));

        atomic_store(&box->progress.total, (uint64_t)(total > 0 ? total : 0));
        return 1;
}

/* Files and memory as streams. */

/* file_source(path, offset, length) -> source */
static int
file_source_new(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        lua_Integer offset = luaL_optinteger(L, 2, 0);
        lua_Integer length = luaL_optinteger(L, 3, -1);
        struct lx_source *source = lx_source_new(L, 0);
        struct err err;

        err_init(&err);
        source->src = file_source(path, (uint64_t)offset,
            length < 0 ? UINT64_MAX : (uint64_t)length, source->token, &err);
        if (source->src == NULL)
                lx_raise(L, &err);
        return 1;
}

/* mem_source(bytes) -> source */
static int
mem_source_new(lua_State *L)
{
        size_t len;
        const char *bytes = luaL_checklstring(L, 1, &len);
        struct lx_source *source = lx_source_new(L, 0);
        struct err err;

        err_init(&err);
        source->src = mem_source(bytes, len, &err);
        if (source->src == NULL)
                lx_raise(L, &err);
        return 1;
}

/* file_sink(path, {mode, exclusive, make_dirs}) -> sink */
static int
file_sink_new(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        struct file_sink_opts opts = { 0 };
        struct err err;

        if (lua_istable(L, 2)) {
                opts.mode = (mode_t)lx_field_int(L, 2, "mode", 0);
                opts.exclusive = lx_field_bool(L, 2, "exclusive", false);
                opts.make_dirs = lx_field_bool(L, 2, "make_dirs", false);
        }
        struct lx_sink *sink = lx_sink_new(L, 0);
        err_init(&err);
        sink->sink = file_sink(path, &opts, sink->token, &err);
        if (sink->sink == NULL)
                lx_raise(L, &err);
        return 1;
}

/* stdin_source() -> source */
static int
stdin_source(lua_State *L)
{
        struct lx_source *source = lx_source_new(L, 0);
        struct err err;

        err_init(&err);
        source->src = fd_source(STDIN_FILENO, "standard input", source->token, &err);
        if (source->src == NULL)
                lx_raise(L, &err);
        return 1;
}

/* stdout_sink() -> sink */
static int
stdout_sink(lua_State *L)
{
        struct lx_sink *sink = lx_sink_new(L, 0);
        struct err err;

        err_init(&err);
        sink->sink = fd_sink(STDOUT_FILENO, "standard output", sink->token, &err);
        if (sink->sink == NULL)
                lx_raise(L, &err);
        return 1;
}

int
lx_open_stream(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "progress_new", progress_new },
                { "file_source", file_source_new },
                { "mem_source", mem_source_new },
                { "file_sink", file_sink_new },
                { "stdin_source", stdin_source },
                { "stdout_sink", stdout_sink },
                { NULL, NULL },
        };

        lx_module(L, functions);
        luaL_setfuncs(L, lx_filter_functions, 0);
        luaL_setfuncs(L, lx_crypt_functions, 0);
        luaL_setfuncs(L, lx_copy_functions, 0);
        return 1;
}
