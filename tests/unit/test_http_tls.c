/*
 * The HTTP client over TLS, with certificates that are made for each test
 * (tests/servers/tls_front.c).
 */
#include "harness/http_test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <unistd.h>

#include "moonkeep/time.h"

static pid_t front_pid;
static int front_port;

/* TLS in front of the scripted server; the authority's certificate is in "ca.pem". */
static void
start_front(const char *option, const char *value)
{
        char port[16];
        const char *argv[] = { NULL, "--ca", test_path("ca.pem"), option, value, port, NULL };
        const char *plain[] = { NULL, "--ca", test_path("ca.pem"), port, NULL };

        snprintf(port, sizeof(port), "%d", server_port);
        front_port = launch("tls_front", option != NULL ? argv : plain, &front_pid);
}

static struct http_request
get_secure(const char *ca_file)
{
        struct http_request request = make("GET", "https://127.0.0.1:%d/x", front_port);

        request.ca_file = ca_file != NULL ? mem_strdup(ca_file, NULL) : NULL;
        return request;
}

/* The request does not get through: nobody asks the server behind the front. */
static void
expect_refusal(struct http_request request, const char *reason, const char *hint)
{
        struct outcome outcome;
        char where[64];

        snprintf(where, sizeof(where), "cannot GET \"https://127.0.0.1:%d/x\": ", front_port);
        fetch(request, &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_TLS, where);
        CHECK_ERR(true, outcome.err, ERR_TLS, reason);
        CHECK(!outcome.err.retryable);
        if (strstr(outcome.err.hint, hint) == NULL)
                CHECK_STR(outcome.err.hint, hint);
        end(&outcome);
}

TEST(an_answer_comes_through_when_the_authority_is_known)
{
        struct outcome outcome;

        start_server("expect GET /x answer 200 text/plain ok\n");
        start_front(NULL, NULL);
        fetch(get_secure(test_path("ca.pem")), &outcome);
        CHECK_STR(outcome.err.msg, "");
        CHECK_INT(outcome.answer.status, 200);
        CHECK_STR(outcome.answer.body.data, "ok");
        end(&outcome);
        server_is_content();
        end_process(front_pid);
}

TEST(an_authority_that_the_system_does_not_know_is_refused)
{
        start_server("forever\n");
        start_front(NULL, NULL);
        expect_refusal(get_secure(NULL), "certificate", "--ca-file");
        end_process(front_pid);
        end_server();
}

TEST(another_authority_of_the_same_name_is_refused)
{
        const char *other = test_path("other.pem");
        const char *argv[] = { NULL, "--ca", other, "1", NULL };
        pid_t pid;

        (void)launch("tls_front", argv, &pid);
        end_process(pid);
        start_server("forever\n");
        start_front(NULL, NULL);
        expect_refusal(get_secure(other), "", "other.pem\"");
        end_process(front_pid);
        end_server();
}

TEST(a_self_signed_certificate_is_refused)
{
        start_server("forever\n");
        start_front("--self-signed", "yes");
        expect_refusal(get_secure(NULL), "self", "--ca-file");
        expect_refusal(get_secure(test_path("ca.pem")), "certificate", "ca.pem\" does not hold");
        end_process(front_pid);
        end_server();
}

TEST(a_certificate_of_another_host_is_refused)
{
        start_server("forever\n");
        start_front("--name", "DNS:elsewhere.example");
        expect_refusal(get_secure(test_path("ca.pem")), "127.0.0.1", "name");
        end_process(front_pid);
        end_server();
}

TEST(an_expired_certificate_is_refused)
{
        start_server("forever\n");
        start_front("--expired", "yes");
        expect_refusal(get_secure(test_path("ca.pem")), "expired", "clock");
        end_process(front_pid);
        end_server();
}

TEST(a_file_of_authorities_that_cannot_be_used_is_named)
{
        const char *path = test_path("empty.pem");

        start_server("forever\n");
        start_front(NULL, NULL);
        expect_refusal(get_secure("/nonexistent/ca.pem"), "/nonexistent/ca.pem", "PEM");
        FILE *file = fopen(path, "we");
        CHECK(file != NULL && fputs("no certificate\n", file) >= 0 && fclose(file) == 0);
        expect_refusal(get_secure(path), "empty.pem", "PEM");
        end_process(front_pid);
        end_server();
}

TEST(a_server_that_speaks_plain_http_on_the_port_is_a_tls_error)
{
        start_server("forever\n");
        start_front("--plain", "yes");
        expect_refusal(get_secure(test_path("ca.pem")), "wrong version number", "http://");
        end_process(front_pid);
        end_server();
}

