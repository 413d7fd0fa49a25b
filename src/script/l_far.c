/*
 * _far: where commands run, and the streams out of there and into it.
 */
#include "l_far.h"

#include "lx.h"

struct host_box {
        struct far_host *host;
};

static void
host_close(void *object)
{
        struct host_box *box = object;

        far_host_unref(box->host);
        box->host = NULL;
}

static int host_label(lua_State *L);

static const luaL_Reg host_methods[] = {
        { "label", host_label },
        { NULL, NULL },
};
static const struct lx_class host_class = { "moonkeep.far_host", host_close, host_methods, false };

struct far_host **
lx_far_host_new(lua_State *L)
{
        struct host_box *box = lx_new(L, &host_class, sizeof(*box));

        return &box->host;
}

struct far_host *
lx_far_host_check(lua_State *L, int arg)
{
        const struct host_box *box = lx_check(L, arg, &host_class);

        if (box->host == NULL)
                lx_fail(L, ERR_RECIPE, "the far host is closed");
        return box->host;
}

/* host:label() -> as it is called in messages */
static int
host_label(lua_State *L)
{
        lua_pushstring(L, lx_far_host_check(L, 1)->label);
        return 1;
}

/* process_host() -> host: this machine */
static int
process_host(lua_State *L)
{
        struct far_host **host = lx_far_host_new(L);
        struct err err;

        err_init(&err);
        *host = far_process_host(&err);
        if (*host == NULL)
                lx_raise(L, &err);
        return 1;
}

int
lx_open_far(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "process_host", process_host },
                { NULL, NULL },
        };

        lx_module(L, functions);
        luaL_setfuncs(L, lx_far_stream_functions, 0);
        luaL_setfuncs(L, lx_far_run_functions, 0);
        return 1;
}
