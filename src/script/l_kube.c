/*
 * _kube: the API server of a cluster, and what is reached through it.
 */
#include "l_kube.h"

#include <string.h>

#include "l_far.h"
#include "lx.h"

struct client_box {
        struct kube_client *client;
};

static void
client_close(void *object)
{
        struct client_box *box = object;

        kube_client_unref(box->client);
        box->client = NULL;
}

static int client_info(lua_State *L);

static const luaL_Reg client_methods[] = {
        { "info", client_info },
        { "request", lx_kube_request },
        { "follow", lx_kube_follow },
        { NULL, NULL },
};
static const struct lx_class client_class = { "moonkeep.kube", client_close, client_methods,
        false };

struct kube_client *
lx_kube_check(lua_State *L, int arg)
{
        const struct client_box *box = lx_check(L, arg, &client_class);

        if (box->client == NULL)
                lx_fail(L, ERR_RECIPE, "the cluster is closed");
        return box->client;
}

/* open{kubeconfig, context} -> client; nothing is connected yet */
static int
open_client(lua_State *L)
{
        struct err err;

        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        struct kube_client_opts opts = { .kubeconfig = lx_field_string(L, 1, "kubeconfig", NULL),
                .context = lx_field_string(L, 1, "context", NULL) };
        struct client_box *box = lx_new(L, &client_class, sizeof(*box));
        err_init(&err);
        box->client = kube_client_open(&opts, &err);
        if (box->client == NULL)
                lx_raise(L, &err);
        return 1;
}

/* client:info() -> {server, context, user, namespace} */
static int
client_info(lua_State *L)
{
        const struct kube_client *client = lx_kube_check(L, 1);

        lua_createtable(L, 0, 4);
        lua_pushstring(L, kube_client_server(client));
        lua_setfield(L, -2, "server");
        lua_pushstring(L, kube_client_context(client));
        lua_setfield(L, -2, "context");
        lua_pushstring(L, kube_client_user(client));
        lua_setfield(L, -2, "user");
        lua_pushstring(L, kube_client_namespace(client));
        lua_setfield(L, -2, "namespace");
        return 1;
}

/* check(what, {status, headers, body}): raises what a status other than 2xx says */
static int
check(lua_State *L)
{
        const char *what = luaL_checkstring(L, 1);
        struct http_header location = { .name = (char *)(uintptr_t) "location" };
        struct http_answer answer = { .headers = &location };
        struct err err;
        size_t len = 0;

        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        answer.status = (int)lx_field_int(L, 2, "status", 0);
        if (answer.status >= 200 && answer.status < 300)
                return 0;
        if (lua_getfield(L, 2, "headers") == LUA_TTABLE &&
            lua_getfield(L, 3, "location") == LUA_TSTRING) {
                location.value = (char *)(uintptr_t)lua_tostring(L, -1);
                answer.header_count = 1;
        }
        lua_getfield(L, 2, "body");
        /* Borrowed, and only read. */
        answer.body.data = (char *)(uintptr_t)luaL_optlstring(L, -1, "", &len);
        answer.body.len = len;
        err_init(&err);
        kube_status_error(what, &answer, &err);
        return lx_raise(L, &err);
}

/* pod_host(client, ns, pod, container) -> host; container may be nil */
static int
pod_host(lua_State *L)
{
        struct kube_client *client = lx_kube_check(L, 1);
        const char *ns = lx_check_path(L, 2);
        const char *pod = lx_check_path(L, 3);
        const char *container = lua_isnoneornil(L, 4) ? NULL : lx_check_path(L, 4);
        struct far_host **host = lx_far_host_new(L);
        struct err err;

        err_init(&err);
        *host = kube_pod_host(client, ns, pod, container, &err);
        if (*host == NULL)
                lx_raise(L, &err);
        return 1;
}

int
lx_open_kube(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "open", open_client },
                { "check", check },
                { "pod_host", pod_host },
                { NULL, NULL },
        };

        lx_module(L, functions);
        luaL_setfuncs(L, lx_kube_call_functions, 0);
        return 1;
}
