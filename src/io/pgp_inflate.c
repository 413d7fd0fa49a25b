#include "pgp_inflate.h"

#include <string.h>

#include <isa-l/igzip_lib.h>

#include "moonkeep/mem.h"

enum algorithm {
        UNCOMPRESSED = 0,
        ZIP = 1,
        ZLIB = 2,
        BZIP2 = 3
};

/* A header of zlib: two octets (RFC 1950, 2.2). */
#define ZLIB_HEADER 2
#define ZLIB_DEFLATE 8
#define ZLIB_DICTIONARY 0x20

struct pgp_inflate {
        struct inflate_state state;
        unsigned char header[ZLIB_HEADER];
        size_t of_header; /* how much of header was read */
        size_t header_len;
        bool as_it_is; /* not compressed at all */
};

static int
corrupt(struct err *err, const char *why)
{
        return err_set(err, ERR_CORRUPT, "the compressed data in it is broken: %s", why);
}

struct pgp_inflate *
pgp_inflate_new(unsigned char algorithm, struct err *err)
{
        if (algorithm > ZLIB) {
                err_set(err, ERR_UNSUPPORTED,
                    algorithm == BZIP2
                        ? "the data in it is compressed with BZIP2, which is not supported"
                        : "the data in it is compressed in an unknown way (%d)",
                    algorithm);
                err_hint(err, "gpg --decrypt may be able to read it");
                return NULL;
        }
        struct pgp_inflate *it = mem_alloc(sizeof(*it), err);
        if (it == NULL)
                return NULL;
        isal_inflate_init(&it->state);
        /* Its header is read here: ISA-L wants it in one piece; the checksum is compared by ISA-L.
         */
        it->state.crc_flag = algorithm == ZLIB ? ISAL_ZLIB_NO_HDR_VER : ISAL_DEFLATE;
        it->header_len = algorithm == ZLIB ? ZLIB_HEADER : 0;
        it->of_header = 0;
        it->as_it_is = algorithm == UNCOMPRESSED;
        return it;
}

static int
read_header(struct pgp_inflate *it, struct codec_io *io, struct err *err)
{
        while (it->of_header < it->header_len) {
                if (io->in_len == 0)
                        return 0;
                it->header[it->of_header++] = *io->in++;
                io->in_len--;
        }
        if (it->header_len != 0 &&
            ((it->header[0] & 15) != ZLIB_DEFLATE || it->header[1] & ZLIB_DICTIONARY ||
                (it->header[0] << 8 | it->header[1]) % 31 != 0))
                return corrupt(err, "an invalid header");
        return 1;
}

static int
copy(struct codec_io *io, bool ended)
{
        size_t len = io->in_len < io->out_len ? io->in_len : io->out_len;

        memcpy(io->out, io->in, len);
        io->in += len;
        io->in_len -= len;
        io->out += len;
        io->out_len -= len;
        return ended && io->in_len == 0;
}

static int
fail(int rc, struct err *err)
{
        switch (rc) {
        case ISAL_INVALID_BLOCK:
                return corrupt(err, "an invalid block");
        case ISAL_INVALID_SYMBOL:
                return corrupt(err, "an invalid symbol");
        case ISAL_INVALID_LOOKBACK:
                return corrupt(err, "a reference to before the start");
        case ISAL_INCORRECT_CHECKSUM:
                return corrupt(err, "its checksum does not match");
        default:
                return err_set(
                    err, ERR_CORRUPT, "the compressed data in it is broken: ISA-L says %d", rc);
        }
}

int
pgp_inflate_step(struct pgp_inflate *it, struct codec_io *io, bool ended, struct err *err)
{
        struct inflate_state *state = &it->state;
        int rc = read_header(it, io, err);

        if (rc <= 0)
                return rc;
        if (it->as_it_is)
                return copy(io, ended);

        uint32_t in_len = io->in_len < UINT32_MAX ? (uint32_t)io->in_len : UINT32_MAX;
        uint32_t out_len = io->out_len < UINT32_MAX ? (uint32_t)io->out_len : UINT32_MAX;
        state->next_in = (uint8_t *)(uintptr_t)io->in;
        state->avail_in = in_len;
        state->next_out = io->out;
        state->avail_out = out_len;
        rc = isal_inflate(state);
        if (rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT && rc != ISAL_OUT_OVERFLOW)
                return fail(rc, err);
        io->in += in_len - state->avail_in;
        io->in_len -= in_len - state->avail_in;
        io->out += out_len - state->avail_out;
        io->out_len -= out_len - state->avail_out;
        return state->block_state == ISAL_BLOCK_FINISH;
}

void
pgp_inflate_free(struct pgp_inflate *it)
{
        mem_free(it);
}
