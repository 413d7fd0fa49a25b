/*
 * The body of an encrypted packet on its way to plain bytes: one that proves
 * itself at its end (MDC), and one that does so chunk by chunk (AEAD).
 */
#ifndef MOONKEEP_IO_PGP_OPENER_H
#define MOONKEEP_IO_PGP_OPENER_H

#include <stddef.h>
#include <sys/types.h>

#include "moonkeep/err.h"
#include "pgp_skesk.h"

struct pgp_opener;

struct pgp_opener_ops {
        /*
         * Take some of len > 0 bytes of the body; how many, or -1.  Only to be
         * called when plain was taken to its end, which it may fill again.
         */
        ssize_t (*feed)(
            struct pgp_opener *opener, const unsigned char *in, size_t len, struct err *err);
        /* The body has ended: prove it, and fill plain for the last time. */
        int (*finish)(struct pgp_opener *opener, struct err *err);
        void (*free)(struct pgp_opener *opener);
};

struct pgp_opener {
        const struct pgp_opener_ops *ops;
        const unsigned char *plain; /* what may be taken, by moving both on */
        size_t len;
};

/* Both kinds of body begin with a head of this size. */
#define PGP_OPENER_HEAD 19

/*
 * pgp_mdc_fits: may the key be the one of a body with that head?  1 or 0, or
 * -1 on error.  A wrong key fits once in 65,536 times.
 */
int pgp_mdc_fits(
    const unsigned char head[PGP_OPENER_HEAD], const struct pgp_key *key, struct err *err);

/* pgp_mdc_new, pgp_aead_new: for a body with that head, which is not fed again. */
struct pgp_opener *pgp_mdc_new(
    const unsigned char head[PGP_OPENER_HEAD], const struct pgp_key *key, struct err *err);
struct pgp_opener *pgp_aead_new(
    const unsigned char head[PGP_OPENER_HEAD], const struct pgp_key *key, struct err *err);

#endif
