/*
 * The packets of OpenPGP (RFC 4880, 4): headers of both formats, and bodies in
 * one piece, in pieces (partial lengths) or up to the end of what they are in.
 */
#ifndef MOONKEEP_IO_PGP_PACKET_H
#define MOONKEEP_IO_PGP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "moonkeep/codec.h"
#include "moonkeep/err.h"

enum pgp_tag {
        PGP_PKESK = 1, /* a session key for a public key */
        PGP_SIGNATURE = 2,
        PGP_SKESK = 3, /* a session key, or how to make it of a passphrase */
        PGP_ONE_PASS = 4,
        PGP_COMPRESSED = 8,
        PGP_SED = 9, /* encrypted without a proof that it was not changed */
        PGP_MARKER = 10,
        PGP_LITERAL = 11,
        PGP_SEIPD = 18, /* encrypted, with such a proof at its end */
        PGP_MDC = 19,
        PGP_AEAD = 20, /* encrypted, with a proof for each chunk */
        PGP_PADDING = 21
};

/* The longest form of a length, and the first octets of headers and lengths that we write. */
#define PGP_LENGTH_MAX 5
#define PGP_NEW_HEADER(tag) (0xc0 | (tag))
#define PGP_PARTIAL(log2) (224 | (log2))

struct pgp_packet {
        unsigned char tag;
        bool in_pieces;     /* its body may be of any length */
        bool indeterminate; /* its body ends where its surroundings do */
        bool more;          /* another length follows this piece */
        uint64_t left;      /* bytes of this piece that have not been taken */
        /* Of the header. */
        bool started, complete;
        unsigned char first;
        unsigned char length[PGP_LENGTH_MAX];
        size_t have; /* bytes of length */
};

/* pgp_packet_start: expect a new header. */
void pgp_packet_start(struct pgp_packet *packet);

/*
 * pgp_packet_head: take a header from io's input.  Returns 1 when it is
 * complete, 0 when input is missing, -1 when there is no header here.
 */
int pgp_packet_head(struct pgp_packet *packet, struct codec_io *io, struct err *err);

/*
 * pgp_packet_body: how many bytes at io's input are of the body; lengths
 * between pieces are taken on the way.  0: the body has ended, or input is missing.
 */
size_t pgp_packet_body(struct pgp_packet *packet, struct codec_io *io);

/* pgp_packet_take: move io and the packet on by len bytes of the body. */
void pgp_packet_take(struct pgp_packet *packet, struct codec_io *io, size_t len);

/* pgp_packet_ended: has all of the body been taken?  Never of an indeterminate one. */
bool pgp_packet_ended(const struct pgp_packet *packet);

/* pgp_packet_put_length: a length of the new format; how many bytes of out it takes. */
size_t pgp_packet_put_length(unsigned char out[PGP_LENGTH_MAX], uint32_t len);

#endif
