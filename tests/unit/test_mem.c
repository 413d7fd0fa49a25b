#include "harness/test.h"
#include "moonkeep/mem.h"

TEST(zero_bytes_are_an_allocation)
{
        struct err err;
        void *a = mem_alloc(0, &err);
        void *b = mem_zalloc(0, &err);
        void *c = mem_realloc(NULL, 0, &err);

        CHECK(a != NULL && b != NULL && c != NULL);
        mem_free(a);
        mem_free(b);
        mem_free(c);
        mem_free(NULL);
}

TEST(zalloc_zeroes)
{
        struct err err;
        static const char zeros[100];
        char *ptr = mem_zalloc(100, &err);

        CHECK(memcmp(ptr, zeros, 100) == 0);
        mem_free(ptr);
}

TEST(an_impossible_size_is_nomem)
{
        struct err err;
        volatile size_t size = (size_t)-1 / 4;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        SKIP("a sanitizer ends the program here");
#endif
        err_init(&err);
        CHECK_ERR(mem_alloc(size, &err) == NULL, err, ERR_NOMEM, "cannot allocate");
        CHECK(mem_alloc(size, NULL) == NULL);
}

TEST(strndup_copies_and_terminates)
{
        struct err err;
        char *copy = mem_strndup("abcdef", 3, &err);

        CHECK_STR(copy, "abc");
        mem_free(copy);
        copy = mem_strdup("", &err);
        CHECK_STR(copy, "");
        mem_free(copy);
}

TEST(fail_at_fails_the_nth_once)
{
        struct err err;

        mem_fail_at(2);
        void *a = mem_alloc(1, &err);
        void *b = mem_alloc(1, &err);
        void *c = mem_alloc(1, &err);
        CHECK(a != NULL && b == NULL && c != NULL);
        CHECK_INT(mem_count(), 3);
        mem_fail_at(1);
        CHECK(mem_realloc(a, 100, &err) == NULL);
        mem_fail_at(0);
        mem_free(a);
        mem_free(c);
}
