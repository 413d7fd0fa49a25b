/*
 * Commands in pods, of a server that speaks the protocol and breaks it
 * (tests/servers/kube_api.c).
 */
#include "../../src/kube/kube_connect.h"
#include "harness/far_test.h"
#include "harness/kube_pod_test.h"
#include "harness/ws_test.h"
#include "moonkeep/buf.h"
#include "moonkeep/far_stream.h"

static struct far *far;
static struct buf out, err_out;

/* A server with the pod; faults and protocols may be NULL. */
static void
start_api(const char *faults, const char *protocols)
{
        kube_connect_pause(1);
        start_box(faults, protocols);
        buf_init(&out, 16 * 1024 * 1024);
        buf_init(&err_out, 16 * 1024 * 1024);
}

static void
end_api(void)
{
        far_free(far);
        far = NULL;
        buf_free(&out);
        buf_free(&err_out);
        stop_box();
}

static void
open_sh(const char *script)
{
        const char *const argv[] = { "sh", "-c", script, NULL };
        struct err err;

        far = far_open(box, argv, NULL, &err);
        CHECK_PTR(far, err);
}

/* To the end: its status, or -1 with err.  All output is gathered. */
static int
follow(struct err *err)
{
        struct far_event event;

        for (;;) {
                if (far_next(far, -1, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_ENDED)
                        return event.status;
                if (event.kind == FAR_OUT)
                        CHECK(buf_add(&out, event.data, event.len, err) == 0);
                if (event.kind == FAR_ERR)
                        CHECK(buf_add(&err_out, event.data, event.len, err) == 0);
        }
}

static void
expect_end(int status)
{
        struct err err;
        struct far_event event;

        err_init(&err);
        int got = follow(&err);
        CHECK_OK(got < 0 ? -1 : 0, err);
        CHECK_INT(got, status);
        /* It sticks. */
        CHECK_OK(far_next(far, 0, &event, &err), err);
        CHECK(event.kind == FAR_ENDED && event.status == status);
}

static void
expect_failure_of(enum err_code code, const char *why)
{
        struct err err;
        struct far_event event;

        CHECK_ERR(follow(&err) < 0, err, code, why);
        CHECK(strstr(err.msg, "pod default/box") != NULL);
        check_not_shown(&err);
        CHECK(far_next(far, 0, &event, &err) < 0 && err.code == code);
}

TEST(a_command_runs_with_its_arguments_and_its_status)
{
        const char *const argv[] = { "printf", "%s|%s|%s", "a b", "", "&\xc3\xa4'\"\n;", NULL };
        struct err err;

        start_api(NULL, NULL);
        CHECK_STR(box->label, "pod default/box");
        far = far_open(box, argv, NULL, &err);
        CHECK_PTR(far, err);
        expect_end(0);
        CHECK_STR(out.data, "a b||&\xc3\xa4'\"\n;");
        far_free(far);
        open_sh("echo out; echo err >&2; exit 7");
        expect_end(7);
        CHECK_STR(err_out.data, "err\n");
        end_api();
}

static void
echo(const char *protocols, bool v5)
{
        static char data[300000];
        struct err err;

        start_api(NULL, protocols);
        open_sh("head -c 300000");
        CHECK((far->ops->end_input != NULL) == v5);
        memset(data, 'x', sizeof(data));
        CHECK_OK(far_send(far, data, sizeof(data), &err), err);
        expect_end(0);
        CHECK_INT(out.len, sizeof(data));
        if (v5) {
                far_free(far);
                open_sh("cat; echo end");
                buf_clear(&out);
                CHECK_OK(far_send(far, "abc", 3, &err), err);
                CHECK_OK(far->ops->end_input(far, &err), err);
                expect_end(0);
                CHECK_STR(out.data, "abcend\n");
        }
        end_api();
}

TEST(input_arrives_by_v4)
{
        echo("v4", false);
}

TEST(input_arrives_and_ends_by_v5)
{
        echo("v5", true);
}

TEST(a_server_of_no_common_protocol_is_told)
{
        const char *const argv[] = { "true", NULL };
        struct err err;

        start_api("", "none");
        CHECK_ERR(far_open(box, argv, NULL, &err) == NULL, err, ERR_PERMISSION,
            "cannot run \"true\" in pod default/box: the server answered 403");
        CHECK(strstr(err.hint, "WebSocket protocol") != NULL);
        end_api();
}

TEST(a_long_command_arrives_as_a_whole)
{
        static char word[60001];
        const char *const argv[] = { "printf", "%s", word, NULL };
        struct err err;

        start_api(NULL, NULL);
        memset(word, '+', sizeof(word) - 1);
        far = far_open(box, argv, NULL, &err);
        CHECK_PTR(far, err);
        expect_end(0);
        CHECK_INT(out.len, sizeof(word) - 1);
        end_api();
}

TEST(a_wait_has_an_end)
{
        struct far_event event;
        struct err err;

        start_api(NULL, NULL);
        open_sh("read -r line; echo \"$line\"");
        CHECK_OK(far_next(far, 30, &event, &err), err);
        CHECK(event.kind == FAR_NOTHING);
        CHECK_OK(far_next(far, 0, &event, &err), err);
        CHECK(event.kind == FAR_NOTHING);
        CHECK_OK(far_send(far, "x\n", 2, &err), err);
        expect_end(0);
        CHECK_STR(out.data, "x\n");
        end_api();
}

TEST(a_wait_ends_when_another_descriptor_is_readable)
{
        struct far_event event;
        struct err err;
        int fds[2];

        start_api(NULL, NULL);
        open_sh("read -r line; echo \"$line\"");
        CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
        far->ops->wake_on(far, fds[0]);
        CHECK_OK(far_next(far, -1, &event, &err), err);
        CHECK(event.kind == FAR_NOTHING);
        far->ops->wake_on(far, -1);
        close(fds[0]);
        close(fds[1]);
        CHECK_OK(far_send(far, "x\n", 2, &err), err);
        expect_end(0);
        end_api();
}

TEST(a_cancel_ends_a_wait)
{
        const char *const argv[] = { "sleep", "60", NULL };
        struct far_event event;
        struct err err;

        start_api(NULL, NULL);
        struct cancel *cancel = cancel_new(NULL, &err);
        far = far_open(box, argv, cancel, &err);
        CHECK_PTR(far, err);
        cancel_trigger(cancel);
        CHECK_ERR(far_next(far, -1, &event, &err) < 0, err, ERR_CANCELLED, "cancelled");
        cancel_unref(cancel);
        end_api();
}

/* Only an explicit status ends well. */

static const char *const script = "head -c 100000 /dev/zero";

static void
with_fault(const char *action, enum err_code code, const char *why)
{
        char faults[256];

        snprintf(faults, sizeof(faults), "* */exec* every %s\n", action);
        start_api(faults, NULL);
        open_sh(script);
        if (code == ERR_NONE)
                expect_end(0);
        else
                expect_failure_of(code, why);
        end_api();
}

TEST(no_status_is_a_failure)
{
        with_fault("final missing", ERR_TRUNCATED, "without the container's status");
        with_fault("final empty", ERR_TRUNCATED, "without the container's status");
        with_fault("close-frame stdout:50000", ERR_TRUNCATED, "without the container's status");
        with_fault("close stdout:50000", ERR_TRUNCATED, "without the container's status");
        with_fault("reset stdout:50000", ERR_TRUNCATED, "without the container's status");
}

TEST(a_status_that_is_none_is_a_failure)
{
        with_fault("final garbage", ERR_PROTOCOL, "the container's status");
        with_fault("final failure", ERR_PROCESS, "cannot run \"sh\" in pod default/box: ");
        with_fault("final {\"status\":\"Success!\"}", ERR_PROTOCOL, "neither Success nor Failure");
}

/* Frames as they are, then the end of the connection. */
static void
play_frames(struct peer *peer, const void *arg)
{
        const struct buf *frames = arg;
        char answer[1024];

        peer_head(peer);
        int len = peer_answer(
            peer, "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n", answer, sizeof(answer));
        peer_put(peer, answer, (size_t)len);
        peer_put(peer, frames->data, frames->len);
        shutdown(peer->fd, SHUT_WR);
        peer_wait_end(peer);
}

static void
add_frame(struct buf *frames, unsigned char first, const char *text)
{
        unsigned char head[2] = { first, (unsigned char)strlen(text) };

        CHECK(head[1] < 126 && buf_add(frames, head, 2, NULL) == 0);
        CHECK(buf_addstr(frames, text, NULL) == 0);
}

TEST(nothing_but_a_whole_status_on_its_channel_ends_well)
{
        static const struct {
                struct {
                        unsigned char first;
                        const char *text;
                } frames[3];
                enum err_code code;
        } cases[] = {
                { { { 0x82, "\3{\"status\":\"Success\"}" } }, ERR_NONE },
                { { { 0x02, "\3{\"status\":" }, { 0x80, "\"Success\"}" } }, ERR_NONE },
                { { { 0x02, "\3{\"status\":\"Success\"}" } }, ERR_TRUNCATED },
                { { { 0x82, "\3{\"status\":" } }, ERR_PROTOCOL },
                { { { 0x82, "\1{\"status\":\"Success\"}" } }, ERR_TRUNCATED },
                { { { 0x82, "\2{\"status\":\"Success\"}" } }, ERR_TRUNCATED },
                { { { 0x82, "\4{\"status\":\"Success\"}" } }, ERR_PROTOCOL },
                { { { 0x82, "3{\"status\":\"Success\"}" } }, ERR_PROTOCOL },
                { { { 0x81, "\3{\"status\":\"Success\"}" } }, ERR_PROTOCOL },
                { { { 0x82, "\3" }, { 0x82, "" } }, ERR_TRUNCATED },
                { { { 0x82, "\3{}" } }, ERR_PROTOCOL },
                { { { 0x82, "\3\"Success\"" } }, ERR_PROTOCOL },
                { { { 0x82, "\3[{\"status\":\"Success\"}]" } }, ERR_PROTOCOL },
                { { { 0x82, "\3{\"kind\":\"Pod\",\"status\":\"Success\"}" } }, ERR_PROTOCOL },
                { { { 0x82, "\3{\"status\":\"Success\"}" },
                      { 0x82, "\3{\"status\":\"Failure\"}" } },
                    ERR_PROTOCOL },
                { { { 0x82, "\3{\"status\":\"Failure\"}" },
                      { 0x82, "\3{\"status\":\"Success\"}" } },
                    ERR_PROTOCOL },
                { { { 0x82, "\3{\"status\":\"Failure\",\"status\":\"Success\"}" } }, ERR_PROTOCOL },
                { { { 0x82, "\3{\"status\":\"Failure\",\"code\":0}" } }, ERR_PROCESS },
        };
        const char *const argv[] = { "true", NULL };
        struct far_event event;
        struct err err;

        clean_environment();
        for (size_t idx = 0; idx < 2 * sizeof(cases) / sizeof(*cases); idx++) {
                struct buf frames;
                buf_init(&frames, 4096);
                for (size_t at = 0; at < 3 && cases[idx / 2].frames[at].text != NULL; at++)
                        add_frame(&frames, cases[idx / 2].frames[at].first,
                            cases[idx / 2].frames[at].text);
                /* With a close frame, and without. */
                if (idx % 2 != 0)
                        CHECK(buf_add(&frames, "\x88\x02\x03\xe8", 4, NULL) == 0);
                ws_serve(play_frames, &frames, 1);
                open_box_at(ws_port);
                far = far_open(box, argv, NULL, &err);
                CHECK_PTR(far, err);
                err_init(&err);
                do {
                        event.kind = FAR_NOTHING;
                } while (far_next(far, -1, &event, &err) == 0 && event.kind != FAR_ENDED);
                /* What broke off was not seen to the end: that is said, too. */
                if (err.code != ERR_TRUNCATED || idx % 2 != 0)
                        CHECK_INT(err.code, cases[idx / 2].code);
                CHECK((event.kind == FAR_ENDED) == (cases[idx / 2].code == ERR_NONE));
                far_free(far);
                far = NULL;
                close_box();
                ws_served();
                buf_free(&frames);
        }
}

TEST(output_behind_the_status_is_handed_out)
{
        with_fault("late last", ERR_NONE, NULL);
        CHECK_INT(out.len, 0);
        start_api("* */exec* every late last\n", NULL);
        open_sh(script);
        expect_end(0);
        CHECK_INT(out.len, 100000);
        end_api();
}

TEST(fragments_are_put_together)
{
        start_api("* */exec* every fragments 7\n", NULL);
        open_sh("echo 0123456789; echo 0123456789 >&2; exit 3");
        expect_end(3);
        CHECK_STR(out.data, "0123456789\n");
        CHECK_STR(err_out.data, "0123456789\n");
        end_api();
}

TEST(what_breaks_the_protocol_is_a_failure)
{
        static const char *const kinds[] = { "masked", "oversized", "negative", "reserved",
                "opcode", "continuation", "text", "channel", "long-ping", "split-ping" };
        char action[64];

        for (size_t idx = 0; idx < sizeof(kinds) / sizeof(*kinds); idx++) {
                struct err err;
                snprintf(action, sizeof(action), "* */exec* every frame %s 2\n", kinds[idx]);
                start_api(action, NULL);
                open_sh(script);
                CHECK_ERR(follow(&err) < 0, err, ERR_PROTOCOL, "pod default/box");
                end_api();
        }
}

TEST(an_empty_message_is_no_harm)
{
        with_fault("frame empty 2", ERR_NONE, NULL);
}

TEST(a_silent_server_is_a_timeout)
{
        kube_connect_times(50, 300);
        start_api(NULL, NULL);
        open_sh("read -r line");
        CHECK(kill(server_pid, SIGSTOP) == 0);
        expect_failure_of(ERR_TIMEOUT, "pod default/box: ");
        CHECK(kill(server_pid, SIGCONT) == 0);
        end_api();
}

TEST(a_quiet_command_is_no_silent_server)
{
        kube_connect_times(50, 400);
        start_api(NULL, NULL);
        open_sh("sleep 1; echo late");
        expect_end(0);
        CHECK_STR(out.data, "late\n");
        end_api();
}

TEST(what_a_command_that_ended_does_not_take_is_dropped)
{
        struct err err;

        err_init(&err);
        start_api(NULL, NULL);
        open_sh("echo out; exit 3");
        /* Until it has ended, and for longer. */
        for (int count = 0; count < 100; count++) {
                CHECK_OK(far_send(far, "\n", 1, &err), err);
                usleep(5000);
        }
        CHECK_OK(far->ops->end_input(far, &err), err);
        expect_end(3);
        CHECK_STR(out.data, "out\n");
        end_api();
}

TEST(a_command_that_takes_its_time_to_read_has_the_time_that_the_caller_gives)
{
        const size_t size = 32 * 1024 * 1024;
        char *data = calloc(1, size);
        struct err err;

        err_init(&err);
        kube_connect_times(100, 2000);
        start_api(NULL, NULL);
        open_sh("sleep 3; head -c 33554432 | wc -c");
        far->stall_ms = 20000;
        CHECK_OK(far_send(far, data, size, &err), err);
        expect_end(0);
        CHECK_INT(atoi(out.data), size);
        far_free(far);
        open_sh("sleep 60");
        far->stall_ms = 200;
        CHECK_ERR(far_send(far, data, size, &err) < 0, err, ERR_TIMEOUT,
            "pod default/box: cannot send to ");
        free(data);
        end_api();
}

/* What is refused. */

static struct err
open_fails(const char *ns, const char *pod, const char *container, const char *program,
    enum err_code code, const char *why)
{
        const char *const argv[] = { program, NULL };
        struct err err;
        struct far_host *host = kube_pod_host(client, ns, pod, container, &err);

        CHECK_PTR(host, err);
        far = far_open(host, argv, NULL, &err);
        if (far != NULL)
                CHECK_ERR(follow(&err) < 0, err, code, why);
        else
                CHECK_ERR(far == NULL, err, code, why);
        far_free(far);
        far = NULL;
        far_host_unref(host);
        return err;
}

TEST(as_much_comes_back_as_goes_in)
{
        struct err err;

        start_api(NULL, NULL);
        struct far_shell *shell = far_shell_open(box, 20000, NULL, &err);
        CHECK_PTR(shell, err);
        far_test_much(shell);
        far_shell_free(shell);
        end_api();
}

TEST(what_could_not_be_run_is_named_once)
{
        const char *const argv[] = { "sh", "-c", ":", NULL };
        struct far_run_spec spec = { .argv = argv, .output_max = 1024, .bare = true };
        struct proc_result result;
        struct err err;

        start_api(NULL, NULL);
        struct far_host *host = kube_pod_host(client, "default", "none", NULL, &err);
        CHECK_PTR(host, err);
        CHECK_ERR(far_run(host, &spec, &result, NULL, &err) < 0, err, ERR_NOT_FOUND,
            "cannot run \"sh\" in pod default/none");
        CHECK(strstr(err.msg + 1, "cannot run") == NULL);
        proc_result_free(&result);
        far_host_unref(host);
        end_api();
}

TEST(what_is_not_there_is_told)
{
        start_api(NULL, NULL);
        struct err err = open_fails("default", "none", NULL, "true", ERR_NOT_FOUND,
            "cannot run \"true\" in pod default/none");
        CHECK_INT(err.http, 404);
        open_fails("default", "box", "side", "true", ERR_NOT_FOUND, "(container side)");
        open_fails("default", "box", NULL, "no-such-program", ERR_NOT_FOUND,
            "cannot run \"no-such-program\" in pod default/box: exec: \"no-such-program\": "
            "executable file not found");
        err = open_fails("locked", "box", NULL, "true", ERR_PERMISSION, "cannot run \"true\"");
        CHECK_STR(
            err.hint, "it takes the verbs get and create on pods/exec in the namespace \"locked\"");
        end_api();
}

TEST(a_refused_upgrade_says_why)
{
        static const struct {
                const char *action;
                enum err_code code;
                bool retryable;
        } cases[] = {
                { "status 400 BadRequest", ERR_HTTP, false },
                { "status 401 Unauthorized", ERR_CREDENTIALS, false },
                { "status 403 Forbidden", ERR_PERMISSION, false },
                { "status 404 NotFound", ERR_NOT_FOUND, false },
                { "status 409 Conflict", ERR_CHANGED, false },
                { "status 410 Expired", ERR_CHANGED, false },
                { "status 429 TooManyRequests", ERR_HTTP, true },
                { "status 500 InternalError", ERR_HTTP, true },
                { "status 503 -", ERR_HTTP, true },
                { "status 504 Timeout", ERR_HTTP, true },
                { "redirect http://127.0.0.1:1/", ERR_HTTP, false },
                { "status 301 - Location: /moved", ERR_HTTP, false },
                { "status 302 - Location: /moved", ERR_HTTP, false },
                { "status 308 - Location: /moved", ERR_HTTP, false },
                { "garbage 200", ERR_HTTP, false },
                { "garbage 500", ERR_HTTP, true },
                { "upgrade wrong-accept", ERR_PROTOCOL, false },
                { "upgrade no-protocol", ERR_PROTOCOL, false },
                { "upgrade v9.channel.k8s.io", ERR_PROTOCOL, false },
        };
        const char *const argv[] = { "true", NULL };
        char faults[128];

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                struct err err;
                snprintf(faults, sizeof(faults), "* */exec* every %s\n", cases[idx].action);
                start_api(faults, NULL);
                far = far_open(box, argv, NULL, &err);
                CHECK_ERR(
                    far == NULL, err, cases[idx].code, "cannot run \"true\" in pod default/box: ");
                CHECK_INT(err.retryable, cases[idx].retryable);
                check_not_shown(&err);
                /* Who we are is for this server: no other place is asked. */
                char *log = read_text(test_path("log"));
                CHECK(strstr(log, "/moved") == NULL);
                free(log);
                end_api();
        }
}

