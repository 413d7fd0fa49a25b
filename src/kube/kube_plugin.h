/*
 * Credential plugins: programs that say who a user is
 * (client.authentication.k8s.io/v1, v1beta1).  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_PLUGIN_H
#define MOONKEEP_KUBE_PLUGIN_H

#include <stdint.h>

#include "kube_config.h"
#include "moonkeep/buf.h"
#include "moonkeep/cancel.h"

struct kube_credential {
        struct secret *token; /* or NULL */
        char *cert_pem;       /* or NULL */
        struct secret *key_pem;
        int64_t expires_ms; /* unix; 0: it does not say */
};

void kube_credential_clear(struct kube_credential *credential);

/*
 * kube_plugin_run: run the plugin of the configuration; authority: that of the
 * cluster as it is now, as PEM, for a plugin that wants to know it; empty: there is none.
 * ERR_CREDENTIALS with what it wrote to its standard error, redacted, or with its
 * install hint.
 */
int kube_plugin_run(const struct kube_config *config, const struct buf *authority,
    struct kube_credential *out, struct cancel *cancel, struct err *err);

/* kube_plugin_answer: what a plugin of that apiVersion wrote to its standard output. */
int kube_plugin_answer(const char *text, size_t len, const char *version,
    struct kube_credential *out, struct err *err);

/* kube_plugin_info: append KUBERNETES_EXEC_INFO's value; authority as of kube_plugin_run. */
int kube_plugin_info(const struct kube_config *config, const struct buf *authority, struct buf *out,
    struct err *err);

#endif
