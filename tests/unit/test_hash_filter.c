#include "harness/test.h"

#include <stdlib.h>

#include "harness/codec_test.h"
#include "moonkeep/hash_filter.h"

static unsigned char data[100];

static void
check_sha(const unsigned char *got, const void *bytes, size_t len)
{
        struct err err;
        unsigned char want[SHA256_SIZE];

        CHECK_OK(sha256_bytes(bytes, len, want, &err), err);
        CHECK(memcmp(got, want, SHA256_SIZE) == 0);
}

TEST(digests_parts_root_and_whole_and_passes_bytes_unchanged)
{
        struct err err;
        struct buf out;

        codec_test_fill(data, sizeof(data));
        buf_init(&out, 1000);
        for (size_t step = 1; step < 120; step += 13) {
                struct stream_digest *digest = stream_digest_new(40, true, &err);
                CHECK_PTR(digest, err);
                struct source *src =
                    hash_source(codec_test_source(data, 100, step, &err), digest, &err);
                struct sink *sink = mem_sink(&out, 1000, &err);
                CHECK_PTR(src, err);
                CHECK_PTR(sink, err);
                CHECK_OK(stream_copy(src, sink, NULL, NULL, NULL, &err), err);
                CHECK_OK(sink_commit(sink, &err), err);
                CHECK(out.len == 100 && memcmp(out.data, data, 100) == 0);
                CHECK(digest->complete);
                CHECK_INT(parts_digest_bytes(digest->parts), 100);
                CHECK_INT(parts_digest_count(digest->parts), 3);
                check_sha(parts_digest_at(digest->parts, 0), data, 40);
                check_sha(parts_digest_at(digest->parts, 2), data + 80, 20);
                check_sha(digest->whole, data, 100);
                buf_clear(&out);
                sink_free(sink);
                source_free(src);
                stream_digest_free(digest);
        }
        buf_free(&out);
}

TEST(is_not_complete_before_the_end)
{
        struct err err;
        char got[200];
        struct stream_digest *digest = stream_digest_new(0, false, &err);

        CHECK_PTR(digest, err);
        struct source *src = hash_source(mem_source(data, 100, &err), digest, &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 200, &err), 100);
        CHECK(!digest->complete);
        CHECK_INT(source_read(src, got, 200, &err), 0);
        CHECK(digest->complete);
        source_free(src);
        stream_digest_free(digest);
}

TEST(a_missing_source_keeps_its_error)
{
        struct err err;
        struct stream_digest *digest = stream_digest_new(0, true, &err);

        CHECK_PTR(digest, err);
        err_set(&err, ERR_NOT_FOUND, "the inner one");
        CHECK_ERR(hash_source(NULL, digest, &err) == NULL, err, ERR_NOT_FOUND, "the inner one");
        stream_digest_free(digest);
        stream_digest_free(NULL);
}

static int
run_once(void *arg, struct err *err)
{
        struct stream_digest *digest = stream_digest_new(2, true, err);
        int rc = -1;

        (void)arg;
        if (digest == NULL)
                return -1;
        struct source *src = hash_source(mem_source("12345", 5, err), digest, err);
        if (src != NULL)
                rc = stream_drain(src, NULL, NULL, err);
        CHECK(digest->complete == (rc == 0));
        source_free(src);
        stream_digest_free(digest);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_once, NULL);
}
