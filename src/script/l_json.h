/*
 * Lua values and JSON values, for the modules that have either: null is the
 * light userdata NULL, arrays carry a metatable of their own.
 */
#ifndef MOONKEEP_SCRIPT_L_JSON_H
#define MOONKEEP_SCRIPT_L_JSON_H

#include "lx.h"
#include "moonkeep/json.h"

/* What a binding works on; owned by a userdata, released early by lx_json_done. */
struct lx_json {
        struct json *json; /* or NULL */
        struct buf text;   /* bounded */
};

/* lx_json_new: push an empty one.  [raises] */
struct lx_json *lx_json_new(lua_State *L);
void lx_json_done(struct lx_json *doc);

/* lx_json_push: push the value.  [raises] */
void lx_json_push(lua_State *L, const struct json *value);

/*
 * lx_json_read: make doc->json of the Lua value at idx (absolute); what JSON
 * cannot hold is refused with its place.  [raises]
 */
void lx_json_read(lua_State *L, int idx, struct lx_json *doc);

#endif
