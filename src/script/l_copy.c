/*
 * The jobs of the module _stream that move data from sources to sinks.
 */
#include <string.h>

#include "l_stream.h"
#include "lx.h"
#include "moonkeep/mem_io.h"
#include "task.h"

struct copy {
        struct lx_job lj;
        struct lx_source source;
        struct lx_sink *sink; /* stays with its object; NULL: drain, or read into bytes */
        struct progress *progress;
        struct buf bytes;
        bool want_bytes;
        uint64_t count;
};

static void
copy_close(void *object)
{
        struct copy *copy = object;

        lx_source_close(&copy->source);
        buf_free(&copy->bytes);
}

static const struct lx_class copy_class = { "moonkeep.copy", copy_close, NULL, false };

static int
copy_run(struct job *job, struct err *err)
{
        struct copy *copy = (struct copy *)job;
        struct source *src = copy->source.src;
        int result;

        if (copy->sink != NULL) {
                result = stream_copy(
                    src, copy->sink->sink, copy->progress, job->cancel, &copy->count, err);
        } else if (copy->want_bytes) {
                struct sink *sink = mem_sink(&copy->bytes, copy->bytes.max, err);
                result = sink == NULL ||
                                 stream_copy(src, sink, copy->progress, job->cancel, &copy->count,
                                     err) != 0 ||
                                 sink_commit(sink, err) != 0
                             ? -1
                             : 0;
                sink_free(sink);
        } else {
                result = stream_drain(src, copy->progress, job->cancel, err);
                copy->count = source_bytes(src);
        }

        /* Free the chain here: joining its threads may wait. */
        lx_source_close(&copy->source);
        return result;
}

/* While a job writes into it, a sink is for nobody else, and not freed. */

static void
take_sink(struct lx_sink *sink)
{
        sink->busy = true;
        lx_sink_pin(sink);
}

static void
give_sink(struct lx_sink *sink)
{
        sink->busy = false;
        lx_sink_unpin(sink);
}

static void
copy_begun(struct lx_job *lj)
{
        take_sink(((struct copy *)lj)->sink);
}

static void
copy_ended(struct lx_job *lj)
{
        give_sink(((struct copy *)lj)->sink);
}

static int
copy_push(lua_State *L, struct lx_job *lj)
{
        struct copy *copy = (struct copy *)lj;

        if (copy->want_bytes)
                lua_pushlstring(
                    L, copy->bytes.data != NULL ? copy->bytes.data : "", copy->bytes.len);
        else
                lua_pushinteger(L, (lua_Integer)copy->count);
        copy_close(copy);
        return 1;
}

static struct copy *
copy_new(lua_State *L)
{
        struct copy *copy = lx_new(L, &copy_class, sizeof(*copy));

        task_can_wait(L);
        copy->lj.job.run = copy_run;
        copy->lj.push = copy_push;
        struct lx_source *source = lx_source_check(L, 1);
        copy->source = *source;
        *source = (struct lx_source){ NULL, NULL };
        return copy;
}

/* copy(source, sink, progress) -> bytes; takes the source, leaves the sink open; waits */
static int
copy_start(lua_State *L)
{
        struct lx_sink *sink = lx_sink_check(L, 2);
        struct progress *progress = lx_progress_opt(L, 3);

        struct copy *copy = copy_new(L);
        copy->sink = sink;
        copy->lj.begun = copy_begun;
        copy->lj.ended = copy_ended;
        copy->progress = progress;
        return lx_job_wait(L, -1, &copy->lj);
}

/* drain(source, progress) -> bytes; takes the source; waits */
static int
drain_start(lua_State *L)
{
        struct progress *progress = lx_progress_opt(L, 2);

        struct copy *copy = copy_new(L);
        copy->progress = progress;
        return lx_job_wait(L, -1, &copy->lj);
}

/* read_all(source, max) -> bytes; takes the source; waits */
static int
read_all_start(lua_State *L)
{
        lua_Integer max = luaL_checkinteger(L, 2);

        luaL_argcheck(L, max >= 0, 2, "must not be negative");
        struct copy *copy = copy_new(L);
        buf_init(&copy->bytes, (size_t)max);
        copy->want_bytes = true;
        return lx_job_wait(L, -1, &copy->lj);
}

struct commit {
        struct lx_job lj;
        struct lx_sink *sink;
};

static int
commit_run(struct job *job, struct err *err)
{
        return sink_commit(((struct commit *)job)->sink->sink, err);
}

static void
commit_begun(struct lx_job *lj)
{
        take_sink(((struct commit *)lj)->sink);
}

static void
commit_ended(struct lx_job *lj)
{
        give_sink(((struct commit *)lj)->sink);
}

static int
commit_push(lua_State *L, struct lx_job *lj)
{
        (void)L;
        lx_sink_close(((struct commit *)lj)->sink);
        return 0;
}

/* commit(sink): make it visible, and close it; waits */
static int
commit_start(lua_State *L)
{
        struct lx_sink *sink = lx_sink_check(L, 1);
        struct commit *commit = lua_newuserdatauv(L, sizeof(*commit), 0);

        memset(commit, 0, sizeof(*commit));
        commit->sink = sink;
        commit->lj.job.run = commit_run;
        commit->lj.push = commit_push;
        commit->lj.begun = commit_begun;
        commit->lj.ended = commit_ended;
        return lx_job_wait(L, -1, &commit->lj);
}

const luaL_Reg lx_copy_functions[] = {
        { "copy", copy_start },
        { "drain", drain_start },
        { "read_all", read_all_start },
        { "commit", commit_start },
        { NULL, NULL },
};
