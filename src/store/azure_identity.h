/*
 * Who this machine or process is in Microsoft Entra, and tokens for it.
 */
#ifndef MOONKEEP_STORE_AZURE_IDENTITY_H
#define MOONKEEP_STORE_AZURE_IDENTITY_H

#include <stdbool.h>

#include "azure_token.h"
#include "moonkeep/buf.h"
#include "moonkeep/cancel.h"
#include "moonkeep/http.h"

enum azure_identity_kind {
        AZURE_CLIENT_SECRET, /* an application with a secret */
        AZURE_WORKLOAD,      /* an application that trusts the token in a file */
        AZURE_APP_SERVICE,   /* the managed identity of App Service, Functions, Container Apps */
        AZURE_MACHINE        /* ... of a virtual machine or a node: IMDS */
};

struct azure_identity {
        enum azure_identity_kind kind;
        char *endpoint; /* of the tokens: an authority, or a URL */
        char *tenant;
        char *client;         /* of a managed identity: NULL, unless it is one of several */
        struct secret *proof; /* client secret, or the header of App Service */
        char *token_file;
        unsigned attempts; /* of one request */
        int64_t pause_ms;  /* before the second attempt; doubled for each more */
};

/*
 * azure_identity_find: the first that the environment describes completely,
 * in the order of the enum; the last one needs no description.  looked
 * collects what was not there, for messages.  ERR_CREDENTIALS for a setting
 * that cannot be right.
 */
int azure_identity_find(struct azure_identity *out, struct buf *looked, struct err *err);
void azure_identity_clear(struct azure_identity *identity);

/* azure_identity_name: "the workload identity \"...\"", borrowed by nobody: written into out. */
#define AZURE_IDENTITY_NAME_MAX 160
void azure_identity_name(const struct azure_identity *identity, char out[AZURE_IDENTITY_NAME_MAX]);

/*
 * azure_identity_token: a new token for a resource ("https://storage.azure.com").
 * The token file is read anew each time.  ERR_CREDENTIALS says what was
 * refused; ERR_NETWORK and the like when nobody answered.
 */
int azure_identity_token(const struct azure_identity *identity, const char *resource,
    struct azure_token *out, struct cancel *cancel, struct err *err);

#endif
