#include "pgp_packet.h"

#include <string.h>

/* Bits of a header's first octet (RFC 4880, 4.2). */
#define IS_HEADER 0x80
#define NEW_FORMAT 0x40
#define OLD_INDETERMINATE 3

void
pgp_packet_start(struct pgp_packet *packet)
{
        memset(packet, 0, sizeof(*packet));
}

static uint64_t
number(const unsigned char *bytes, size_t len)
{
        uint64_t value = 0;

        for (size_t at = 0; at < len; at++)
                value = value << 8 | bytes[at];
        return value;
}

/* A length of the new format (RFC 4880, 4.2.2); false when it is not complete. */
static bool
new_length(struct pgp_packet *packet)
{
        const unsigned char *at = packet->length;
        bool partial = at[0] >= 224 && at[0] < 255;

        if (partial)
                packet->left = (uint64_t)1 << (at[0] & 31);
        else if (at[0] < 192)
                packet->left = at[0];
        else if (at[0] < 224 && packet->have == 2)
                packet->left = ((uint64_t)(at[0] - 192) << 8) + at[1] + 192;
        else if (at[0] == 255 && packet->have == 5)
                packet->left = number(at + 1, 4);
        else
                return false;
        packet->more = partial;
        packet->in_pieces = packet->in_pieces || partial;
        return true;
}

/* A length of the old format (RFC 4880, 4.2.1). */
static bool
old_length(struct pgp_packet *packet)
{
        size_t len = (size_t)1 << (packet->first & 3);

        if (packet->have < len)
                return false;
        packet->left = number(packet->length, len);
        return true;
}

/* Take a length from io's input; false when input is missing. */
static bool
take_length(struct pgp_packet *packet, struct codec_io *io)
{
        while (io->in_len > 0) {
                packet->length[packet->have++] = *io->in++;
                io->in_len--;
                if (packet->first & NEW_FORMAT ? new_length(packet) : old_length(packet)) {
                        packet->have = 0;
                        return true;
                }
        }
        return false;
}

int
pgp_packet_head(struct pgp_packet *packet, struct codec_io *io, struct err *err)
{
        if (!packet->started) {
                if (io->in_len == 0)
                        return 0;
                packet->first = *io->in++;
                io->in_len--;
                packet->started = true;
                if (!(packet->first & IS_HEADER))
                        return err_set(err, ERR_CORRUPT, "no packet begins where one should");
                bool old = !(packet->first & NEW_FORMAT);
                packet->tag = old ? packet->first >> 2 & 15 : packet->first & 63;
                if (old && (packet->first & 3) == OLD_INDETERMINATE) {
                        packet->in_pieces = packet->indeterminate = packet->complete = true;
                        packet->left = UINT64_MAX;
                }
        }
        if (!packet->complete)
                packet->complete = take_length(packet, io);
        return packet->complete;
}

size_t
pgp_packet_body(struct pgp_packet *packet, struct codec_io *io)
{
        if (packet->left == 0 && packet->more && !take_length(packet, io))
                return 0;
        return packet->left < io->in_len ? (size_t)packet->left : io->in_len;
}

void
pgp_packet_take(struct pgp_packet *packet, struct codec_io *io, size_t len)
{
        io->in += len;
        io->in_len -= len;
        if (!packet->indeterminate)
                packet->left -= len;
}

bool
pgp_packet_ended(const struct pgp_packet *packet)
{
        return packet->complete && packet->left == 0 && !packet->more;
}

size_t
pgp_packet_put_length(unsigned char out[PGP_LENGTH_MAX], uint32_t len)
{
        if (len < 192) {
                out[0] = (unsigned char)len;
                return 1;
        }
        if (len < 8384) {
                out[0] = (unsigned char)(((len - 192) >> 8) + 192);
                out[1] = (unsigned char)(len - 192);
                return 2;
        }
        out[0] = 255;
        for (int at = 0; at < 4; at++)
                out[1 + at] = (unsigned char)(len >> (24 - 8 * at));
        return 5;
}
