#include "moonkeep/codec.h"

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

/*
 * A read goes on until it has this many bytes: what compresses well would
 * otherwise come in crumbs, and each costs a round through all streams above.
 */
#define ENOUGH ((size_t)64 * 1024)

struct codec_source {
        struct source source;
        struct source *upstream;
        struct codec *codec;
        bool ended;         /* upstream is complete */
        bool done;          /* the codec has given everything */
        bool failed;        /* the codec failed behind bytes that were still good */
        struct err failure; /* valid if failed */
        const unsigned char *in;
        size_t in_len;
        unsigned char chunk[STREAM_CHUNK];
};

/* One step of the codec, checked for the progress that keeps the loop below finite. */
static int
step(struct codec_source *it, struct codec_io *io, struct err *err)
{
        size_t in_before = it->in_len, out_before = io->out_len;

        io->in = it->in;
        io->in_len = it->in_len;
        int state = it->codec->ops->step(it->codec, io, it->ended, err);
        it->in = io->in;
        it->in_len = io->in_len;
        if (state == CODEC_MORE && it->in_len == in_before && io->out_len == out_before &&
            (it->in_len != 0 || it->ended))
                return err_set(err, ERR_INTERNAL, "the codec %s does not get on with its data",
                    it->codec->ops->name);
        return state;
}

static ssize_t
codec_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct codec_source *it = (struct codec_source *)src;
        struct codec_io io = { .out = buf, .out_len = cap };
        size_t enough = cap < ENOUGH ? cap : ENOUGH;

        if (it->failed) {
                *err = it->failure;
                return -1;
        }
        while (!it->done && cap - io.out_len < enough) {
                if (it->in_len == 0 && !it->ended) {
                        ssize_t got = source_read(it->upstream, it->chunk, STREAM_CHUNK, err);
                        /* Upstream says its failure again when it is asked again. */
                        if (got < 0 && io.out_len != cap)
                                break;
                        if (got < 0)
                                return -1;
                        it->ended = got == 0;
                        it->in = it->chunk;
                        it->in_len = (size_t)got;
                }
                int state = step(it, &io, err);
                if (state < 0 && io.out_len != cap) {
                        it->failed = true;
                        it->failure = *err;
                        break;
                }
                if (state < 0)
                        return -1;
                it->done = state == CODEC_DONE;
        }
        return (ssize_t)(cap - io.out_len);
}

static void
codec_source_free(struct source *src)
{
        struct codec_source *it = (struct codec_source *)src;

        codec_free(it->codec);
        source_free(it->upstream);
        mem_free(it);
}

static const struct source_ops codec_source_ops = { "codec", codec_source_read, codec_source_free };

struct source *
codec_source(struct source *src, struct codec *codec, struct err *err)
{
        /* Constructors nest: what is missing has said why in err already. */
        if (src == NULL || codec == NULL)
                goto fail;

        struct codec_source *it = mem_alloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        source_init(&it->source, &codec_source_ops);
        it->upstream = src;
        it->codec = codec;
        it->ended = false;
        it->done = false;
        it->failed = false;
        it->in = it->chunk;
        it->in_len = 0;
        return &it->source;

fail:
        codec_free(codec);
        source_free(src);
        return NULL;
}

void
codec_free(struct codec *codec)
{
        if (codec != NULL)
                codec->ops->free(codec);
}
