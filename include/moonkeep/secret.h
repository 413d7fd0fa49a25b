/*
 * Secrets: opaque, reference-counted byte strings that are wiped when freed,
 * kept out of core dumps, and known to a registry, so that text on its way
 * out (logs, errors, journals) can be redacted: the bytes themselves, their
 * base64 and their URL-encoded form.
 */
#ifndef MOONKEEP_SECRET_H
#define MOONKEEP_SECRET_H

#include <stddef.h>

#include "moonkeep/err.h"

struct secret;

/* Bound on one secret's length. */
#define SECRET_MAX (64 * 1024)

/* secret_new: a copy of bytes, registered, with one reference; ERR_TOO_BIG past SECRET_MAX. */
struct secret *secret_new(const void *bytes, size_t len, struct err *err);

/* secret_ref, secret_unref: from any thread; the last reference wipes.  NULL is fine. */
struct secret *secret_ref(struct secret *secret);
void secret_unref(struct secret *secret);

/*
 * secret_bytes: the bytes, NUL-terminated, valid while the caller holds a
 * reference.  len may be NULL.
 */
const char *secret_bytes(const struct secret *secret, size_t *len);

/*
 * secret_redact: overwrite in text (len bytes) each occurrence of a
 * registered secret of at least 4 bytes, in any of its forms, with '*'.
 * The length stays.  The forms are the bytes; the bytes escaped as in URLs,
 * JSON or our log; base64 of either alphabet, also as a piece of a longer
 * text.  At the end of a text of 512 bytes or more, which may have been cut
 * off by a buffer, the beginning of a secret counts, too.
 */
void secret_redact(char *text, size_t len);

/* secret_wipe: zero memory in a way that the compiler keeps. */
void secret_wipe(void *mem, size_t len);

/*
 * secret_no_core_dumps: let this process and its children leave no core dump.
 * Called once by main.
 */
int secret_no_core_dumps(struct err *err);

#endif
