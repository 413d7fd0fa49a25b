/*
 * Routes: whom a request trusts, who it is, and what it is dialled by, against
 * a real TLS server that tells what it saw (tests/servers/tls_front.c).
 */
#include "../../src/net/http_internal.h"

#include <fcntl.h>

#include "harness/tls_test.h"

#include "moonkeep/time.h"

static struct http_request
get_by(struct http_route *route)
{
        struct http_request request = make("GET", "https://127.0.0.1:%d/x", front_port);

        request.route = http_route_ref(route);
        return request;
}

/* Without end: the loop keeps its connections. */
static void
expect_answer(struct http_request request)
{
        struct outcome outcome;

        fetch(request, &outcome);
        CHECK_STR(outcome.err.msg, "");
        CHECK_INT(outcome.answer.status, 200);
        http_answer_clear(&outcome.answer);
}

static void
end_loop(void)
{
        loop_free(loop);
        loop = NULL;
}

static struct http_route *
route_of(const char *client, const char *server_name, const char *proxy)
{
        struct err err;

        err_init(&err);
        struct http_route *route = make_route(client, server_name, proxy, &err);
        CHECK_PTR(route, err);
        return route;
}

TEST(the_authorities_of_a_route_are_trusted)
{
        start_server("expect GET /x answer 200 text/plain ok\n");
        start_tls(server_port, NULL, NULL);
        struct http_route *route = route_of(NULL, NULL, NULL);
        expect_answer(get_by(route));
        http_route_unref(route);
        end_loop();
        server_is_content();
        end_process(front_pid);
        expect_handshakes("- -\n");
}

TEST(other_authorities_are_not_and_neither_are_those_of_the_system)
{
        const char *other = test_path("other.pem");
        const char *argv[] = { NULL, "--ca", other, "1", NULL };
        struct http_route_opts opts = { 0 };
        struct err err;
        pid_t pid;

        err_init(&err);
        (void)launch("tls_front", argv, &pid);
        end_process(pid);
        start_server("forever\n");
        start_tls(server_port, NULL, NULL);
        /* What OpenSSL takes for the system's authorities would be good enough. */
        setenv("SSL_CERT_FILE", test_path("ca.pem"), 1);
        char *text = read_text(other);
        opts.ca_pem = text;
        opts.ca_pem_len = strlen(text);
        struct http_route *route = http_route_new(&opts, &err);
        CHECK_PTR(route, err);
        free(text);
        struct http_request request = get_by(route);
        http_route_unref(route);
        expect_failure(request, ERR_TLS, "cannot GET \"https://127.0.0.1:");
        end_process(front_pid);
        end_server();
}

TEST(the_certificate_of_a_route_is_shown)
{
        start_server("expect GET /x answer 200 text/plain ok\n");
        start_tls(server_port, "--require", "yes");
        struct http_route *route = route_of("one", NULL, NULL);
        expect_answer(get_by(route));
        int64_t left_ms = http_route_cert_ends_ms(route) - time_now_ms();
        CHECK(left_ms > 23L * 3600 * 1000 && left_ms < 25L * 3600 * 1000);
        http_route_unref(route);
        end_loop();
        server_is_content();
        end_process(front_pid);
        expect_handshakes("- one\n");
}

static void
expect_refused(const char *client, const char *hint)
{
        struct outcome outcome;
        struct http_route *route = route_of(client, NULL, NULL);

        fetch(get_by(route), &outcome);
        CHECK_ERR(outcome.err.code != ERR_NONE, outcome.err, ERR_TLS, "alert");
        if (strstr(outcome.err.hint, hint) == NULL)
                CHECK_STR(outcome.err.hint, hint);
        CHECK(!outcome.err.retryable);
        end(&outcome);
        http_route_unref(route);
}

