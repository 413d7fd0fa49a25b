/*
 * How a server is reached and trusted, where that is more than its URL: the
 * authorities, who we are to it, the name in its certificate, a proxy.
 *
 * Reference-counted and unchangeable once made; any thread.
 */
#ifndef MOONKEEP_HTTP_ROUTE_H
#define MOONKEEP_HTTP_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/* Each may be NULL. */
struct http_route_opts {
        const char *ca_pem; /* these authorities and no others; NULL: the system's */
        size_t ca_pem_len;
        const char *cert_pem; /* our certificate, with its chain */
        size_t cert_pem_len;
        struct secret *key_pem; /* its key */
        const char
            *server_name;  /* the name that the certificate must have, and SNI; NULL: the URL's */
        const char *proxy; /* its URL, for all hosts; "": none; NULL: the environment's */
};

struct http_route;

/*
 * http_route_new: a route with one reference.  Copies the options; of PEM texts,
 * the certificates only.  A socks5 proxy looks names up itself.
 * ERR_INVALID: PEM text in which there is no certificate or no key, a
 * certificate without its key or that is not the key's, a server name that is
 * none, a proxy that is no http, https or socks5 URL.
 * ERR_UNSUPPORTED: an encrypted key.
 */
struct http_route *http_route_new(const struct http_route_opts *opts, struct err *err);

/* http_route_ref, http_route_unref: NULL is fine. */
struct http_route *http_route_ref(struct http_route *route);
void http_route_unref(struct http_route *route);

/* http_route_cert_ends_ms: when our certificate expires, as time_now_ms; 0 without one. */
int64_t http_route_cert_ends_ms(const struct http_route *route);

#endif
