/*
 * _json: JSON text and Lua values.
 *
 * null is the value json.null; arrays carry a metatable of their own, so that
 * an empty array stays one; other empty tables are objects.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "l_json.h"

#define ARRAY_META "moonkeep.json.array"

/* Bound on the nesting of what is encoded, and so on cycles. */
#define DEPTH_MAX 100

/* Bound on encoded text. */
#define TEXT_MAX ((size_t)256 * 1024 * 1024)

void
lx_json_done(struct lx_json *doc)
{
        json_free(doc->json);
        doc->json = NULL;
        buf_free(&doc->text);
}

static void
doc_close(void *object)
{
        lx_json_done(object);
}

static const struct lx_class doc_class = { "moonkeep.json", doc_close, NULL, false };

struct lx_json *
lx_json_new(lua_State *L)
{
        struct lx_json *doc = lx_new(L, &doc_class, sizeof(*doc));

        buf_init(&doc->text, TEXT_MAX);
        return doc;
}

void
lx_json_push(lua_State *L, const struct json *value)
{
        luaL_checkstack(L, 4, "JSON nested too deeply");
        switch (json_type_of(value)) {
        case JSON_T_NULL:
                lua_pushlightuserdata(L, NULL);
                break;
        case JSON_T_BOOL:
                lua_pushboolean(L, json_bool(value));
                break;
        case JSON_T_INT:
                lua_pushinteger(L, json_int(value));
                break;
        case JSON_T_REAL:
                lua_pushnumber(L, json_real(value));
                break;
        case JSON_T_STRING: {
                size_t len;
                const char *text = json_string(value, &len);
                lua_pushlstring(L, text, len);
                break;
        }
        case JSON_T_ARRAY:
                lua_createtable(L, (int)json_array_len(value), 0);
                for (size_t idx = 0; idx < json_array_len(value); idx++) {
                        lx_json_push(L, json_array_at(value, idx));
                        lua_rawseti(L, -2, (lua_Integer)idx + 1);
                }
                luaL_setmetatable(L, ARRAY_META);
                break;
        case JSON_T_OBJECT: {
                void *iter = NULL;
                const char *key;
                size_t key_len;
                struct json *child;
                lua_newtable(L);
                while (json_object_next(value, &iter, &key, &key_len, &child)) {
                        lua_pushlstring(L, key, key_len);
                        lx_json_push(L, child);
                        lua_rawset(L, -3);
                }
                break;
        }
        }
}

/* decode(text) -> value */
static int
decode(lua_State *L)
{
        size_t len;
        const char *text = luaL_checklstring(L, 1, &len);
        struct lx_json *doc = lx_json_new(L);
        struct err err;

        err_init(&err);
        doc->json = json_parse(text, len, &err);
        if (doc->json == NULL)
                lx_raise(L, &err);
        lx_json_push(L, doc->json);
        lx_json_done(doc);
        return 1;
}

/* Where in the value the encoder is, for messages: "a.b[3]". */
struct place {
        const struct place *parent;
        const char *key; /* NULL: index */
        lua_Integer index;
};

static size_t
describe(const struct place *place, char *out, size_t size)
{
        if (place == NULL)
                return (size_t)snprintf(out, size, "value");
        size_t len = describe(place->parent, out, size);
        if (len >= size)
                return len;
        if (place->key != NULL)
                return len + (size_t)snprintf(out + len, size - len, ".%s", place->key);
        return len + (size_t)snprintf(out + len, size - len, "[%lld]", (long long)place->index);
}

static void
refuse(lua_State *L, const struct place *place, const char *what)
{
        char where[256];

        describe(place, where, sizeof(where));
        lx_fail(L, ERR_RECIPE, "%s is %s, which cannot be written as JSON", where, what);
}

/* Put the leaf or empty container at idx into parent (or make it the root). */
struct slot {
        struct lx_json *doc;
        struct json *parent; /* borrowed; NULL: the root */
        const char *key;     /* of an object */
        size_t key_len;
};

static struct json *
put(lua_State *L, const struct slot *slot, struct json *value, const struct place *place,
    struct err *err)
{
        int result = 0;

        if (value != NULL) {
                if (slot->parent == NULL)
                        slot->doc->json = value;
                else if (slot->key == NULL)
                        result = json_append(slot->parent, value, err);
                else
                        result = json_set(slot->parent, slot->key, slot->key_len, value, err);
        }
        if (value == NULL || result != 0) {
                char where[256];
                describe(place, where, sizeof(where));
                err_prefix(err, "cannot write %s as JSON", where);
                lx_raise(L, err);
        }
        return value;
}

static void encode_value(
    lua_State *L, int idx, const struct slot *slot, const struct place *place, int depth);

