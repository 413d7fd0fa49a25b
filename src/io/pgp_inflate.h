/*
 * The body of a compressed packet behind its first octet (RFC 4880, 5.6 and 9.3).
 */
#ifndef MOONKEEP_IO_PGP_INFLATE_H
#define MOONKEEP_IO_PGP_INFLATE_H

#include <stdbool.h>

#include "moonkeep/codec.h"

struct pgp_inflate;

/* pgp_inflate_new: algorithm as in the packet; ERR_UNSUPPORTED for one that is not ZIP or ZLIB. */
struct pgp_inflate *pgp_inflate_new(unsigned char algorithm, struct err *err);

/*
 * pgp_inflate_step: some input becomes some output; ended: none will follow
 * io->in.  Returns 1 when the data has ended by itself (input behind it is
 * left), 0 before, -1 on error.
 */
int pgp_inflate_step(struct pgp_inflate *inflate, struct codec_io *io, bool ended, struct err *err);

/* pgp_inflate_free: NULL is fine. */
void pgp_inflate_free(struct pgp_inflate *inflate);

#endif
