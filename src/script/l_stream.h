/*
 * Sources and sinks as Lua objects.
 *
 * An object owns its stream until it is given to a filter or a job (taken);
 * then it is closed.  What a stream refers to (a digest, a catalog, a store)
 * is anchored by the object that was made last, which stays on the stack of
 * the task that waits for the job.
 */
#ifndef MOONKEEP_SCRIPT_L_STREAM_H
#define MOONKEEP_SCRIPT_L_STREAM_H

#include <lauxlib.h>
#include <lua.h>

#include "moonkeep/cancel.h"
#include "moonkeep/hash_filter.h"
#include "moonkeep/stream.h"
#include "moonkeep/tar.h"

struct lx_source {
        struct source *src;
        struct cancel *token; /* of this chain of sources; set before they are freed */
};

struct lx_sink {
        struct sink *sink;
        struct cancel *token;
        unsigned pins; /* by what may write into it from a thread of its own */
        bool busy;     /* a job writes into it */
        bool closing;  /* closed, and freed with the last pin */
};

/*
 * lx_source_new: push a closed source with a token below the task's; the
 * binding then acquires into ->src.  anchor: a stack index to keep alive, or 0.
 * [raises]
 */
struct lx_source *lx_source_new(lua_State *L, int anchor);
struct lx_sink *lx_sink_new(lua_State *L, int anchor);

/* lx_source_check: the open source at arg.  [raises] */
struct lx_source *lx_source_check(lua_State *L, int arg);
struct lx_sink *lx_sink_check(lua_State *L, int arg);

/* lx_source_filter: push a closed source that inherits the token of the one at arg, and anchors it.
 */
struct lx_source *lx_source_filter(lua_State *L, int arg, int anchor);

/* lx_source_take: the stream of an open source, which is closed by this. */
struct source *lx_source_take(struct lx_source *from);

/* lx_source_close, lx_sink_close: release, also in the middle of a stream. */
void lx_source_close(void *object);
void lx_sink_close(void *object);

/*
 * lx_sink_pin: put off the release of an open sink until lx_sink_unpin; for an
 * object that anchors it, and hands it to a thread that a close does not wait for.
 */
void lx_sink_pin(struct lx_sink *sink);
void lx_sink_unpin(struct lx_sink *sink);

/* Objects that streams refer to.  [raise] */
struct progress *lx_progress_opt(lua_State *L, int arg);

/*
 * lx_digest_take: the unused digest at arg, for the one stream that fills it; it
 * has to be anchored for as long.  [raises]
 */
struct stream_digest *lx_digest_take(lua_State *L, int arg);

/*
 * lx_watcher: the watcher made of the catalog or TSDB check at arg, or zeroed
 * when it is nil.  [raises]
 */
struct tar_watcher lx_watcher(lua_State *L, int arg);

/* lx_two_watchers: push a table that anchors the watchers at two args; one made of both. [raises]
 */
struct tar_watcher lx_two_watchers(lua_State *L, int first, int second);

/* The functions of l_filter.c, l_crypt.c and l_copy.c, parts of the module _stream. */
extern const luaL_Reg lx_filter_functions[];
extern const luaL_Reg lx_crypt_functions[];
extern const luaL_Reg lx_copy_functions[];

/* Catalogs (l_tar.c) and TSDB checks (l_tsdb.c) as watchers; false when arg is none. */
bool lx_catalog_watcher(lua_State *L, int arg, struct tar_watcher *out);
bool lx_tsdb_watcher(lua_State *L, int arg, struct tar_watcher *out);

#endif