/* Is the table at idx an array?  Raises for one that is neither that nor an object. */
static bool
is_array(lua_State *L, int idx, const struct place *place)
{
        lua_Integer count = (lua_Integer)lua_rawlen(L, idx);
        lua_Integer keys = 0;
        bool strings = false;

        lua_pushnil(L);
        while (lua_next(L, idx) != 0) {
                keys++;
                if (lua_type(L, -2) == LUA_TSTRING)
                        strings = true;
                else if (!lua_isinteger(L, -2))
                        refuse(L, place, "a table with a key that is no string");
                lua_pop(L, 1);
        }
        if (strings && count == 0)
                return false;
        if (strings || keys != count)
                refuse(L, place, "a table that mixes a list with named fields or has holes");
        if (keys > 0)
                return true;
        bool marked = false;
        if (lua_getmetatable(L, idx)) {
                luaL_getmetatable(L, ARRAY_META);
                marked = lua_rawequal(L, -1, -2);
                lua_pop(L, 2);
        }
        return marked;
}

static void
encode_table(lua_State *L, int idx, const struct slot *slot, const struct place *place, int depth)
{
        struct err err;

        if (depth >= DEPTH_MAX)
                refuse(L, place, "nested too deeply, or in itself");
        luaL_checkstack(L, 6, "JSON nested too deeply");
        err_init(&err);
        if (is_array(L, idx, place)) {
                struct json *array = put(L, slot, json_new_array(&err), place, &err);
                lua_Integer count = (lua_Integer)lua_rawlen(L, idx);
                for (lua_Integer at = 1; at <= count; at++) {
                        const struct place here = { place, NULL, at };
                        const struct slot child = { slot->doc, array, NULL, 0 };
                        lua_rawgeti(L, idx, at);
                        encode_value(L, lua_gettop(L), &child, &here, depth + 1);
                        lua_pop(L, 1);
                }
                return;
        }

        struct json *object = put(L, slot, json_new_object(&err), place, &err);
        lua_pushnil(L);
        while (lua_next(L, idx) != 0) {
                size_t key_len;
                const char *key = lua_tolstring(L, -2, &key_len);
                const struct place here = { place, key, 0 };
                const struct slot child = { slot->doc, object, key, key_len };
                encode_value(L, lua_gettop(L), &child, &here, depth + 1);
                lua_pop(L, 1);
        }
}

static void
encode_value(lua_State *L, int idx, const struct slot *slot, const struct place *place, int depth)
{
        struct err err;

        err_init(&err);
        switch (lua_type(L, idx)) {
        case LUA_TLIGHTUSERDATA:
                if (lua_touserdata(L, idx) != NULL)
                        refuse(L, place, "a handle");
                put(L, slot, json_new_null(&err), place, &err);
                break;
        case LUA_TBOOLEAN:
                put(L, slot, json_new_bool(lua_toboolean(L, idx), &err), place, &err);
                break;
        case LUA_TNUMBER: {
                int exact;
                lua_Integer integer = lua_tointegerx(L, idx, &exact);
                if (exact) {
                        put(L, slot, json_new_int(integer, &err), place, &err);
                } else {
                        double real = lua_tonumber(L, idx);
                        if (!isfinite(real))
                                refuse(L, place, "not a finite number");
                        put(L, slot, json_new_real(real, &err), place, &err);
                }
                break;
        }
        case LUA_TSTRING: {
                size_t len;
                const char *text = lua_tolstring(L, idx, &len);
                put(L, slot, json_new_string(text, len, &err), place, &err);
                break;
        }
        case LUA_TTABLE:
                encode_table(L, idx, slot, place, depth);
                break;
        case LUA_TFUNCTION:
                refuse(L, place, "a function");
                break;
        case LUA_TUSERDATA:
                refuse(L, place, "a handle or a secret");
                break;
        default:
                refuse(L, place, luaL_typename(L, idx));
                break;
        }
}

void
lx_json_read(lua_State *L, int idx, struct lx_json *doc)
{
        const struct slot root = { doc, NULL, NULL, 0 };

        encode_value(L, idx, &root, NULL, 0);
}

/* encode(value, indent) -> text; indent 0 is the canonical form */
static int
encode(lua_State *L)
{
        lua_Integer indent = luaL_optinteger(L, 2, 0);
        struct err err;

        luaL_checkany(L, 1);
        luaL_argcheck(L, indent >= 0 && indent <= 8, 2, "indent is 0 to 8");
        struct lx_json *doc = lx_json_new(L);
        lx_json_read(L, 1, doc);
        err_init(&err);
        if (json_dump(doc->json, (int)indent, &doc->text, &err) != 0)
                lx_raise(L, &err);
        lua_pushlstring(L, doc->text.data, doc->text.len);
        lx_json_done(doc);
        return 1;
}

/* array(table) -> the same table, marked as an array */
static int
array(lua_State *L)
{
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        luaL_setmetatable(L, ARRAY_META);
        return 1;
}

int
lx_open_json(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "decode", decode },
                { "encode", encode },
                { "array", array },
                { NULL, NULL },
        };

        luaL_newmetatable(L, ARRAY_META);
        lua_pop(L, 1);
        lx_module(L, functions);
        lua_pushlightuserdata(L, NULL);
        lua_setfield(L, -2, "null");
        return 1;
}
