/*
 * _tar: directories as tar streams, checks of tar streams, extraction.
 */
#include <string.h>

#include "l_stream.h"
#include "lx.h"
#include "moonkeep/tar.h"
#include "task.h"

struct catalog_box {
        struct tar_catalog *catalog;
        struct lx_sink *sink; /* the scan may run on a thread when its owner closes it */
};

static void
catalog_close(void *object)
{
        struct catalog_box *box = object;

        tar_catalog_free(box->catalog);
        if (box->sink != NULL)
                lx_sink_unpin(box->sink);
        *box = (struct catalog_box){ NULL, NULL };
}

static int catalog_count(lua_State *L);

static const luaL_Reg catalog_methods[] = {
        { "count", catalog_count },
        { NULL, NULL },
};
static const struct lx_class catalog_class = { "moonkeep.catalog", catalog_close, catalog_methods,
        false };

/* catalog:count() -> entries, bytes of the files */
static int
catalog_count(lua_State *L)
{
        const struct catalog_box *box = lx_check(L, 1, &catalog_class);

        lua_pushinteger(L, (lua_Integer)tar_catalog_entries(box->catalog));
        lua_pushinteger(L, (lua_Integer)tar_catalog_file_bytes(box->catalog));
        return 2;
}

bool
lx_catalog_watcher(lua_State *L, int arg, struct tar_watcher *out)
{
        struct catalog_box *box = lx_test(L, arg, &catalog_class);

        if (box == NULL)
                return false;
        *out = tar_catalog_watcher(box->catalog);
        return true;
}

struct tar_watcher
lx_watcher(lua_State *L, int arg)
{
        struct tar_watcher watcher = { 0 };

        if (!lua_isnoneornil(L, arg) && !lx_catalog_watcher(L, arg, &watcher) &&
            !lx_tsdb_watcher(L, arg, &watcher))
                luaL_typeerror(L, arg, "catalog or TSDB check");
        return watcher;
}

/* catalog(sink) -> catalog: a JSON line per entry is written to sink, which stays the caller's */
static int
catalog(lua_State *L)
{
        struct lx_sink *sink = lx_sink_check(L, 1);
        struct catalog_box *box = lx_new(L, &catalog_class, sizeof(*box));
        struct err err;

        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, 1);
        err_init(&err);
        box->catalog = tar_catalog_new(sink->sink, &err);
        if (box->catalog == NULL)
                lx_raise(L, &err);
        box->sink = sink;
        lx_sink_pin(sink);
        return 1;
}

struct tar_watcher
lx_two_watchers(lua_State *L, int first, int second)
{
        struct tar_watcher a = lx_watcher(L, first);
        struct tar_watcher b = lx_watcher(L, second);

        lua_createtable(L, 3, 0);
        lua_pushvalue(L, first);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, second);
        lua_rawseti(L, -2, 2);
        struct tar_tee *tee = lua_newuserdatauv(L, sizeof(*tee), 0);
        lua_rawseti(L, -2, 3);
        *tee = (struct tar_tee){ .first = a, .second = b };
        return tar_watcher_both(tee);
}

/* scan(source, watcher, watcher) -> source: ends only when the tar is complete */
static int
scan(lua_State *L)
{
        struct err err;

        lua_settop(L, 3);
        struct lx_source *inner = lx_source_check(L, 1);
        struct tar_watcher watcher = lx_two_watchers(L, 2, 3);
        struct lx_source *outer = lx_source_filter(L, 1, 4);
        err_init(&err);
        outer->src = tar_scan_source(lx_source_take(inner), &watcher, &err);
        if (outer->src == NULL)
                lx_raise(L, &err);
        return 1;
}

/* dir{root, names, follow_names, progress} -> source: the directory as a tar */
static int
dir(lua_State *L)
{
        struct tar_dir_opts opts = { 0 };
        struct err err;

        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        lua_newtable(L); /* anchors */
        opts.root = lx_field_string(L, 1, "root", NULL);
        if (opts.root == NULL)
                lx_fail(L, ERR_RECIPE, "field \"root\" is missing");
        lua_getfield(L, 1, "root");
        lua_rawseti(L, 2, 1);
        opts.names = lx_string_array(L, 1, "names");
        lua_rawseti(L, 2, 2);
        opts.follow_names = lx_field_bool(L, 1, "follow_names", false);
        lua_getfield(L, 1, "progress");
        struct progress *progress = lx_progress_opt(L, 3);
        if (progress != NULL)
                opts.total = &progress->total;
        lua_rawseti(L, 2, 3);
        struct lx_source *source = lx_source_new(L, 2);
        err_init(&err);
        source->src = tar_dir_source(&opts, source->token, &err);
        if (source->src == NULL)
                lx_raise(L, &err);
        return 1;
}

struct extract {
        struct lx_job lj;
        struct lx_source source;
        const char *dest;
        struct tar_extract_opts opts;
};

static void
extract_close(void *object)
{
        lx_source_close(&((struct extract *)object)->source);
}

static const struct lx_class extract_class = { "moonkeep.extract", extract_close, NULL, false };

static int
extract_run(struct job *job, struct err *err)
{
        struct extract *extract = (struct extract *)job;

        return tar_extract(
            lx_source_take(&extract->source), extract->dest, &extract->opts, job->cancel, err);
}

static enum tar_owner
owner_of(lua_State *L, int arg)
{
        static const char *const names[] = { "ours", "fixed", "stored" };
        const char *name = lx_field_string(L, arg, "owner", "ours");

        for (int idx = 0; idx < 3; idx++) {
                if (strcmp(name, names[idx]) == 0)
                        return (enum tar_owner)idx;
        }
        lx_fail(L, ERR_RECIPE, "owner is \"ours\", \"fixed\" or \"stored\", not \"%s\"", name);
}

/*
 * extract(source, dest, {owner, uid, gid}, watcher, watcher): below the
 * existing directory dest; takes the source; waits
 */
static int
extract(lua_State *L)
{
        const char *dest = lx_check_path(L, 2);

        lua_settop(L, 5);
        luaL_checktype(L, 3, LUA_TTABLE);
        struct lx_source *source = lx_source_check(L, 1);
        struct tar_watcher watcher = lx_two_watchers(L, 4, 5); /* anchored on the stack */
        struct extract *job = lx_new(L, &extract_class, sizeof(*job));
        task_can_wait(L);
        job->dest = dest;
        job->opts.owner = owner_of(L, 3);
        job->opts.uid = (uid_t)lx_field_int(L, 3, "uid", 0);
        job->opts.gid = (gid_t)lx_field_int(L, 3, "gid", 0);
        job->opts.watcher = watcher;
        job->lj.job.run = extract_run;
        job->source = *source;
        *source = (struct lx_source){ NULL, NULL };
        return lx_job_wait(L, -1, &job->lj);
}

int
lx_open_tar(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "catalog", catalog },
                { "scan", scan },
                { "dir", dir },
                { "extract", extract },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
