/*
 * _yaml: YAML text and Lua values, which are those of _json.
 */
#include "l_json.h"
#include "moonkeep/yaml.h"

/* parse(text) -> array of the documents */
static int
parse(lua_State *L)
{
        size_t len;
        const char *text = luaL_checklstring(L, 1, &len);
        struct lx_json *doc = lx_json_new(L);
        struct err err;

        err_init(&err);
        doc->json = yaml_parse(text, len, &err);
        if (doc->json == NULL)
                lx_raise(L, &err);
        lx_json_push(L, doc->json);
        lx_json_done(doc);
        return 1;
}

/* dump(value, marker) -> text of one document */
static int
dump(lua_State *L)
{
        bool marker = lua_toboolean(L, 2);
        struct err err;

        luaL_checkany(L, 1);
        struct lx_json *doc = lx_json_new(L);
        lx_json_read(L, 1, doc);
        err_init(&err);
        if (yaml_dump(doc->json, marker, &doc->text, &err) != 0)
                lx_raise(L, &err);
        lua_pushlstring(L, doc->text.data, doc->text.len);
        lx_json_done(doc);
        return 1;
}

int
lx_open_yaml(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "parse", parse },
                { "dump", dump },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
