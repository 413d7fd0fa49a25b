/*
 * What the files of the module _store share.
 */
#ifndef MOONKEEP_SCRIPT_L_STORE_H
#define MOONKEEP_SCRIPT_L_STORE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/store_walk.h"
#include "task.h"

/* lx_store_check: the store at arg.  [raises] */
struct store *lx_store_check(lua_State *L, int arg);

/* lx_store_key: the key, or prefix of keys, at arg.  [raises] */
const char *lx_store_key(lua_State *L, int arg);

/* A store operation as a job. */
struct lx_store_op {
        struct lx_job lj;
        struct store *store;
        const char *key; /* anchored on the task's stack */
        struct store_write how;
        bool shallow;
        uint64_t offset;
        uint64_t length;
        const char *data; /* anchored on the task's stack */
        size_t data_len;

        struct store_stat stat;
        struct store_batch batch;
        struct buf bytes;
        uint64_t count;
        struct cancel *token; /* of the stream that is made */
        struct source *src;
        struct sink *sink;
};

/* lx_store_op: push a new operation on the store and the key that are the arguments 1 and 2.
 * [raises]
 */
struct lx_store_op *lx_store_op(lua_State *L, int (*run)(struct job *job, struct err *err),
    int (*push)(lua_State *L, struct lx_job *lj));

/* lx_store_op_close: release what it made, as soon as that is on its way to Lua. */
void lx_store_op_close(void *op);

/* lx_store_wait: submit the operation on the stack's top, and wait for it. */
int lx_store_wait(lua_State *L, struct lx_store_op *op);

/*
 * lx_store_write: read {exclusive, resume, digest} at arg, or nil.  The digest
 * is taken, and pushed (nil when there is none): its anchor.  [raises]
 */
void lx_store_write(lua_State *L, int arg, struct store_write *out);

/* lx_store_push_stat: set size, mtime, etag and archived in the table on the stack's top. */
void lx_store_push_stat(lua_State *L, const struct store_stat *stat);

/* Methods of a store. */
int lx_store_read(lua_State *L);
int lx_store_create(lua_State *L);
int lx_store_list(lua_State *L);
int lx_store_walk(lua_State *L);
int lx_store_copy(lua_State *L);
int lx_store_call(lua_State *L);

#endif
