#include "moonkeep/hash_filter.h"

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

struct hash_sink {
        struct sink sink;
        struct sink *inner;
        struct stream_digest *digest;
        struct sha256 *whole; /* NULL unless wanted */
};

static int
hash_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct hash_sink *it = (struct hash_sink *)sink;

        if (parts_digest_update(it->digest->parts, data, len, err) < 0)
                return -1;
        if (it->whole != NULL && sha256_update(it->whole, data, len, err) < 0)
                return -1;
        return sink_write(it->inner, data, len, err);
}

static int
hash_sink_commit(struct sink *sink, struct err *err)
{
        struct hash_sink *it = (struct hash_sink *)sink;

        if (parts_digest_final(it->digest->parts, err) < 0)
                return -1;
        if (it->whole != NULL && sha256_final(it->whole, it->digest->whole, err) < 0)
                return -1;
        if (sink_commit(it->inner, err) < 0)
                return -1;
        it->digest->complete = true;
        return 0;
}

static void
hash_sink_free(struct sink *sink)
{
        struct hash_sink *it = (struct hash_sink *)sink;

        sha256_free(it->whole);
        sink_free(it->inner);
        mem_free(it);
}

static const struct sink_ops hash_sink_ops = { "hash", hash_sink_write, hash_sink_commit,
        hash_sink_free };

struct sink *
hash_sink(struct sink *inner, struct stream_digest *digest, struct err *err)
{
        if (inner == NULL)
                return NULL;

        struct hash_sink *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        sink_init(&it->sink, &hash_sink_ops);
        it->inner = inner;
        it->digest = digest;
        if (digest->want_whole) {
                it->whole = sha256_new(err);
                if (it->whole == NULL)
                        goto fail_it;
        }
        return &it->sink;

fail_it:
        mem_free(it);
fail:
        sink_free(inner);
        return NULL;
}
