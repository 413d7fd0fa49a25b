/*
 * The sizes of SEIPD, version 1 (RFC 4880, 5.13 and 5.14).
 */
#ifndef MOONKEEP_IO_PGP_MDC_H
#define MOONKEEP_IO_PGP_MDC_H

#include "moonkeep/cipher.h"
#include "moonkeep/sha1.h"

#define PGP_MDC_VERSION 1

/* Random bytes in front, of which the last two are there twice. */
#define PGP_MDC_PREFIX (CIPHER_BLOCK + 2)

/* The packet at the end: its header and a SHA-1. */
#define PGP_MDC_HEAD 2
#define PGP_MDC_SIZE (PGP_MDC_HEAD + SHA1_SIZE)
static const unsigned char pgp_mdc_head[PGP_MDC_HEAD] = { 0xd3, SHA1_SIZE };

#endif
