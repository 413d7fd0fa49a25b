/*
 * Who we are to a cluster, at the moment: tokens that are read again, plugins
 * that are run again, and what was kept of them.  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_CREDS_H
#define MOONKEEP_KUBE_CREDS_H

#include "kube_config.h"
#include "moonkeep/cancel.h"
#include "moonkeep/http_route.h"

struct kube_creds;

struct kube_identity {
        const char *scheme;    /* "Bearer ", "Basic " */
        struct secret *secret; /* referenced; NULL: no Authorization header */
        struct http_route *route;
};

void kube_identity_clear(struct kube_identity *identity);

/* kube_creds_new: config is borrowed. */
struct kube_creds *kube_creds_new(const struct kube_config *config, struct err *err);
void kube_creds_free(struct kube_creds *creds);

/* As kube_client_prepare, kube_client_prepare_now, kube_client_refused.  Any thread. */
int kube_creds_get(
    struct kube_creds *creds, struct kube_identity *out, struct cancel *cancel, struct err *err);
/* Returns false, and nothing in *out, where it would have to wait. */
bool kube_creds_get_now(struct kube_creds *creds, struct kube_identity *out);
bool kube_creds_refused(struct kube_creds *creds);

#endif
