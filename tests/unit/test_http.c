#include "harness/http_test.h"

#include "moonkeep/time.h"

static const char *
header_of(const struct http_answer *answer, const char *name)
{
        for (size_t idx = 0; idx < answer->header_count; idx++) {
                if (strcmp(answer->headers[idx].name, name) == 0)
                        return answer->headers[idx].value;
        }
        return NULL;
}

TEST(an_answer_has_status_headers_and_body)
{
        struct outcome outcome;

        start_server("expect GET /api/v1/status?x=1\n"
                     "expect-header User-Agent: moonkeep/0.1.0\n"
                     "expect-no-header Accept-Encoding\n"
                     "answer 200 application/json {\"status\":\"success\"}\n");
        fetch(get("/api/v1/status?x=1"), &outcome);
        CHECK_INT(outcome.answer.status, 200);
        CHECK_STR(outcome.answer.body.data, "{\"status\":\"success\"}");
        CHECK_STR(header_of(&outcome.answer, "content-type"), "application/json");
        end(&outcome);
        server_is_content();
}

TEST(an_error_status_is_an_answer)
{
        struct outcome outcome;

        start_server("expect GET /gone answer 404 text/plain not here\n");
        fetch(get("/gone"), &outcome);
        CHECK_INT(outcome.answer.status, 404);
        CHECK_STR(outcome.answer.body.data, "not here");
        end(&outcome);
        server_is_content();
}

TEST(a_redirect_is_not_followed)
{
        struct outcome outcome;

        start_server("expect GET /a\n"
                     "answer-raw \"HTTP/1.1 302 Found\\r\\nLocation: /b\\r\\n"
                     "Content-Length: 0\\r\\n\\r\\n\"\n");
        fetch(get("/a"), &outcome);
        CHECK_INT(outcome.answer.status, 302);
        CHECK_STR(header_of(&outcome.answer, "location"), "/b");
        CHECK_INT(outcome.answer.body.len, 0);
        end(&outcome);
        server_is_content();
}

TEST(a_body_is_sent_as_it_is)
{
        struct outcome outcome;

        start_server("expect POST /in\n"
                     "expect-header Content-Length: 11\n"
                     "expect-header Content-Type: text/plain\n"
                     "expect-body hello world\n"
                     "answer 204 text/plain\n"
                     "expect PUT /in\n"
                     "expect-no-header Content-Type\n"
                     "expect-header Content-Length: 0\n"
                     "answer 200 text/plain\n"
                     "expect DELETE /in\n"
                     "expect-no-header Content-Length\n"
                     "answer 200 text/plain\n");
        struct http_request request = make("POST", "http://127.0.0.1:%d/in", server_port);
        request.body = mem_strdup("hello world, cut", NULL);
        request.body_len = 11;
        add_header(&request, "Content-Type", "text/plain");
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 204);
        http_answer_clear(&outcome.answer);
        fetch(make("PUT", "http://127.0.0.1:%d/in", server_port), &outcome);
        http_answer_clear(&outcome.answer);
        fetch(make("DELETE", "http://127.0.0.1:%d/in", server_port), &outcome);
        end(&outcome);
        server_is_content();
}

TEST(a_large_body_is_sent_without_waiting_for_a_go_ahead)
{
        struct outcome outcome;
        size_t size = (size_t)3 * 1024 * 1024;

        start_server("expect POST /in\n"
                     "expect-no-header Expect\n"
                     "expect-header Content-Length: 3145728\n"
                     "answer 200 text/plain ok\n");
        struct http_request request = make("POST", "http://127.0.0.1:%d/in", server_port);
        request.body = mem_alloc(size, NULL);
        memset(request.body, 'x', size);
        request.body_len = size;
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        end(&outcome);
        server_is_content();
}

TEST(a_head_request_has_no_body)
{
        struct outcome outcome;

        start_server("expect HEAD /x\n"
                     "answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 99999999\\r\\n\\r\\n\"\n"
                     "expect GET /y answer 200 text/plain ok\n");
        fetch(make("HEAD", "http://127.0.0.1:%d/x", server_port), &outcome);
        CHECK_STR(header_of(&outcome.answer, "content-length"), "99999999");
        http_answer_clear(&outcome.answer);
        fetch(get("/y"), &outcome);
        CHECK_STR(outcome.answer.body.data, "ok");
        end(&outcome);
        server_is_content();
}

