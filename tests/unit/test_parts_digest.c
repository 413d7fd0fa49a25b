#include "harness/test.h"
#include "moonkeep/digest.h"

#define PART_SIZE 10

/* Feed len bytes of data in pieces of size piece. */
static struct parts_digest *
digest(const char *data, size_t len, size_t piece)
{
        struct err err;
        struct parts_digest *pd = parts_digest_new(PART_SIZE, &err);

        CHECK_PTR(pd, err);
        for (size_t at = 0; at < len; at += piece) {
                size_t now = len - at < piece ? len - at : piece;
                CHECK_OK(parts_digest_update(pd, data + at, now, &err), err);
        }
        CHECK_OK(parts_digest_final(pd, &err), err);
        return pd;
}

TEST(nothing_has_no_parts)
{
        struct err err;
        unsigned char want[SHA256_SIZE];
        struct parts_digest *pd = digest("", 0, 1);

        CHECK_OK(sha256_bytes("", 0, want, &err), err);
        CHECK_INT(parts_digest_count(pd), 0);
        CHECK_INT(parts_digest_bytes(pd), 0);
        CHECK(memcmp(parts_digest_root(pd), want, SHA256_SIZE) == 0);
        parts_digest_free(pd);
        parts_digest_free(NULL);
}

TEST(parts_and_root_do_not_depend_on_the_pieces)
{
        struct err err;
        char data[345];

        for (size_t idx = 0; idx < sizeof(data); idx++)
                data[idx] = (char)(idx * 7);
        for (size_t len = 0; len <= sizeof(data); len += len < 45 ? 1 : 50) {
                unsigned char list[35][SHA256_SIZE], root[SHA256_SIZE];
                size_t count = 0;
                for (size_t at = 0; at < len; at += PART_SIZE, count++) {
                        size_t now = len - at < PART_SIZE ? len - at : PART_SIZE;
                        CHECK_OK(sha256_bytes(data + at, now, list[count], &err), err);
                }
                CHECK_OK(sha256_bytes(list, count * SHA256_SIZE, root, &err), err);
                for (size_t piece = 1; piece <= 25; piece++) {
                        struct parts_digest *pd = digest(data, len, piece);
                        CHECK_INT(parts_digest_count(pd), count);
                        CHECK_INT(parts_digest_bytes(pd), len);
                        for (size_t idx = 0; idx < count; idx++)
                                CHECK(
                                    memcmp(parts_digest_at(pd, idx), list[idx], SHA256_SIZE) == 0);
                        CHECK(memcmp(parts_digest_root(pd), root, SHA256_SIZE) == 0);
                        parts_digest_free(pd);
                }
        }
}

TEST(too_many_parts_are_too_big)
{
        struct err err;
        static char data[DIGEST_PARTS_MAX];
        struct parts_digest *pd = parts_digest_new(1, &err);

        CHECK_PTR(pd, err);
        CHECK_OK(parts_digest_update(pd, data, DIGEST_PARTS_MAX, &err), err);
        CHECK_ERR(parts_digest_update(pd, data, 1, &err) < 0, err, ERR_TOO_BIG, "100000 parts");
        CHECK_OK(parts_digest_final(pd, &err), err);
        CHECK_INT(parts_digest_count(pd), DIGEST_PARTS_MAX);
        parts_digest_free(pd);
}

TEST(parts_of_no_size_are_invalid)
{
        struct err err;

        CHECK_ERR(parts_digest_new(0, &err) == NULL, err, ERR_INVALID, "parts of 0 bytes");
}

static struct parts_digest *
digest_of(const char *text, size_t part_size)
{
        struct err err;

        err_init(&err);
        struct parts_digest *pd = parts_digest_new(part_size, &err);
        CHECK_PTR(pd, err);
        CHECK_OK(parts_digest_update(pd, text, strlen(text), &err), err);
        CHECK_OK(parts_digest_final(pd, &err), err);
        return pd;
}

TEST(digests_of_pieces_are_joined)
{
        struct parts_digest *all = digest_of("0123456789abcdefXY", 4);
        struct parts_digest *pd = digest_of("01234567", 4);
        struct parts_digest *next = digest_of("89abcdefXY", 4);
        struct err err;

        err_init(&err);
        CHECK_OK(parts_digest_append(pd, next, &err), err);
        CHECK_OK(parts_digest_final(pd, &err), err);
        CHECK_INT(parts_digest_count(pd), 5);
        CHECK_INT(parts_digest_bytes(pd), 18);
        CHECK(memcmp(parts_digest_root(pd), parts_digest_root(all), SHA256_SIZE) == 0);
        /* Its last part is not full now. */
        CHECK_ERR(
            parts_digest_append(pd, next, &err) < 0, err, ERR_INVALID, "their parts do not fit");
        parts_digest_free(next);
        parts_digest_free(pd);
        parts_digest_free(all);

        pd = digest_of("0123", 4);
        next = digest_of("4567", 2);
        CHECK_ERR(
            parts_digest_append(pd, next, &err) < 0, err, ERR_INVALID, "their parts do not fit");
        parts_digest_free(next);
        parts_digest_free(pd);
}

static int
digest_some(void *arg, struct err *err)
{
        static char data[100];
        struct parts_digest *pd = parts_digest_new(1, err);
        int rc = -1;

        (void)arg;
        if (pd != NULL && parts_digest_update(pd, data, sizeof(data), err) == 0)
                rc = parts_digest_final(pd, err);
        parts_digest_free(pd);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(digest_some, NULL);
}
