/*
 * _http: small requests on the loop.
 */
#include "l_http.h"

#include "l_secret.h"
#include "lx.h"
#include "moonkeep/mem.h"
#include "task.h"

#define HEADERS_MAX 64
#define ANSWER_MAX ((int64_t)64 * 1024 * 1024)
#define STALL_MS 30000

struct exchange {
        struct task *task;
        struct http_request request; /* until it is started */
        struct http_answer answer;
        bool failed;
        struct err err;
};

static void
exchange_close(void *object)
{
        struct exchange *exchange = object;

        http_request_clear(&exchange->request);
        http_answer_clear(&exchange->answer);
}

static const struct lx_class exchange_class = { "moonkeep.http", exchange_close, NULL, false };

/* From the loop: keep the answer's contents; Lua sees them when the task runs. */
static void
exchange_done(void *arg, struct http_answer *answer, const struct err *err)
{
        struct exchange *exchange = arg;

        if (answer != NULL) {
                exchange->answer = *answer;
                *answer = (struct http_answer){ 0 };
        } else {
                exchange->failed = true;
                exchange->err = *err;
        }
        task_wake(exchange->task);
}

void
lx_http_push(lua_State *L, const struct http_answer *answer)
{
        lua_createtable(L, 0, 3);
        lua_pushinteger(L, answer->status);
        lua_setfield(L, -2, "status");
        lua_pushlstring(L, answer->body.data != NULL ? answer->body.data : "", answer->body.len);
        lua_setfield(L, -2, "body");
        lua_createtable(L, 0, (int)answer->header_count);
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                lua_pushstring(L, answer->headers[idx].value);
                lua_setfield(L, -2, answer->headers[idx].name);
        }
        lua_setfield(L, -2, "headers");
}

static int
exchange_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct exchange *exchange = lua_touserdata(L, (int)ctx);

        (void)status;
        if (exchange->failed)
                lx_raise(L, &exchange->err);
        lx_http_push(L, &exchange->answer);
        exchange_close(exchange);
        return 1;
}

char *
lx_http_copy(lua_State *L, int arg, const char *name, const char *otherwise)
{
        const char *text = lx_field_string(L, arg, name, otherwise);
        struct err err;

        if (text == NULL)
                return NULL;
        err_init(&err);
        char *copy = mem_strdup(text, &err);
        if (copy == NULL)
                lx_raise(L, &err);
        return copy;
}

/* headers: NAME = string, or secret, or {prefix, secret} */
static void
copy_headers(lua_State *L, int arg, struct http_request *request)
{
        struct err err;

        err_init(&err);
        if (lua_getfield(L, arg, "headers") == LUA_TNIL)
                return;
        luaL_checktype(L, -1, LUA_TTABLE);
        request->headers = mem_zalloc(HEADERS_MAX * sizeof(*request->headers), &err);
        if (request->headers == NULL)
                lx_raise(L, &err);
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
                if (lua_type(L, -2) != LUA_TSTRING || request->header_count == HEADERS_MAX)
                        lx_fail(L, ERR_RECIPE, "headers must be a table of at most %d names",
                            HEADERS_MAX);
                struct http_header *header = &request->headers[request->header_count++];
                header->name = mem_strdup(lua_tostring(L, -2), &err);
                if (lua_istable(L, -1)) {
                        lua_rawgeti(L, -1, 1);
                        header->value_prefix = mem_strdup(luaL_checkstring(L, -1), &err);
                        lua_pop(L, 1);
                        lua_rawgeti(L, -1, 2);
                        header->secret = secret_ref(lx_secret(L, -1));
                        lua_pop(L, 1);
                } else if (lx_secret(L, -1) != NULL) {
                        header->secret = secret_ref(lx_secret(L, -1));
                } else {
                        header->value = mem_strdup(luaL_checkstring(L, -1), &err);
                }
                if (err.code != ERR_NONE)
                        lx_raise(L, &err);
                if (header->value == NULL && header->secret == NULL)
                        lx_fail(L, ERR_RECIPE, "header \"%s\" has no value", header->name);
                lua_pop(L, 1);
        }
}

void
lx_http_read(lua_State *L, int arg, struct http_request *request)
{
        int top = lua_gettop(L);
        struct err err;

        request->method = lx_http_copy(L, arg, "method", "GET");
        copy_headers(L, arg, request);
        lua_settop(L, top);
        if (lua_getfield(L, arg, "body") != LUA_TNIL) {
                const char *body = luaL_checklstring(L, -1, &request->body_len);
                err_init(&err);
                request->body = mem_strndup(body, request->body_len, &err);
                if (request->body == NULL)
                        lx_raise(L, &err);
        }
        lua_settop(L, top);
        request->answer_max = (size_t)lx_field_int(L, arg, "answer_max", ANSWER_MAX);
        request->stall_ms = lx_field_int(L, arg, "stall_ms", STALL_MS);
        request->total_ms = lx_field_int(L, arg, "total_ms", 0);
}

/*
 * request{method, url, headers, body, answer_max, stall_ms, total_ms, ca_file}
 * -> {status, headers, body}; waits
 */
static int
request(lua_State *L)
{
        struct err err;

        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        struct exchange *exchange = lx_new(L, &exchange_class, sizeof(*exchange));
        struct http_request *req = &exchange->request;
        exchange->task = task_can_wait(L);
        lx_http_read(L, 1, req);
        req->url = lx_http_copy(L, 1, "url", NULL);
        req->ca_file = lx_http_copy(L, 1, "ca_file", NULL);
        if (req->url == NULL)
                lx_fail(L, ERR_RECIPE, "field \"url\" is missing");

        struct loop *loop = task_loop(L);
        err_init(&err);
        if (http_start(loop, req, task_token(L), exchange_done, exchange, &err) != 0)
                lx_raise(L, &err);
        return task_yield(L, 2, exchange_continue);
}

int
lx_open_http(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "request", request },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
