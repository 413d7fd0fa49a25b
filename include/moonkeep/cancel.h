/*
 * Cancel tokens: a flag and a pollable descriptor, arranged as a tree.
 * Setting a token sets all tokens below it.  Everything that waits takes one
 * and polls its descriptor beside its own.
 *
 * Tokens are reference-counted and may be used from any thread.
 */
#ifndef MOONKEEP_CANCEL_H
#define MOONKEEP_CANCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/err.h"

struct cancel;

/* cancel_new: a token below parent (NULL: a root), with one reference. */
struct cancel *cancel_new(struct cancel *parent, struct err *err);

/* cancel_ref: one more reference; returns token.  NULL is fine. */
struct cancel *cancel_ref(struct cancel *token);

/* cancel_unref: drop a reference; the last one frees.  NULL is fine. */
void cancel_unref(struct cancel *token);

/* cancel_trigger: set the token and all below it.  Idempotent. */
void cancel_trigger(struct cancel *token);

/* cancel_is_set: has it been set?  NULL is never set. */
bool cancel_is_set(const struct cancel *token);

/* cancel_fd: a descriptor that is readable once the token is set (never read from it); -1 for NULL.
 */
int cancel_fd(const struct cancel *token);

/* cancel_check: 0, or -1 with ERR_CANCELLED when the token is set. */
int cancel_check(const struct cancel *token, struct err *err);

/*
 * cancel_wait_fd: wait until fd has one of the poll(2) events, the token is
 * set, or stall_ms passed (-1: no limit).
 * Returns 0 when ready, -1 with ERR_CANCELLED or ERR_TIMEOUT.
 */
int cancel_wait_fd(struct cancel *token, int fd, short events, int stall_ms, struct err *err);

/* cancel_sleep: 0 after ms, or -1 with ERR_CANCELLED as soon as the token is set. */
int cancel_sleep(const struct cancel *token, int64_t ms, struct err *err);

#endif
