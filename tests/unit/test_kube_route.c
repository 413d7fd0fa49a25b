/*
 * Certificates in files that are replaced while a client is at work, against a TLS server that
 * writes down whom it saw (tests/servers/tls_front.c).
 */
#include "harness/kube_test.h"
#include "harness/tls_test.h"
#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/kube.h"

#define V1 "client.authentication.k8s.io/v1"
#define FILES "\"client-certificate\":\"client.pem\",\"client-key\":\"client.key\""

static struct kube_client *client;

/* Replace to by what from holds, as everybody does who does it well. */
static void
put(const char *from, const char *to)
{
        char *text = read_text(test_path(from));

        CHECK(*text != '\0');
        write_file("fresh", text);
        CHECK(rename(test_path("fresh"), test_path(to)) == 0);
        free(text);
}

/* A client of the server whose user has these fields. */
static void
open_as(const char *user)
{
        struct kube_client_opts opts = { .kubeconfig = test_path("conf") };
        char cluster[256];
        struct err err;

        snprintf(cluster, sizeof(cluster),
            "\"server\":\"https://127.0.0.1:%d\",\"certificate-authority\":\"authority.pem\"",
            front_port);
        write_file("conf", one_config(cluster, user));
        client = kube_client_open(&opts, &err);
        CHECK_PTR(client, err);
}

/* A server that wants a certificate; the files of "one". */
static void
begin(void)
{
        clean_environment();
        start_server("always GET /x answer 200 text/plain ok\n");
        start_tls(server_port, "--require", "yes");
        put("one.pem", "client.pem");
        put("one.key", "client.key");
        put("ca.pem", "authority.pem");
}

static void
finish(const char *handshakes)
{
        kube_client_unref(client);
        end_process(front_pid);
        end_server();
        char *seen = read_text(test_path("tls.log"));
        CHECK_STR(seen, handshakes);
        free(seen);
}

/* Would a request have to wait? */
static bool
is_ready(void)
{
        struct http_request request = { 0 };
        struct err err;

        int rc = kube_client_prepare_now(client, "/x", &request, &err);
        CHECK_OK(rc < 0 ? -1 : 0, err);
        http_request_clear(&request);
        return rc == 1;
}

static int
ask(struct err *err)
{
        struct http_request request = { .answer_max = 100, .stall_ms = 20000 };
        struct http_answer answer = { 0 };

        request.method = mem_strdup("GET", NULL);
        CHECK_OK(kube_client_prepare(client, "/x", &request, NULL, err), *err);
        int rc = http_call(&request, NULL, &answer, err);
        if (rc == 0)
                CHECK_INT(answer.status, 200);
        http_answer_clear(&answer);
        return rc;
}

static void
ask_well(void)
{
        struct err err;

        CHECK_OK(ask(&err), err);
        CHECK(is_ready());
}

TEST(a_renewed_certificate_is_shown_from_then_on)
{
        begin();
        open_as(FILES);
        ask_well();
        CHECK(!kube_client_refused(client));
        put("two.pem", "client.pem");
        put("two.key", "client.key");
        CHECK(!is_ready());
        /* A 401 for the one before is worth another try. */
        CHECK(kube_client_refused(client));
        ask_well();
        CHECK(!kube_client_refused(client));
        finish("- one\n- two\n");
}

TEST(a_certificate_whose_key_is_not_there_yet_is_not_used)
{
        begin();
        open_as(FILES);
        ask_well();
        put("two.pem", "client.pem");
        ask_well();
        put("two.key", "client.key");
        CHECK(!is_ready());
        ask_well();
        CHECK(unlink(test_path("client.pem")) == 0);
        ask_well();
        write_file("client.key", "");
        ask_well();
        put("one.pem", "client.pem");
        put("one.key", "client.key");
        ask_well();
        finish("- one\n- one\n- two\n- two\n- two\n- one\n");
}

/* NAME-both.pem: the certificate and the key of NAME. */
static void
put_both(const char *cert_name, const char *key_name, const char *both_name)
{
        char *cert = read_text(test_path(cert_name));
        char *key = read_text(test_path(key_name));
        FILE *file = fopen(test_path(both_name), "we");

        CHECK(file != NULL && fputs(cert, file) >= 0 && fputs(key, file) >= 0);
        CHECK(fclose(file) == 0);
        free(cert);
        free(key);
}

/* As the kubelet does: both in one file, which a link names. */
TEST(a_link_may_lead_to_another_file_with_both)
{
        begin();
        put_both("one.pem", "one.key", "one-both.pem");
        put_both("two.pem", "two.key", "two-both.pem");
        CHECK(symlink("one-both.pem", test_path("current.pem")) == 0);
        open_as("\"client-certificate\":\"current.pem\",\"client-key\":\"current.pem\"");
        ask_well();
        CHECK(symlink("two-both.pem", test_path("next.pem")) == 0);
        CHECK(rename(test_path("next.pem"), test_path("current.pem")) == 0);
        ask_well();
        finish("- one\n- two\n");
}

