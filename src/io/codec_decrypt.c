#include "moonkeep/codec.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/secret.h"
#include "pgp_mdc.h"
#include "pgp_message.h"
#include "pgp_opener.h"
#include "pgp_packet.h"
#include "pgp_skesk.h"

/* Most passphrases that a message may be for: each may cost a tenth of a second. */
#define SKESK_COUNT_MAX 16

/* Bound on a packet that is passed over, in bytes. */
#define SKIPPED_MAX ((uint64_t)1024 * 1024)

static const char armor[] = "-----BEGIN PGP ";

enum where {
        AT_START,
        IN_ARMOR,
        IN_HEADER,
        IN_SKIPPED,
        IN_SKESK,
        IN_HEAD, /* of the encrypted data */
        IN_DATA,
        AT_END
};

struct decrypt {
        struct codec codec;
        struct secret *passphrase;
        enum where where;
        bool any; /* a packet has been read */
        struct pgp_packet packet;
        size_t have; /* of armor, or of small */
        unsigned char small[PGP_SKESK_MAX];

        struct pgp_skesk skesks[SKESK_COUNT_MAX];
        size_t skesk_count;
        bool public_key;            /* the message is for a public key, too */
        bool unsupported;           /* it is for a passphrase in a way that is not supported */
        struct err unsupported_why; /* valid if unsupported */

        struct pgp_opener *opener;
        struct pgp_message *message;
        bool proven;        /* the opener has finished */
        bool failed;        /* the message has; that is only believed when it is proven */
        struct err failure; /* valid if failed */
};

static int
not_openpgp(struct err *err)
{
        return err_set(err, ERR_CORRUPT, "this is not OpenPGP data");
}

/* Each part below moves io on, and says 1 when it moved, 0 when it lacks input or room, or -1. */

static int
in_armor(struct decrypt *it, struct codec_io *io, bool ended, struct err *err)
{
        while (io->in_len > 0 && it->have < sizeof(armor) - 1) {
                if (*io->in != (unsigned char)armor[it->have])
                        return not_openpgp(err);
                it->have++;
                io->in++;
                io->in_len--;
        }
        if (it->have < sizeof(armor) - 1)
                return ended ? not_openpgp(err) : 0;
        err_set(
            err, ERR_UNSUPPORTED, "this is OpenPGP data in ASCII armor, which is not supported");
        return err_hint(err, "`gpg --dearmor` makes it binary");
}

/* What comes up to the encrypted data. */
static bool
may_come(unsigned char tag)
{
        return tag == PGP_PKESK || tag == PGP_SKESK || tag == PGP_SEIPD || tag == PGP_AEAD ||
               tag == PGP_SED || tag == PGP_MARKER || tag == PGP_PADDING;
}

/* What a message begins with that is not encrypted. */
static bool
is_plain(unsigned char tag)
{
        return tag == PGP_LITERAL || tag == PGP_COMPRESSED || tag == PGP_ONE_PASS ||
               tag == PGP_SIGNATURE;
}

static int
enter_packet(struct decrypt *it, struct err *err)
{
        struct pgp_packet *packet = &it->packet;
        bool small = !packet->in_pieces && packet->left <= SKIPPED_MAX;

        it->any = true;
        it->have = 0;
        switch (packet->tag) {
        case PGP_SEIPD:
        case PGP_AEAD:
                it->where = IN_HEAD;
                return 1;
        case PGP_SED:
                err_set(err, ERR_UNSUPPORTED,
                    "encrypted without a proof that it was not changed, which is refused");
                return err_hint(err, "gpg --decrypt --ignore-mdc-error reads it, at your own risk");
        case PGP_SKESK:
                if (!small || packet->left > PGP_SKESK_MAX)
                        return err_set(err, ERR_CORRUPT,
                            "the packet of a session key has an impossible length");
                if (it->skesk_count == SKESK_COUNT_MAX)
                        return err_set(err, ERR_TOO_BIG, "encrypted for more than %d passphrases",
                            SKESK_COUNT_MAX);
                it->where = IN_SKESK;
                return 1;
        default:
                if (!small)
                        return err_set(err, ERR_CORRUPT, "a packet has an impossible length");
                it->public_key = it->public_key || packet->tag == PGP_PKESK;
                it->where = IN_SKIPPED;
                return 1;
        }
}

