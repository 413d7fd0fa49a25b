#include "moonkeep/azure.h"

#include "azure_creds.h"

struct secret *
azure_token(const char *resource, struct cancel *cancel, struct err *err)
{
        struct azure_creds *creds = azure_creds_new(NULL, resource, err);

        if (creds == NULL)
                return NULL;
        struct secret *token = azure_creds_get(creds, cancel, err);
        azure_creds_free(creds);
        return token;
}
