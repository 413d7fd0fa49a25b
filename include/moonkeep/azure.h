/*
 * Azure beyond its stores: tokens for its other services.
 */
#ifndef MOONKEEP_AZURE_H
#define MOONKEEP_AZURE_H

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/*
 * azure_token: a bearer token of the identity that the environment describes
 * (client secret, workload or managed identity) for a resource,
 * "https://management.azure.com".  ERR_CREDENTIALS says who was asked and why
 * there is none.
 */
struct secret *azure_token(const char *resource, struct cancel *cancel, struct err *err);

#endif
