/*
 * Bodies that are borrowed or taken piece by piece, and calls that wait.
 */
#include "harness/http_test.h"

#include "moonkeep/cancel.h"
#include "moonkeep/time.h"

struct taken {
        char data[4096];
        size_t len;
        int status;
        char type[64];
        bool refuse;
};

static int
take(void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err)
{
        struct taken *taken = arg;

        if (taken->refuse)
                return err_set(err, ERR_CORRUPT, "cannot use what comes: it is not wanted");
        CHECK(taken->len + len <= sizeof(taken->data));
        CHECK_INT(answer->body.len, 0);
        memcpy(taken->data + taken->len, data, len);
        taken->len += len;
        taken->status = answer->status;
        snprintf(
            taken->type, sizeof(taken->type), "%s", http_answer_header(answer, "content-type"));
        return 0;
}

TEST(a_payload_is_sent_and_stays_ours)
{
        struct outcome outcome;
        char payload[] = "borrowed";

        start_server("expect PUT /x\n"
                     "expect-header Content-Length: 8\n"
                     "expect-body borrowed\n"
                     "answer 200 text/plain\n");
        struct http_request request = make("PUT", "http://127.0.0.1:%d/x", server_port);
        request.payload = payload;
        request.payload_len = strlen(payload);
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        CHECK_STR(payload, "borrowed");
        end(&outcome);
        server_is_content();
}

TEST(a_large_payload_arrives_whole)
{
        struct outcome outcome;
        size_t len = (size_t)12 * 1024 * 1024;
        char *payload = mem_alloc(len, NULL);

        memset(payload, 'x', len);
        start_server("expect PUT /x\n"
                     "expect-header Content-Length: 12582912\n"
                     "answer 200 text/plain\n");
        struct http_request request = make("PUT", "http://127.0.0.1:%d/x", server_port);
        request.payload = payload;
        request.payload_len = len;
        request.large = true;
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        mem_free(payload);
        end(&outcome);
        server_is_content();
}

TEST(an_empty_payload_has_a_length)
{
        struct outcome outcome;

        start_server("expect PUT /x\n"
                     "expect-header Content-Length: 0\n"
                     "answer 200 text/plain\n");
        struct http_request request = make("PUT", "http://127.0.0.1:%d/x", server_port);
        request.payload = "";
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        end(&outcome);
        server_is_content();
}

TEST(a_body_is_taken_in_pieces)
{
        struct taken taken = { 0 };
        struct outcome outcome;

        start_server("expect GET /x\n"
                     "answer 206 text/plain in pieces\n");
        struct http_request request = get("/x");
        request.on_body = take;
        request.body_arg = &taken;
        request.answer_max = 1;
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 206);
        CHECK_INT(outcome.answer.body.len, 0);
        CHECK_INT(taken.status, 206);
        CHECK_STR(taken.type, "text/plain");
        CHECK(taken.len == 9 && memcmp(taken.data, "in pieces", 9) == 0);
        end(&outcome);
        server_is_content();
}

TEST(the_body_of_an_error_is_collected)
{
        struct taken taken = { 0 };
        struct outcome outcome;

        start_server("expect GET /x\n"
                     "answer 404 text/plain not there\n");
        struct http_request request = get("/x");
        request.on_body = take;
        request.body_arg = &taken;
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 404);
        CHECK_STR(outcome.answer.body.data, "not there");
        CHECK_INT(taken.len, 0);
        end(&outcome);
        server_is_content();
}

TEST(the_body_of_an_error_has_a_bound)
{
        struct taken taken = { 0 };

        start_server("expect GET /x\n"
                     "answer 404 text/plain not there\n");
        struct http_request request = get("/x");
        request.on_body = take;
        request.body_arg = &taken;
        request.answer_max = 8;
        expect_failure(request, ERR_TOO_BIG, "larger than 8 bytes");
        server_is_content();
}

