/*
 * The way to a cluster, out of files that are read again as they change: the
 * kubelet renews its certificates, and a cluster its authority.  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_ROUTE_H
#define MOONKEEP_KUBE_ROUTE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "kube_config.h"
#include "moonkeep/buf.h"
#include "moonkeep/http_route.h"

/* Which file it was; one that is not there is that of zeros. */
struct kube_file_mark {
        dev_t dev;
        ino_t ino;
        off_t size;
        struct timespec mtime;
};

/* kube_file_mark: of what is there now; path NULL: of no file. */
struct kube_file_mark kube_file_mark(const char *path);
bool kube_file_is(const char *path, const struct kube_file_mark *mark);

/* One thread at a time. */
struct kube_route {
        const struct kube_config *config;
        struct http_route *made;
        struct buf authority;                /* whom it trusts, as PEM; empty: the system's */
        struct kube_file_mark ca, cert, key; /* read, or tried, last */
        int64_t tried_ms;                    /* monotonic */
        bool failed;                         /* what was tried last */
};

/* kube_route_init: of what the configuration held (borrowed). */
int kube_route_init(struct kube_route *route, const struct kube_config *config, struct err *err);
void kube_route_clear(struct kube_route *route);

/* kube_route_is_fresh: are the files still those that were read? */
bool kube_route_is_fresh(const struct kube_route *route);

/*
 * kube_route_renew: read them.  What cannot be used (the one file was replaced, and the
 * other not yet) leaves the route as it was, and is tried again.  Returns 1 when there is another
 * one, 0, or -1 for ERR_NOMEM.
 */
int kube_route_renew(struct kube_route *route, struct err *err);

/* kube_route_with: a route with a certificate that is in no file, to the authority of now. */
struct http_route *kube_route_with(const struct kube_config *config, const char *cert_pem,
    size_t cert_len, struct secret *key, struct err *err);

#endif
