/*
 * A pod for tests of the transport: default/box of a server that speaks the protocol
 * and breaks it (tests/servers/kube_api.c).
 */
#ifndef TESTS_HARNESS_KUBE_POD_TEST_H
#define TESTS_HARNESS_KUBE_POD_TEST_H

#include "harness/kube_test.h"
#include "harness/tls_test.h"
#include "moonkeep/far.h"
#include "moonkeep/kube.h"

static struct kube_client *client;
static struct far_host *box;

/* The pod by whoever leads to the server. */
static inline void
open_box(const char *cluster, const char *user)
{
        struct kube_client_opts opts = { .kubeconfig = test_path("conf") };
        struct err err;

        write_file("conf", one_config(cluster, user));
        client = kube_client_open(&opts, &err);
        CHECK_PTR(client, err);
        box = kube_pod_host(client, "default", "box", NULL, &err);
        CHECK_PTR(box, err);
}

static inline void
close_box(void)
{
        far_host_unref(box);
        kube_client_unref(client);
}

/* The same by plain HTTP to a port. */
static inline void
open_box_at(int port)
{
        char server[64];

        snprintf(server, sizeof(server), "\"server\":\"http://127.0.0.1:%d\"", port);
        open_box(server, A_TOKEN);
}

/* The pod is ready a moment after the server. */
static inline void
wait_for_box(void)
{
        bool ready = false;

        for (int tries = 0; tries < 500 && !ready; tries++) {
                struct http_request request = {
                        .method = mem_strdup("GET", NULL), .answer_max = 65536, .stall_ms = 20000
                };
                struct http_answer answer;
                struct err err;
                CHECK_OK(kube_client_prepare(
                             client, "/api/v1/namespaces/default/pods/box", &request, NULL, &err),
                    err);
                CHECK_OK(http_call(&request, NULL, &answer, &err), err);
                ready = strstr(answer.body.data, "\"Running\"") != NULL;
                http_answer_clear(&answer);
                if (!ready)
                        usleep(5000);
        }
        CHECK(ready);
}

/* A server with the pod; faults and protocols may be NULL. */
static inline void
start_box(const char *faults, const char *protocols)
{
        const char *argv[16] = { NULL, "--time", "120", "--root", test_dir(), "--objects",
                test_path("objects"), "--faults", test_path("faults"), "--log", test_path("log"),
                "--protocols", protocols != NULL ? protocols : "both" };

        clean_environment();
        write_file("objects",
            "{\"start_ms\":1,\"objects\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
            "\"name\":\"box\",\"namespace\":\"default\"},\"spec\":{\"containers\":[{\"name\":"
            "\"main\",\"image\":\"x\"}]}}],"
            "\"deny\":[{\"verb\":\"*\",\"resource\":\"pods\",\"subresource\":\"exec\","
            "\"namespace\":\"locked\"}]}");
        write_file("faults", faults != NULL ? faults : "");
        server_port = launch("kube_api", argv, &server_pid);
        open_box_at(server_port);
        wait_for_box();
}

static inline void
stop_box(void)
{
        close_box();
        /* It ends what runs in its pods. */
        CHECK(kill(server_pid, SIGTERM) == 0);
        CHECK(waitpid(server_pid, NULL, 0) == server_pid);
}

#endif
