#include "moonkeep/hash_filter.h"

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

struct stream_digest *
stream_digest_new(size_t part_size, bool want_whole, struct err *err)
{
        struct stream_digest *digest = mem_zalloc(sizeof(*digest), err);

        if (digest == NULL)
                return NULL;
        digest->want_whole = want_whole;
        digest->parts = parts_digest_new(part_size != 0 ? part_size : DIGEST_PART_SIZE, err);
        if (digest->parts == NULL) {
                mem_free(digest);
                return NULL;
        }
        return digest;
}

void
stream_digest_free(struct stream_digest *digest)
{
        if (digest == NULL)
                return;
        parts_digest_free(digest->parts);
        mem_free(digest);
}

struct hash_source {
        struct source source;
        struct source *upstream;
        struct stream_digest *digest;
        struct sha256 *whole; /* NULL unless wanted */
};

static int
finish(struct hash_source *it, struct err *err)
{
        if (parts_digest_final(it->digest->parts, err) < 0)
                return -1;
        if (it->whole != NULL && sha256_final(it->whole, it->digest->whole, err) < 0)
                return -1;
        it->digest->complete = true;
        return 0;
}

static ssize_t
hash_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct hash_source *it = (struct hash_source *)src;
        ssize_t got = source_read(it->upstream, buf, cap, err);

        if (got < 0)
                return -1;
        if (got == 0)
                return finish(it, err);
        if (parts_digest_update(it->digest->parts, buf, (size_t)got, err) < 0)
                return -1;
        if (it->whole != NULL && sha256_update(it->whole, buf, (size_t)got, err) < 0)
                return -1;
        return got;
}

static void
hash_source_free(struct source *src)
{
        struct hash_source *it = (struct hash_source *)src;

        sha256_free(it->whole);
        source_free(it->upstream);
        mem_free(it);
}

static const struct source_ops hash_source_ops = { "hash", hash_source_read, hash_source_free };

struct source *
hash_source(struct source *src, struct stream_digest *digest, struct err *err)
{
        if (src == NULL)
                return NULL;

        struct hash_source *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        source_init(&it->source, &hash_source_ops);
        it->upstream = src;
        it->digest = digest;
        if (digest->want_whole) {
                it->whole = sha256_new(err);
                if (it->whole == NULL)
                        goto fail_it;
        }
        return &it->source;

fail_it:
        mem_free(it);
fail:
        source_free(src);
        return NULL;
}
