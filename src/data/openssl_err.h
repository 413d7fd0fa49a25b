/*
 * OpenSSL keeps its reasons in a queue of the thread, where they would be
 * found by someone else: here they become an error of ours.
 */
#ifndef MOONKEEP_DATA_OPENSSL_ERR_H
#define MOONKEEP_DATA_OPENSSL_ERR_H

#include <openssl/err.h>

#include "moonkeep/err.h"

/* openssl_err: "WHAT: reason" as ERR_INTERNAL.  Returns -1. */
static inline int
openssl_err(struct err *err, const char *what)
{
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        err_set(
            err, ERR_INTERNAL, "%s: %s", what, reason != NULL ? reason : "OpenSSL gives no reason");
        ERR_clear_error();
        return -1;
}

#endif
