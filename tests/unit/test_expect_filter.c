#include "harness/codec_test.h"

#include "moonkeep/hash_filter.h"

/* 100 bytes in parts of 40, and their digests. */
static unsigned char data[101];
static unsigned char digests[3][SHA256_SIZE];

static void
prepare(void)
{
        struct err err;

        codec_test_fill(data, sizeof(data));
        CHECK_OK(sha256_bytes(data, 40, digests[0], &err), err);
        CHECK_OK(sha256_bytes(data + 40, 40, digests[1], &err), err);
        CHECK_OK(sha256_bytes(data + 80, 20, digests[2], &err), err);
}

/* Read len bytes of data, step at once, against the digests; *good is how many came through. */
static int
check_stream(size_t len, size_t step, uint64_t *good, struct err *err)
{
        struct source *src =
            expect_source(codec_test_source(data, len, step, err), digests[0], 3, 40, 100, err);

        err_init(err);
        CHECK_PTR(src, *err);
        int rc = stream_drain(src, NULL, NULL, err);
        *good = source_bytes(src);
        source_free(src);
        return rc;
}

TEST(what_is_expected_passes)
{
        struct err err;
        uint64_t good;

        prepare();
        for (size_t step = 1; step < 120; step++) {
                CHECK_OK(check_stream(100, step, &good, &err), err);
                CHECK_INT(good, 100);
        }
}

TEST(a_changed_byte_is_found_at_the_end_of_its_part_and_located)
{
        struct err err;
        uint64_t good;

        prepare();
        for (size_t step = 1; step < 120; step++) {
                data[79] ^= 1;
                CHECK_ERR(check_stream(100, step, &good, &err) < 0, err, ERR_CORRUPT,
                    "part 2 of 3 (bytes 40 to 79)");
                CHECK(good < 80);
                data[79] ^= 1;
                data[99] ^= 1;
                CHECK_ERR(check_stream(100, step, &good, &err) < 0, err, ERR_CORRUPT,
                    "part 3 of 3 (bytes 80 to 99)");
                CHECK(good < 100);
                data[99] ^= 1;
        }
}

TEST(too_few_and_too_many_bytes_are_corrupt)
{
        struct err err;
        uint64_t good;

        prepare();
        for (size_t step = 1; step < 120; step++) {
                CHECK_ERR(check_stream(99, step, &good, &err) < 0, err, ERR_CORRUPT,
                    "99 bytes instead of 100");
                CHECK_ERR(check_stream(80, step, &good, &err) < 0, err, ERR_CORRUPT,
                    "80 bytes instead of 100");
                CHECK_ERR(check_stream(0, step, &good, &err) < 0, err, ERR_CORRUPT, "0 bytes");
                CHECK_ERR(check_stream(101, step, &good, &err) < 0, err, ERR_CORRUPT,
                    "more than the expected 100 bytes");
        }
}

TEST(nothing_is_expected_of_an_empty_stream)
{
        struct err err;
        struct source *src = expect_source(mem_source("", 0, &err), NULL, 0, 40, 0, &err);

        CHECK_PTR(src, err);
        CHECK_OK(stream_drain(src, NULL, NULL, &err), err);
        source_free(src);

        src = expect_source(mem_source("x", 1, &err), NULL, 0, 40, 0, &err);
        CHECK_PTR(src, err);
        CHECK_ERR(stream_drain(src, NULL, NULL, &err) < 0, err, ERR_CORRUPT, "more than");
        source_free(src);
}

TEST(digests_that_do_not_fit_the_length_are_invalid)
{
        struct err err;

        prepare();
        CHECK_ERR(expect_source(mem_source("", 0, &err), digests[0], 2, 40, 100, &err) == NULL, err,
            ERR_INVALID, "2 digests");
        CHECK_ERR(expect_source(mem_source("", 0, &err), digests[0], 3, 40, 80, &err) == NULL, err,
            ERR_INVALID, "80 bytes");
        CHECK_ERR(expect_source(mem_source("", 0, &err), digests[0], 3, 0, 80, &err) == NULL, err,
            ERR_INVALID, "8388608");
        err_set(&err, ERR_NOT_FOUND, "the inner one");
        CHECK_ERR(expect_source(NULL, digests[0], 3, 40, 100, &err) == NULL, err, ERR_NOT_FOUND,
            "the inner one");
}

static int
run_once(void *arg, struct err *err)
{
        struct source *src = expect_source(mem_source(data, 100, err), digests[0], 3, 40, 100, err);

        (void)arg;
        if (src == NULL)
                return -1;
        int rc = stream_drain(src, NULL, NULL, err);
        source_free(src);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        prepare();
        test_each_allocation(run_once, NULL);
}
