/*
 * Errors: one struct, filled where the failure is found, prefixed by callers
 * who know what they were doing.
 *
 * Functions return 0 or -1 (or NULL) and take a `struct err *` as their last
 * parameter.  A failing function fills it; a succeeding one leaves it alone.
 * A message that is too long loses its middle, never its reason.
 * Every function here accepts err == NULL and then does nothing, for callers
 * to whom only the fact of the failure matters.
 */
#ifndef MOONKEEP_ERR_H
#define MOONKEEP_ERR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The one list of error codes: C name, the string that Lua and JSON see, the
 * exit status of a run that ends with it, and the sentence of the docs.
 */
#define ERR_CODES(X)                                                                               \
        X(NONE, "none", 0, "no error")                                                             \
        X(NOMEM, "nomem", 1, "memory ran out, or a stated maximum of a buffer was reached")        \
        X(IO, "io", 1, "the operating system failed to read or write")                             \
        X(NOT_FOUND, "not_found", 1, "the named thing does not exist")                             \
        X(EXISTS, "exists", 1, "the named thing exists already")                                   \
        X(FULL, "full", 1, "no space is left, or a quota or file size limit was reached")          \
        X(PERMISSION, "permission", 1, "the operating system or the server denied access")         \
        X(INVALID, "invalid", 1, "input is malformed: a file, an answer, a name")                  \
        X(TOO_BIG, "too_big", 1, "input is larger than the bound set for it")                      \
        X(TRUNCATED, "truncated", 1, "a stream ended before it was complete")                      \
        X(CORRUPT, "corrupt", 5, "stored data does not match its digest or its own checksums")     \
        X(UNVERIFIED, "unverified", 5, "a check of a backup or a restored system failed")          \
        X(TIMEOUT, "timeout", 1, "no progress was made for the stated time")                       \
        X(CANCELLED, "cancelled", 130, "the run was cancelled")                                    \
        X(NETWORK, "network", 1, "a connection could not be made or broke")                        \
        X(TLS, "tls", 1, "the peer's certificate or the TLS handshake was refused")                \
        X(HTTP, "http", 1, "the server answered with an error status")                             \
        X(PROTOCOL, "protocol", 1, "the peer broke the protocol")                                  \
        X(PROCESS, "process", 1, "a command failed")                                               \
        X(UNSUPPORTED, "unsupported", 1, "the server, target or store cannot do this")             \
        X(ARCHIVED, "archived", 1,                                                                 \
            "the object lies in an archive and has to be brought back first")                      \
        X(CREDENTIALS, "credentials", 1, "credentials are missing, expired or not readable")       \
        X(KEY, "key", 1, "the key is missing, or is not the one that the data was encrypted with") \
        X(LOCKED, "locked", 4, "another run holds the lock")                                       \
        X(REFUSED, "refused", 4, "a guard said no, or a confirmation is missing")                  \
        X(JOURNAL, "journal", 4, "the journal of a run was edited, truncated or is not readable")  \
        X(CHANGED, "changed", 4, "the recipe, library or parameters changed since the run began")  \
        X(USAGE, "usage", 2, "the command line is wrong")                                          \
        X(RECIPE, "recipe", 2, "the recipe is wrong")                                              \
        X(INTERNAL, "internal", 1, "a defect of moonkeep itself")

enum err_code {
#define ERR_ENUM(name, text, status, doc) ERR_##name,
        ERR_CODES(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

struct err {
        enum err_code code;
        int sys;        /* errno, or 0 */
        int http;       /* HTTP status, or 0 */
        bool retryable; /* the same call may succeed later */
        char msg[1024]; /* "cannot WHAT \"NAME\": WHY", outside-in, no newline */
        char hint[512]; /* what the user can do, or "" */
};

/* err_init: make err say "no error". */
void err_init(struct err *err);

/*
 * err_set: set code and message; clears sys, http, retryable and hint.
 * Returns -1, so that a function can end with `return err_set(...)`.
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * err_sys: set the message from errno: "FMT...: strerror".  The code follows
 * from errno (ENOSPC, EDQUOT and EFBIG are ERR_FULL, EACCES, EPERM and EROFS
 * ERR_PERMISSION, ENOENT and ENOTDIR ERR_NOT_FOUND, EEXIST ERR_EXISTS, ENOMEM
 * ERR_NOMEM, anything else ERR_IO).  Returns -1.
 */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_prefix: put "FMT...: " in front of the message.  Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_hint: say what the user can do.  Returns -1. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_code_name: "not_found" for ERR_NOT_FOUND. */
const char *err_code_name(enum err_code code);

/* err_code_from_name: the code with that name, or ERR_INTERNAL. */
enum err_code err_code_from_name(const char *name);

/* err_exit_status: the exit status of a program that ends with this code. */
int err_exit_status(enum err_code code);

/* err_code_doc: the sentence of the docs about this code. */
const char *err_code_doc(enum err_code code);

#endif