static int
in_header(struct decrypt *it, struct codec_io *io, struct err *err)
{
        size_t before = io->in_len;
        int rc = pgp_packet_head(&it->packet, io, err);

        if (!it->packet.started)
                return 0;
        if (rc < 0 || (!may_come(it->packet.tag) && !is_plain(it->packet.tag)))
                return it->any ? err_set(err, ERR_CORRUPT, "a packet that cannot be there")
                               : not_openpgp(err);
        if (is_plain(it->packet.tag))
                return err_set(err, ERR_CORRUPT, "this OpenPGP data is not encrypted");
        return rc == 0 ? io->in_len != before : enter_packet(it, err);
}

/* Gather the body in small, up to max bytes of it. */
static int
gather(struct decrypt *it, struct codec_io *io, size_t max)
{
        size_t len = pgp_packet_body(&it->packet, io);

        len = len < max - it->have ? len : max - it->have;
        memcpy(it->small + it->have, io->in, len);
        pgp_packet_take(&it->packet, io, len);
        it->have += len;
        return len != 0;
}

static void
leave_packet(struct decrypt *it)
{
        pgp_packet_start(&it->packet);
        it->where = IN_HEADER;
}

static int
in_skipped(struct decrypt *it, struct codec_io *io)
{
        size_t len = pgp_packet_body(&it->packet, io);

        pgp_packet_take(&it->packet, io, len);
        if (!pgp_packet_ended(&it->packet))
                return len != 0;
        leave_packet(it);
        return 1;
}

/* Another passphrase may be the right one: what is not supported is only told when none is. */
static int
note_unsupported(struct decrypt *it, const struct err *why, struct err *err)
{
        if (why->code != ERR_UNSUPPORTED) {
                *err = *why;
                return -1;
        }
        it->unsupported = true;
        it->unsupported_why = *why;
        return 0;
}

static int
in_skesk(struct decrypt *it, struct codec_io *io, struct err *err)
{
        struct err why;
        int moved = gather(it, io, PGP_SKESK_MAX);

        if (!pgp_packet_ended(&it->packet))
                return moved;
        err_init(&why);
        if (pgp_skesk_parse(&it->skesks[it->skesk_count], it->small, it->have, &why) == 0)
                it->skesk_count++;
        else if (note_unsupported(it, &why, err) < 0)
                return -1;
        leave_packet(it);
        return 1;
}

static int
no_key(const struct decrypt *it, bool tried, struct err *err)
{
        if (tried) {
                err_set(err, ERR_KEY, "the key is not the one that this was encrypted with");
                return err_hint(err, "each byte of it counts; only line ends behind it do not");
        }
        if (it->unsupported) {
                *err = it->unsupported_why;
                return -1;
        }
        if (it->public_key) {
                err_set(err, ERR_UNSUPPORTED,
                    "encrypted for a public key; only passphrases are supported");
                return err_hint(err, "gpg --decrypt reads it where the private key is");
        }
        return err_set(err, ERR_UNSUPPORTED, "it does not say how its key is made of a passphrase");
}

/* The session key: the first that the passphrase gives and that fits the data. */
static int
find_key(struct decrypt *it, struct pgp_key *key, struct err *err)
{
        bool tried = false;
        struct err why;

        for (size_t idx = 0; idx < it->skesk_count; idx++) {
                /* What goes with AEAD proves itself; older forms do not go with it. */
                if (it->packet.tag == PGP_AEAD && it->skesks[idx].version < 5)
                        continue;
                err_init(&why);
                int fits = pgp_skesk_open(&it->skesks[idx], it->passphrase, key, &why);
                if (fits == 1 && it->packet.tag == PGP_SEIPD)
                        fits = pgp_mdc_fits(it->small, key, &why);
                if (fits == 1)
                        return 0;
                if (fits < 0 && note_unsupported(it, &why, err) < 0)
                        return -1;
                tried = tried || fits == 0;
        }
        return no_key(it, tried, err);
}

static int
in_head(struct decrypt *it, struct codec_io *io, struct err *err)
{
        struct pgp_key key;
        int moved = gather(it, io, PGP_OPENER_HEAD);
        int rc = -1;

        if (it->have < PGP_OPENER_HEAD) {
                if (pgp_packet_ended(&it->packet))
                        return err_set(err, ERR_CORRUPT, "the encrypted data is too short");
                return moved;
        }
        if (it->packet.tag == PGP_SEIPD && it->small[0] != PGP_MDC_VERSION)
                return err_set(err, ERR_UNSUPPORTED,
                    "encrypted in a form that is not supported (version %d)", it->small[0]);
        if (find_key(it, &key, err) < 0)
                goto out;
        it->opener = it->packet.tag == PGP_SEIPD ? pgp_mdc_new(it->small, &key, err)
                                                 : pgp_aead_new(it->small, &key, err);
        if (it->opener == NULL)
                goto out;
        it->message = pgp_message_new(err);
        if (it->message == NULL)
                goto out;
        it->where = IN_DATA;
        rc = 1;

out:
        secret_wipe(&key, sizeof(key));
        return rc;
}

