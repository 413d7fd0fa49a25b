#include "moonkeep/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "moonkeep/mem.h"

struct zstd {
        struct codec codec;
        ZSTD_CCtx *ctx;
};

static int
fail(size_t rc, struct err *err)
{
        enum err_code code =
            ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ? ERR_NOMEM : ERR_INTERNAL;

        return err_set(err, code, "cannot compress with zstd: %s", ZSTD_getErrorName(rc));
}

static int
zstd_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct zstd *it = (struct zstd *)codec;
        ZSTD_inBuffer in = { io->in, io->in_len, 0 };
        ZSTD_outBuffer out = { io->out, io->out_len, 0 };

        size_t rc = ZSTD_compressStream2(it->ctx, &out, &in, ended ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(rc))
                return fail(rc, err);

        io->in += in.pos;
        io->in_len -= in.pos;
        io->out += out.pos;
        io->out_len -= out.pos;
        return ended && rc == 0 ? CODEC_DONE : CODEC_MORE;
}

static void
zstd_free(struct codec *codec)
{
        struct zstd *it = (struct zstd *)codec;

        ZSTD_freeCCtx(it->ctx);
        mem_free(it);
}

static const struct codec_ops zstd_ops = { "zstd", zstd_step, zstd_free };

struct codec *
codec_zstd_new(int level, struct err *err)
{
        if (level < 1 || level > 19) {
                err_set(err, ERR_INVALID, "zstd has the levels 1 to 19, not %d", level);
                return NULL;
        }
        struct zstd *it = mem_alloc(sizeof(*it), err);
        if (it == NULL)
                return NULL;
        it->codec.ops = &zstd_ops;
        it->ctx = ZSTD_createCCtx();
        if (it->ctx == NULL) {
                err_set(err, ERR_NOMEM, "cannot allocate memory for zstd");
                goto fail;
        }

        size_t rc = ZSTD_CCtx_setParameter(it->ctx, ZSTD_c_compressionLevel, level);
        if (!ZSTD_isError(rc))
                rc = ZSTD_CCtx_setParameter(it->ctx, ZSTD_c_checksumFlag, 1);
        if (ZSTD_isError(rc)) {
                fail(rc, err);
                goto fail;
        }
        return &it->codec;

fail:
        zstd_free(&it->codec);
        return NULL;
}
