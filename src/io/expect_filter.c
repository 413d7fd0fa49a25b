#include "moonkeep/hash_filter.h"

#include <inttypes.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

struct expect_source {
        struct source source;
        struct source *upstream;
        const unsigned char *expected;
        size_t count;
        size_t part_size;
        uint64_t expected_bytes;
        struct sha256 *sha; /* of the current part */
        uint64_t bytes;     /* digested so far */
};

/* The current part, which ends at it->bytes, is complete: is it what it should be? */
static int
compare_part(struct expect_source *it, struct err *err)
{
        unsigned char digest[SHA256_SIZE];
        size_t part = (size_t)((it->bytes - 1) / it->part_size);

        if (sha256_final(it->sha, digest, err) < 0)
                return -1;
        if (memcmp(digest, it->expected + part * SHA256_SIZE, SHA256_SIZE) == 0)
                return 0;
        return err_set(err, ERR_CORRUPT,
            "part %zu of %zu (bytes %" PRIu64 " to %" PRIu64 ") does not match its digest",
            part + 1, it->count, (uint64_t)part * it->part_size, it->bytes - 1);
}

static int
compare(struct expect_source *it, const unsigned char *data, size_t len, struct err *err)
{
        if (len > it->expected_bytes - it->bytes)
                return err_set(err, ERR_CORRUPT, "more than the expected %" PRIu64 " bytes",
                    it->expected_bytes);

        while (len > 0) {
                size_t piece = it->part_size - (size_t)(it->bytes % it->part_size);
                if (piece > len)
                        piece = len;
                if (sha256_update(it->sha, data, piece, err) < 0)
                        return -1;
                data += piece;
                len -= piece;
                it->bytes += piece;
                if ((it->bytes % it->part_size == 0 || it->bytes == it->expected_bytes) &&
                    compare_part(it, err) < 0)
                        return -1;
        }
        return 0;
}

static ssize_t
expect_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct expect_source *it = (struct expect_source *)src;
        ssize_t got = source_read(it->upstream, buf, cap, err);

        if (got < 0)
                return -1;
        if (got == 0 && it->bytes != it->expected_bytes)
                return err_set(err, ERR_CORRUPT, "%" PRIu64 " bytes instead of %" PRIu64, it->bytes,
                    it->expected_bytes);
        if (compare(it, buf, (size_t)got, err) < 0)
                return -1;
        return got;
}

static void
expect_source_free(struct source *src)
{
        struct expect_source *it = (struct expect_source *)src;

        sha256_free(it->sha);
        source_free(it->upstream);
        mem_free(it);
}

static const struct source_ops expect_source_ops = { "expect", expect_source_read,
        expect_source_free };

struct source *
expect_source(struct source *src, const unsigned char *expected, size_t count, size_t part_size,
    uint64_t expected_bytes, struct err *err)
{
        if (src == NULL)
                return NULL;
        if (part_size == 0)
                part_size = DIGEST_PART_SIZE;
        if (expected_bytes / part_size + (expected_bytes % part_size != 0) != count) {
                err_set(err, ERR_INVALID,
                    "%zu digests do not fit %" PRIu64 " bytes in parts of %zu bytes", count,
                    expected_bytes, part_size);
                goto fail;
        }

        struct expect_source *it = mem_alloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        source_init(&it->source, &expect_source_ops);
        it->upstream = src;
        it->expected = expected;
        it->count = count;
        it->part_size = part_size;
        it->expected_bytes = expected_bytes;
        it->bytes = 0;
        it->sha = sha256_new(err);
        if (it->sha == NULL)
                goto fail_it;
        return &it->source;

fail_it:
        mem_free(it);
fail:
        source_free(src);
        return NULL;
}
