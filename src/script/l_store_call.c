/*
 * store:call: a request in the store's own protocol.
 */
#include <string.h>

#include "l_secret.h"
#include "l_store.h"
#include "lx.h"

/* Bounds on what a request has, and on its answer unless `max` says another. */
#define PAIRS_MAX 64
#define ANSWER_MAX ((int64_t)64 * 1024 * 1024)

struct exchange {
        struct lx_job lj;
        struct store *store;
        struct store_call call; /* all that it points to is anchored by this object */
        struct store_pair query[PAIRS_MAX];
        struct store_pair headers[PAIRS_MAX];
        struct store_answer answer;
};

static void
exchange_close(void *object)
{
        store_answer_clear(&((struct exchange *)object)->answer);
}

static const struct lx_class exchange_class = { "moonkeep.store.call", exchange_close, NULL,
        false };

/* Keep the value on the stack's top in the list of anchors at idx; pops it. */
static void
keep(lua_State *L, int idx)
{
        lua_rawseti(L, idx, (lua_Integer)lua_rawlen(L, idx) + 1);
}

/* The string on the stack's top, which is popped and kept in the anchors. */
static const char *
kept_string(lua_State *L, int anchors, const char *what)
{
        size_t len;
        const char *text = lua_tolstring(L, -1, &len);

        if (text == NULL || strlen(text) != len)
                lx_fail(L, ERR_RECIPE, "%s must be a text without NUL", what);
        keep(L, anchors);
        return text;
}

/* Read the table in field `name` of argument 2: NAME = text, number or secret. */
static size_t
read_pairs(lua_State *L, int anchors, const char *name, bool secrets, struct store_pair *pairs)
{
        size_t count = 0;

        if (lua_getfield(L, 2, name) == LUA_TNIL) {
                lua_pop(L, 1);
                return 0;
        }
        if (!lua_istable(L, -1))
                lx_fail(L, ERR_RECIPE, "field \"%s\" must be a table", name);
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) { /* table key value */
                if (count == PAIRS_MAX)
                        lx_fail(
                            L, ERR_RECIPE, "field \"%s\" has more than %d names", name, PAIRS_MAX);
                struct store_pair *pair = &pairs[count++];
                if (lua_type(L, -2) != LUA_TSTRING)
                        lx_fail(L, ERR_RECIPE, "field \"%s\" must have names", name);
                struct secret *secret = secrets ? lx_secret(L, -1) : NULL;
                if (secret != NULL) {
                        pair->secret = secret;
                        keep(L, anchors);
                } else {
                        pair->value = kept_string(L, anchors, "a value");
                }
                lua_pushvalue(L, -1);
                pair->name = kept_string(L, anchors, "a name");
        }
        lua_pop(L, 1);
        return count;
}

static int
call_run(struct job *job, struct err *err)
{
        struct exchange *exchange = (struct exchange *)job;

        return store_call(exchange->store, &exchange->call, &exchange->answer, job->cancel, err);
}

/* Push the headers, "name: value" a line, as a table. */
static void
push_headers(lua_State *L, const char *text)
{
        lua_newtable(L);
        while (text != NULL && *text != '\0') {
                const char *end = strchr(text, '\n');
                size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
                const char *colon = memchr(text, ':', len);
                if (colon != NULL) {
                        const char *value = colon + 1;
                        if (*value == ' ')
                                value++;
                        lua_pushlstring(L, text, (size_t)(colon - text));
                        lua_pushlstring(L, value, (size_t)(text + len - value));
                        lua_rawset(L, -3);
                }
                text = end != NULL ? end + 1 : NULL;
        }
}

static int
call_push(lua_State *L, struct lx_job *lj)
{
        struct exchange *exchange = (struct exchange *)lj;
        const struct store_answer *answer = &exchange->answer;

        lua_createtable(L, 0, 3);
        lua_pushinteger(L, answer->status);
        lua_setfield(L, -2, "status");
        push_headers(L, answer->headers);
        lua_setfield(L, -2, "headers");
        lua_pushlstring(L, answer->body.data != NULL ? answer->body.data : "", answer->body.len);
        lua_setfield(L, -2, "body");
        exchange_close(exchange);
        return 1;
}

/* The text in a field of argument 2, kept in the anchors; NULL when it is absent. */
static const char *
text_field(lua_State *L, int anchors, const char *name)
{
        if (lua_getfield(L, 2, name) == LUA_TNIL) {
                lua_pop(L, 1);
                return NULL;
        }
        return kept_string(L, anchors, name);
}

/* store:call{method, key, query, headers, body, once, max} -> {status, headers, body}; waits */
int
lx_store_call(lua_State *L)
{
        struct store *store = lx_store_check(L, 1);

        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        lua_newtable(L); /* store options anchors */
        struct exchange *exchange = lx_new(L, &exchange_class, sizeof(*exchange));
        lua_pushvalue(L, 3);
        lua_setiuservalue(L, -2, 1);

        struct store_call *call = &exchange->call;
        exchange->store = store;
        call->method = text_field(L, 3, "method");
        if (call->method == NULL)
                lx_fail(L, ERR_RECIPE, "field \"method\" is missing");
        call->key = text_field(L, 3, "key");
        call->query = exchange->query;
        call->query_count = read_pairs(L, 3, "query", false, exchange->query);
        call->headers = exchange->headers;
        call->header_count = read_pairs(L, 3, "headers", true, exchange->headers);
        if (lua_getfield(L, 2, "body") == LUA_TNIL) {
                lua_pop(L, 1);
        } else {
                call->body = luaL_checklstring(L, -1, &call->body_len);
                keep(L, 3);
        }
        call->once = lx_field_bool(L, 2, "once", false);
        int64_t max = lx_field_int(L, 2, "max", ANSWER_MAX);
        if (max < 0)
                lx_fail(L, ERR_RECIPE, "field \"max\" must not be negative");
        call->answer_max = (size_t)max;
        exchange->lj.job.run = call_run;
        exchange->lj.push = call_push;
        return lx_job_wait(L, -1, &exchange->lj);
}
