/*
 * What the tests of Kubernetes access share: an environment without any, and
 * files in the test's directory.  Each secret of a test has the word "hidden" in
 * it, which no message may have.
 */
#ifndef TESTS_HARNESS_KUBE_TEST_H
#define TESTS_HARNESS_KUBE_TEST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/test.h"

static inline void
clean_environment(void)
{
        unsetenv("KUBECONFIG");
        unsetenv("KUBERNETES_SERVICE_HOST");
        unsetenv("KUBERNETES_SERVICE_PORT");
        unsetenv("http_proxy");
        unsetenv("https_proxy");
        unsetenv("HTTPS_PROXY");
        setenv("HOME", test_dir(), 1);
}

static inline void
write_file(const char *name, const char *text)
{
        FILE *file = fopen(test_path(name), "we");

        CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static inline void
check_not_shown(const struct err *err)
{
        CHECK(strstr(err->msg, "hidden") == NULL && strstr(err->hint, "hidden") == NULL);
        CHECK(strchr(err->msg, '\n') == NULL);
}

/* A kubeconfig of one context "c", with these members of its cluster and its user. */
static inline const char *
one_config(const char *cluster, const char *user)
{
        static char text[8192];

        snprintf(text, sizeof(text),
            "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":\"c\","
            "\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"user\":\"u\"}}],"
            "\"clusters\":[{\"name\":\"k\",\"cluster\":{%s}}],"
            "\"users\":[{\"name\":\"u\",\"user\":{%s}}]}",
            cluster, user);
        return text;
}

#define A_SERVER "\"server\":\"https://127.0.0.1:1/\""
#define A_TOKEN "\"token\":\"hidden-token\""

#endif