TEST(a_connection_is_used_again)
{
        struct outcome outcome;

        start_server("expect GET /1\nexpect-connection new\nanswer 200 text/plain 1\n"
                     "expect GET /2\nexpect-connection same\nanswer 200 text/plain 2\n");
        fetch(get("/1"), &outcome);
        http_answer_clear(&outcome.answer);
        fetch(get("/2"), &outcome);
        CHECK_STR(outcome.answer.body.data, "2");
        end(&outcome);
        server_is_content();
}

TEST(a_request_that_must_not_be_sent_twice_has_a_connection_of_its_own)
{
        struct outcome outcome;

        start_server("expect GET /1 answer 200 text/plain 1\n"
                     "expect POST /2\nexpect-connection new\nreset\n"
                     "expect GET /3 answer 200 text/plain 3\n");
        fetch(get("/1"), &outcome);
        http_answer_clear(&outcome.answer);
        fetch(make("POST", "http://127.0.0.1:%d/2", server_port), &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_NETWORK, "cannot POST");
        fetch(get("/3"), &outcome);
        CHECK_STR(outcome.answer.body.data, "3");
        end(&outcome);
        server_is_content();
}

TEST(requests_run_at_once)
{
        struct outcome outcomes[8];

        start_server("always GET /*\nstall 0.2\nanswer 200 text/plain ok\n");
        int64_t begin = time_mono_ms();
        for (int idx = 0; idx < 8; idx++) {
                struct http_request request = get("/x");
                start(&request, NULL, &outcomes[idx]);
        }
        CHECK(loop_pending(loop) >= 8);
        run_all();
        CHECK(time_mono_ms() - begin < 1500);
        for (int idx = 0; idx < 8; idx++) {
                CHECK_INT(outcomes[idx].calls, 1);
                CHECK_INT(outcomes[idx].answer.status, 200);
                http_answer_clear(&outcomes[idx].answer);
        }
        loop_free(loop);
        end_server();
}

TEST(an_interim_answer_is_not_the_answer)
{
        struct outcome outcome;

        start_server(
            "expect GET /\n"
            "answer-raw \"HTTP/1.1 103 Early Hints\\r\\nLink: early\\r\\n\\r\\n"
            "HTTP/1.1 200 OK\\r\\nX-Late: \\t yes \\r\\nContent-Length: 2\\r\\n\\r\\nok\"\n");
        fetch(get("/"), &outcome);
        CHECK_INT(outcome.answer.status, 200);
        CHECK_INT(outcome.answer.header_count, 2);
        CHECK_STR(header_of(&outcome.answer, "x-late"), "yes");
        CHECK_STR(outcome.answer.body.data, "ok");
        end(&outcome);
        server_is_content();
}

TEST(a_secret_header_is_sent_and_in_no_message)
{
        struct outcome outcome;
        struct err err;

        err_init(&err);
        start_server("expect GET /a\n"
                     "expect-header Authorization: Bearer s3cr3t-value\n"
                     "answer 200 text/plain ok\n"
                     "expect GET /a?token=abc\n"
                     "reset\n");
        for (int round = 0; round < 2; round++) {
                struct http_request request = get(round == 0 ? "/a" : "/a?token=abc");
                struct http_header *header = add_header(&request, "Authorization", NULL);
                header->value_prefix = mem_strdup("Bearer ", NULL);
                header->secret = secret_new("s3cr3t-value", 12, &err);
                CHECK_PTR(header->secret, err);
                fetch(request, &outcome);
                /* With its connections: libcurl would try a broken one again. */
                end(&outcome);
        }
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_NETWORK, "/a\": ");
        CHECK(strstr(outcome.err.msg, "s3cr3t") == NULL);
        CHECK(strstr(outcome.err.msg, "token") == NULL);
        server_is_content();
}

TEST(a_refused_connection_says_where_and_may_be_retried)
{
        struct outcome outcome;
        char text[100];
        int port = free_port();

        snprintf(text, sizeof(text), "cannot connect to 127.0.0.1:%d: Connection refused", port);
        fetch(make("GET", "http://127.0.0.1:%d/x", port), &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_NETWORK, text);
        CHECK(outcome.err.retryable);
        end(&outcome);
}

