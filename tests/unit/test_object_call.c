#include "harness/object_test.h"

static int
ask(bool once, struct http_answer *answer, struct cancel *cancel, struct err *err)
{
        struct object_request request;

        err_init(err);
        memset(answer, 0, sizeof(*answer));
        object_request_init(&request, &object, "ask for", "GET", "k");
        request.once = once;
        return object_call(&object, &request, cancel, answer, err);
}

static void
succeeds(const char *script)
{
        struct http_answer answer;
        struct err err;

        open_object_store(script);
        CHECK_OK(ask(false, &answer, NULL, &err), err);
        CHECK_STR(answer.body.data, "fine");
        http_answer_clear(&answer);
        close_object_store();
}

static void
fails(const char *script, bool once, enum err_code code, const char *text)
{
        struct http_answer answer;
        struct err err;

        open_object_store(script);
        object.patience.stall_ms = 200;
        CHECK_ERR(ask(once, &answer, NULL, &err) < 0, err, code, text);
        close_object_store();
}

#define FINE "expect GET /p/k\nanswer 200 text/plain fine\n"

TEST(an_answer_is_handed_over)
{
        succeeds(FINE);
}

TEST(queries_and_headers_are_sent)
{
        struct object_request request;
        struct http_answer answer;
        struct err err;

        err_init(&err);
        open_object_store("expect PUT /p/k?a&b=c\n"
                          "expect-header X-One: 1\n"
                          "expect-header X-Two: of-two\n"
                          "expect-body all of it\n"
                          "answer 200 text/plain\n");
        struct secret *secret = secret_new("of-two", 6, &err);
        CHECK_PTR(secret, err);
        object_request_init(&request, &object, "try", "PUT", "k");
        object_request_query(&request, "a", NULL);
        object_request_query(&request, "b", "c");
        object_request_header(&request, "X-One", "1");
        object_request_secret(&request, "X-Two", secret);
        secret_unref(secret);
        request.payload = "all of it";
        request.payload_len = 9;
        CHECK_OK(object_call(&object, &request, NULL, &answer, &err), err);
        CHECK(request.key == NULL);
        http_answer_clear(&answer);
        close_object_store();
}

/* Again. */

TEST(an_error_of_the_server_is_tried_again_on_the_same_connection)
{
        succeeds("expect GET /p/k\n"
                 "expect-header X-Signed: 1\n"
                 "answer 500 text/plain\n"
                 "expect GET /p/k\n"
                 "expect-header X-Signed: 2\n"
                 "expect-connection same\n"
                 "answer 200 text/plain fine\n");
}

TEST(slow_down_is_heeded)
{
        succeeds("expect GET /p/k\nheader Retry-After: 1\nanswer 503 text/plain\n" FINE);
        succeeds("expect GET /p/k\n"
                 "header Retry-After: Sat, 21 Nov 2026 02:00:01 GMT\n"
                 "header Date: Sat, 21 Nov 2026 02:00:00 GMT\n"
                 "answer 429 text/plain\n" FINE);
}

TEST(a_pause_that_is_asked_for_is_kept)
{
        struct http_answer answer;
        struct err err;

        open_object_store("expect GET /p/k\nheader Retry-After: 1\nanswer 503 text/plain\n" FINE);
        object.patience.pause_max_ms = 300;
        int64_t start_ms = time_mono_ms();
        CHECK_OK(ask(false, &answer, NULL, &err), err);
        /* A second was asked for, and the bound is lower. */
        CHECK(time_mono_ms() - start_ms >= 300);
        http_answer_clear(&answer);
        close_object_store();
}

TEST(what_is_no_pause_is_not_heeded)
{
        static const char *const pauses[] = { "soon", "-5", "99999999999999999999", "",
                "Sat, 21 Nov 1026 02:00:00 GMT" };

        for (size_t idx = 0; idx < sizeof(pauses) / sizeof(pauses[0]); idx++) {
                char script[512];
                snprintf(script, sizeof(script),
                    "expect GET /p/k\nheader Retry-After: %s\nanswer 503 text/plain\n" FINE,
                    pauses[idx]);
                succeeds(script);
        }
}

TEST(a_connection_that_breaks_is_tried_again)
{
        succeeds("drop\n" FINE);
        succeeds("drop-reset\n" FINE);
        succeeds("expect GET /p/k\nclose\n" FINE);
        succeeds("expect GET /p/k\nreset\n" FINE);
        succeeds("expect GET /p/k\n"
                 "answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nfi\"\n"
                 "reset\n" FINE);
        succeeds("expect GET /p/k\nanswer-raw \"HTTP/1.1 200 OK\\r\\nContent-Le\"\nclose\n" FINE);
}