/* Give plain bytes to the message, which makes output of them. */
static int
give(struct decrypt *it, struct codec_io *io, struct err *err)
{
        struct codec_io plain = { it->opener->plain, it->opener->len, io->out, io->out_len };
        struct err why;

        err_init(&why);
        int rc = pgp_message_step(it->message, &plain, it->proven, &why);
        if (rc < 0 && why.code == ERR_UNSUPPORTED && !it->proven) {
                /* A flipped bit looks like that, too: the proof at the end decides. */
                it->failed = true;
                it->failure = why;
                return 1;
        }
        if (rc < 0) {
                *err = why;
                return -1;
        }
        int moved = plain.in_len != it->opener->len || plain.out_len != io->out_len;
        it->opener->plain = plain.in;
        it->opener->len = plain.in_len;
        io->out = plain.out;
        io->out_len = plain.out_len;
        if (rc != CODEC_DONE)
                return moved;
        it->where = AT_END;
        return 1;
}

static int
in_data(struct decrypt *it, struct codec_io *io, struct err *err)
{
        /* Also with nothing new: what is compressed may have more to give. */
        if (!it->failed) {
                int moved = give(it, io, err);
                if (moved != 0 || it->proven || it->opener->len != 0)
                        return moved;
        } else if (it->proven) {
                *err = it->failure;
                return -1;
        }
        size_t len = pgp_packet_body(&it->packet, io);
        if (len == 0 && !pgp_packet_ended(&it->packet))
                return 0;
        if (len == 0) {
                it->proven = true;
                return it->opener->ops->finish(it->opener, err) < 0 ? -1 : 1;
        }
        ssize_t taken = it->opener->ops->feed(it->opener, io->in, len, err);
        if (taken < 0)
                return -1;
        pgp_packet_take(&it->packet, io, (size_t)taken);
        return 1;
}

static int
advance(struct decrypt *it, struct codec_io *io, bool ended, struct err *err)
{
        switch (it->where) {
        case AT_START:
                if (io->in_len == 0)
                        return 0;
                it->where = *io->in == (unsigned char)armor[0] ? IN_ARMOR : IN_HEADER;
                return 1;
        case IN_ARMOR:
                return in_armor(it, io, ended, err);
        case IN_HEADER:
                return in_header(it, io, err);
        case IN_SKIPPED:
                return in_skipped(it, io);
        case IN_SKESK:
                return in_skesk(it, io, err);
        case IN_HEAD:
                return in_head(it, io, err);
        case IN_DATA:
                return in_data(it, io, err);
        default:
                if (io->in_len != 0)
                        return err_set(
                            err, ERR_CORRUPT, "bytes behind the end of the OpenPGP data");
                return 0;
        }
}

static int
decrypt_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct decrypt *it = (struct decrypt *)codec;
        int moved;

        do
                moved = advance(it, io, ended, err);
        while (moved > 0);
        if (moved < 0)
                return -1;
        if (!ended || io->in_len != 0)
                return CODEC_MORE;
        if (it->where == AT_END)
                return CODEC_DONE;
        /* What is compressed may have more to give than there was room for. */
        if (io->out_len == 0)
                return CODEC_MORE;
        return err_set(err, ERR_TRUNCATED, "the OpenPGP data ends too early");
}

static void
decrypt_free(struct codec *codec)
{
        struct decrypt *it = (struct decrypt *)codec;

        pgp_message_free(it->message);
        if (it->opener != NULL)
                it->opener->ops->free(it->opener);
        secret_unref(it->passphrase);
        mem_free(it);
}

static const struct codec_ops decrypt_ops = { "decrypt", decrypt_step, decrypt_free };

struct codec *
codec_decrypt_new(struct secret *passphrase, struct err *err)
{
        struct decrypt *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->codec.ops = &decrypt_ops;
        it->where = AT_START;
        it->passphrase = secret_ref(passphrase);
        return &it->codec;
}
