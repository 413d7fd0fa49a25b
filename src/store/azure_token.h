/*
 * What Azure's token endpoints answer: Microsoft Entra, and the managed
 * identities of machines and of App Service.  Pure functions.
 */
#ifndef MOONKEEP_STORE_AZURE_TOKEN_H
#define MOONKEEP_STORE_AZURE_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"
#include "moonkeep/secret.h"

/* Bound on an answer, in bytes; a token may have 64 KiB. */
#define AZURE_TOKEN_ANSWER_MAX ((size_t)128 * 1024)

struct azure_token {
        struct secret *secret; /* NULL: none */
        int64_t expires_ms;    /* unix */
};

void azure_token_clear(struct azure_token *token);

/*
 * azure_token_parse: {"access_token", "expires_in" or "expires_on"}, received
 * at now_ms; what counts is expires_in, which does not depend on our clock.
 * ERR_INVALID; no message shows the text.
 */
int azure_token_parse(
    const char *text, size_t len, int64_t now_ms, struct azure_token *out, struct err *err);

/*
 * azure_token_refused: fill err from an answer that is no token: ERR_CREDENTIALS
 * with the first line of what the endpoint says, bounded and redacted, and a
 * hint for what is known ("expired").
 */
void azure_token_refused(int status, const char *text, size_t len, struct err *err);

#endif