TEST(an_error_in_a_good_answer_is_tried_again)
{
        succeeds("expect GET /p/k\nanswer 200 text/plain error\n" FINE);
}

TEST(a_stall_is_tried_again)
{
        struct http_answer answer;
        struct err err;

        open_object_store("expect GET /p/k\nwait-close\n" FINE);
        object.patience.stall_ms = 200;
        CHECK_OK(ask(false, &answer, NULL, &err), err);
        http_answer_clear(&answer);
        close_object_store();
}

TEST(an_upload_that_breaks_is_sent_again_whole)
{
        struct object_request request;
        struct http_answer answer;
        struct err err;
        size_t len = (size_t)6 * 1024 * 1024;
        char *payload = mem_alloc(len, NULL);

        err_init(&err);
        for (size_t at = 0; at < len; at++)
                payload[at] = pattern(at);
        open_object_store("expect PUT /p/k\n"
                          "cut-request 100000\n"
                          "expect PUT /p/k\n"
                          "expect-pattern 0-6291455\n"
                          "answer 200 text/plain\n");
        object_request_init(&request, &object, "write", "PUT", "k");
        request.payload = payload;
        request.payload_len = len;
        CHECK_OK(object_call(&object, &request, NULL, &answer, &err), err);
        http_answer_clear(&answer);
        mem_free(payload);
        close_object_store();
}

TEST(what_the_dialect_wants_again_is_signed_anew_at_once)
{
        struct http_answer answer;
        struct err err;

        open_object_store("expect GET /p/k\nanswer 418 text/plain\n"
                          "expect GET /p/k\nexpect-header X-Signed: 2\nanswer 418 text/plain\n"
                          "expect GET /p/k\nanswer 418 text/plain\n" FINE);
        /* None of these counts as an attempt. */
        object.patience.attempts = 1;
        CHECK_OK(ask(false, &answer, NULL, &err), err);
        http_answer_clear(&answer);
        close_object_store();
}

TEST(a_dialect_that_always_wants_it_again_gets_an_end)
{
        fails("expect GET /p/k\nanswer 418 text/plain\nexpect GET /p/k\nanswer 418 text/plain\n"
              "expect GET /p/k\nanswer 418 text/plain\nexpect GET /p/k\nanswer 418 text/plain\n"
              "expect GET /p/k\nanswer 418 text/plain\n",
            false, ERR_HTTP, "cannot ask for \"p/k\": HTTP status 418");
}

/* No more. */

TEST(patience_ends)
{
        fails("expect GET /p/k\nreset\n"
              "expect GET /p/k\nanswer 500 text/plain\n"
              "expect GET /p/k\nanswer 503 text/plain\n",
            false, ERR_HTTP, "cannot ask for \"p/k\", tried 3 times: HTTP status 503");
}

TEST(a_refusal_is_final)
{
        fails("expect GET /p/k\nanswer 403 text/plain\n", false, ERR_PERMISSION,
            "cannot ask for \"p/k\": HTTP status 403");
        fails("expect GET /p/k\nanswer 404 text/plain\n", false, ERR_NOT_FOUND, "");
}

TEST(what_breaks_the_protocol_is_final)
{
        fails("expect GET /p/k\nanswer-raw \"nonsense\\r\\n\\r\\n\"\nclose\n", false, ERR_PROTOCOL,
            "cannot ask for \"p/k\"");
}

TEST(an_answer_that_is_too_big_is_final)
{
        struct object_request request;
        struct http_answer answer;
        struct err err;

        err_init(&err);
        open_object_store("expect GET /p/k\nanswer 200 text/plain 12345\n");
        object_request_init(&request, &object, "ask for", "GET", "k");
        request.answer_max = 4;
        CHECK_ERR(object_call(&object, &request, NULL, &answer, &err) < 0, err, ERR_TOO_BIG,
            "larger than 4 bytes");
        close_object_store();
}

/* Once. */

TEST(what_may_have_taken_effect_is_not_sent_again)
{
        fails("expect GET /p/k\nreset\n", true, ERR_NETWORK, "cannot ask for \"p/k\": ");
        fails("expect GET /p/k\nanswer 500 text/plain\n", true, ERR_HTTP, "500");
        fails("expect GET /p/k\nwait-close\n", true, ERR_TIMEOUT, "no progress");
        fails("expect GET /p/k\nanswer 200 text/plain error\n", true, ERR_HTTP, "an error");
}

