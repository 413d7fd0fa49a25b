/*
 * What others said, fit for a message of ours.  Internal to src/kube.
 */
#ifndef MOONKEEP_KUBE_QUOTE_H
#define MOONKEEP_KUBE_QUOTE_H

#include <stddef.h>

#define KUBE_QUOTE_SIZE 401

/*
 * kube_quote: text as one line of at most KUBE_QUOTE_SIZE - 1 bytes, without
 * control characters, its secrets redacted; a longer one loses its middle.
 */
void kube_quote(const char *text, size_t len, char out[KUBE_QUOTE_SIZE]);

#endif
