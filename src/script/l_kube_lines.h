/*
 * An answer that is read line by line while it comes.  Internal to l_kube.
 */
#ifndef MOONKEEP_SCRIPT_L_KUBE_LINES_H
#define MOONKEEP_SCRIPT_L_KUBE_LINES_H

#include <lua.h>

#include "moonkeep/buf.h"
#include "moonkeep/http.h"
#include "moonkeep/loop.h"
#include "task.h"

/* Nothing more is read from the network while so much waits to be read by Lua. */
#define LX_LINES_WAITING_MAX ((size_t)8 * 1024 * 1024)

/* One answer under way: the transfer has it, and the lines that Lua reads, as long as each is
 * there. */
struct lx_lines {
        unsigned refs;
        struct cancel *token;
        struct task *task; /* waits for it; or NULL */
        struct loop *loop;
        uint64_t timer;
        size_t line_max;

        struct buf text;
        size_t start;    /* what was read before */
        size_t scanned;  /* there is no line break between start and there */
        bool is_running; /* the transfer has it */
        bool is_paused;  /* until more was read */
        bool has_head;
        bool over;
        int status;                /* once it is over without a failure */
        struct http_answer answer; /* other than 2xx */
        struct err failure;        /* ERR_NONE: none */
};

/*
 * lx_lines_new: push the object that Lua has, with an answer that has not
 * begun; its token is below the task's.  [raises]
 */
struct lx_lines *lx_lines_new(lua_State *L, size_t line_max);

/* lx_lines_at: that of the object at the stack index. */
struct lx_lines *lx_lines_at(lua_State *L, int idx);

/* lx_lines_start: send the request, and let the task wait for its headers or end.  [raises] */
void lx_lines_start(lua_State *L, struct lx_lines *lines, struct http_request *request);

#endif
