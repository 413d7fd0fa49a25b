#include "moonkeep/mem_io.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

struct mem_source {
        struct source source;
        size_t len;
        size_t at;
        unsigned char data[];
};

static ssize_t
mem_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct mem_source *mem = (struct mem_source *)src;
        size_t len = mem->len - mem->at;

        (void)err;
        if (len > cap)
                len = cap;
        memcpy(buf, mem->data + mem->at, len);
        mem->at += len;
        return (ssize_t)len;
}

static void
mem_source_free(struct source *src)
{
        mem_free(src);
}

static const struct source_ops mem_source_ops = { "memory", mem_source_read, mem_source_free };

struct source *
mem_source(const void *data, size_t len, struct err *err)
{
        if (len > SIZE_MAX - sizeof(struct mem_source)) {
                err_set(err, ERR_TOO_BIG, "%zu bytes do not fit into memory", len);
                return NULL;
        }
        struct mem_source *mem = mem_alloc(sizeof(*mem) + len, err);
        if (mem == NULL)
                return NULL;
        source_init(&mem->source, &mem_source_ops);
        mem->len = len;
        mem->at = 0;
        if (len != 0)
                memcpy(mem->data, data, len);
        return &mem->source;
}

struct mem_sink {
        struct sink sink;
        struct buf own;
        struct buf *out;
};

static int
mem_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct mem_sink *mem = (struct mem_sink *)sink;

        return buf_add(&mem->own, data, len, err);
}

static int
mem_sink_commit(struct sink *sink, struct err *err)
{
        struct mem_sink *mem = (struct mem_sink *)sink;

        return buf_add(mem->out, mem->own.data, mem->own.len, err);
}

static void
mem_sink_free(struct sink *sink)
{
        struct mem_sink *mem = (struct mem_sink *)sink;

        buf_free(&mem->own);
        mem_free(mem);
}

static const struct sink_ops mem_sink_ops = { "memory", mem_sink_write, mem_sink_commit,
        mem_sink_free };

struct sink *
mem_sink(struct buf *out, size_t max, struct err *err)
{
        struct mem_sink *mem = mem_alloc(sizeof(*mem), err);

        if (mem == NULL)
                return NULL;
        sink_init(&mem->sink, &mem_sink_ops);
        buf_init(&mem->own, max);
        mem->out = out;
        return &mem->sink;
}