TEST(a_handshake_that_stalls_is_a_time_out)
{
        start_server("forever\n");
        start_front("--silent", "yes");
        struct http_request request = get_secure(test_path("ca.pem"));
        request.stall_ms = 300;
        int64_t begin = time_mono_ms();
        expect_failure(request, ERR_TIMEOUT, "cannot GET \"https://127.0.0.1:");
        CHECK(time_mono_ms() - begin < 5000);
        end_process(front_pid);
        end_server();
}

/* Takes one connection, reads what comes first, and is gone: with a reset if so wanted. */
struct hanging_up {
        int listener;
        bool with_reset;
};

static void *
hang_up(void *arg)
{
        const struct hanging_up *it = arg;
        struct linger at_once = { .l_onoff = 1 };
        char first[4096];
        int fd = accept(it->listener, NULL, NULL);

        CHECK(fd >= 0 && read(fd, first, sizeof(first)) > 0);
        if (it->with_reset)
                CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
        close(fd);
        return NULL;
}

static void
expect_hang_up(bool with_reset)
{
        struct sockaddr_in at = { .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t at_len = sizeof(at);
        struct hanging_up it = { .with_reset = with_reset };
        struct outcome outcome;
        pthread_t thread;

        it.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(it.listener >= 0 && bind(it.listener, (struct sockaddr *)&at, sizeof(at)) == 0);
        CHECK(listen(it.listener, 1) == 0);
        CHECK(getsockname(it.listener, (struct sockaddr *)&at, &at_len) == 0);
        CHECK(pthread_create(&thread, NULL, hang_up, &it) == 0);
        fetch(make("GET", "https://127.0.0.1:%d/x", ntohs(at.sin_port)), &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_NETWORK,
            "the connection broke in the TLS handshake: ");
        CHECK(outcome.err.retryable);
        end(&outcome);
        CHECK(pthread_join(thread, NULL) == 0);
        close(it.listener);
}

TEST(a_connection_that_breaks_in_the_handshake_is_no_refusal)
{
        expect_hang_up(false);
        expect_hang_up(true);
}

/* What http_script sends, and then closes its connection. */
static const char *const cut_answers[] = {
        "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nshort",
        "HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n",
        "HTTP/1.1 200 OK\\r\\nContent-Le",
        "HTTP/1.1 200 OK\\r\\nX: 1\\r\\n",
        "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nab",
        "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n2\\r\\nab\\r\\n",
        "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n2\\r\\nab\\r\\n0\\r\\n",
};

static void
expect_cut(const char *answer, const char *option)
{
        char script[512];

        snprintf(script, sizeof(script), "expect GET /x\nanswer-raw \"%s\"\nstall 0.05\nclose\n",
            answer);
        start_server(script);
        start_front(option, "yes");
        expect_failure(
            get_secure(test_path("ca.pem")), ERR_TRUNCATED, "/x\": the answer broke off");
        server_is_content();
        end_process(front_pid);
}

TEST(an_answer_that_is_cut_behind_a_good_bye_is_truncated)
{
        for (size_t idx = 0; idx < sizeof(cut_answers) / sizeof(cut_answers[0]); idx++)
                expect_cut(cut_answers[idx], NULL);
}

TEST(an_answer_that_is_cut_without_a_good_bye_is_truncated)
{
        for (size_t idx = 0; idx < sizeof(cut_answers) / sizeof(cut_answers[0]); idx++)
                expect_cut(cut_answers[idx], "--abrupt");
}

TEST(an_answer_that_only_the_connection_ends_is_not_believed)
{
        static const char script[] =
            "expect GET /x\nanswer-raw \"HTTP/1.1 200 OK\\r\\n\\r\\nall?\"\nclose\n";
        struct outcome outcome;

        start_server(script);
        start_front(NULL, NULL);
        expect_failure(get_secure(test_path("ca.pem")), ERR_PROTOCOL, "how long it is");
        server_is_content();
        end_process(front_pid);

        /* Newer versions of libcurl notice that there was no good-bye. */
        start_server(script);
        start_front("--abrupt", "yes");
        fetch(get_secure(test_path("ca.pem")), &outcome);
        CHECK(outcome.err.code == ERR_PROTOCOL || outcome.err.code == ERR_TRUNCATED);
        end(&outcome);
        server_is_content();
        end_process(front_pid);
}