TEST(what_had_no_effect_is_sent_again)
{
        struct http_answer answer;
        struct err err;

        open_object_store("expect GET /p/k\nanswer 503 text/plain\n"
                          "expect GET /p/k\nanswer 418 text/plain\n"
                          "expect GET /p/k\nexpect-connection new\nanswer 200 text/plain fine\n");
        CHECK_OK(ask(true, &answer, NULL, &err), err);
        http_answer_clear(&answer);
        close_object_store();
}

TEST(a_server_that_is_not_there_is_tried_less_often_before_it_was_seen)
{
        struct http_answer answer;
        struct err err;

        open_object_store("expect GET /p/k\nanswer 200 text/plain\n");
        int port = server_port, none = free_port();
        server_port = none;
        CHECK_ERR(ask(true, &answer, NULL, &err) < 0, err, ERR_NETWORK,
            "cannot ask for \"p/k\", tried 2 times: cannot connect");
        server_port = port;
        CHECK_OK(ask(true, &answer, NULL, &err), err);
        http_answer_clear(&answer);
        server_port = none;
        CHECK_ERR(ask(true, &answer, NULL, &err) < 0, err, ERR_NETWORK,
            "cannot ask for \"p/k\", tried 3 times: cannot connect");
        CHECK_INT(signed_count, 6);
        server_port = port;
        close_object_store();
}

/* Cancel. */

TEST(a_cancel_ends_an_attempt)
{
        struct http_answer answer;
        struct err err;

        err_init(&err);
        struct cancel *cancel = cancel_new(NULL, &err);
        CHECK_PTR(cancel, err);
        open_object_store("forever\n");
        cancel_trigger(cancel);
        CHECK_ERR(ask(false, &answer, cancel, &err) < 0, err, ERR_CANCELLED, "");
        cancel_unref(cancel);
        drop_object_store();
}

struct ended {
        int calls;
        struct err err;
};

static void
on_end(void *arg, struct http_answer *answer, const struct err *err)
{
        struct ended *ended = arg;

        CHECK((answer == NULL) == (err != NULL));
        ended->calls++;
        if (err != NULL)
                ended->err = *err;
}

static void
trigger(void *arg)
{
        cancel_trigger(arg);
}

/* Start a request that the server treats as it does; cancel it after a moment. */
static void
is_cancelled(const char *script)
{
        struct object_request request;
        struct ended ended = { 0 };
        struct err err;

        err_init(&err);
        struct cancel *cancel = cancel_new(NULL, &err);
        CHECK_PTR(cancel, err);
        open_object_store(script);
        object.patience.pause_ms = object.patience.pause_max_ms = 60000;
        struct object_lane *lane = object_lane_get(&object, &err);
        CHECK_PTR(lane, err);
        object_request_init(&request, &object, "ask for", "GET", "k");
        CHECK_OK(object_start(lane, &request, cancel, on_end, &ended, &err), err);
        CHECK(loop_timer(object_lane_loop(lane), 100, trigger, cancel, &err) != 0);
        while (ended.calls == 0)
                CHECK_OK(object_lane_run(lane, 10000, &err), err);
        CHECK_INT(ended.calls, 1);
        CHECK_INT(ended.err.code, ERR_CANCELLED);
        object_lane_put(lane);
        cancel_unref(cancel);
        drop_object_store();
}

TEST(a_cancel_ends_the_wait_for_an_answer)
{
        is_cancelled("always GET /p/k\nwait-close\n");
}

TEST(a_cancel_ends_a_pause)
{
        is_cancelled("always GET /p/k\nanswer 503 text/plain\n");
}

