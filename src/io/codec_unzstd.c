#include "moonkeep/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "moonkeep/mem.h"

/* The largest window that is decoded, as a power of two: 128 MiB, as `zstd -d` has it. */
#define WINDOW_LOG_MAX 27

#define MAGIC_SIZE 4

struct unzstd {
        struct codec codec;
        ZSTD_DCtx *ctx;
        bool in_frame;
        bool any; /* a frame has been read */
        unsigned char magic[MAGIC_SIZE];
        size_t of_magic; /* how much of this frame's magic number was seen */
};

static int
fail(size_t rc, struct err *err)
{
        switch (ZSTD_getErrorCode(rc)) {
        case ZSTD_error_memory_allocation:
                return err_set(err, ERR_NOMEM, "cannot allocate memory for zstd");
        case ZSTD_error_frameParameter_windowTooLarge:
                return err_set(err, ERR_TOO_BIG, "the zstd data needs a window of more than %d MiB",
                    1 << (WINDOW_LOG_MAX - 20));
        case ZSTD_error_dictionary_wrong:
                return err_set(err, ERR_UNSUPPORTED, "the zstd data needs a dictionary");
        default:
                return err_set(err, ERR_CORRUPT, "broken zstd data: %s", ZSTD_getErrorName(rc));
        }
}

/* Do the first len bytes of magic start a frame (RFC 8878, 3.1.1) or a skippable one (3.1.2)? */
static bool
may_start(const unsigned char *magic, size_t len)
{
        static const unsigned char frame[MAGIC_SIZE] = { 0x28, 0xb5, 0x2f, 0xfd };
        static const unsigned char skippable[MAGIC_SIZE] = { 0x50, 0x2a, 0x4d, 0x18 };
        bool is_frame = true, is_skippable = (magic[0] & 0xf0) == skippable[0];

        for (size_t at = 0; at < len; at++) {
                is_frame = is_frame && magic[at] == frame[at];
                is_skippable = is_skippable && (at == 0 || magic[at] == skippable[at]);
        }
        return is_frame || is_skippable;
}

/*
 * The library waits for a whole header: without this a few stray bytes behind
 * the last frame would look like a cut.  It also keeps out the formats of old.
 */
static int
check_magic(struct unzstd *it, const struct codec_io *io, struct err *err)
{
        for (size_t at = 0; at < io->in_len && it->of_magic < MAGIC_SIZE; at++) {
                it->magic[it->of_magic++] = io->in[at];
                if (may_start(it->magic, it->of_magic))
                        continue;
                return err_set(err, ERR_CORRUPT,
                    it->any ? "broken zstd data: bytes behind its end that are no zstd frame"
                            : "this is not zstd data");
        }
        return 0;
}

static int
unzstd_step(struct codec *codec, struct codec_io *io, bool ended, struct err *err)
{
        struct unzstd *it = (struct unzstd *)codec;

        if (!it->in_frame && io->in_len == 0) {
                if (!ended)
                        return CODEC_MORE;
                if (it->any)
                        return CODEC_DONE;
                return err_set(err, ERR_TRUNCATED, "the zstd data ends too early");
        }
        if (!it->in_frame) {
                it->in_frame = true;
                it->of_magic = 0;
        }
        if (check_magic(it, io, err) < 0)
                return -1;

        ZSTD_inBuffer in = { io->in, io->in_len, 0 };
        ZSTD_outBuffer out = { io->out, io->out_len, 0 };
        size_t rc = ZSTD_decompressStream(it->ctx, &out, &in);
        if (ZSTD_isError(rc))
                return fail(rc, err);
        if (rc == 0) {
                it->in_frame = false;
                it->any = true;
        } else if (ended && io->in_len == 0 && out.pos == 0) {
                return err_set(err, ERR_TRUNCATED, "the zstd data ends too early");
        }

        io->in += in.pos;
        io->in_len -= in.pos;
        io->out += out.pos;
        io->out_len -= out.pos;
        return !it->in_frame && ended && io->in_len == 0 ? CODEC_DONE : CODEC_MORE;
}

static void
unzstd_free(struct codec *codec)
{
        struct unzstd *it = (struct unzstd *)codec;

        ZSTD_freeDCtx(it->ctx);
        mem_free(it);
}

static const struct codec_ops unzstd_ops = { "unzstd", unzstd_step, unzstd_free };

struct codec *
codec_unzstd_new(struct err *err)
{
        struct unzstd *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->codec.ops = &unzstd_ops;
        it->ctx = ZSTD_createDCtx();
        if (it->ctx == NULL) {
                err_set(err, ERR_NOMEM, "cannot allocate memory for zstd");
                goto fail;
        }
        size_t rc = ZSTD_DCtx_setParameter(it->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
        if (ZSTD_isError(rc)) {
                fail(rc, err);
                goto fail;
        }
        return &it->codec;

fail:
        unzstd_free(&it->codec);
        return NULL;
}
