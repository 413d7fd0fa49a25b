/*
 * client:follow: answers that have no end, watches and logs.
 */
#include "l_http.h"
#include "l_kube.h"
#include "l_kube_lines.h"
#include "lx.h"
#include "moonkeep/mem.h"

#define LINE_MAX_DEFAULT ((int64_t)4 * 1024 * 1024)
#define REFUSED_MAX ((size_t)64 * 1024)
#define STALL_MS 300000

#define OPTIONS_AT 2
#define OPENING_AT 3
#define LINES_AT 4

struct opening {
        struct lx_job lj;
        struct kube_client *client;
        char *path;
        struct http_request request;
        bool again; /* this is the second try */
};

static void
opening_close(void *object)
{
        struct opening *opening = object;

        http_request_clear(&opening->request);
        kube_client_unref(opening->client);
        opening->client = NULL;
        mem_free(opening->path);
        opening->path = NULL;
}

static const struct lx_class opening_class = { "moonkeep.kube.opening", opening_close, NULL,
        false };

static int begin(lua_State *L, struct opening *opening);

/* The headers are there, or it is over. */
static int
opened(lua_State *L, int status, lua_KContext ctx)
{
        struct opening *opening = lua_touserdata(L, OPENING_AT);
        struct lx_lines *it = lx_lines_at(L, LINES_AT);
        struct err err;

        (void)status;
        (void)ctx;
        err_init(&err);
        if (cancel_check(task_token(L), &err) < 0)
                lx_raise(L, &err);
        if (it->has_head) {
                opening_close(opening);
                lua_settop(L, LINES_AT);
                return 1;
        }
        if (it->failure.code != ERR_NONE)
                lx_raise(L, &it->failure);
        if (it->status == 401 && !opening->again && kube_client_refused(opening->client)) {
                opening->again = true;
                return begin(L, opening);
        }
        kube_status_error("the server refuses it", &it->answer, &err);
        return lx_raise(L, &err);
}

static int
start(lua_State *L, struct opening *opening)
{
        lx_lines_start(L, lx_lines_at(L, LINES_AT), &opening->request);
        return task_yield(L, 0, opened);
}

static int
prepare_run(struct job *job, struct err *err)
{
        struct opening *opening = (struct opening *)job;

        return kube_client_prepare(
            opening->client, opening->path, &opening->request, job->cancel, err);
}

static int
prepare_push(lua_State *L, struct lx_job *lj)
{
        return start(L, (struct opening *)lj);
}

static int
begin(lua_State *L, struct opening *opening)
{
        struct http_request *request = &opening->request;
        struct err err;

        lua_settop(L, LINES_AT);
        request->method = lx_http_copy(L, OPTIONS_AT, "method", "GET");
        request->stall_ms = lx_field_int(L, OPTIONS_AT, "stall_ms", STALL_MS);
        request->answer_max = REFUSED_MAX;
        err_init(&err);
        int ready = kube_client_prepare_now(opening->client, opening->path, request, &err);
        if (ready < 0)
                lx_raise(L, &err);
        if (ready > 0)
                return start(L, opening);
        opening->lj.job.run = prepare_run;
        opening->lj.push = prepare_push;
        return lx_job_wait(L, OPENING_AT, &opening->lj);
}

/* client:follow{path, stall_ms, line_max} -> lines; waits for the headers */
int
lx_kube_follow(lua_State *L)
{
        struct kube_client *client = lx_kube_check(L, 1);

        luaL_checktype(L, OPTIONS_AT, LUA_TTABLE);
        lua_settop(L, OPTIONS_AT);
        struct opening *opening = lx_new(L, &opening_class, sizeof(*opening));
        opening->client = kube_client_ref(client);
        opening->path = lx_http_copy(L, OPTIONS_AT, "path", NULL);
        if (opening->path == NULL)
                lx_fail(L, ERR_RECIPE, "field \"path\" is missing");
        int64_t line_max = lx_field_int(L, OPTIONS_AT, "line_max", LINE_MAX_DEFAULT);
        if (line_max <= 0 || line_max >= (int64_t)LX_LINES_WAITING_MAX)
                lx_fail(L, ERR_RECIPE, "field \"line_max\" must be less than %zu",
                    LX_LINES_WAITING_MAX);
        lx_lines_new(L, (size_t)line_max);
        return begin(L, opening);
}
