#include "harness/test.h"
#include "moonkeep/buf.h"
#include "moonkeep/mem.h"

TEST(adding_grows_and_terminates)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 1000);
        CHECK_OK(buf_addstr(&buf, "ab", &err), err);
        CHECK_OK(buf_add(&buf, "c\0d", 3, &err), err);
        CHECK_OK(buf_addf(&buf, &err, "%d-%s", 7, "x"), err);
        CHECK_INT(buf.len, 8);
        CHECK(memcmp(buf.data, "abc\0d7-x", 9) == 0);
        for (int idx = 0; idx < 99; idx++)
                CHECK_OK(buf_addstr(&buf, "0123456789", &err), err);
        CHECK_INT(buf.len, 998);
        buf_free(&buf);
        CHECK_INT(buf.len, 0);
        CHECK_OK(buf_addstr(&buf, "again", &err), err);
        CHECK_STR(buf.data, "again");
        buf_free(&buf);
}

TEST(the_maximum_is_too_big_and_changes_nothing)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 5);
        CHECK_OK(buf_addstr(&buf, "12345", &err), err);
        CHECK_ERR(buf_addstr(&buf, "6", &err) < 0, err, ERR_TOO_BIG, "more than 5 bytes");
        CHECK_ERR(buf_addf(&buf, &err, "%d", 6) < 0, err, ERR_TOO_BIG, NULL);
        CHECK_ERR(buf_reserve(&buf, (size_t)-1, &err) == NULL, err, ERR_TOO_BIG, NULL);
        CHECK_STR(buf.data, "12345");
        CHECK_OK(buf_add(&buf, NULL, 0, &err), err);
        buf_free(&buf);
}

TEST(reserve_and_commit_add_in_place)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 100);
        char *room = buf_reserve(&buf, 10, &err);
        CHECK_PTR(room, err);
        CHECK_INT(buf.len, 0);
        memcpy(room, "hello", 5);
        buf_commit(&buf, 5);
        CHECK_STR(buf.data, "hello");
        buf_free(&buf);
}

TEST(consume_drops_from_the_front)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 100);
        buf_consume(&buf, 0);
        CHECK_OK(buf_addstr(&buf, "abcdef", &err), err);
        buf_consume(&buf, 2);
        CHECK_STR(buf.data, "cdef");
        buf_consume(&buf, 4);
        CHECK_STR(buf.data, "");
        buf_clear(&buf);
        CHECK_INT(buf.len, 0);
        buf_free(&buf);
        buf_clear(&buf);
}

TEST(detach_gives_the_string_away)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 100);
        char *text = buf_detach(&buf, &err);
        CHECK_STR(text, "");
        mem_free(text);
        CHECK_OK(buf_addstr(&buf, "xyz", &err), err);
        text = buf_detach(&buf, &err);
        CHECK_STR(text, "xyz");
        CHECK(buf.data == NULL && buf.len == 0 && buf.max == 100);
        mem_free(text);
}

static int
grow(void *arg, struct err *err)
{
        struct buf buf;
        int rc = 0;

        (void)arg;
        buf_init(&buf, 100000);
        for (int idx = 0; rc == 0 && idx < 1000; idx++) {
                size_t before = buf.len;
                rc = buf_addf(&buf, err, "line %d", idx);
                if (rc < 0)
                        CHECK_INT(buf.len, before);
        }
        char *text = rc == 0 ? buf_detach(&buf, err) : NULL;
        buf_free(&buf);
        mem_free(text);
        return text != NULL ? 0 : -1;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(grow, NULL);
}