TEST(a_server_that_does_not_take_our_certificate_is_a_tls_error_that_says_why)
{
        start_server("forever\n");
        start_tls(server_port, "--require", "yes");
        expect_refused(NULL, "the server wants a certificate of its clients");
        expect_refused("old", "our certificate expired on 20");
        expect_refused("other", "the server does not take our certificate");
        end_process(front_pid);
        end_server();
}

TEST(connections_are_kept_for_the_same_route_and_never_shared_by_others)
{
        start_server("expect GET /x answer 200 text/plain ok\nexpect-connection new\n"
                     "expect GET /x answer 200 text/plain ok\nexpect-connection same\n"
                     "expect GET /x answer 200 text/plain ok\nexpect-connection new\n"
                     "expect GET /x answer 200 text/plain ok\nexpect-connection new\n"
                     "expect GET /x answer 200 text/plain ok\nexpect-connection new\n");
        start_tls(server_port, "--name", "IP:127.0.0.1,DNS:api.example");
        struct http_route *one = route_of("one", NULL, NULL);
        struct http_route *again = route_of("one", NULL, NULL);
        struct http_route *two = route_of("two", NULL, NULL);
        struct http_route *none = route_of(NULL, NULL, NULL);
        struct http_route *named = route_of("one", "api.example", NULL);
        expect_answer(get_by(one));
        expect_answer(get_by(again));
        expect_answer(get_by(two));
        expect_answer(get_by(none));
        expect_answer(get_by(named));
        http_route_unref(one);
        http_route_unref(again);
        http_route_unref(two);
        http_route_unref(none);
        http_route_unref(named);
        end_loop();
        server_is_content();
        end_process(front_pid);
        expect_handshakes("- one\n- two\n- -\napi.example one\n");
}

TEST(a_connection_that_trusts_others_is_not_used)
{
        start_server("forever\nalways GET /x answer 200 text/plain ok\n");
        start_tls(server_port, NULL, NULL);
        struct http_route *route = route_of(NULL, NULL, NULL);
        expect_answer(get_by(route));
        http_route_unref(route);
        struct http_request request = make("GET", "https://127.0.0.1:%d/x", front_port);
        expect_failure(request, ERR_TLS, "certificate");
        end_process(front_pid);
        end_server();
}

TEST(the_server_name_is_verified_and_sni_while_host_stays_the_host)
{
        char line[256];
        struct err err;

        err_init(&err);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in inet = { .sin_family = AF_INET };
        socklen_t len = sizeof(inet);
        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(fd, (struct sockaddr *)&inet, len) == 0 && listen(fd, 4) == 0);
        CHECK(getsockname(fd, (struct sockaddr *)&inet, &len) == 0);
        start_tls(ntohs(inet.sin_port), "--name", "DNS:api.example");
        snprintf(line, sizeof(line), "GET /x?a=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", front_port);

        struct http_route *route = route_of(NULL, "api.example", NULL);
        struct http_request request = make("GET", "https://127.0.0.1:%d/x?a=1", front_port);
        request.route = route;
        struct outcome outcome;
        start(&request, NULL, &outcome);
        char head[4096] = "";
        size_t got = 0;
        int peer = -1;
        CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
        while (outcome.calls == 0) {
                CHECK_OK(loop_run_once(loop, 10, &err), err);
                if (peer < 0)
                        peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
                ssize_t more = peer >= 0 ? read(peer, head + got, sizeof(head) - 1 - got) : 0;
                if (more > 0)
                        got += (size_t)more;
                if (more > 0 && strstr(head, "\r\n\r\n") != NULL)
                        CHECK(
                            write(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38) == 38);
        }
        CHECK_STR(outcome.err.msg, "");
        CHECK_INT(outcome.answer.status, 200);
        if (strstr(head, line) == NULL)
                CHECK_STR(head, line);
        end(&outcome);
        close(peer);
        close(fd);
        end_process(front_pid);
        expect_handshakes("api.example -\n");
}