TEST(who_takes_a_body_may_refuse_it)
{
        struct taken taken = { .refuse = true };

        start_server("expect GET /x\n"
                     "answer 200 text/plain in pieces\n");
        struct http_request request = get("/x");
        request.on_body = take;
        request.body_arg = &taken;
        expect_failure(request, ERR_CORRUPT, "it is not wanted");
        server_is_content();
}

/* Takes nothing before it may, and then refuses if it is to. */
struct gate {
        bool open;
        bool refuse;
        unsigned asked;
        uint64_t taken;
};

static int
pass(void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err)
{
        struct gate *gate = arg;

        (void)answer;
        (void)data;
        gate->asked++;
        if (!gate->open)
                return HTTP_PAUSE;
        if (gate->refuse)
                return err_set(err, ERR_CORRUPT, "it is not wanted");
        gate->taken += len;
        return 0;
}

/* Let the loop run for so long. */
static void
run_for(int64_t ms)
{
        int64_t until = time_mono_ms() + ms;
        struct err err;

        err_init(&err);
        for (int64_t left = ms; left > 0; left = until - time_mono_ms())
                CHECK_OK(loop_run_once(loop, (int)left, &err), err);
}

/* ... until something came. */
static void
run_to(const struct gate *gate)
{
        for (int tries = 0; tries < 1000 && gate->asked == 0; tries++)
                run_for(10);
        CHECK_INT(gate->asked, 1);
}

static struct http_request
large_answer(struct gate *gate, size_t len)
{
        char *script = mem_alloc(len + 1024, NULL);
        int at = snprintf(script, 256, "expect GET /x\nanswer 200 text/plain ");

        memset(script + at, 'x', len);
        memcpy(script + at + len, "\n", 2);
        start_server(script);
        mem_free(script);
        struct http_request request = get("/x");
        request.on_body = pass;
        request.body_arg = gate;
        request.stall_ms = 1500;
        return request;
}

#define LARGE_ANSWER ((size_t)1000 * 1000)

TEST(a_body_waits_for_who_takes_it_longer_than_a_stall)
{
        struct gate gate = { 0 };
        struct outcome outcome;

        struct http_request request = large_answer(&gate, LARGE_ANSWER);
        start(&request, NULL, &outcome);
        run_to(&gate);
        run_for(3000);
        CHECK_INT(outcome.calls, 0);
        CHECK_INT(gate.asked, 1);
        http_go_on(loop, &gate); /* nobody's */
        run_for(50);
        CHECK_INT(gate.asked, 1);
        http_go_on(loop, &outcome); /* and there is still no room */
        run_for(50);
        CHECK_INT(gate.asked, 2);
        gate.open = true;
        http_go_on(loop, &outcome);
        http_go_on(loop, &outcome);
        run_all();
        CHECK_INT(outcome.err.code, ERR_NONE);
        CHECK_INT(gate.taken, LARGE_ANSWER);
        end(&outcome);
        server_is_content();
}

TEST(what_comes_after_a_pause_may_be_refused)
{
        struct gate gate = { .refuse = true };
        struct outcome outcome;

        struct http_request request = large_answer(&gate, LARGE_ANSWER);
        start(&request, NULL, &outcome);
        run_to(&gate);
        gate.open = true;
        http_go_on(loop, &outcome);
        run_all();
        CHECK_INT(outcome.err.code, ERR_CORRUPT);
        CHECK_INT(loop_pending(loop), 0);
        end(&outcome);
        end_server();
}

TEST(a_body_that_waits_is_ended_and_cancelled)
{
        struct gate gate = { 0 };
        struct outcome outcome;
        struct err err;

        err_init(&err);
        struct http_request request = large_answer(&gate, LARGE_ANSWER);
        struct cancel *cancel = cancel_new(NULL, &err);
        CHECK_PTR(cancel, err);
        start(&request, cancel, &outcome);
        run_to(&gate);
        http_go_on(loop, &outcome);
        cancel_trigger(cancel);
        run_all();
        CHECK_INT(outcome.err.code, ERR_CANCELLED);
        cancel_unref(cancel);
        end(&outcome);
        end_server();
}

