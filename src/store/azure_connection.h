/*
 * What Azure Storage hands out as one text: connection strings, and shared
 * access signatures (SAS).
 */
#ifndef MOONKEEP_STORE_AZURE_CONNECTION_H
#define MOONKEEP_STORE_AZURE_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/* Bound on either text, in bytes. */
#define AZURE_CONNECTION_MAX ((size_t)16 * 1024)

/* A SAS, which is the end of a query. */
struct azure_sas {
        struct secret *query;     /* "sv=...&sig=...", escaped, without '?' */
        struct secret *signature; /* as it is before it is escaped: kept so that it is redacted */
        int64_t expires_ms;       /* what se= says; 0: nothing (a stored access policy does) */
};

/* azure_sas_parse: with or without '?' in front.  ERR_INVALID; no message shows the text. */
int azure_sas_parse(const char *text, struct azure_sas *out, struct err *err);
void azure_sas_clear(struct azure_sas *sas);

/* azure_key_parse: the bytes of an account's key, given in base64; ERR_INVALID. */
struct secret *azure_key_parse(const char *text, struct err *err);

struct azure_connection {
        char *account;
        char *endpoint;       /* of blobs, without a '/' at its end */
        struct secret *key;   /* bytes; or NULL */
        struct azure_sas sas; /* if query is set */
};

/*
 * azure_connection_parse: "Name=Value;Name=Value" with AccountName,
 * AccountKey, SharedAccessSignature, BlobEndpoint, DefaultEndpointsProtocol,
 * EndpointSuffix, UseDevelopmentStorage, DevelopmentStorageProxyUri; other
 * names are of other services, and ignored.  ERR_INVALID; no message shows the
 * text.  *out is to be cleared.
 */
int azure_connection_parse(const char *text, struct azure_connection *out, struct err *err);
void azure_connection_clear(struct azure_connection *connection);

#endif
