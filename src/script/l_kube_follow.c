/*
 * Answers that have no end, line by line: watches and logs.
 */
#include <string.h>

#include "l_http.h"
#include "l_kube.h"
#include "lx.h"
#include "moonkeep/mem.h"
#include "task.h"

/* What may wait to be read. */
#define WAITING_MAX ((size_t)8 * 1024 * 1024)
#define LINE_MAX_DEFAULT ((int64_t)4 * 1024 * 1024)
#define REFUSED_MAX ((size_t)64 * 1024)
#define STALL_MS 300000

/* One answer under way: the transfer has it, and the lines that Lua reads, as long as each is
 * there. */
struct follow {
        unsigned refs;
        struct cancel *token;
        struct task *task; /* waits for it; or NULL */
        struct loop *loop;
        uint64_t timer;
        size_t line_max;

        struct buf text;
        size_t start;   /* what was read before */
        size_t scanned; /* there is no line break between start and there */
        bool has_head;
        bool over;
        int status;                /* once it is over without a failure */
        struct http_answer answer; /* other than 2xx */
        struct err failure;        /* ERR_NONE: none */
};

static void
follow_unref(struct follow *it)
{
        if (--it->refs > 0)
                return;
        buf_free(&it->text);
        http_answer_clear(&it->answer);
        cancel_unref(it->token);
        mem_free(it);
}

static void
wake(struct follow *it)
{
        struct task *task = it->task;

        if (it->timer != 0)
                loop_timer_stop(it->loop, it->timer);
        it->timer = 0;
        it->task = NULL;
        if (task != NULL)
                task_wake(task);
}

/* Callbacks, from the loop. */

static void
on_head(void *arg, const struct http_answer *answer)
{
        struct follow *it = arg;

        (void)answer;
        it->has_head = true;
        wake(it);
}

static int
on_body(void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err)
{
        struct follow *it = arg;

        (void)answer;
        if (it->start > it->text.len / 2) {
                buf_consume(&it->text, it->start);
                it->scanned -= it->start;
                it->start = 0;
        }
        if (len > WAITING_MAX - (it->text.len - it->start))
                return err_set(err, ERR_TOO_BIG,
                    "more than %zu bytes wait to be read: they come faster than they are read",
                    WAITING_MAX);
        if (buf_add(&it->text, data, len, err) < 0)
                return -1;
        if (memchr(data, '\n', len) != NULL || it->text.len - it->start > it->line_max)
                wake(it);
        return 0;
}

static void
on_done(void *arg, struct http_answer *answer, const struct err *err)
{
        struct follow *it = arg;

        it->over = true;
        if (err != NULL) {
                it->failure = *err;
        } else {
                it->status = answer->status;
                http_answer_clear(&it->answer);
                it->answer = *answer;
                *answer = (struct http_answer){ 0 };
        }
        wake(it);
        follow_unref(it);
}

/* What Lua has. */
struct lines {
        struct follow *follow;
};

static void
lines_close(void *object)
{
        struct lines *lines = object;
        struct follow *it = lines->follow;

        lines->follow = NULL;
        if (it == NULL)
                return;
        cancel_trigger(it->token);
        wake(it);
        follow_unref(it);
}

static int lines_next(lua_State *L);
static int lines_end(lua_State *L);

static const luaL_Reg lines_methods[] = {
        { "next", lines_next },
        { "close", lines_end },
        { NULL, NULL },
};
static const struct lx_class lines_class = { "moonkeep.kube.lines", lines_close, lines_methods,
        true };

/* lines:close() */
static int
lines_end(lua_State *L)
{
        lines_close(lx_check(L, 1, &lines_class));
        return 0;
}

/* Push the next line, without its line break; false when none is complete.  [raises] */
static bool
push_line(lua_State *L, struct follow *it)
{
        const char *text = it->text.data;
        const char *end = NULL;

        if (it->text.len > it->scanned)
                end = memchr(text + it->scanned, '\n', it->text.len - it->scanned);
        size_t len = (end != NULL ? (size_t)(end - text) : it->text.len) - it->start;
        if (len > it->line_max)
                lx_fail(
                    L, ERR_TOO_BIG, "a line of the answer is longer than %zu bytes", it->line_max);
        it->scanned = it->text.len;
        if (end == NULL)
                return false;
        lua_pushlstring(L, text + it->start, len);
        it->start += len + 1;
        it->scanned = it->start;
        return true;
}

/* What next returns now; 0 when it has to wait.  [raises] */
static int
push_next(lua_State *L, struct follow *it)
{
        if (it == NULL) {
                lua_pushnil(L);
                lua_pushliteral(L, "ended");
                return 2;
        }
        if (push_line(L, it))
                return 1;
        if (!it->over)
                return 0;
        if (it->failure.code != ERR_NONE)
                lx_raise(L, &it->failure);
        if (it->start < it->text.len) {
                lua_pushlstring(L, it->text.data + it->start, it->text.len - it->start);
                it->start = it->scanned = it->text.len;
                return 1;
        }
        lua_pushnil(L);
        lua_pushliteral(L, "ended");
        return 2;
}