TEST(a_host_that_does_not_exist_is_a_network_error)
{
        expect_failure(make("GET", "http://no-such-host.invalid/x"), ERR_NETWORK,
            "cannot connect to no-such-host.invalid:80: ");
}

TEST(a_connection_that_is_closed_without_an_answer_is_a_network_error)
{
        start_server("expect GET /x close\nexpect GET /x reset\ndrop\n");
        expect_failure(get("/x"), ERR_NETWORK, "closed the connection without an answer");
        expect_failure(get("/x"), ERR_NETWORK, "/x\": ");
        struct outcome outcome;
        fetch(get("/x"), &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_NETWORK, NULL);
        CHECK(outcome.err.retryable);
        end(&outcome);
        server_is_content();
}

TEST(an_answer_that_is_cut_is_truncated)
{
        static const struct {
                const char *bytes;
                const char *end;
        } cuts[] = {
                { "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nshort", "close" },
                { "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nshort", "reset" },
                { "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n", "close" },
                { "HTTP/1.1 200 OK\\r\\nContent-Le", "close" },
                { "HTTP/1.1 200 OK\\r\\nX: 1\\r\\n", "close" },
                { "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nab", "close" },
                { "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n2\\r\\nab\\r\\n",
                    "close" },
                { "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: "
                  "chunked\\r\\n\\r\\n2\\r\\nab\\r\\n0\\r\\n",
                    "close" },
        };

        for (size_t idx = 0; idx < sizeof(cuts) / sizeof(cuts[0]); idx++) {
                char script[512];
                snprintf(script, sizeof(script),
                    "expect GET /x\nanswer-raw \"%s\"\nstall 0.05\n%s\n", cuts[idx].bytes,
                    cuts[idx].end);
                start_server(script);
                expect_failure(get("/x"), ERR_TRUNCATED, "/x\": the answer broke off");
                server_is_content();
        }
}

TEST(an_answer_whose_end_nothing_proves_is_not_believed)
{
        struct outcome outcome;

        start_server("expect GET /x\nanswer-raw \"HTTP/1.1 200 OK\\r\\n\\r\\nall?\"\nclose\n"
                     "expect GET /x\nanswer-raw \"HTTP/1.0 500 Oh\\r\\n\\r\\nwhy\"\nclose\n"
                     "expect GET /x\nanswer-raw \"HTTP/1.1 204 No\\r\\n\\r\\n\"\nclose\n");
        expect_failure(get("/x"), ERR_PROTOCOL, "does not say how long it is");
        /* Of an error, what is there of its reason is better than nothing. */
        fetch(get("/x"), &outcome);
        CHECK_INT(outcome.answer.status, 500);
        CHECK_STR(outcome.answer.body.data, "why");
        http_answer_clear(&outcome.answer);
        fetch(get("/x"), &outcome);
        CHECK_INT(outcome.answer.status, 204);
        end(&outcome);
        server_is_content();
}

TEST(what_is_not_http_breaks_the_protocol)
{
        static const char *const answers[] = {
                "SSH-2.0-OpenSSH_9.2\\r\\n",
                "HTTP/1.1 abc\\r\\n\\r\\n",
                "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\nab",
                "HTTP/1.1 200 OK\\r\\nContent-Length: many\\r\\n\\r\\nab",
        };

        for (size_t idx = 0; idx < sizeof(answers) / sizeof(answers[0]); idx++) {
                char script[512];
                snprintf(script, sizeof(script),
                    "expect GET /x\nanswer-raw \"%s\"\nstall 0.05\nclose\n", answers[idx]);
                start_server(script);
                expect_failure(get("/x"), ERR_PROTOCOL, "cannot GET \"http://127.0.0.1:");
                server_is_content();
        }
}

TEST(an_endless_answer_is_too_big_while_it_arrives)
{
        start_server("expect GET /x endless\n");
        expect_failure(get("/x"), ERR_TOO_BIG, "larger than 1048576 bytes");
        server_is_content();
}

TEST(an_answer_of_exactly_the_bound_is_accepted)
{
        struct outcome outcome;

        start_server("expect GET /x answer 200 text/plain 12345\n"
                     "expect GET /x answer 200 text/plain 123456\n");
        struct http_request request = get("/x");
        request.answer_max = 5;
        fetch(request, &outcome);
        CHECK_STR(outcome.answer.body.data, "12345");
        http_answer_clear(&outcome.answer);
        request = get("/x");
        request.answer_max = 5;
        expect_failure(request, ERR_TOO_BIG, "larger than 5 bytes");
        server_is_content();
}

