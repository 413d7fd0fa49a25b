/*
 * What is inside an encrypted message: packets (RFC 4880, 11.3), of which one
 * is literal data, perhaps within a compressed packet.
 */
#ifndef MOONKEEP_IO_PGP_MESSAGE_H
#define MOONKEEP_IO_PGP_MESSAGE_H

#include <stdbool.h>

#include "moonkeep/codec.h"

struct pgp_message;

struct pgp_message *pgp_message_new(struct err *err);

/*
 * pgp_message_step: packets in, the literal data out, with the results of
 * codec_ops.step.  A step ends when it lacks input or room for output.  What
 * is inside was put there by the sender: it ends where it should, or is
 * ERR_CORRUPT.  Signatures are passed over: nobody knows the sender's key here.
 */
int pgp_message_step(struct pgp_message *message, struct codec_io *io, bool ended, struct err *err);

/* pgp_message_free: NULL is fine. */
void pgp_message_free(struct pgp_message *message);

#endif
