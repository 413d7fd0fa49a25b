/*
 * Certificates and private keys in the PEM form (RFC 7468): is it what it is
 * taken for, before a handshake fails over it.
 */
#ifndef MOONKEEP_PEM_H
#define MOONKEEP_PEM_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/* Bound on the text of certificates; a bundle of all public authorities has 200 KiB. */
#define PEM_MAX ((size_t)4 * 1024 * 1024)

struct pem_certs {
        char *text; /* the certificates and nothing else of what was read: no keys */
        size_t text_len;
        unsigned count;
        int64_t ends_ms; /* when the first one expires, as time_now_ms */
};

/*
 * pem_certs_read: the certificates in a text, which may have other things in
 * it.  ERR_INVALID: there is none, or one is damaged.  ERR_TOO_BIG past PEM_MAX.
 */
int pem_certs_read(const char *pem, size_t len, struct pem_certs *out, struct err *err);

/* pem_certs_clear: release it; it is zeroed then. */
void pem_certs_clear(struct pem_certs *certs);

/*
 * pem_key_check: is there a private key in the text, and is the first
 * certificate for it?  ERR_INVALID: no.  ERR_UNSUPPORTED: it is encrypted.
 */
int pem_key_check(const struct pem_certs *certs, const struct secret *key, struct err *err);

#endif