TEST(endless_headers_are_too_big)
{
        start_server("expect GET /x endless-headers\n");
        expect_failure(get("/x"), ERR_TOO_BIG, "headers");
        server_is_content();
}

TEST(a_server_that_says_nothing_is_a_time_out)
{
        start_server("expect GET /x wait-close\n");
        struct http_request request = get("/x");
        request.stall_ms = 150;
        expect_failure(request, ERR_TIMEOUT, "no progress for 0.150 s");
        server_is_content();
}

TEST(an_answer_that_stops_half_way_is_a_time_out)
{
        start_server("expect GET /x\n"
                     "answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nab\"\n"
                     "wait-close\n");
        struct http_request request = get("/x");
        request.stall_ms = 150;
        expect_failure(request, ERR_TIMEOUT, "no progress for 0.150 s");
        server_is_content();
}

TEST(a_slow_answer_that_moves_is_no_time_out)
{
        struct outcome outcome;

        start_server("expect GET /x\nslow 100\nanswer 200 text/plain 12345678901234567890\n");
        struct http_request request = get("/x");
        request.stall_ms = 600;
        int64_t begin = time_mono_ms();
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        CHECK(time_mono_ms() - begin > 600);
        end(&outcome);
        server_is_content();
}

TEST(the_whole_has_a_bound_of_its_own)
{
        start_server("expect GET /x\nslow 100\nendless\n");
        struct http_request request = get("/x");
        request.total_ms = 300;
        expect_failure(request, ERR_TIMEOUT, "it took longer than 0.300 s");
        server_is_content();
}

static void
trigger(void *arg)
{
        cancel_trigger(arg);
}

TEST(a_cancel_ends_a_request_at_once)
{
        struct outcome outcomes[2];
        struct err err;

        err_init(&err);
        start_server("expect GET /x\nwait-close\nexpect GET /x\nwait-close\n");
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        for (int idx = 0; idx < 2; idx++) {
                struct http_request request = get("/x");
                start(&request, token, &outcomes[idx]);
        }
        CHECK(loop_timer(loop, 100, trigger, token, &err) != 0);
        int64_t begin = time_mono_ms();
        run_all();
        CHECK(time_mono_ms() - begin < 5000);
        for (int idx = 0; idx < 2; idx++) {
                CHECK_INT(outcomes[idx].calls, 1);
                CHECK_INT(outcomes[idx].err.code, ERR_CANCELLED);
        }
        /* The next one with that token does not even start. */
        struct http_request request = get("/x");
        CHECK_ERR(http_start(loop, &request, token, done, &outcomes[0], &err) < 0, err,
            ERR_CANCELLED, "");
        CHECK(request.url == NULL);
        cancel_unref(token);
        loop_free(loop);
        server_is_content();
}

TEST(a_request_over_a_unix_socket)
{
        struct outcome outcome;
        const char *path = test_path("sock");

        start_server_with("--unix", path, "expect GET /x answer 200 text/plain ok\n");
        struct http_request request = make("GET", "http://localhost/x");
        request.unix_socket = mem_strdup(path, NULL);
        fetch(request, &outcome);
        CHECK_STR(outcome.answer.body.data, "ok");
        end(&outcome);
        server_is_content();

        request = make("GET", "http://localhost/x");
        request.unix_socket = mem_strdup(test_path("nobody"), NULL);
        expect_failure(request, ERR_NETWORK, "nobody\": ");
}

TEST(the_proxy_of_the_environment_is_used_and_left_out_as_it_says)
{
        struct outcome outcome;

        start_server("expect GET http://backup.invalid/x answer 200 text/plain by proxy\n"
                     "expect GET /y answer 200 text/plain direct\n");
        char proxy[64];
        snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", server_port);
        setenv("http_proxy", proxy, 1);
        setenv("no_proxy", "127.0.0.1", 1);
        fetch(make("GET", "http://backup.invalid/x"), &outcome);
        CHECK_STR(outcome.answer.body.data, "by proxy");
        http_answer_clear(&outcome.answer);
        fetch(get("/y"), &outcome);
        CHECK_STR(outcome.answer.body.data, "direct");
        end(&outcome);
        server_is_content();
}

