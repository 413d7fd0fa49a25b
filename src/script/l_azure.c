/*
 * _azure: tokens for what Azure has beside stores.
 */
#include "l_secret.h"
#include "lx.h"
#include "moonkeep/azure.h"
#include "task.h"

struct asking {
        struct lx_job lj;
        const char *resource; /* anchored on the task's stack */
        struct secret *token;
};

static void
asking_close(void *object)
{
        struct asking *asking = object;

        secret_unref(asking->token);
        asking->token = NULL;
}

static const struct lx_class asking_class = { "moonkeep.azure.asking", asking_close, NULL, false };

static int
token_run(struct job *job, struct err *err)
{
        struct asking *asking = (struct asking *)job;

        asking->token = azure_token(asking->resource, job->cancel, err);
        return asking->token != NULL ? 0 : -1;
}

static int
token_push(lua_State *L, struct lx_job *lj)
{
        struct asking *asking = (struct asking *)lj;
        struct secret **place = lx_secret_new(L);

        *place = asking->token;
        asking->token = NULL;
        return 1;
}

/* token(resource) -> secret: a bearer token of the environment's identity; waits */
static int
token(lua_State *L)
{
        const char *resource = luaL_checkstring(L, 1);
        struct asking *asking = lx_new(L, &asking_class, sizeof(*asking));

        asking->resource = resource;
        asking->lj.job.run = token_run;
        asking->lj.push = token_push;
        return lx_job_wait(L, -1, &asking->lj);
}

int
lx_open_azure(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "token", token },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
