/*
 * Any text as a kubeconfig: it is refused with a reason of one line, or says a
 * cluster and a user.  The same text as the answer of a credential plugin.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/kube/kube_plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct err *err)
{
        if (err->code == ERR_NONE || err->code == ERR_INTERNAL || strchr(err->msg, '\n') != NULL)
                abort();
}

static void
as_answer(const char *text, size_t len)
{
        struct kube_credential got = { 0 };
        struct err err;

        err_init(&err);
        if (kube_plugin_answer(text, len, "client.authentication.k8s.io/v1", &got, &err) < 0)
                check(&err);
        else if (got.token == NULL && (got.cert_pem == NULL || got.key_pem == NULL))
                abort();
        kube_credential_clear(&got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct kube_config config;
        struct err err;

        err_init(&err);
        if (kube_config_parse("/nowhere/config", (const char *)data, size, NULL, &config, &err) <
            0) {
                check(&err);
        } else {
                if (config.server == NULL || config.context == NULL || config.ns == NULL)
                        abort();
                kube_config_clear(&config);
        }
        as_answer((const char *)data, size);
        return 0;
}