TEST(a_server_that_speaks_no_tls_is_a_tls_error)
{
        /* It takes the ClientHello for a request that never ends. */
        start_server("drop\n");
        struct outcome outcome;
        fetch(make("GET", "https://127.0.0.1:%d/x", server_port), &outcome);
        CHECK(outcome.err.code == ERR_TLS || outcome.err.code == ERR_NETWORK);
        end(&outcome);
        server_is_content();

        struct http_request request = make("GET", "https://127.0.0.1:%d/x", free_port());
        request.ca_file = mem_strdup("/nonexistent/ca.pem", NULL);
        fetch(request, &outcome);
        CHECK(outcome.err.code == ERR_TLS || outcome.err.code == ERR_NETWORK);
        end(&outcome);
}

static void
refused(struct http_request request, const char *text)
{
        struct outcome outcome = { 0 };
        struct err err;

        err_init(&err);
        if (loop == NULL)
                loop = loop_new(&err);
        CHECK_ERR(http_start(loop, &request, NULL, done, &outcome, &err) < 0, err, ERR_USAGE, text);
        CHECK(request.url == NULL);
        CHECK(strstr(err.msg, "hunter2") == NULL);
        CHECK_INT(loop_pending(loop), 0);
        CHECK_INT(outcome.calls, 0);
}

TEST(requests_that_cannot_be_sent_are_refused)
{
        refused(make("GET", "http://me:hunter2@127.0.0.1/"), "user or password");
        refused(make("GET", "http://me@127.0.0.1/"), "user or password");
        refused(make("GET", "ftp://127.0.0.1/"), "\"ftp\"");
        refused(make("GET", "file:///etc/passwd"), "\"file\"");
        refused(make("GET", "http:///x"), "without a host");
        refused(make("GET", "127.0.0.1/x"), "not a URL");
        refused(make("GET", "http://h/a b"), "not a URL");
        refused(make("GE T", "http://h/"), "method");
        refused(make("", "http://h/"), "method");

        struct http_request request = make("GET", "http://h/");
        add_header(&request, "X-A", "1\r\nX-B: 2");
        refused(request, "header \"X-A\"");
        request = make("GET", "http://h/");
        add_header(&request, "X A", "1");
        refused(request, "name");
        request = make("GET", "http://h/");
        add_header(&request, "X-A", NULL);
        refused(request, "header \"X-A\"");
        request = make("GET", "http://h/");
        add_header(&request, "Token", NULL)->secret = secret_new("hunter2\n", 8, NULL);
        refused(request, "header \"Token\"");
        loop_free(loop);
}

TEST(a_header_may_be_empty)
{
        struct outcome outcome;

        start_server("expect GET /x\nexpect-header X-Empty:\nanswer 200 text/plain ok\n");
        struct http_request request = get("/x");
        add_header(&request, "X-Empty", "");
        fetch(request, &outcome);
        CHECK_INT(outcome.answer.status, 200);
        end(&outcome);
        server_is_content();
}

/* A request and its answer, or -1 with the error of either. */
static int
exchange(void *arg, struct err *err)
{
        struct http_request request = { .answer_max = 1000, .stall_ms = 20000 };
        struct outcome outcome = { 0 };
        int rc = -1;

        loop = loop_new(err);
        if (loop == NULL)
                return -1;
        request.method = mem_strdup("GET", err);
        request.url = request.method != NULL ? mem_strdup(arg, err) : NULL;
        if (request.url == NULL) {
                http_request_clear(&request);
                goto over;
        }
        if (http_start(loop, &request, NULL, done, &outcome, err) < 0)
                goto over;
        while (loop_pending(loop) > 0 && loop_run_once(loop, 60000, err) == 0)
                continue;
        CHECK_INT(outcome.calls, 1);
        if (outcome.err.code != ERR_NONE)
                *err = outcome.err;
        else
                rc = 0;
        http_answer_clear(&outcome.answer);
over:
        loop_free(loop);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        char url[64];

        start_server("always GET /x answer 200 text/plain ok\n");
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", server_port);
        test_each_allocation(exchange, url);
        end_server();
}
