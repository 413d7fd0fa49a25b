/*
 * Lines of an answer that may have no end.
 */
#include "l_kube_lines.h"

#include <string.h>

#include "lx.h"
#include "moonkeep/mem.h"

static void
unref(struct lx_lines *it)
{
        if (--it->refs > 0)
                return;
        buf_free(&it->text);
        http_answer_clear(&it->answer);
        cancel_unref(it->token);
        mem_free(it);
}

static void
wake(struct lx_lines *it)
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
        struct lx_lines *it = arg;

        (void)answer;
        it->has_head = true;
        wake(it);
}

static int
on_body(void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err)
{
        struct lx_lines *it = arg;

        (void)answer;
        /* More than the longest line: there is something to read, which makes room. */
        it->is_paused = it->text.len - it->start >= LX_LINES_WAITING_MAX;
        if (it->is_paused)
                return HTTP_PAUSE;
        if (it->start > it->text.len / 2) {
                buf_consume(&it->text, it->start);
                it->scanned -= it->start;
                it->start = 0;
        }
        if (buf_add(&it->text, data, len, err) < 0)
                return -1;
        if (memchr(data, '\n', len) != NULL || it->text.len - it->start > it->line_max)
                wake(it);
        return 0;
}

static void
on_done(void *arg, struct http_answer *answer, const struct err *err)
{
        struct lx_lines *it = arg;

        it->is_running = false;
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
        unref(it);
}

/* What Lua has. */
struct box {
        struct lx_lines *lines;
};

static void
lines_close(void *object)
{
        struct box *box = object;
        struct lx_lines *it = box->lines;
        struct err err;

        box->lines = NULL;
        if (it == NULL)
                return;
        err_init(&err);
        err_set(&err, ERR_CANCELLED, "closed");
        /* At once: the loop may not run again. */
        if (it->is_running)
                http_end(it->loop, it, &err);
        wake(it);
        unref(it);
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
push_line(lua_State *L, struct lx_lines *it)
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

/* Let the network go on once half of what waited was read, and whenever we are to wait for it. */
static void
make_room(struct lx_lines *it, bool is_to_wait)
{
        if (!it->is_paused)
                return;
        if (!is_to_wait && it->text.len - it->start > LX_LINES_WAITING_MAX / 2)
                return;
        it->is_paused = false;
        http_go_on(it->loop, it);
}

/* What next returns now; 0 when it has to wait.  [raises] */
static int
push_next(lua_State *L, struct lx_lines *it)
{
        if (it == NULL) {
                lua_pushnil(L);
                lua_pushliteral(L, "ended");
                return 2;
        }
        bool has_line = push_line(L, it);
        make_room(it, !has_line);
        if (has_line)
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
        struct box *box = lua_touserdata(L, 1);
        struct err err;

        (void)status;
        (void)ctx;
        err_init(&err);
        if (cancel_check(task_token(L), &err) < 0)
                lx_raise(L, &err);
        int count = push_next(L, box->lines);
        if (count > 0)
                return count;
        lua_pushnil(L);
        lua_pushliteral(L, "waiting");
        return 2;
}

static void
on_time(void *arg)
{
        struct lx_lines *it = arg;

        it->timer = 0;
        wake(it);
}

static void
on_abort(void *arg)
{
        wake(arg);
}

static void
wait_for(lua_State *L, struct lx_lines *it)
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
        struct box *box = lx_check(L, 1, &lines_class);
        lua_Integer wait_ms = luaL_optinteger(L, 2, -1);
        struct lx_lines *it = box->lines;
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

struct lx_lines *
lx_lines_new(lua_State *L, size_t line_max)
{
        struct loop *loop = task_loop(L);
        struct box *box = lx_new(L, &lines_class, sizeof(*box));
        struct err err;

        err_init(&err);
        struct lx_lines *it = mem_zalloc(sizeof(*it), &err);
        if (it == NULL)
                lx_raise(L, &err);
        box->lines = it;
        it->refs = 1;
        it->loop = loop;
        it->line_max = line_max;
        /* As much again may have been read and not yet be gone, and the last piece came whole. */
        buf_init(&it->text, 3 * LX_LINES_WAITING_MAX);
        it->token = cancel_new(task_token(L), &err);
        if (it->token == NULL)
                lx_raise(L, &err);
        return it;
}

struct lx_lines *
lx_lines_at(lua_State *L, int idx)
{
        const struct box *box = lua_touserdata(L, idx);

        return box->lines;
}

void
lx_lines_start(lua_State *L, struct lx_lines *it, struct http_request *request)
{
        struct err err;

        wait_for(L, it);
        request->on_head = on_head;
        request->on_body = on_body;
        request->body_arg = it;
        it->over = false;
        it->is_running = true;
        it->refs++;
        err_init(&err);
        if (http_start(it->loop, request, it->token, on_done, it, &err) != 0) {
                it->task = NULL;
                it->is_running = false;
                unref(it);
                lx_raise(L, &err);
        }
}
