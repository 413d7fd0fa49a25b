#include "moonkeep/stream_driver.h"

#include "moonkeep/mem.h"

struct progress_source {
        struct source source;
        struct source *upstream;
        struct progress *progress;
};

static ssize_t
progress_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct progress_source *it = (struct progress_source *)src;
        ssize_t got = source_read(it->upstream, buf, cap, err);

        if (got > 0)
                atomic_fetch_add(&it->progress->bytes_in, (uint64_t)got);
        return got;
}

static void
progress_source_free(struct source *src)
{
        struct progress_source *it = (struct progress_source *)src;

        source_free(it->upstream);
        mem_free(it);
}

static const struct source_ops progress_source_ops = { "progress", progress_source_read,
        progress_source_free };

struct source *
progress_source(struct source *src, struct progress *progress, struct err *err)
{
        if (src == NULL)
                return NULL;

        struct progress_source *it = mem_alloc(sizeof(*it), err);
        if (it == NULL) {
                source_free(src);
                return NULL;
        }
        source_init(&it->source, &progress_source_ops);
        it->upstream = src;
        it->progress = progress;
        return &it->source;
}
