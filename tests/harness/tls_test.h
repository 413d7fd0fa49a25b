/*
 * What tests over TLS share: tests/servers/tls_front.c in front of something,
 * and the certificates that it makes.
 */
#ifndef TESTS_HARNESS_TLS_TEST_H
#define TESTS_HARNESS_TLS_TEST_H

#include "harness/http_test.h"
#include "moonkeep/http_route.h"

static pid_t front_pid;
static int front_port;

/* The whole file as a string (free). */
static inline char *
read_text(const char *path)
{
        char *text = calloc(1, 65536);

        FILE *file = fopen(path, "re");
        if (file != NULL) {
                CHECK(text != NULL && fread(text, 1, 65535, file) < 65535);
                fclose(file);
        }
        return text;
}

/* TLS in front of port, with the authority in "ca.pem", clients' certificates in the test's
 * directory and handshakes in "tls.log"; up to two options more. */
static inline void
start_tls(int port, const char *option, const char *value)
{
        char port_text[16];
        const char *argv[] = { NULL, "--ca", test_path("ca.pem"), "--clients", test_dir(), "--log",
                test_path("tls.log"), option != NULL ? option : "--name",
                option != NULL ? value : "IP:127.0.0.1", port_text, NULL };

        snprintf(port_text, sizeof(port_text), "%d", port);
        front_port = launch("tls_front", argv, &front_pid);
}

/* A route that knows the front's authority, and has that client's certificate ("one") if any. */
static inline struct http_route *
make_route(const char *client, const char *server_name, const char *proxy, struct err *err)
{
        char name[64];
        struct secret *key = NULL;
        char *cert = NULL;

        char *ca = read_text(test_path("ca.pem"));
        struct http_route_opts opts = {
                .ca_pem = ca, .ca_pem_len = strlen(ca), .server_name = server_name, .proxy = proxy
        };
        if (client != NULL) {
                snprintf(name, sizeof(name), "%s.pem", client);
                cert = read_text(test_path(name));
                snprintf(name, sizeof(name), "%s.key", client);
                char *text = read_text(test_path(name));
                key = secret_new(text, strlen(text), err);
                free(text);
                opts.cert_pem = cert;
                opts.cert_pem_len = strlen(cert);
                opts.key_pem = key;
        }
        struct http_route *route =
            client == NULL || key != NULL ? http_route_new(&opts, err) : NULL;
        secret_unref(key);
        free(cert);
        free(ca);
        return route;
}

/* What the front logged of its handshakes. */
static inline void
expect_handshakes(const char *want)
{
        char *text = read_text(test_path("tls.log"));

        CHECK_STR(text, want);
        free(text);
}

#endif
