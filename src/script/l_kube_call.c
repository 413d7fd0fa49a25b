/*
 * Requests to the API server, and to servers in pods over connections of our own.
 */
#include <string.h>

#include "l_far.h"
#include "l_http.h"
#include "l_kube.h"
#include "lx.h"
#include "moonkeep/mem.h"
#include "task.h"

/*
 * One request.  What is sent in a job: getting credentials that take time, and
 * the end of the thread that carried a connection.
 */
struct call {
        struct lx_job lj;
        struct task *task;
        int options; /* stack index of the table that says what to send */
        int self;    /* ... and of this */
        struct kube_client *client;
        char *path;
        bool again; /* this is the second try */
        struct http_request request;
        struct http_answer answer;
        bool failed;
        struct err err;

        /* A connection of our own. */
        char *ns, *pod;
        unsigned port;
        struct far_host *host;
        const char **argv; /* anchored on the task's stack */
        struct cancel *token;
        struct kube_forward *forward;
        struct err forward_err; /* ERR_NONE: none */
};

static void
call_close(void *object)
{
        struct call *call = object;

        http_request_clear(&call->request);
        http_answer_clear(&call->answer);
        kube_forward_free(call->forward, NULL);
        call->forward = NULL;
        kube_client_unref(call->client);
        call->client = NULL;
        far_host_unref(call->host);
        call->host = NULL;
        cancel_unref(call->token);
        call->token = NULL;
        mem_free(call->path);
        mem_free(call->ns);
        mem_free(call->pod);
        call->path = call->ns = call->pod = NULL;
}

static const struct lx_class call_class = { "moonkeep.kube.call", call_close, NULL, false };

static int call_begin(lua_State *L, struct call *call);

/* From the loop. */
static void
call_done(void *arg, struct http_answer *answer, const struct err *err)
{
        struct call *call = arg;

        if (answer != NULL) {
                call->answer = *answer;
                *answer = (struct http_answer){ 0 };
        } else {
                call->failed = true;
                call->err = *err;
        }
        task_wake(call->task);
}

static int
call_result(lua_State *L, struct call *call)
{
        if (call->failed)
                lx_raise(L, &call->err);
        lx_http_push(L, &call->answer);
        call_close(call);
        return 1;
}

static int
call_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct call *call = lua_touserdata(L, (int)ctx);

        (void)status;
        if (!call->failed && call->answer.status == 401 && !call->again &&
            kube_client_refused(call->client)) {
                call->again = true;
                http_answer_clear(&call->answer);
                return call_begin(L, call);
        }
        return call_result(L, call);
}

/* Send what is prepared, and wait. */
static int
send_request(lua_State *L, struct call *call, lua_KFunction k)
{
        struct err err;

        call->task = task_can_wait(L);
        struct loop *loop = task_loop(L);
        err_init(&err);
        if (http_start(loop, &call->request, task_token(L), call_done, call, &err) != 0)
                lx_raise(L, &err);
        return task_yield(L, call->self, k);
}

static int
prepare_run(struct job *job, struct err *err)
{
        struct call *call = (struct call *)job;

        return kube_client_prepare(call->client, call->path, &call->request, job->cancel, err);
}

static int
prepare_push(lua_State *L, struct lx_job *lj)
{
        return send_request(L, (struct call *)lj, call_continue);
}

static int
call_begin(lua_State *L, struct call *call)
{
        struct err err;

        lx_http_read(L, call->options, &call->request);
        call->request.may_repeat = lx_field_bool(L, call->options, "repeats", false);
        call->request.once = lx_field_bool(L, call->options, "once", false);
        err_init(&err);
        int ready = kube_client_prepare_now(call->client, call->path, &call->request, &err);
        if (ready < 0)
                lx_raise(L, &err);
        if (ready > 0)
                return send_request(L, call, call_continue);
        call->lj.job.run = prepare_run;
        call->lj.push = prepare_push;
        return lx_job_wait(L, call->self, &call->lj);
}

/*
 * client:request{method, path, headers, body, answer_max, stall_ms, total_ms, repeats, once}
 * -> {status, headers, body}; a 401 is tried once more with new credentials; waits
 */
