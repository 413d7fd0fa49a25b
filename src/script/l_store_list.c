/*
 * The methods of a store that list: a list of few keys, a walk through many.
 */
#include "l_store.h"
#include "lx.h"

/* Bound on the keys of one list. */
#define LIST_MAX 1000000

/* Push a list of {key, size, mtime, etag, archived}; folded names have their key only. */
static void
push_batch(lua_State *L, const struct store_batch *batch)
{
        struct store_stat stat;
        bool folded;
        size_t at = 0;
        const char *key;

        lua_createtable(L, (int)batch->count, 0);
        for (lua_Integer idx = 1; (key = store_batch_next(batch, &at, &stat, &folded)) != NULL;
             idx++) {
                lua_createtable(L, 0, folded ? 1 : 5);
                lua_pushstring(L, key);
                lua_setfield(L, -2, "key");
                if (!folded)
                        lx_store_push_stat(L, &stat);
                lua_rawseti(L, -2, idx);
        }
}

static int
collect(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct lx_store_op *op = arg;

        if (op->batch.count == LIST_MAX)
                return err_set(err, ERR_TOO_BIG, "more than %d keys", LIST_MAX);
        return store_batch_add(&op->batch, key, stat, err);
}

static int
list_run(struct job *job, struct err *err)
{
        struct lx_store_op *op = (struct lx_store_op *)job;

        return store_list(op->store, op->key, op->shallow, collect, op, job->cancel, err);
}

static int
list_push(lua_State *L, struct lx_job *lj)
{
        struct lx_store_op *op = (struct lx_store_op *)lj;

        push_batch(L, &op->batch);
        lx_store_op_close(op);
        return 1;
}

/*
 * store:list(prefix, shallow) -> list of {key, size, mtime, etag, archived}; folded
 * names end in "/"; waits
 */
int
lx_store_list(lua_State *L)
{
        bool shallow = lua_toboolean(L, 3);
        struct lx_store_op *op = lx_store_op(L, list_run, list_push);

        op->shallow = shallow;
        return lx_store_wait(L, op);
}

/* A walk: a listing in batches. */
struct walk {
        struct store_walk *walk;
        bool busy;    /* a job waits for its next batch */
        bool closing; /* closed, and freed by that job's end */
};

static void
walk_close(void *object)
{
        struct walk *walk = object;

        walk->closing = walk->busy;
        if (walk->busy)
                return;
        store_walk_free(walk->walk);
        walk->walk = NULL;
}

static int walk_next(lua_State *L);
static int walk_close_method(lua_State *L);

static const luaL_Reg walk_methods[] = {
        { "next", walk_next },
        { "close", walk_close_method },
        { NULL, NULL },
};
static const struct lx_class walk_class = { "moonkeep.store.walk", walk_close, walk_methods, true };

static int
walk_close_method(lua_State *L)
{
        walk_close(lx_check(L, 1, &walk_class));
        return 0;
}

/* Waiting for a batch, as a job. */
struct step {
        struct lx_job lj;
        struct walk *walk; /* on the task's stack, too */
        struct store_batch batch;
        bool found;
};

static void
step_close(void *object)
{
        store_batch_free(&((struct step *)object)->batch);
}

static const struct lx_class step_class = { "moonkeep.store.step", step_close, NULL, false };

static int
step_run(struct job *job, struct err *err)
{
        struct step *step = (struct step *)job;

        int result = store_walk_next(step->walk->walk, &step->batch, err);
        step->found = result > 0;
        return result < 0 ? -1 : 0;
}

static int
step_push(lua_State *L, struct lx_job *lj)
{
        struct step *step = (struct step *)lj;

        if (!step->found)
                return 0;
        push_batch(L, &step->batch);
        step_close(step);
        return 1;
}

static void
step_begun(struct lx_job *lj)
{
        ((struct step *)lj)->walk->busy = true;
}

static void
step_ended(struct lx_job *lj)
{
        struct walk *walk = ((struct step *)lj)->walk;

        walk->busy = false;
        if (walk->closing)
                walk_close(walk);
}

/* walk:next() -> list of entries as those of store:list, or nil behind the last; waits */
static int
walk_next(lua_State *L)
{
        struct walk *walk = lx_check(L, 1, &walk_class);

        if (walk->walk == NULL || walk->closing)
                lx_fail(L, ERR_RECIPE, "the listing is closed");
        if (walk->busy)
                lx_fail(L, ERR_RECIPE, "the listing is in use by another task");
        struct step *step = lx_new(L, &step_class, sizeof(*step));
        step->walk = walk;
        step->lj.job.run = step_run;
        step->lj.push = step_push;
        step->lj.begun = step_begun;
        step->lj.ended = step_ended;
        return lx_job_wait(L, -1, &step->lj);
}

/* store:walk(prefix, shallow) -> walk */
int
lx_store_walk(lua_State *L)
{
        struct store *store = lx_store_check(L, 1);
        const char *prefix = lx_store_key(L, 2);
        bool shallow = lua_toboolean(L, 3);
        struct walk *walk = lx_new(L, &walk_class, sizeof(*walk));
        struct err err;

        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, 1);
        err_init(&err);
        walk->walk = store_walk_new(store, prefix, shallow, task_token(L), &err);
        if (walk->walk == NULL)
                lx_raise(L, &err);
        return 1;
}
