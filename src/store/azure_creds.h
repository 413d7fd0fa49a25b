/*
 * Credentials of Azure Blob Storage, found as Azure's own tools do, and
 * refreshed before they expire.
 *
 * The first of these that the environment has for the account: a connection
 * string (AZURE_STORAGE_CONNECTION_STRING), an account's key
 * (AZURE_STORAGE_KEY), a shared access signature (AZURE_STORAGE_SAS_TOKEN);
 * then the identities of azure_identity.h.  AZURE_STORAGE_AUTH_MODE=login
 * skips the first three.  AZURE_STORAGE_ACCOUNT says which account key and SAS
 * are of; those of another account are passed over, as is its connection string.
 */
#ifndef MOONKEEP_STORE_AZURE_CREDS_H
#define MOONKEEP_STORE_AZURE_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/* What tokens are asked for. */
#define AZURE_RESOURCE_STORAGE "https://storage.azure.com"
#define AZURE_RESOURCE_MANAGEMENT "https://management.azure.com"

enum azure_auth_kind {
        AZURE_AUTH_KEY,  /* the account's key, as bytes: signs */
        AZURE_AUTH_SAS,  /* the end of a query */
        AZURE_AUTH_TOKEN /* a bearer token */
};

struct azure_creds; /* any thread */

/*
 * azure_creds_new: what there is for an account, or with account NULL a
 * token for the resource.  Reads the environment and contacts nobody.
 * ERR_CREDENTIALS for what is set and cannot be right.
 */
struct azure_creds *azure_creds_new(const char *account, const char *resource, struct err *err);
void azure_creds_free(struct azure_creds *creds);

enum azure_auth_kind azure_creds_kind(const struct azure_creds *creds);
/* azure_creds_source: where it is from, for messages: "AZURE_STORAGE_KEY". */
const char *azure_creds_source(const struct azure_creds *creds);
/* azure_creds_endpoint: the endpoint of blobs that a connection string names; or NULL. */
const char *azure_creds_endpoint(const struct azure_creds *creds);
/* azure_creds_expires: until when a SAS is good, unix ms; 0: not known. */
int64_t azure_creds_expires(const struct azure_creds *creds);

/*
 * azure_creds_get: what authorises a request, with a reference for the caller.
 * A token is good for some minutes yet: a kept one, or a new one when that
 * expires soon.  When no new one can be had and the old one is still good, that.
 * One thread at a time asks for a new one; others wait for it only when they
 * have nothing good.  ERR_CREDENTIALS says who was asked and why there is none.
 */
struct secret *azure_creds_get(struct azure_creds *creds, struct cancel *cancel, struct err *err);

/*
 * azure_creds_refused: the server said that the token has expired; the next
 * azure_creds_get asks for another one, unless it is quite new.  Returns
 * whether there can be any (false for what nobody refreshes).
 */
bool azure_creds_refused(struct azure_creds *creds);

#endif
