#include "harness/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/file.h"

TEST(what_was_written_is_read_back)
{
        struct err err;
        struct buf out;
        const char *path = test_path("file");

        buf_init(&out, 100);
        CHECK_OK(file_write(path, "hello", 5, NULL, &err), err);
        CHECK_OK(buf_addstr(&out, ">", &err), err);
        CHECK_OK(file_read(path, &out, &err), err);
        CHECK_STR(out.data, ">hello");
        buf_free(&out);
}

TEST(a_file_of_exactly_the_maximum_fits_and_one_byte_more_does_not)
{
        struct err err;
        struct buf out;
        const char *path = test_path("file");

        CHECK_OK(file_write(path, "12345", 5, NULL, &err), err);
        buf_init(&out, 5);
        CHECK_OK(file_read(path, &out, &err), err);
        CHECK_INT(out.len, 5);
        /* The buffer is full now. */
        CHECK_ERR(file_read(path, &out, &err) < 0, err, ERR_TOO_BIG, "more than 5 bytes");
        CHECK_STR(out.data, "12345");
        buf_free(&out);

        buf_init(&out, 4);
        CHECK_ERR(file_read(path, &out, &err) < 0, err, ERR_TOO_BIG, path);
        CHECK_INT(out.len, 0);
        buf_free(&out);
}

TEST(a_file_that_says_no_size_is_bounded_too)
{
        struct err err;
        struct buf out;

        buf_init(&out, 1 << 20);
        CHECK_OK(file_read("/proc/self/status", &out, &err), err);
        CHECK(out.len > 200);
        buf_free(&out);

        buf_init(&out, 200);
        CHECK_OK(buf_addstr(&out, "before", &err), err);
        CHECK_ERR(file_read("/proc/self/status", &out, &err) < 0, err, ERR_TOO_BIG, "status");
        CHECK_STR(out.data, "before");
        buf_free(&out);
}

TEST(an_empty_file_is_read_into_an_empty_buffer)
{
        struct err err;
        struct buf out;
        const char *path = test_path("file");

        CHECK_OK(file_write(path, NULL, 0, NULL, &err), err);
        buf_init(&out, 0);
        CHECK_OK(file_read(path, &out, &err), err);
        CHECK_INT(out.len, 0);
        buf_free(&out);
}

TEST(reads_through_symbolic_links_but_no_directories_and_fifos)
{
        struct err err;
        struct buf out;
        const char *path = test_path("file"), *link = test_path("link"), *fifo = test_path("fifo");

        buf_init(&out, 100);
        CHECK_OK(file_write(path, "x", 1, NULL, &err), err);
        CHECK(symlink("file", link) == 0);
        CHECK_OK(file_read(link, &out, &err), err);
        CHECK_STR(out.data, "x");
        CHECK(mkfifo(fifo, 0600) == 0);
        CHECK_ERR(file_read(fifo, &out, &err) < 0, err, ERR_INVALID, "no regular file");
        CHECK_ERR(file_read(test_dir(), &out, &err) < 0, err, ERR_INVALID, "a directory");
        CHECK_ERR(file_read(test_path("none"), &out, &err) < 0, err, ERR_NOT_FOUND, "none");
        buf_free(&out);
}

static int
write_and_read(void *arg, struct err *err)
{
        struct buf out;
        int rc = file_write(arg, "some bytes", 10, NULL, err);

        buf_init(&out, 100);
        if (rc == 0)
                rc = file_read(arg, &out, err);
        buf_free(&out);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        char path[512];

        snprintf(path, sizeof(path), "%s", test_path("file"));
        test_each_allocation(write_and_read, path);
}
