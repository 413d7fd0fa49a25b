/*
 * _url: URLs split into parts.
 */
#include "lx.h"
#include "moonkeep/mem.h"
#include "moonkeep/url.h"

struct box {
        struct url url;
};

static void
box_close(void *object)
{
        url_clear(&((struct box *)object)->url);
}

static const struct lx_class box_class = { "moonkeep.url", box_close, NULL, false };

static void
set_string(lua_State *L, const char *name, const char *value)
{
        if (value == NULL)
                return;
        lua_pushstring(L, value);
        lua_setfield(L, -2, name);
}

/* parse(text) -> {scheme, user, has_password, host, port, path, query}; raises "invalid" */
static int
parse(lua_State *L)
{
        const char *text = luaL_checkstring(L, 1);
        struct box *box = lx_new(L, &box_class, sizeof(*box));
        struct err err;

        err_init(&err);
        if (url_parse(text, &box->url, &err) != 0)
                lx_raise(L, &err);
        lua_newtable(L);
        set_string(L, "scheme", box->url.scheme);
        set_string(L, "user", box->url.user);
        set_string(L, "host", box->url.host);
        set_string(L, "path", box->url.path);
        set_string(L, "query", box->url.query);
        lua_pushboolean(L, box->url.has_password);
        lua_setfield(L, -2, "has_password");
        if (box->url.port != 0) {
                lua_pushinteger(L, box->url.port);
                lua_setfield(L, -2, "port");
        }
        box_close(box);
        return 1;
}

int
lx_open_url(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "parse", parse },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
