/*
 * Who a client says that it is, request by request; what is sent is in
 * tests/lua/kube_native.lua and tests/integration/kube_access.sh.
 */
#include <stdint.h>

#include "harness/http_test.h"
#include "harness/kube_test.h"
#include "moonkeep/http.h"
#include "moonkeep/kube.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

#define V1 "client.authentication.k8s.io/v1"

static struct kube_client *
open_client(const char *user)
{
        struct kube_client_opts opts = { .kubeconfig = test_path("conf") };
        struct kube_client *client;
        struct err err;

        clean_environment();
        write_file("conf", one_config("\"server\":\"https://h:1/k8s/clusters/c-1/\"", user));
        client = kube_client_open(&opts, &err);
        CHECK_PTR(client, err);
        return client;
}

/* What Authorization is now; valid until the next call. */
static const char *
authorization(struct kube_client *client)
{
        static char text[4096];
        struct http_request request = { 0 };
        struct err err;

        CHECK_OK(kube_client_prepare(client, "/version", &request, NULL, &err), err);
        text[0] = '\0';
        for (size_t idx = 0; idx < request.header_count; idx++) {
                if (strcmp(request.headers[idx].name, "Authorization") == 0)
                        snprintf(text, sizeof(text), "%s%s", request.headers[idx].value_prefix,
                            secret_bytes(request.headers[idx].secret, NULL));
        }
        CHECK(request.route != NULL);
        http_request_clear(&request);
        return text;
}

/* Is there nothing to wait for? */
static bool
is_ready(struct kube_client *client)
{
        struct http_request request = { 0 };
        struct err err;

        err_init(&err);
        int rc = kube_client_prepare_now(client, "/version", &request, &err);
        CHECK_OK(rc < 0 ? -1 : 0, err);
        CHECK((request.url != NULL) == (rc == 1));
        http_request_clear(&request);
        return rc == 1;
}

static struct err
prepare_fails(struct kube_client *client, enum err_code code, const char *why)
{
        struct http_request request = { 0 };
        struct err err;

        CHECK_ERR(
            kube_client_prepare(client, "/version", &request, NULL, &err) < 0, err, code, why);
        check_not_shown(&err);
        http_request_clear(&request);
        return err;
}

TEST(the_path_goes_behind_the_prefix_of_the_server)
{
        struct kube_client *client = open_client(A_TOKEN ",\"as\":\"boss\"");
        struct http_request request = { 0 };
        struct err err;

        CHECK_STR(kube_client_server(client), "https://h:1/k8s/clusters/c-1");
        CHECK_STR(kube_client_context(client), "c");
        CHECK_STR(kube_client_user(client), "u");
        CHECK_STR(kube_client_namespace(client), "default");
        CHECK_OK(kube_client_prepare(client, "/api/v1/pods?limit=1", &request, NULL, &err), err);
        CHECK_STR(request.url, "https://h:1/k8s/clusters/c-1/api/v1/pods?limit=1");
        CHECK_INT(request.header_count, 2);
        CHECK_STR(request.headers[1].name, "Impersonate-User");
        http_request_clear(&request);
        CHECK_ERR(kube_client_prepare(client, "api", &request, NULL, &err) < 0, err, ERR_USAGE,
            "must begin with");
        kube_client_unref(client);
}

TEST(a_fixed_token_or_password_is_all_there_is)
{
        struct kube_client *client = open_client(A_TOKEN);

        CHECK(is_ready(client));
        CHECK_STR(authorization(client), "Bearer hidden-token");
        CHECK(!kube_client_refused(client));
        kube_client_unref(client);
        client = open_client("\"username\":\"me\",\"password\":\"hidden\"");
        CHECK_STR(authorization(client), "Basic bWU6aGlkZGVu");
        kube_client_unref(client);
}

