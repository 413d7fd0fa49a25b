#include "pgp_message.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "pgp_inflate.h"
#include "pgp_packet.h"

/* What a compressed packet becomes goes through a buffer of this size. */
#define INFLATED ((size_t)64 * 1024)

/* Before the name of literal data: its format and the name's length; behind it: a date. */
#define LITERAL_HEAD 2
#define LITERAL_DATE 4

/* Bound on a packet that is passed over, in bytes. */
#define SKIPPED_MAX ((uint64_t)1024 * 1024)

enum where {
        IN_HEADER,
        IN_SKIPPED,
        IN_LITERAL_HEAD,
        IN_LITERAL_NAME,
        IN_LITERAL,
        IN_COMPRESSED_HEAD,
        IN_COMPRESSED
};

struct pgp_message {
        enum where where;
        bool any; /* the data has been found */
        struct pgp_packet packet;
        unsigned char head[LITERAL_HEAD];
        size_t left; /* of the part of the packet where we are */

        /* Of a compressed packet: what it becomes is a message, too. */
        bool nested;
        struct pgp_inflate *inflate;
        struct pgp_message *inner;
        bool inflated; /* inflate has given everything, */
        bool finished; /* and inner, too */
        const unsigned char *at;
        size_t len;
        unsigned char plain[INFLATED];
};

static int
corrupt(struct err *err, const char *why)
{
        return err_set(err, ERR_CORRUPT, "the message in it is broken: %s", why);
}

struct pgp_message *
pgp_message_new(struct err *err)
{
        struct pgp_message *it = mem_zalloc(sizeof(*it), err);

        if (it != NULL)
                pgp_packet_start(&it->packet);
        return it;
}

static void
enter(struct pgp_message *it, enum where where, size_t left)
{
        it->where = where;
        it->left = left;
}

/* Each part below moves io on, and says 1 when it moved, 0 when it lacks input or room, or -1. */

static int
in_header(struct pgp_message *it, struct codec_io *io, struct err *err)
{
        size_t before = io->in_len;
        int rc = pgp_packet_head(&it->packet, io, err);

        if (rc < 0)
                return corrupt(err, "no packet begins where one should");
        if (rc == 0)
                return io->in_len != before;
        switch (it->packet.tag) {
        case PGP_LITERAL:
        case PGP_COMPRESSED:
                if (it->any)
                        return corrupt(err, "more than one packet has data");
                it->any = true;
                if (it->packet.tag == PGP_LITERAL)
                        enter(it, IN_LITERAL_HEAD, 0);
                else
                        enter(it, IN_COMPRESSED_HEAD, 0);
                return 1;
        case PGP_MARKER:
        case PGP_ONE_PASS:
        case PGP_SIGNATURE:
        case PGP_PADDING:
                if (it->packet.in_pieces || it->packet.left > SKIPPED_MAX)
                        return corrupt(err, "an impossible length");
                enter(it, IN_SKIPPED, 0);
                return 1;
        default:
                return corrupt(err, "a packet that cannot be there");
        }
}

static int
in_skipped(struct pgp_message *it, struct codec_io *io)
{
        size_t len = pgp_packet_body(&it->packet, io);

        pgp_packet_take(&it->packet, io, len);
        return len != 0;
}

static int
in_literal_head(struct pgp_message *it, struct codec_io *io, struct err *err)
{
        if (pgp_packet_body(&it->packet, io) == 0)
                return 0;
        it->head[it->left++] = *io->in;
        pgp_packet_take(&it->packet, io, 1);
        if (it->left < LITERAL_HEAD)
                return 1;
        if (it->head[0] != 'b')
                return err_set(err, ERR_UNSUPPORTED,
                    "the data in it is text, whose lines end as "
                    "another system has it; only binary data is supported");
        enter(it, IN_LITERAL_NAME, it->head[1] + LITERAL_DATE);
        return 1;
}

static int
in_literal_name(struct pgp_message *it, struct codec_io *io)
{
        size_t len = pgp_packet_body(&it->packet, io);

        len = len < it->left ? len : it->left;
        pgp_packet_take(&it->packet, io, len);
        it->left -= len;
        if (it->left == 0)
                enter(it, IN_LITERAL, 0);
        return len != 0;
}

static int
in_literal(struct pgp_message *it, struct codec_io *io)
{
        size_t len = pgp_packet_body(&it->packet, io);

        len = len < io->out_len ? len : io->out_len;
        memcpy(io->out, io->in, len);
        io->out += len;
        io->out_len -= len;
        pgp_packet_take(&it->packet, io, len);
        return len != 0;
}

