#include "harness/test.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/file.h"

static char got[4096];

static const char *
make_file(const char *name, const char *text)
{
        struct err err;
        const char *path = test_path(name);

        CHECK_OK(file_write(path, text, strlen(text), NULL, &err), err);
        return path;
}

/* Read src to its end into got; how many bytes, or -1. */
static ssize_t
read_all(struct source *src, size_t step, struct err *err)
{
        size_t len = 0;

        for (;;) {
                ssize_t n = source_read(src, got + len, step, err);
                if (n <= 0)
                        return n < 0 ? -1 : (ssize_t)len;
                len += (size_t)n;
        }
}

static void
check_range(const char *path, uint64_t offset, uint64_t length, const char *want)
{
        struct err err;

        for (size_t step = 1; step < 12; step++) {
                struct source *src = file_source(path, offset, length, NULL, &err);
                CHECK_PTR(src, err);
                CHECK_INT(read_all(src, step, &err), strlen(want));
                CHECK(memcmp(got, want, strlen(want)) == 0);
                CHECK_INT(source_bytes(src), strlen(want));
                source_free(src);
        }
}

TEST(reads_a_file_or_a_range_of_it)
{
        const char *path = make_file("file", "0123456789");

        check_range(path, 0, UINT64_MAX, "0123456789");
        check_range(path, 0, 10, "0123456789");
        check_range(path, 4, UINT64_MAX, "456789");
        check_range(path, 4, 3, "456");
        check_range(path, 10, UINT64_MAX, "");
        check_range(path, 10, 0, "");
        check_range(path, 3, 0, "");
}

TEST(an_empty_file_ends_at_once)
{
        check_range(make_file("empty", ""), 0, UINT64_MAX, "");
}

TEST(reads_files_of_the_kernel_that_say_no_size)
{
        struct err err;
        struct source *src = file_source("/proc/self/status", 0, UINT64_MAX, NULL, &err);

        CHECK_PTR(src, err);
        CHECK(read_all(src, 1024, &err) > 0);
        source_free(src);
}

TEST(a_range_beyond_the_end_is_truncated)
{
        struct err err;
        const char *path = make_file("file", "0123456789");

        CHECK_ERR(
            file_source(path, 11, 0, NULL, &err) == NULL, err, ERR_TRUNCATED, "only 10 bytes");
        CHECK_ERR(file_source(path, 5, 6, NULL, &err) == NULL, err, ERR_TRUNCATED, path);
        CHECK_ERR(file_source(path, UINT64_MAX, UINT64_MAX, NULL, &err) == NULL, err, ERR_TRUNCATED,
            path);
        CHECK_ERR(
            file_source(path, 5, UINT64_MAX - 3, NULL, &err) == NULL, err, ERR_TRUNCATED, path);
}

TEST(a_file_that_shrinks_while_it_is_read_is_truncated)
{
        struct err err;
        const char *path = make_file("file", "0123456789");
        struct source *src = file_source(path, 0, UINT64_MAX, NULL, &err);

        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 3, &err), 3);
        CHECK(truncate(path, 5) == 0);
        CHECK_INT(source_read(src, got, 10, &err), 2);
        CHECK_ERR(source_read(src, got, 10, &err) < 0, err, ERR_TRUNCATED, "5 bytes too early");
        source_free(src);
}

TEST(what_grows_while_it_is_read_is_read_as_it_was_opened)
{
        struct err err;
        const char *path = make_file("file", "0123456789");
        struct source *src = file_source(path, 0, UINT64_MAX, NULL, &err);

        CHECK_PTR(src, err);
        CHECK(truncate(path, 100) == 0);
        CHECK_INT(read_all(src, 64, &err), 10);
        source_free(src);
}

TEST(opens_regular_files_only_and_no_symbolic_link)
{
        struct err err;
        const char *path = make_file("file", "x");
        const char *link = test_path("link"), *fifo = test_path("fifo");

        CHECK(symlink(path, link) == 0);
        CHECK_ERR(file_source(link, 0, UINT64_MAX, NULL, &err) == NULL, err, ERR_INVALID,
            "symbolic link");
        CHECK(mkfifo(fifo, 0600) == 0);
        CHECK_ERR(
            file_source(fifo, 0, UINT64_MAX, NULL, &err) == NULL, err, ERR_INVALID, "no regular");
        CHECK_ERR(file_source(test_dir(), 0, UINT64_MAX, NULL, &err) == NULL, err, ERR_INVALID,
            "a directory");
}

TEST(a_missing_file_is_not_found_and_named)
{
        struct err err;

        CHECK_ERR(file_source(test_path("none"), 0, UINT64_MAX, NULL, &err) == NULL, err,
            ERR_NOT_FOUND, "/none\": No such file");
        CHECK_INT(err.sys, ENOENT);
}

TEST(ends_when_it_is_cancelled)
{
        struct err err;
        const char *path = make_file("file", "0123456789");
        struct cancel *cancel = cancel_new(NULL, &err);
        struct source *src = file_source(path, 0, UINT64_MAX, cancel, &err);

        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, got, 3, &err), 3);
        cancel_trigger(cancel);
        CHECK_ERR(source_read(src, got, 3, &err) < 0, err, ERR_CANCELLED, NULL);
        source_free(src);
        cancel_unref(cancel);
}

static int
read_once(void *arg, struct err *err)
{
        struct source *src = file_source(arg, 2, UINT64_MAX, NULL, err);

        if (src == NULL)
                return -1;
        CHECK_INT(read_all(src, 100, err), 8);
        source_free(src);
        return 0;
}

TEST(survives_each_failing_allocation)
{
        char path[512];

        snprintf(path, sizeof(path), "%s", make_file("file", "0123456789"));
        test_each_allocation(read_once, path);
}