TEST(nothing_secret_leaves_this_machine_by_plain_http)
{
        static const struct {
                const char *cluster;
                bool shown;
        } servers[] = {
                { "\"server\":\"HTTP://h:1\"", false },
                { "\"server\":\"http://127.0.0.1.evil:1\"", false },
                { "\"server\":\"http://127.0.0.1:1\",\"proxy-url\":\"http://p:1\"", false },
                { "\"server\":\"http://127.0.0.1:1\"", true },
                { "\"server\":\"http://[::1]:1\"", true },
                { "\"server\":\"http://localhost\"", true },
        };
        static const char *const users[] = { A_TOKEN, "\"tokenFile\":\"t\"",
                "\"username\":\"me\",\"password\":\"hidden\"",
                "\"exec\":{\"apiVersion\":\"" V1 "\",\"command\":\"./plugin\"}" };
        struct kube_client_opts opts = { .kubeconfig = test_path("conf") };
        struct err err;

        clean_environment();
        write_file("t", "hidden-1");
        for (size_t idx = 0; idx < sizeof(users) / sizeof(*users); idx++) {
                write_file("conf", one_config(servers[0].cluster, users[idx]));
                struct kube_client *client = kube_client_open(&opts, &err);
                CHECK_PTR(client, err);
                CHECK(is_ready(client));
                CHECK_STR(authorization(client), "");
                CHECK(!kube_client_refused(client));
                kube_client_unref(client);
        }
        for (size_t idx = 0; idx < sizeof(servers) / sizeof(*servers); idx++) {
                write_file("conf", one_config(servers[idx].cluster, A_TOKEN));
                struct kube_client *client = kube_client_open(&opts, &err);
                CHECK_PTR(client, err);
                CHECK_STR(authorization(client), servers[idx].shown ? "Bearer hidden-token" : "");
                kube_client_unref(client);
        }
}

/* Token files. */

TEST(a_token_file_is_read_again_when_it_changes)
{
        struct kube_client *client = open_client("\"tokenFile\":\"t\",\"token\":\"hidden-old\"");

        CHECK(!is_ready(client));
        prepare_fails(client, ERR_CREDENTIALS, "No such file");
        write_file("t", " hidden-1\n");
        CHECK_STR(authorization(client), "Bearer hidden-1");
        CHECK(is_ready(client));
        write_file("t.new", "hidden-2");
        CHECK(rename(test_path("t.new"), test_path("t")) == 0);
        CHECK(!is_ready(client));
        CHECK_STR(authorization(client), "Bearer hidden-2");
        kube_client_unref(client);
}

TEST(a_token_outlives_a_file_that_is_gone_until_it_is_refused)
{
        struct kube_client *client = open_client("\"tokenFile\":\"t\"");

        write_file("t", "hidden-1");
        CHECK_STR(authorization(client), "Bearer hidden-1");
        CHECK(unlink(test_path("t")) == 0);
        CHECK_STR(authorization(client), "Bearer hidden-1");
        CHECK(kube_client_refused(client));
        prepare_fails(client, ERR_CREDENTIALS, "No such file");
        write_file("t", "hidden-2");
        CHECK_STR(authorization(client), "Bearer hidden-2");
        kube_client_unref(client);
}

TEST(a_token_file_of_another_form_is_refused)
{
        struct kube_client *client = open_client("\"tokenFile\":\"t\"");

        write_file("t", "\n \n");
        prepare_fails(client, ERR_CREDENTIALS, "is empty");
        write_file("t", "hidden\nhidden");
        prepare_fails(client, ERR_CREDENTIALS, "more than one line");
        kube_client_unref(client);
}

/* Plugins. */

#define A_PLUGIN "\"exec\":{\"apiVersion\":\"" V1 "\",\"command\":\"./plugin\"}"

/* One that answers hidden-1, hidden-2 ..., each for so many seconds (0: for ever). */
static struct kube_client *
counting_plugin(int seconds)
{
        char text[2048], until[TIME_ISO_SIZE];

        time_iso(time_now_ms() + seconds * (int64_t)1000, until);
        snprintf(text, sizeof(text),
            "#!/bin/sh\ncd \"${0%%/*}\"; echo >>runs; n=$(wc -l <runs)\n"
            "while [ -e hold ]; do sleep 0.05; done\n"
            "[ ! -e broken ] || { echo broken >&2; exit 1; }\n"
            "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
            "\",\"status\":{%s%s%s\"token\":\"hidden-'$n'\"}}'\n",
            seconds != 0 ? "\"expirationTimestamp\":\"" : "", seconds != 0 ? until : "",
            seconds != 0 ? "\"," : "");
        write_file("plugin", text);
        CHECK(chmod(test_path("plugin"), 0755) == 0);
        return open_client(A_PLUGIN);
}

