/*
 * Requests and answers of HTTP between Lua and C, for the bindings that send some.
 */
#ifndef MOONKEEP_SCRIPT_L_HTTP_H
#define MOONKEEP_SCRIPT_L_HTTP_H

#include <lua.h>

#include "moonkeep/http.h"

/*
 * lx_http_read: fill the empty request from the table at arg: method, headers
 * (NAME = string, or secret, or {prefix, secret}), body, answer_max, stall_ms,
 * total_ms.  What was read before an error is the request's.  [raises]
 */
void lx_http_read(lua_State *L, int arg, struct http_request *request);

/* lx_http_copy: a copy of the string field, or NULL.  [raises] */
char *lx_http_copy(lua_State *L, int arg, const char *name, const char *otherwise);

/* lx_http_push: push {status, headers, body}. */
void lx_http_push(lua_State *L, const struct http_answer *answer);

#endif