TEST(another_authority_is_trusted_from_then_on)
{
        const char *argv[] = { NULL, "--ca", test_path("other-ca.pem"), "1", NULL };
        struct err err;
        pid_t pid;

        (void)launch("tls_front", argv, &pid);
        end_process(pid);
        begin();
        open_as(FILES);
        ask_well();
        put("other-ca.pem", "authority.pem");
        err_init(&err);
        CHECK_ERR(ask(&err) < 0, err, ERR_TLS, "cannot GET");
        write_file("authority.pem", "");
        err_init(&err);
        CHECK_ERR(ask(&err) < 0, err, ERR_TLS, "cannot GET");
        put("ca.pem", "authority.pem");
        ask_well();
        finish("- one\n- one\n");
}

TEST(a_plugin_is_run_again_for_another_authority)
{
        const char *argv[] = { NULL, "--ca", test_path("other-ca.pem"), "1", NULL };
        struct stat st;
        struct err err;
        pid_t pid;

        (void)launch("tls_front", argv, &pid);
        end_process(pid);
        write_file("plugin",
            "#!/bin/sh\ncd \"${0%/*}\"; echo >>runs\n"
            "one() { awk '{printf \"%s\\\\n\", $0}' \"$1\"; }\n"
            "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
            "\",\"status\":{\"clientCertificateData\":\"%s\",\"clientKeyData\":\"%s\"}}' "
            "\"$(one one.pem)\" \"$(one one.key)\"\n");
        CHECK(chmod(test_path("plugin"), 0755) == 0);
        begin();
        open_as("\"exec\":{\"apiVersion\":\"" V1 "\",\"command\":\"./plugin\"}");
        ask_well();
        ask_well();
        put("other-ca.pem", "authority.pem");
        err_init(&err);
        CHECK_ERR(ask(&err) < 0, err, ERR_TLS, "cannot GET");
        put("ca.pem", "authority.pem");
        ask_well();
        CHECK(stat(test_path("runs"), &st) == 0);
        CHECK_INT(st.st_size, 3);
        finish("- one\n- one\n- one\n");
}

/* learned: the authority that the plugin was told of last is that of this file. */
static void
learned(const char *name)
{
        char *info = read_text(test_path("info"));
        char *pem = read_text(test_path(name));
        struct buf want;
        struct err err;

        buf_init(&want, 65536);
        CHECK_OK(buf_addstr(&want, "\"certificate-authority-data\":\"", &err), err);
        CHECK_OK(base64_encode(pem, strlen(pem), &want, &err), err);
        CHECK_OK(buf_addstr(&want, "\"", &err), err);
        CHECK(strstr(info, want.data) != NULL);
        buf_free(&want);
        free(pem);
        free(info);
}

TEST(a_plugin_learns_of_the_authority_of_now)
{
        const char *argv[] = { NULL, "--ca", test_path("other-ca.pem"), "1", NULL };
        struct err err;
        pid_t pid;

        (void)launch("tls_front", argv, &pid);
        end_process(pid);
        /* What it gives has expired: each request asks it. */
        write_file("plugin",
            "#!/bin/sh\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" >\"${0%plugin}info\"\n"
            "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
            "\",\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"2026-01-01T00:00:00Z\"}}'\n");
        CHECK(chmod(test_path("plugin"), 0755) == 0);
        begin();
        open_as(FILES ",\"exec\":{\"apiVersion\":\"" V1
                      "\",\"command\":\"./plugin\",\"provideClusterInfo\":true}");
        CHECK_OK(ask(&err), err);
        learned("ca.pem");
        put("other-ca.pem", "authority.pem");
        err_init(&err);
        CHECK_ERR(ask(&err) < 0, err, ERR_TLS, "cannot GET");
        learned("other-ca.pem");
        put("ca.pem", "authority.pem");
        CHECK_OK(ask(&err), err);
        learned("ca.pem");
        /* One that is just being written: the one before is still trusted, and told. */
        write_file("authority.pem", "");
        CHECK(unlink(test_path("info")) == 0);
        CHECK_OK(ask(&err), err);
        learned("ca.pem");
        finish("- one\n- one\n- one\n");
}

static int
open_and_prepare(void *arg, struct err *err)
{
        struct kube_client_opts opts = { .kubeconfig = arg };
        struct kube_client *opened = kube_client_open(&opts, err);
        struct http_request request = { 0 };
        int rc = -1;

        if (opened != NULL)
                rc = kube_client_prepare(opened, "/", &request, NULL, err);
        http_request_clear(&request);
        kube_client_unref(opened);
        return rc;
}

TEST(each_allocation_may_fail)
{
        begin();
        open_as(FILES);
        test_each_allocation(open_and_prepare, (void *)(uintptr_t)test_path("conf"));
        finish("");
}