static int
in_compressed_head(struct pgp_message *it, struct codec_io *io, struct err *err)
{
        if (it->nested)
                return err_set(err, ERR_UNSUPPORTED, "the data in it is compressed more than once");
        if (pgp_packet_body(&it->packet, io) == 0)
                return 0;
        it->inflate = pgp_inflate_new(*io->in, err);
        if (it->inflate == NULL)
                return -1;
        it->inner = pgp_message_new(err);
        if (it->inner == NULL)
                return -1;
        it->inner->nested = true;
        pgp_packet_take(&it->packet, io, 1);
        enter(it, IN_COMPRESSED, 0);
        return 1;
}

/* Is the packet over, as all of it was taken? */
static bool
is_over(const struct pgp_message *it, const struct codec_io *io, bool ended)
{
        return pgp_packet_ended(&it->packet) ||
               (it->packet.indeterminate && ended && io->in_len == 0);
}

/* Give what was inflated to the message within. */
static int
give(struct pgp_message *it, struct codec_io *io, struct err *err)
{
        struct codec_io inner = { it->at, it->len, io->out, io->out_len };
        int rc = pgp_message_step(it->inner, &inner, it->inflated, err);

        if (rc < 0)
                return -1;
        bool moved = inner.in_len != it->len || inner.out_len != io->out_len;
        it->at = inner.in;
        it->len = inner.in_len;
        io->out = inner.out;
        io->out_len = inner.out_len;
        if (rc == CODEC_DONE)
                moved = it->finished = true;
        return moved;
}

static int
in_compressed(struct pgp_message *it, struct codec_io *io, bool ended, struct err *err)
{
        size_t len = pgp_packet_body(&it->packet, io);

        if (it->finished && len != 0)
                return corrupt(err, "bytes behind the compressed data");
        if (it->finished)
                return 0;
        int moved = give(it, io, err);
        if (moved != 0 || it->len != 0 || it->inflated)
                return moved;

        /* All was given: inflate more. */
        struct codec_io into = { io->in, len, it->plain, sizeof(it->plain) };
        int rc = pgp_inflate_step(it->inflate, &into, len == 0 && is_over(it, io, ended), err);
        if (rc < 0)
                return -1;
        it->at = it->plain;
        it->len = sizeof(it->plain) - into.out_len;
        it->inflated = rc == 1;
        pgp_packet_take(&it->packet, io, len - into.in_len);
        return len != into.in_len || it->len != 0 || it->inflated;
}

static int
in_packet(struct pgp_message *it, struct codec_io *io, bool ended, struct err *err)
{
        switch (it->where) {
        case IN_LITERAL_HEAD:
                return in_literal_head(it, io, err);
        case IN_LITERAL_NAME:
                return in_literal_name(it, io);
        case IN_LITERAL:
                return in_literal(it, io);
        case IN_COMPRESSED_HEAD:
                return in_compressed_head(it, io, err);
        case IN_COMPRESSED:
                return in_compressed(it, io, ended, err);
        default:
                return in_skipped(it, io);
        }
}

static int
advance(struct pgp_message *it, struct codec_io *io, bool ended, struct err *err)
{
        if (it->where == IN_HEADER)
                return in_header(it, io, err);
        int moved = in_packet(it, io, ended, err);
        if (moved != 0)
                return moved;

        bool may_end = it->where == IN_SKIPPED || it->where == IN_LITERAL || it->finished;
        if (may_end && is_over(it, io, ended)) {
                pgp_packet_start(&it->packet);
                it->where = IN_HEADER;
                it->finished = false;
                return 1;
        }
        /* Without room for output nothing can be said yet. */
        if (io->out_len != 0 && (is_over(it, io, ended) || (ended && io->in_len == 0)))
                return corrupt(err, "it ends too early");
        return 0;
}

int
pgp_message_step(struct pgp_message *it, struct codec_io *io, bool ended, struct err *err)
{
        int moved;

        do
                moved = advance(it, io, ended, err);
        while (moved > 0);
        if (moved < 0)
                return -1;
        if (it->where != IN_HEADER || io->in_len != 0 || !ended)
                return CODEC_MORE;
        if (it->packet.started)
                return corrupt(err, "it ends too early");
        return it->any ? CODEC_DONE : corrupt(err, "it holds no data");
}

void
pgp_message_free(struct pgp_message *it)
{
        if (it == NULL)
                return;
        pgp_message_free(it->inner);
        pgp_inflate_free(it->inflate);
        mem_free(it);
}
