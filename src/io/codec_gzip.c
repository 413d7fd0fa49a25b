#include "moonkeep/codec.h"

#include <isa-l/igzip_lib.h>

#include "moonkeep/mem.h"

struct gzip {
        struct codec codec;
        struct isal_zstream stream;
        unsigned char *level_buf;
};

static int
gzip_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct gzip *it = (struct gzip *)codec;
        struct isal_zstream *stream = &it->stream;
        uint32_t in_len = io->in_len < UINT32_MAX ? (uint32_t)io->in_len : UINT32_MAX;
        uint32_t out_len = io->out_len < UINT32_MAX ? (uint32_t)io->out_len : UINT32_MAX;

        /* ISA-L takes a pointer to bytes that it does not change. */
        stream->next_in = (uint8_t *)(uintptr_t)io->in;
        stream->avail_in = in_len;
        stream->next_out = io->out;
        stream->avail_out = out_len;
        if (ended && in_len == io->in_len)
                stream->end_of_stream = 1;

        int rc = isal_deflate(stream);
        if (rc != COMP_OK)
                return err_set(err, ERR_INTERNAL, "cannot compress with gzip: ISA-L says %d", rc);

        io->in += in_len - stream->avail_in;
        io->in_len -= in_len - stream->avail_in;
        io->out += out_len - stream->avail_out;
        io->out_len -= out_len - stream->avail_out;
        return stream->internal_state.state == ZSTATE_END ? CODEC_DONE : CODEC_MORE;
}

static void
gzip_free(struct codec *codec)
{
        struct gzip *it = (struct gzip *)codec;

        mem_free(it->level_buf);
        mem_free(it);
}

static const struct codec_ops gzip_ops = { "gzip", gzip_step, gzip_free };

struct codec *
codec_gzip_new(int level, struct err *err)
{
        static const uint32_t level_buf_size[] = { 0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                ISAL_DEF_LVL3_DEFAULT };

        if (level < 1 || level > 3) {
                err_set(err, ERR_INVALID, "gzip has the levels 1 to 3, not %d", level);
                return NULL;
        }
        struct gzip *it = mem_alloc(sizeof(*it), err);
        if (it == NULL)
                return NULL;
        it->codec.ops = &gzip_ops;
        it->level_buf = mem_alloc(level_buf_size[level], err);
        if (it->level_buf == NULL)
                goto fail;

        isal_deflate_init(&it->stream);
        it->stream.level = (uint32_t)level;
        it->stream.level_buf = it->level_buf;
        it->stream.level_buf_size = level_buf_size[level];
        /* The plain header: no name, and 0 for the time, so that equal input is equal output. */
        it->stream.gzip_flag = IGZIP_GZIP;
        return &it->codec;

fail:
        mem_free(it);
        return NULL;
}
