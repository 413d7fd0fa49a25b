/*
 * Finding a secret in text, in each of the forms that it takes on its way
 * out.  Used by secret.c only, which knows the secrets.
 */
#ifndef MOONKEEP_BASE_REDACT_H
#define MOONKEEP_BASE_REDACT_H

#include <stddef.h>

/*
 * redact_mark: set mark[i] to 1 for each i of text (len bytes) that belongs to
 * an occurrence of the secret: its bytes; its bytes with any of them escaped
 * as in URLs, JSON or our own log; its part of base64 text (of either
 * alphabet) that begins at, or up to two bytes before, the secret.
 * In a text of 512 bytes or more, which may have been cut at the size of
 * somebody's buffer, the first bytes of a secret at the very end count, too.
 */
void redact_mark(const char *text, size_t len, const unsigned char *secret, size_t secret_len,
    unsigned char *mark);

#endif