TEST(a_body_that_is_cut_is_truncated)
{
        struct taken taken = { 0 };

        start_server("expect GET /x\n"
                     "answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 20\\r\\n\\r\\nhalf\"\n"
                     "close\n");
        struct http_request request = get("/x");
        request.on_body = take;
        request.body_arg = &taken;
        expect_failure(request, ERR_TRUNCATED, "broke off");
        CHECK_INT(taken.len, 4);
        server_is_content();
}

TEST(answers_without_a_body_are_complete)
{
        static const char *const answers[] = {
                "204 No Content\\r\\n",
                "304 Not Modified\\r\\nContent-Length: 7\\r\\n",
                "412 Precondition Failed\\r\\nContent-Length: 0\\r\\n",
        };
        static const int statuses[] = { 204, 304, 412 };

        for (size_t idx = 0; idx < 3; idx++) {
                struct outcome outcome;
                char script[512];
                snprintf(script, sizeof(script),
                    "expect GET /x\nanswer-raw \"HTTP/1.1 %s\\r\\n\"\n", answers[idx]);
                start_server(script);
                fetch(get("/x"), &outcome);
                CHECK_INT(outcome.answer.status, statuses[idx]);
                CHECK_INT(outcome.answer.body.len, 0);
                end(&outcome);
                server_is_content();
        }
}

TEST(a_head_answer_with_a_length_is_complete)
{
        struct outcome outcome;

        start_server(
            "expect HEAD /x\n"
            "answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 5000000\\r\\n\\r\\n\"\n"
            "expect HEAD /x\n"
            "expect-connection same\n"
            "answer-raw \"HTTP/1.1 404 Not Found\\r\\nContent-Length: 200\\r\\n\\r\\n\"\n");
        fetch(make("HEAD", "http://127.0.0.1:%d/x", server_port), &outcome);
        CHECK_INT(outcome.answer.status, 200);
        CHECK_STR(http_answer_header(&outcome.answer, "content-length"), "5000000");
        CHECK(http_answer_header(&outcome.answer, "etag") == NULL);
        http_answer_clear(&outcome.answer);
        fetch(make("HEAD", "http://127.0.0.1:%d/x", server_port), &outcome);
        CHECK_INT(outcome.answer.status, 404);
        end(&outcome);
        server_is_content();
}

/* Which connection is used when. */

TEST(a_post_that_may_be_repeated_uses_a_kept_connection)
{
        struct outcome outcome;

        start_server("expect GET /x\n"
                     "answer 200 text/plain\n"
                     "expect POST /x\n"
                     "expect-connection same\n"
                     "answer 200 text/plain\n");
        fetch(get("/x"), &outcome);
        http_answer_clear(&outcome.answer);
        struct http_request request = make("POST", "http://127.0.0.1:%d/x", server_port);
        request.may_repeat = true;
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        end(&outcome);
        server_is_content();
}

TEST(a_put_that_must_not_come_twice_has_a_connection_of_its_own)
{
        struct outcome outcome;

        start_server("expect GET /x\n"
                     "answer 200 text/plain\n"
                     "expect PUT /x\n"
                     "expect-connection new\n"
                     "answer 200 text/plain\n");
        fetch(get("/x"), &outcome);
        http_answer_clear(&outcome.answer);
        struct http_request request = make("PUT", "http://127.0.0.1:%d/x", server_port);
        request.once = true;
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        end(&outcome);
        server_is_content();
}