TEST(a_server_of_another_name_is_refused)
{
        start_server("forever\n");
        start_tls(server_port, NULL, NULL);
        struct http_route *route = route_of(NULL, "api.example", NULL);
        struct http_request request = get_by(route);
        http_route_unref(route);
        expect_failure(request, ERR_TLS, "api.example");
        end_process(front_pid);
        end_server();
}

TEST(a_server_name_goes_with_a_proxy_and_with_those_that_need_none)
{
        struct outcome outcome;
        char proxy[64];
        pid_t proxy_pid;
        const char *argv[] = { NULL, "--log", test_path("proxy.log"), NULL };

        start_server("forever\nalways GET /x answer 200 text/plain ok\n");
        start_tls(server_port, "--name", "DNS:api.example");
        snprintf(
            proxy, sizeof(proxy), "http://127.0.0.1:%d", launch("connect_proxy", argv, &proxy_pid));

        /* The route's own, whatever the environment says. */
        setenv("no_proxy", "*", 1);
        struct http_route *route = route_of(NULL, "api.example", proxy);
        fetch(get_by(route), &outcome);
        CHECK_STR(outcome.err.msg, "");
        end(&outcome);
        http_route_unref(route);

        /* That of the environment. */
        setenv("https_proxy", proxy, 1);
        setenv("no_proxy", "api.example", 1);
        route = route_of(NULL, "api.example", NULL);
        fetch(get_by(route), &outcome);
        CHECK_STR(outcome.err.msg, "");
        end(&outcome);

        setenv("no_proxy", "localhost,127.0.0.0/8", 1);
        fetch(get_by(route), &outcome);
        CHECK_STR(outcome.err.msg, "");
        end(&outcome);
        http_route_unref(route);

        /* None. */
        unsetenv("no_proxy");
        route = route_of(NULL, "api.example", "");
        fetch(get_by(route), &outcome);
        CHECK_STR(outcome.err.msg, "");
        end(&outcome);
        http_route_unref(route);

        char want[128];
        snprintf(want, sizeof(want), "CONNECT 127.0.0.1:%d 200\nCONNECT 127.0.0.1:%d 200\n",
            front_port, front_port);
        char *text = read_text(argv[2]);
        CHECK_STR(text, want);
        free(text);
        end_process(proxy_pid);
        end_process(front_pid);
        end_server();
}

TEST(hosts_without_a_proxy_are_told_by_name_address_and_network)
{
        CHECK(no_proxy_has("*", "example.org"));
        CHECK(no_proxy_has("other, example.org", "example.org"));
        CHECK(no_proxy_has("example.org", "api.EXAMPLE.org"));
        CHECK(no_proxy_has(".example.org", "example.org"));
        CHECK(no_proxy_has("a,.example.org.", "api.example.org."));
        CHECK(!no_proxy_has("example.org", "badexample.org"));
        CHECK(!no_proxy_has("api.example.org", "example.org"));
        CHECK(!no_proxy_has("", "example.org"));
        CHECK(!no_proxy_has(",. ,", "example.org"));
        CHECK(no_proxy_has("127.0.0.1", "127.0.0.1"));
        CHECK(no_proxy_has("10.0.0.0/8 192.168.1.0/24", "192.168.1.77"));
        CHECK(no_proxy_has("192.168.0.0/23", "192.168.1.77"));
        CHECK(!no_proxy_has("192.168.0.0/24", "192.168.1.77"));
        CHECK(no_proxy_has("0.0.0.0/0", "192.168.1.77"));
        CHECK(!no_proxy_has("192.168.1.0/33,192.168.1.0/x,192.168.1.0/", "192.168.1.77"));
        CHECK(!no_proxy_has("168.1.77", "192.168.1.77"));
        CHECK(no_proxy_has("fd00::/8", "fd12::1"));
        CHECK(no_proxy_has("0:0::1", "::1"));
        CHECK(!no_proxy_has("::/0", "10.0.0.1"));
}

/* What is refused before anything is connected. */

static void
refuses(struct http_route_opts opts, enum err_code code, const char *why)
{
        struct err err;

        err_init(&err);
        CHECK_ERR(http_route_new(&opts, &err) == NULL, err, code, why);
}