/* Nothing was started: it is asked again, but not for what stays as it is. */
TEST(a_server_that_is_not_there_yet_is_asked_again)
{
        static const struct {
                const char *fault;
                bool opens;
        } cases[] = {
                { "first:2 status 429 TooManyRequests", true },
                { "first:3 status 500 InternalError", true },
                { "first:5 status 503 -", true },
                { "first:6 status 503 -", false },
                { "first:1 status 403 Forbidden", false },
                { "first:1 status 404 NotFound", false },
        };
        const char *const argv[] = { "true", NULL };
        char faults[128];

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                struct err err;
                snprintf(faults, sizeof(faults), "* */exec* %s\n", cases[idx].fault);
                start_api(faults, NULL);
                far = far_open(box, argv, NULL, &err);
                CHECK_INT(far != NULL, cases[idx].opens);
                end_api();
        }
}

TEST(bytes_with_the_upgrade_belong_to_the_first_message)
{
        with_fault("upgrade extra", ERR_NONE, NULL);
}

static int
open_once(void *arg, struct err *err)
{
        const char *const argv[] = { "true", NULL };
        struct far_host *host = kube_pod_host(arg, "default", "box", "main", err);
        struct far *got = NULL;

        if (host != NULL)
                got = far_open(host, argv, NULL, err);
        far_free(got);
        far_host_unref(host);
        return got != NULL ? 0 : -1;
}

TEST(each_allocation_of_an_open_may_fail)
{
        start_api(NULL, NULL);
        test_each_allocation(open_once, client);
        end_api();
}
