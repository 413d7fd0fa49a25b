/*
 * _xml: XML documents as Lua tables.
 */
#include "lx.h"
#include "moonkeep/xml.h"

/* Room on the stack that an element needs: itself, and one value. */
#define STACK_EACH 3

/* Bound on what escaping makes of a text, in bytes. */
#define ESCAPED_MAX ((size_t)64 * 1024 * 1024)

struct tree {
        struct xml *root;
};

static void
tree_close(void *object)
{
        struct tree *tree = object;

        xml_free(tree->root);
        tree->root = NULL;
}

static const struct lx_class tree_class = { "moonkeep.xml", tree_close, NULL, false };

/* Push {name, text, children...}; the depth is bounded by the parser. */
static void
push_element(lua_State *L, const struct xml *element)
{
        luaL_checkstack(L, STACK_EACH, "XML");
        lua_createtable(L, 0, 2);
        lua_pushstring(L, xml_name(element));
        lua_setfield(L, -2, "name");
        lua_pushstring(L, xml_text(element));
        lua_setfield(L, -2, "text");
        const struct xml *child = xml_first(element, NULL);
        for (lua_Integer idx = 1; child != NULL; idx++) {
                push_element(L, child);
                lua_rawseti(L, -2, idx);
                child = xml_next(child, NULL);
        }
}

/* parse(text) -> {name, text, children...}, the root of a whole document */
static int
parse(lua_State *L)
{
        size_t len;
        const char *text = luaL_checklstring(L, 1, &len);
        struct tree *tree = lx_new(L, &tree_class, sizeof(*tree));
        struct err err;

        err_init(&err);
        tree->root = xml_parse(text, len, &err);
        if (tree->root == NULL)
                lx_raise(L, &err);
        push_element(L, tree->root);
        tree_close(tree);
        return 1;
}

struct escaped {
        struct buf buf;
};

static void
escaped_close(void *object)
{
        buf_free(&((struct escaped *)object)->buf);
}

static const struct lx_class escaped_class = { "moonkeep.xml.text", escaped_close, NULL, false };

/* escape(text) -> text */
static int
escape(lua_State *L)
{
        size_t len;
        const char *text = luaL_checklstring(L, 1, &len);
        struct escaped *escaped = lx_new(L, &escaped_class, sizeof(*escaped));
        struct err err;

        buf_init(&escaped->buf, ESCAPED_MAX);
        err_init(&err);
        if (xml_escape(text, len, &escaped->buf, &err) != 0)
                lx_raise(L, &err);
        lua_pushlstring(L, escaped->buf.data != NULL ? escaped->buf.data : "", escaped->buf.len);
        escaped_close(escaped);
        return 1;
}

int
lx_open_xml(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "parse", parse },
                { "escape", escape },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
