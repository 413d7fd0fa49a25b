/*
 * Keys of AWS as they come: from settings, from the JSON of processes and
 * metadata services, from the XML of STS.
 */
#ifndef MOONKEEP_STORE_AWS_KEYS_H
#define MOONKEEP_STORE_AWS_KEYS_H

#include <stddef.h>

#include "aws_creds.h"

/* Bound on a document with keys, in bytes. */
#define AWS_KEYS_DOCUMENT_MAX ((size_t)64 * 1024)

/* Bytes; {NULL, 0} where there is nothing. */
struct aws_text {
        const char *at;
        size_t len;
};

/*
 * aws_keys_set: token may be nothing; expires ("2026-11-21T02:00:00Z") may be
 * NULL.  ERR_CREDENTIALS for what no header can carry; the message shows none.
 */
int aws_keys_set(struct aws_keys *out, struct aws_text id, struct aws_text secret,
    struct aws_text token, const char *expires, struct err *err);

/* aws_keys_copy: the secrets are shared. */
int aws_keys_copy(const struct aws_keys *from, struct aws_keys *out, struct err *err);

/*
 * aws_keys_from_json: {"AccessKeyId", "SecretAccessKey", TOKEN_NAME,
 * "Expiration"}.  An answer with "Code" (not "Success") and "Message" is that error.
 * "Version", where version is not 0, has to be that.
 */
int aws_keys_from_json(const char *text, size_t len, const char *token_name, int version,
    struct aws_keys *out, struct err *err);

/* aws_keys_from_sts: the Credentials in the XML of the answer to action. */
int aws_keys_from_sts(
    const char *text, size_t len, const char *action, struct aws_keys *out, struct err *err);

/* aws_quote: what others said, fit for a message: bounded, redacted, in one line. */
#define AWS_QUOTE_SIZE ((size_t)400)
void aws_quote(const char *text, size_t len, char out[AWS_QUOTE_SIZE]);

#endif
