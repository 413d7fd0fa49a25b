/*
 * Endpoints of Azure's services: where requests go, and what may be sent there.
 */
#ifndef MOONKEEP_STORE_AZURE_ENDPOINT_H
#define MOONKEEP_STORE_AZURE_ENDPOINT_H

#include <stdbool.h>

#include "moonkeep/err.h"

/*
 * azure_endpoint_parse: "http[s]://HOST[:PORT][/PATH]" in its normal form,
 * without a '/' at its end (mem_free).  ERR_INVALID for anything else: a user,
 * a query.  No message shows the text.
 */
char *azure_endpoint_parse(const char *text, struct err *err);

/*
 * azure_endpoint_account: the account that it is of: the path of an
 * emulator's, the first part of the host otherwise (mem_free); ERR_INVALID.
 */
char *azure_endpoint_account(const char *endpoint, struct err *err);

/*
 * azure_endpoint_keeps_secrets: may a token be sent there?  Over https, or to
 * this very machine.
 */
bool azure_endpoint_keeps_secrets(const char *endpoint);

#endif