TEST(what_a_plugin_gave_is_kept_until_it_is_refused)
{
        struct kube_client *client = counting_plugin(0);

        CHECK(!is_ready(client));
        CHECK_STR(authorization(client), "Bearer hidden-1");
        CHECK(is_ready(client));
        CHECK_STR(authorization(client), "Bearer hidden-1");
        CHECK(kube_client_refused(client));
        CHECK(!is_ready(client));
        CHECK_STR(authorization(client), "Bearer hidden-2");
        /* The answer to a request that had the first one. */
        CHECK(kube_client_refused(client));
        CHECK_STR(authorization(client), "Bearer hidden-2");
        kube_client_unref(client);
}

TEST(what_expires_is_kept_until_then)
{
        struct kube_client *client = counting_plugin(3600);

        CHECK_STR(authorization(client), "Bearer hidden-1");
        CHECK_STR(authorization(client), "Bearer hidden-1");
        kube_client_unref(client);
        client = counting_plugin(-1);
        CHECK_STR(authorization(client), "Bearer hidden-2");
        CHECK_STR(authorization(client), "Bearer hidden-3");
        kube_client_unref(client);
}

TEST(a_certificate_is_renewed_when_it_ends)
{
        char text[2048];
        const char *argv[] = { NULL, "--clients", test_dir(), "1", NULL };
        pid_t pid;

        (void)launch("tls_front", argv, &pid);
        CHECK(kill(pid, SIGTERM) == 0 && waitpid(pid, NULL, 0) == pid);
        /* "old" has expired; nothing but the certificate itself says so. */
        for (int old = 0; old < 2; old++) {
                struct http_request request = { 0 };
                struct err err;
                snprintf(text, sizeof(text),
                    "#!/bin/sh\ncd \"${0%%/*}\"; echo >>runs\n"
                    "one() { awk '{printf \"%%s\\\\n\", $0}' \"$1\"; }\n"
                    "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
                    "\",\"status\":{\"clientCertificateData\":\"%%s\",\"clientKeyData\":\"%%s\"}}' "
                    "\"$(one %s.pem)\" \"$(one %s.key)\"\n",
                    old != 0 ? "old" : "one", old != 0 ? "old" : "one");
                write_file("plugin", text);
                write_file("runs", "");
                CHECK(chmod(test_path("plugin"), 0755) == 0);
                struct kube_client *client = open_client(A_PLUGIN);
                for (int count = 0; count < 2; count++) {
                        CHECK_OK(kube_client_prepare(client, "/", &request, NULL, &err), err);
                        CHECK(http_route_cert_ends_ms(request.route) != 0);
                        http_request_clear(&request);
                }
                kube_client_unref(client);
                struct stat st;
                CHECK(stat(test_path("runs"), &st) == 0);
                CHECK_INT(st.st_size, old != 0 ? 2 : 1);
        }
}

TEST(who_must_not_wait_runs_no_plugin_at_whatever_moment_it_is_due)
{
        struct kube_client *client = counting_plugin(2);
        int64_t until = time_mono_ms() + 10000;
        struct stat st;

        CHECK_STR(authorization(client), "Bearer hidden-1");
        /* Again and again, over the moment at which it is due. */
        while (is_ready(client))
                CHECK(time_mono_ms() < until);
        for (int count = 0; count < 1000; count++)
                CHECK(!is_ready(client));
        CHECK(stat(test_path("runs"), &st) == 0);
        CHECK_INT(st.st_size, 1);
        kube_client_unref(client);
}

struct caller {
        pthread_t thread;
        struct kube_client *client;
        char got[64];
        struct err err;
};