static struct http_route_opts
authorities(const char *text)
{
        return (struct http_route_opts){ .ca_pem = text, .ca_pem_len = strlen(text) };
}

TEST(what_is_no_certificate_key_name_or_proxy_is_refused_early)
{
        struct err err;

        err_init(&err);
        start_tls(1, NULL, NULL);
        end_process(front_pid);
        char *one = read_text(test_path("one.pem"));
        char *key_text = read_text(test_path("one.key"));
        char *other_text = read_text(test_path("two.key"));
        struct secret *key = secret_new(key_text, strlen(key_text), &err);
        struct secret *other = secret_new(other_text, strlen(other_text), &err);
        struct secret *nothing = secret_new("nothing", 7, &err);
        CHECK(key != NULL && other != NULL && nothing != NULL);

        refuses(authorities(""), ERR_INVALID, "authorities: there is no certificate");
        refuses(authorities(key_text), ERR_INVALID, "authorities: there is no certificate");
        char *cut = strdup(one);
        strcpy(strchr(cut, '\n') + 41, "\n-----END CERTIFICATE-----\n");
        refuses(authorities(cut), ERR_INVALID, "damaged");
        strcpy(cut, one);
        cut[strlen(cut) / 2] = '\0';
        refuses(authorities(cut), ERR_INVALID, "");
        free(cut);

        struct http_route_opts opts = { .cert_pem = one, .cert_pem_len = strlen(one) };
        refuses(opts, ERR_INVALID, "needs its key");
        opts.key_pem = other;
        refuses(opts, ERR_INVALID, "the certificate is for another key");
        opts.key_pem = nothing;
        refuses(opts, ERR_INVALID, "there is no private key");
        opts.cert_pem = NULL;
        opts.key_pem = key;
        refuses(opts, ERR_INVALID, "beside its key");

        refuses((struct http_route_opts){ .server_name = "" }, ERR_INVALID, "server name");
        refuses((struct http_route_opts){ .server_name = "a/b" }, ERR_INVALID, "server name");
        refuses((struct http_route_opts){ .proxy = "ftp://p" }, ERR_INVALID, "not http, https");
        refuses((struct http_route_opts){ .proxy = "p:3128" }, ERR_INVALID, "not http, https");
        refuses((struct http_route_opts){ .proxy = "http://" }, ERR_INVALID, "not http, https");
        refuses((struct http_route_opts){ .proxy = "p" }, ERR_INVALID, "URL of the proxy");

        /* A certificate in one file with its key, and the key with its certificate. */
        char *both = malloc(strlen(one) + strlen(key_text) + 1);
        strcpy(both, key_text);
        strcat(both, one);
        secret_unref(nothing);
        nothing = secret_new(both, strlen(both), &err);
        opts.cert_pem = both;
        opts.cert_pem_len = strlen(both);
        opts.key_pem = nothing;
        struct http_route *route = http_route_new(&opts, &err);
        CHECK_PTR(route, err);
        http_route_unref(route);
        free(both);

        secret_unref(key);
        secret_unref(other);
        secret_unref(nothing);
        free(one);
        free(key_text);
        free(other_text);
}

static int
make_one(void *arg, struct err *err)
{
        const struct http_route_opts *opts = arg;
        struct http_route *route = http_route_new(opts, err);

        http_route_unref(http_route_ref(route));
        http_route_unref(route);
        return route != NULL ? 0 : -1;
}

TEST(a_route_without_memory_is_an_error_and_leaks_nothing)
{
        start_tls(1, NULL, NULL);
        end_process(front_pid);
        char *cert = read_text(test_path("one.pem"));
        char *key = read_text(test_path("one.key"));
        struct secret *secret = secret_new(key, strlen(key), NULL);
        struct http_route_opts opts = { .ca_pem = cert,
                .ca_pem_len = strlen(cert),
                .cert_pem = cert,
                .cert_pem_len = strlen(cert),
                .key_pem = secret,
                .server_name = "api.example",
                .proxy = "http://proxy" };
        test_each_allocation(make_one, &opts);
        secret_unref(secret);
        free(key);
        free(cert);
}

