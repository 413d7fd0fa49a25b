#include "moonkeep/codec.h"

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

#define ROOM ((size_t)64 * 1024)

struct codec_sink {
        struct sink sink;
        struct sink *inner;
        struct codec *codec;
        unsigned char room[ROOM];
};

/* Steps of the codec until it has taken all input and, when that has ended, given all output. */
static int
run(struct codec_sink *it, const void *data, size_t len, bool ended, struct err *err)
{
        struct codec_io io = { .in = data, .in_len = len };
        int state = CODEC_MORE;

        while (ended ? state != CODEC_DONE : io.in_len > 0) {
                size_t before = io.in_len;
                io.out = it->room;
                io.out_len = ROOM;
                state = it->codec->ops->step(it->codec, &io, ended, err);
                if (state < 0)
                        return -1;
                if (state == CODEC_MORE && io.in_len == before && io.out_len == ROOM)
                        return err_set(err, ERR_INTERNAL,
                            "the codec %s does not get on with its data", it->codec->ops->name);
                if (sink_write(it->inner, it->room, ROOM - io.out_len, err) < 0)
                        return -1;
        }
        return 0;
}

static int
codec_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        return run((struct codec_sink *)sink, data, len, false, err);
}

static int
codec_sink_commit(struct sink *sink, struct err *err)
{
        struct codec_sink *it = (struct codec_sink *)sink;

        if (run(it, "", 0, true, err) < 0)
                return -1;
        return sink_commit(it->inner, err);
}

static void
codec_sink_free(struct sink *sink)
{
        struct codec_sink *it = (struct codec_sink *)sink;

        codec_free(it->codec);
        sink_free(it->inner);
        mem_free(it);
}

static const struct sink_ops codec_sink_ops = { "codec", codec_sink_write, codec_sink_commit,
        codec_sink_free };

struct sink *
codec_sink(struct sink *inner, struct codec *codec, struct err *err)
{
        struct codec_sink *it = NULL;

        /* Constructors nest: what is missing has said why in err already. */
        if (inner != NULL && codec != NULL)
                it = mem_alloc(sizeof(*it), err);
        if (it == NULL) {
                codec_free(codec);
                sink_free(inner);
                return NULL;
        }
        sink_init(&it->sink, &codec_sink_ops);
        it->inner = inner;
        it->codec = codec;
        return &it->sink;
}