static void *
call(void *arg)
{
        struct caller *caller = arg;
        struct http_request request = { 0 };

        err_init(&caller->err);
        if (kube_client_prepare(caller->client, "/", &request, NULL, &caller->err) == 0)
                snprintf(caller->got, sizeof(caller->got), "%s",
                    secret_bytes(request.headers[0].secret, NULL));
        http_request_clear(&request);
        return NULL;
}

TEST(who_must_not_wait_waits_for_no_other_run)
{
        struct kube_client *client = counting_plugin(0);
        struct caller caller = { .client = client };
        struct err err;

        write_file("hold", "");
        CHECK_OK(thread_start(&caller.thread, "caller", call, &caller, &err), err);
        while (access(test_path("runs"), F_OK) != 0)
                usleep(10000);
        CHECK(!is_ready(client));
        CHECK(unlink(test_path("hold")) == 0);
        thread_join(caller.thread);
        CHECK_STR(caller.got, "hidden-1");
        CHECK(is_ready(client));
        kube_client_unref(client);
}

/* Eight at once, while the plugin holds until one line was written. */
static void
call_at_once(struct kube_client *client, struct caller callers[8])
{
        struct err err;

        write_file("hold", "");
        for (size_t idx = 0; idx < 8; idx++) {
                callers[idx] = (struct caller){ .client = client };
                CHECK_OK(
                    thread_start(&callers[idx].thread, "caller", call, &callers[idx], &err), err);
        }
        while (access(test_path("runs"), F_OK) != 0)
                usleep(10000);
        usleep(50000);
        CHECK(unlink(test_path("hold")) == 0);
        for (size_t idx = 0; idx < 8; idx++)
                thread_join(callers[idx].thread);
}

TEST(one_run_serves_all_who_ask_at_once)
{
        struct kube_client *client = counting_plugin(0);
        struct caller callers[8];

        call_at_once(client, callers);
        for (size_t idx = 0; idx < 8; idx++)
                CHECK_STR(callers[idx].got, "hidden-1");
        kube_client_unref(client);
}

TEST(a_failing_run_fails_with_its_reason_and_the_next_may_succeed)
{
        struct kube_client *client = counting_plugin(0);

        write_file("broken", "");
        prepare_fails(client, ERR_CREDENTIALS, "status 1: broken");
        CHECK(unlink(test_path("broken")) == 0);
        CHECK_STR(authorization(client), "Bearer hidden-2");
        kube_client_unref(client);
}

TEST(a_cancelled_caller_waits_for_no_plugin)
{
        struct kube_client *client = counting_plugin(0);
        struct http_request request = { 0 };
        struct err err;
        struct cancel *cancel = cancel_new(NULL, &err);

        write_file("hold", "");
        cancel_trigger(cancel);
        CHECK_ERR(kube_client_prepare(client, "/", &request, cancel, &err) < 0, err, ERR_CANCELLED,
            "cancelled");
        http_request_clear(&request);
        cancel_unref(cancel);
        kube_client_unref(client);
}

TEST(a_certificate_that_is_none_is_told_with_the_context)
{
        struct kube_client_opts opts = { .kubeconfig = test_path("conf") };
        struct err err;

        clean_environment();
        write_file(
            "conf", one_config(A_SERVER ",\"certificate-authority-data\":\"Q0E=\"", A_TOKEN));
        CHECK_ERR(
            kube_client_open(&opts, &err) == NULL, err, ERR_INVALID, "cannot use context \"c\"");
        check_not_shown(&err);
}

static int
open_and_prepare(void *arg, struct err *err)
{
        struct kube_client_opts opts = { .kubeconfig = arg };
        struct kube_client *client = kube_client_open(&opts, err);
        struct http_request request = { 0 };
        int rc = -1;

        if (client != NULL)
                rc = kube_client_prepare(client, "/", &request, NULL, err);
        http_request_clear(&request);
        kube_client_unref(client);
        return rc;
}

TEST(each_allocation_may_fail)
{
        clean_environment();
        write_file("t", "hidden-1");
        write_file("conf", one_config(A_SERVER, "\"tokenFile\":\"t\",\"as\":\"b\""));
        test_each_allocation(open_and_prepare, (void *)(uintptr_t)test_path("conf"));
}