TEST(it_is_known_whether_the_server_may_have_seen_it)
{
        struct outcome outcome;
        bool sent = false;

        struct http_request request = make("PUT", "http://127.0.0.1:%d/x", free_port());
        request.sent = &sent;
        fetch(request, &outcome);
        CHECK_INT(outcome.err.code, ERR_NETWORK);
        CHECK(!sent);
        end(&outcome);

        start_server("expect PUT /x\n"
                     "reset\n");
        request = make("PUT", "http://127.0.0.1:%d/x", server_port);
        request.sent = &sent;
        fetch(request, &outcome);
        CHECK_INT(outcome.err.code, ERR_NETWORK);
        CHECK(outcome.err.retryable);
        CHECK(sent);
        end(&outcome);
        server_is_content();
}

/* Headers. */

TEST(headers_are_added_to_a_request)
{
        struct outcome outcome;
        struct err err;

        err_init(&err);
        start_server("expect GET /x\n"
                     "expect-header X-Plain: one\n"
                     "expect-header X-Secret: Bearer two-is-secret\n"
                     "answer 200 text/plain\n");
        struct secret *secret = secret_new("two-is-secret", 13, &err);
        CHECK_PTR(secret, err);
        struct http_request request = get("/x");
        CHECK_OK(http_request_header(&request, "X-Plain", "one", NULL, &err), err);
        CHECK_OK(http_request_header(&request, "X-Secret", "Bearer ", secret, &err), err);
        secret_unref(secret);
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        end(&outcome);
        server_is_content();
}

/* Ending them. */

TEST(all_requests_of_a_loop_end_at_once)
{
        struct outcome first, second;
        struct err why;

        err_init(&why);
        err_set(&why, ERR_IO, "no more");
        start_server("always GET /x\nwait-close\n");
        struct http_request request = get("/x");
        start(&request, NULL, &first);
        request = get("/x");
        struct err err;
        err_init(&err);
        memset(&second, 0, sizeof(second));
        CHECK_OK(http_start(loop, &request, NULL, done, &second, &err), err);
        CHECK_OK(loop_run_once(loop, 10, &err), err);
        http_end_all(loop, &why);
        CHECK_INT(first.calls, 1);
        CHECK_INT(second.calls, 1);
        CHECK_STR(second.err.msg, "no more");
        CHECK_INT(loop_pending(loop), 0);
        end(&first);
        end_server();
}

/* Calls that wait. */

TEST(a_call_waits_for_its_answer)
{
        struct http_answer answer;
        struct err err;

        err_init(&err);
        start_server("expect GET /x\n"
                     "answer 404 text/plain no such thing\n");
        struct http_request request = get("/x");
        CHECK_OK(http_call(&request, NULL, &answer, &err), err);
        CHECK_INT(answer.status, 404);
        CHECK_STR(answer.body.data, "no such thing");
        CHECK(request.url == NULL);
        http_answer_clear(&answer);
        server_is_content();
}

TEST(a_call_that_fails_says_why)
{
        struct http_answer answer = { 0 };
        struct err err;

        err_init(&err);
        struct http_request request = make("GET", "http://127.0.0.1:%d/x", free_port());
        CHECK_ERR(http_call(&request, NULL, &answer, &err) < 0, err, ERR_NETWORK, "cannot connect");
        CHECK(err.retryable);
        request = make("GET", "ftp://127.0.0.1/x");
        CHECK_ERR(http_call(&request, NULL, &answer, &err) < 0, err, ERR_USAGE, "of the kind");
        CHECK(answer.headers == NULL);
}

TEST(a_call_is_cancelled)
{
        struct http_answer answer = { 0 };
        struct err err;

        err_init(&err);
        start_server("always GET /x\nwait-close\n");
        struct cancel *cancel = cancel_new(NULL, &err);
        CHECK_PTR(cancel, err);
        cancel_trigger(cancel);
        struct http_request request = get("/x");
        CHECK_ERR(http_call(&request, cancel, &answer, &err) < 0, err, ERR_CANCELLED, "");
        cancel_unref(cancel);
        end_server();
}