/* Dialling. */

struct dialler {
        int fd;
        int calls;
};

static int
dial(void *arg, struct err *err)
{
        struct dialler *dialler = arg;

        dialler->calls++;
        if (dialler->fd < 0)
                return err_set(err, ERR_NOT_FOUND, "cannot reach the pod");
        return dialler->fd;
}

/* A connected socket to the port of loopback. */
static int
connection_to(int port)
{
        struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(connect(fd, (struct sockaddr *)&inet, sizeof(inet)) == 0);
        return fd;
}

TEST(a_dialled_connection_carries_one_request_and_no_name_is_looked_up)
{
        start_server("expect GET /x answer 200 text/plain ok\nexpect-connection new\n"
                     "expect-header Host: no.such.host.invalid:9090\n"
                     "expect GET /x answer 200 text/plain ok\nexpect-connection new\n");
        setenv("http_proxy", "http://127.0.0.1:1", 1);
        for (int count = 0; count < 2; count++) {
                struct http_request request = make("GET", "http://no.such.host.invalid:9090/x");
                struct dialler dialler = { .fd = connection_to(server_port) };
                request.dial = dial;
                request.dial_arg = &dialler;
                expect_answer(request);
                CHECK_INT(dialler.calls, 1);
        }
        end_loop();
        server_is_content();
}

TEST(a_socket_pair_can_be_dialled)
{
        struct http_request request = make("GET", "http://pod/x");
        static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        struct dialler dialler = { .calls = 0 };
        struct outcome outcome;
        int fds[2];
        char head[4096] = "";

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        CHECK(write(fds[1], answer, sizeof(answer) - 1) == (ssize_t)sizeof(answer) - 1);
        dialler.fd = fds[0];
        request.dial = dial;
        request.dial_arg = &dialler;
        fetch(request, &outcome);
        CHECK_STR(outcome.err.msg, "");
        CHECK_STR(outcome.answer.body.data, "ok");
        CHECK(read(fds[1], head, sizeof(head) - 1) > 0);
        CHECK(strstr(head, "GET /x HTTP/1.1\r\nHost: pod\r\n") == head);
        end(&outcome);
        CHECK_INT(read(fds[1], head, 1), 0);
        close(fds[1]);
}

TEST(tls_goes_over_a_dialled_connection)
{
        start_server("expect GET /x answer 200 text/plain ok\n");
        start_tls(server_port, "--name", "DNS:pod.example");
        struct dialler dialler = { .fd = connection_to(front_port) };
        struct http_request request = make("GET", "https://somewhere.invalid/x");
        request.route = route_of("two", "pod.example", NULL);
        request.dial = dial;
        request.dial_arg = &dialler;
        expect_answer(request);
        end_loop();
        server_is_content();
        end_process(front_pid);
        expect_handshakes("pod.example two\n");
}

TEST(a_dial_that_fails_is_the_error_of_the_request)
{
        struct http_request request = make("GET", "http://pod/x");
        struct dialler dialler = { .fd = -1 };

        request.dial = dial;
        request.dial_arg = &dialler;
        expect_failure(request, ERR_NOT_FOUND, "cannot reach the pod");
        CHECK_INT(dialler.calls, 1);
}

TEST(a_dialled_connection_that_ends_at_once_is_a_network_error)
{
        struct http_request request = make("GET", "http://pod/x");
        struct dialler dialler = { .calls = 0 };
        int fds[2];

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        close(fds[1]);
        dialler.fd = fds[0];
        request.dial = dial;
        request.dial_arg = &dialler;
        expect_failure(request, ERR_NETWORK, "cannot GET \"http://pod/x\"");
        CHECK_INT(dialler.calls, 1);
}