TEST(a_lane_is_stopped_with_all_that_is_under_way)
{
        struct object_request request;
        struct ended waiting = { 0 }, pausing = { 0 };
        struct err err, why;

        err_init(&err);
        err_init(&why);
        open_object_store("always GET /p/waits\nwait-close\nalways GET /p/pauses\nreset\n");
        object.patience.pause_ms = object.patience.pause_max_ms = 60000;
        struct object_lane *lane = object_lane_get(&object, &err);
        CHECK_PTR(lane, err);
        object_request_init(&request, &object, "ask for", "GET", "waits");
        CHECK_OK(object_start(lane, &request, NULL, on_end, &waiting, &err), err);
        object_request_init(&request, &object, "ask for", "GET", "pauses");
        CHECK_OK(object_start(lane, &request, NULL, on_end, &pausing, &err), err);
        /* Its timer is the third thing that is under way, in the place of its request. */
        int64_t end_ms = time_mono_ms() + 300;
        while (time_mono_ms() < end_ms)
                CHECK_OK(object_lane_run(lane, 50, &err), err);
        CHECK_INT(waiting.calls + pausing.calls, 0);
        err_set(&why, ERR_IO, "no more");
        object_lane_stop(lane, &why);
        CHECK_INT(waiting.calls, 1);
        CHECK_INT(pausing.calls, 1);
        CHECK_INT(pausing.err.code, ERR_IO);
        CHECK_INT(loop_pending(object_lane_loop(lane)), 0);
        object_lane_put(lane);
        drop_object_store();
}

/* Lanes. */

TEST(a_lane_keeps_its_connection_for_the_next_one)
{
        struct http_answer answer;
        struct err err;

        open_object_store(FINE "expect GET /p/k\nexpect-connection same\nanswer 200 text/plain\n");
        CHECK_OK(ask(false, &answer, NULL, &err), err);
        http_answer_clear(&answer);
        CHECK_INT(object.idle_count, 1);
        CHECK_OK(ask(false, &answer, NULL, &err), err);
        http_answer_clear(&answer);
        CHECK_INT(object.idle_count, 1);
        close_object_store();
}

TEST(idle_lanes_have_a_bound)
{
        struct object_lane *lanes[100];
        struct err err;

        err_init(&err);
        open_object_store("forever\n");
        for (size_t idx = 0; idx < 100; idx++) {
                lanes[idx] = object_lane_get(&object, &err);
                CHECK_PTR(lanes[idx], err);
        }
        for (size_t idx = 0; idx < 100; idx++)
                object_lane_put(lanes[idx]);
        CHECK_INT(object.idle_count, 32);
        drop_object_store();
}

/* Calls in the store's own protocol. */

TEST(a_call_of_its_own_has_headers_and_body)
{
        static const struct store_pair query[] = { { .name = "acl" }, { "v", "1", NULL } };
        static const struct store_pair headers[] = { { "X-One", "1", NULL } };
        struct store_call call = { .method = "POST",
                .key = "k",
                .query = query,
                .query_count = 2,
                .headers = headers,
                .header_count = 1,
                .body = "body",
                .body_len = 4 };
        struct store_answer answer;
        struct err err;

        err_init(&err);
        open_object_store("expect POST /p/k?acl&v=1\nexpect-header X-One: 1\nexpect-body body\n"
                          "header X-Answer: two\nanswer 200 text/plain done\n"
                          "expect POST /\nanswer 403 text/plain\n");
        CHECK_OK(object_store_call(&object.store, &call, &answer, NULL, &err), err);
        CHECK_INT(answer.status, 200);
        CHECK_STR(answer.body.data, "done");
        CHECK(strstr(answer.headers, "x-answer: two\n") != NULL);
        store_answer_clear(&answer);

        call = (struct store_call){ .method = "POST" };
        CHECK_ERR(object_store_call(&object.store, &call, &answer, NULL, &err) < 0, err,
            ERR_PERMISSION, "cannot send a POST request to \"plain://test\": HTTP status 403");
        CHECK_INT(err.http, 403);
        close_object_store();
}

TEST(a_secret_in_a_query_is_refused)
{
        struct err err;

        err_init(&err);
        struct secret *secret = secret_new("in-the-url", 10, &err);
        CHECK_PTR(secret, err);
        const struct store_pair query = { .name = "key", .secret = secret };
        const struct store_call call = { .method = "GET", .query = &query, .query_count = 1 };
        struct store_answer answer;
        open_object_store("forever\n");
        CHECK_ERR(object_store_call(&object.store, &call, &answer, NULL, &err) < 0, err, ERR_USAGE,
            "cannot be a secret");
        secret_unref(secret);
        drop_object_store();
}

/* Memory. */

static int
open_and_ask(void *arg, struct err *err)
{
        struct http_answer answer;
        struct err failure;

        (void)arg;
        object_store_clear(&object);
        make_object_store();
        object.patience.attempts = 1;
        int rc = ask(false, &answer, NULL, &failure);
        *err = failure;
        if (rc == 0)
                http_answer_clear(&answer);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        open_object_store("always GET /p/k\nanswer 200 text/plain fine\n");
        test_each_allocation(open_and_ask, NULL);
        drop_object_store();
}
