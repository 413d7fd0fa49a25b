/*
 * _secret: opaque secrets.  A script can pass one on; it cannot read it.
 */
#include "l_secret.h"

#include "lx.h"

struct box {
        struct secret *secret;
};

static void
box_close(void *object)
{
        struct box *box = object;

        secret_unref(box->secret);
        box->secret = NULL;
}

static const struct lx_class box_class = { "moonkeep.secret", box_close, NULL, false };

struct secret *
lx_secret(lua_State *L, int arg)
{
        struct box *box = lx_test(L, arg, &box_class);

        return box != NULL ? box->secret : NULL;
}

struct secret **
lx_secret_new(lua_State *L)
{
        struct box *box = lx_new(L, &box_class, sizeof(*box));

        return &box->secret;
}

/* new(bytes) -> secret.  The string itself stays in Lua's memory: for values that came as one. */
static int new (lua_State *L)
{
        size_t len;
        const char *bytes = luaL_checklstring(L, 1, &len);
        struct box *box = lx_new(L, &box_class, sizeof(*box));
        struct err err;

        err_init(&err);
        box->secret = secret_new(bytes, len, &err);
        if (box->secret == NULL)
                lx_raise(L, &err);
        return 1;
}

/* is(value) -> boolean */
static int
is(lua_State *L)
{
        lua_pushboolean(L, lx_secret(L, 1) != NULL);
        return 1;
}

/* redact(text) -> text with every known secret starred out */
static int
redact(lua_State *L)
{
        size_t len;
        const char *text = luaL_checklstring(L, 1, &len);
        luaL_Buffer buffer;

        char *copy = luaL_buffinitsize(L, &buffer, len);
        for (size_t idx = 0; idx < len; idx++)
                copy[idx] = text[idx];
        secret_redact(copy, len);
        luaL_pushresultsize(&buffer, len);
        return 1;
}

int
lx_open_secret(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "new", new },
                { "is", is },
                { "redact", redact },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
