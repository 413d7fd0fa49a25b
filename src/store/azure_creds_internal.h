/*
 * Credentials of Azure: found by azure_creds_find.c, kept good by azure_creds.c.
 */
#ifndef MOONKEEP_STORE_AZURE_CREDS_INTERNAL_H
#define MOONKEEP_STORE_AZURE_CREDS_INTERNAL_H

#include <pthread.h>

#include "azure_connection.h"
#include "azure_creds.h"
#include "azure_identity.h"

struct azure_creds {
        enum azure_auth_kind kind;
        const char *source;
        struct azure_connection fixed; /* key or SAS */
        struct azure_identity identity;
        char *resource;
        char *looked; /* in vain, before the identity was reached */

        /*
         * Whose turn it is to ask for a token: a descriptor that is readable
         * when it is nobody's, so that who waits can be cancelled.
         */
        int turn;

        pthread_mutex_t lock; /* guards what follows */
        struct azure_token token;
        int64_t tried_ms; /* monotonic: when one was asked for last; 0: never */
};

/* azure_creds_find: what the environment has for the account (NULL: an identity only). */
int azure_creds_find(struct azure_creds *creds, const char *account, struct err *err);

#endif