static int
next_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct lines *lines = lua_touserdata(L, 1);
        struct err err;

        (void)status;
        (void)ctx;
        err_init(&err);
        if (cancel_check(task_token(L), &err) < 0)
                lx_raise(L, &err);
        int count = push_next(L, lines->follow);
        if (count > 0)
                return count;
        lua_pushnil(L);
        lua_pushliteral(L, "waiting");
        return 2;
}

static void
on_time(void *arg)
{
        struct follow *it = arg;

        it->timer = 0;
        wake(it);
}

static void
on_abort(void *arg)
{
        wake(arg);
}

static void
wait_for(lua_State *L, struct follow *it)
{
        if (it->task != NULL)
                lx_fail(L, ERR_RECIPE, "two tasks wait for the same lines");
        it->task = task_can_wait(L);
        task_abortable(it->task, on_abort, it);
}

/* lines:next(wait_ms) -> text, or nil, "waiting" or "ended"; waits */
static int
lines_next(lua_State *L)
{
        struct lines *lines = lx_check(L, 1, &lines_class);
        lua_Integer wait_ms = luaL_optinteger(L, 2, -1);
        struct follow *it = lines->follow;
        struct err err;

        lua_settop(L, 1);
        int count = push_next(L, it);
        if (count > 0)
                return count;
        wait_for(L, it);
        if (wait_ms >= 0) {
                err_init(&err);
                it->timer = loop_timer(it->loop, wait_ms, on_time, it, &err);
                if (it->timer == 0) {
                        it->task = NULL;
                        lx_raise(L, &err);
                }
        }
        return task_yield(L, 0, next_continue);
}

/* The beginning. */

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

static struct follow *
follow_of(lua_State *L)
{
        const struct lines *lines = lua_touserdata(L, LINES_AT);

        return lines->follow;
}

/* The headers are there, or it is over. */
static int
opened(lua_State *L, int status, lua_KContext ctx)
{
        struct opening *opening = lua_touserdata(L, OPENING_AT);
        struct follow *it = follow_of(L);
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
                it->over = false;
                return begin(L, opening);
        }
        kube_status_error("the server refuses it", &it->answer, &err);
        return lx_raise(L, &err);
}

static int
start(lua_State *L, struct opening *opening)
{
        struct follow *it = follow_of(L);
        struct err err;

        wait_for(L, it);
        err_init(&err);
        it->refs++;
        if (http_start(it->loop, &opening->request, it->token, on_done, it, &err) != 0) {
                it->task = NULL;
                follow_unref(it);
                lx_raise(L, &err);
        }
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
        request->on_head = on_head;
        request->on_body = on_body;
        request->body_arg = follow_of(L);
        if (!kube_client_is_ready(opening->client)) {
                opening->lj.job.run = prepare_run;
                opening->lj.push = prepare_push;
                return lx_job_wait(L, OPENING_AT, &opening->lj);
        }
        err_init(&err);
        if (kube_client_prepare(opening->client, opening->path, request, task_token(L), &err) < 0)
                lx_raise(L, &err);
        return start(L, opening);
}

/* client:follow{path, stall_ms, line_max} -> lines; waits for the headers */
int
lx_kube_follow(lua_State *L)
{
        struct kube_client *client = lx_kube_check(L, 1);
        struct err err;

        luaL_checktype(L, OPTIONS_AT, LUA_TTABLE);
        lua_settop(L, OPTIONS_AT);
        struct opening *opening = lx_new(L, &opening_class, sizeof(*opening));
        struct lines *lines = lx_new(L, &lines_class, sizeof(*lines));
        opening->client = kube_client_ref(client);
        opening->path = lx_http_copy(L, OPTIONS_AT, "path", NULL);
        if (opening->path == NULL)
                lx_fail(L, ERR_RECIPE, "field \"path\" is missing");
        int64_t line_max = lx_field_int(L, OPTIONS_AT, "line_max", LINE_MAX_DEFAULT);
        if (line_max <= 0 || line_max >= (int64_t)WAITING_MAX)
                lx_fail(L, ERR_RECIPE, "field \"line_max\" must be less than %zu", WAITING_MAX);
        struct loop *loop = task_loop(L);
        err_init(&err);
        lines->follow = mem_zalloc(sizeof(*lines->follow), &err);
        if (lines->follow == NULL)
                lx_raise(L, &err);
        lines->follow->refs = 1;
        lines->follow->loop = loop;
        lines->follow->line_max = (size_t)line_max;
        buf_init(&lines->follow->text, 2 * WAITING_MAX);
        lines->follow->token = cancel_new(task_token(L), &err);
        if (lines->follow->token == NULL)
                lx_raise(L, &err);
        return begin(L, opening);
}