int
lx_kube_request(lua_State *L)
{
        struct kube_client *client = lx_kube_check(L, 1);

        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        struct call *call = lx_new(L, &call_class, sizeof(*call));
        call->options = 2;
        call->self = 3;
        call->client = kube_client_ref(client);
        call->path = lx_http_copy(L, 2, "path", NULL);
        if (call->path == NULL)
                lx_fail(L, ERR_RECIPE, "field \"path\" is missing");
        return call_begin(L, call);
}

/* Connections of our own. */

static int
dial_port(void *arg, struct err *err)
{
        struct call *call = arg;

        return kube_forward_dial(
            call->client, call->ns, call->pod, call->port, call->token, &call->forward, err);
}

static int
dial_command(void *arg, struct err *err)
{
        struct call *call = arg;

        return kube_command_dial(call->host, call->argv, call->token, &call->forward, err);
}

static int
end_run(struct job *job, struct err *err)
{
        struct call *call = (struct call *)job;

        (void)err;
        kube_forward_free(call->forward, &call->forward_err);
        call->forward = NULL;
        return 0;
}

/* Why the connection failed says more than that it ended. */
static int
end_push(lua_State *L, struct lx_job *lj)
{
        struct call *call = (struct call *)lj;

        if (call->failed && call->err.code != ERR_CANCELLED && call->forward_err.code != ERR_NONE &&
            call->forward_err.code != ERR_CANCELLED)
                call->err = call->forward_err;
        return call_result(L, call);
}

static int
dialled_continue(lua_State *L, int status, lua_KContext ctx)
{
        struct call *call = lua_touserdata(L, (int)ctx);

        (void)status;
        if (call->forward == NULL || cancel_is_set(call->token))
                return call_result(L, call);
        call->lj.job.run = end_run;
        call->lj.push = end_push;
        return lx_job_wait(L, call->self, &call->lj);
}

/* Push a call of the options at 1, which say url and the rest of the request. */
static struct call *
dialled_new(lua_State *L)
{
        luaL_checktype(L, 1, LUA_TTABLE);
        lua_settop(L, 1);
        struct call *call = lx_new(L, &call_class, sizeof(*call));
        call->options = 1;
        call->self = 2;
        call->token = cancel_ref(task_token(L));
        call->request.url = lx_http_copy(L, 1, "url", NULL);
        if (call->request.url == NULL)
                lx_fail(L, ERR_RECIPE, "field \"url\" is missing");
        lx_http_read(L, 1, &call->request);
        call->request.dial_arg = call;
        return call;
}

/* The text of a field that has to be there. */
static char *
need_field(lua_State *L, const char *name)
{
        char *text = lx_http_copy(L, 1, name, NULL);

        if (text == NULL)
                lx_fail(L, ERR_RECIPE, "field \"%s\" is missing", name);
        return text;
}

/*
 * request_forwarded{client, ns, pod, port, method, url, headers, body, answer_max, stall_ms,
 * total_ms} -> {status, headers, body}: through a port-forward; waits
 */
static int
request_forwarded(lua_State *L)
{
        struct call *call = dialled_new(L);

        lua_getfield(L, 1, "client");
        call->client = kube_client_ref(lx_kube_check(L, -1));
        call->ns = need_field(L, "ns");
        call->pod = need_field(L, "pod");
        int64_t port = lx_field_int(L, 1, "port", 0);
        if (port <= 0 || port > 65535)
                lx_fail(L, ERR_RECIPE, "field \"port\" is no port");
        call->port = (unsigned)port;
        call->request.dial = dial_port;
        return send_request(L, call, dialled_continue);
}

/*
 * request_by_command{host, argv, method, url, headers, body, answer_max, stall_ms, total_ms}
 * -> {status, headers, body}: through a command's stdin and stdout; waits
 */
static int
request_by_command(lua_State *L)
{
        struct call *call = dialled_new(L);

        lua_getfield(L, 1, "host");
        call->host = far_host_ref(lx_far_host_check(L, -1));
        call->argv = lx_string_array(L, 1, "argv");
        if (call->argv == NULL || call->argv[0] == NULL)
                lx_fail(L, ERR_RECIPE, "argv is missing or empty");
        call->request.dial = dial_command;
        return send_request(L, call, dialled_continue);
}

const luaL_Reg lx_kube_call_functions[] = {
        { "request_forwarded", request_forwarded },
        { "request_by_command", request_by_command },
        { NULL, NULL },
};
