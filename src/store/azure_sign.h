/*
 * Shared Key signatures of Azure Blob Storage ("Authorize with Shared Key",
 * for the Blob service, version 2015-02-21 and later).  Pure functions.
 */
#ifndef MOONKEEP_STORE_AZURE_SIGN_H
#define MOONKEEP_STORE_AZURE_SIGN_H

#include <stdint.h>

#include "moonkeep/store.h"

/* The version of the protocol that is spoken: x-ms-version. */
#define AZURE_VERSION "2021-12-02"

/* Bound on the text that is signed, in bytes. */
#define AZURE_SIGNED_MAX ((size_t)256 * 1024)

struct azure_signed {
        const char *method;
        const char *account;
        const char *path;               /* as it stands in the URL, escaped, with '/' in front */
        const struct store_pair *query; /* names and values as they are before they are escaped */
        size_t query_count;
        const struct store_pair *headers; /* all that are sent, but Content-Length */
        size_t header_count;
        uint64_t content_length;
};

/*
 * azure_string_to_sign: append the text that the signature is made of.  Where
 * the account stands in the path (as with an emulator), it appears twice.
 */
int azure_string_to_sign(const struct azure_signed *what, struct buf *out, struct err *err);

/*
 * azure_sign: append "ACCOUNT:SIGNATURE", what follows "SharedKey " in the
 * header Authorization; key is the account's key as bytes, not as base64.
 */
int azure_sign(
    const struct azure_signed *what, const struct secret *key, struct buf *out, struct err *err);

/*
 * azure_sign_reading: append the query of a SAS that lets a blob be read until
 * then ("Create a service SAS"): what a server that copies it shows to itself.
 */
int azure_sign_reading(const char *account, const char *container, const char *blob,
    int64_t expires_ms, const struct secret *key, struct buf *out, struct err *err);

#endif
