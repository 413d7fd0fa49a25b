#include "moonkeep/codec.h"

#include <isa-l/igzip_lib.h>

#include "moonkeep/mem.h"

/* RFC 1952, 2.3.1. */
static const unsigned char magic[2] = { 0x1f, 0x8b };

enum where {
        BETWEEN, /* before the first member or behind one */
        IN_HEADER,
        IN_BODY
};

struct gunzip {
        struct codec codec;
        enum where where;
        bool any;        /* a member has been read */
        size_t of_magic; /* how much of the magic number of this member was seen */
        struct isal_gzip_header header;
        struct inflate_state state;
};

static int
corrupt(struct err *err, const char *why)
{
        return err_set(err, ERR_CORRUPT, "broken gzip data: %s", why);
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
                return corrupt(err, "checksum or length do not match");
        case ISAL_INVALID_WRAPPER:
                return corrupt(err, "an invalid header");
        case ISAL_UNSUPPORTED_METHOD:
                return corrupt(err, "an unknown compression method");
        default:
                return err_set(err, ERR_CORRUPT, "broken gzip data: ISA-L says %d", rc);
        }
}

static void
begin_member(struct gunzip *it)
{
        isal_inflate_reset(&it->state);
        isal_gzip_header_init(&it->header);
        /* The header is read by itself, see below; the trailer is checked. */
        it->state.crc_flag = ISAL_GZIP_NO_HDR_VER;
        it->of_magic = 0;
        it->where = IN_HEADER;
}

/*
 * ISA-L looks at nothing before it has a whole header: without this a few
 * stray bytes behind the last member would look like a cut.
 */
static int
check_magic(struct gunzip *it, const struct codec_io *io, struct err *err)
{
        for (size_t at = 0; at < io->in_len && it->of_magic < sizeof(magic); at++) {
                if (io->in[at] != magic[it->of_magic])
                        return it->any
                                   ? corrupt(err, "bytes behind its end that are no gzip member")
                                   : err_set(err, ERR_CORRUPT, "this is not gzip data");
                it->of_magic++;
        }
        return 0;
}

static int
gunzip_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct gunzip *it = (struct gunzip *)codec;
        struct inflate_state *state = &it->state;
        uint32_t in_len = io->in_len < UINT32_MAX ? (uint32_t)io->in_len : UINT32_MAX;
        uint32_t out_len = io->out_len < UINT32_MAX ? (uint32_t)io->out_len : UINT32_MAX;
        int rc = ISAL_DECOMP_OK;

        if (it->where == BETWEEN) {
                if (in_len == 0 && ended && it->any)
                        return CODEC_DONE;
                if (in_len != 0)
                        begin_member(it);
        }
        if (in_len == 0 && ended && it->where != IN_BODY)
                return err_set(err, ERR_TRUNCATED, "the gzip data ends too early");
        if (it->where == BETWEEN)
                return CODEC_MORE;

        state->next_in = (uint8_t *)(uintptr_t)io->in;
        state->avail_in = in_len;
        state->next_out = io->out;
        state->avail_out = out_len;

        if (it->where == IN_HEADER) {
                if (check_magic(it, io, err) < 0)
                        return -1;
                /*
                 * Not left to isal_inflate: it forgets the fields of a header
                 * that comes in two pieces.
                 */
                rc = isal_read_gzip_header(state, &it->header);
                if (rc == ISAL_DECOMP_OK)
                        it->where = IN_BODY;
                else if (rc != ISAL_END_INPUT)
                        return fail(rc, err);
        }
        if (it->where == IN_BODY) {
                rc = isal_inflate(state);
                if (rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT && rc != ISAL_OUT_OVERFLOW)
                        return fail(rc, err);
                if (state->block_state == ISAL_BLOCK_FINISH) {
                        it->where = BETWEEN;
                        it->any = true;
                } else if (ended && in_len == 0 && state->avail_out == out_len) {
                        return err_set(err, ERR_TRUNCATED, "the gzip data ends too early");
                }
        }
        io->in += in_len - state->avail_in;
        io->in_len -= in_len - state->avail_in;
        io->out += out_len - state->avail_out;
        io->out_len -= out_len - state->avail_out;
        return it->where == BETWEEN && ended && io->in_len == 0 ? CODEC_DONE : CODEC_MORE;
}

static void
gunzip_free(struct codec *codec)
{
        mem_free(codec);
}

static const struct codec_ops gunzip_ops = { "gunzip", gunzip_step, gunzip_free };

struct codec *
codec_gunzip_new(struct err *err)
{
        struct gunzip *it = mem_alloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->codec.ops = &gunzip_ops;
        it->where = BETWEEN;
        it->any = false;
        it->of_magic = 0;
        isal_inflate_init(&it->state);
        return &it->codec;
}
