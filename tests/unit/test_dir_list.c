#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/dir_list.h"

static int
open_dir(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        CHECK(fd >= 0);
        return fd;
}

static void
touch(const char *name)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        close(fd);
}

TEST(names_come_sorted_by_their_bytes_and_without_dots)
{
        static const char *const names[] = { "...", "B", "a", "a-b", "a.b", "ab", "\xc3\xa4",
                "\xff" };
        struct dir_list list;
        struct err err;

        for (size_t idx = 0; idx < 8; idx++)
                touch(names[(idx * 3 + 5) % 8]);
        CHECK(mkdir(test_path("d"), 0700) == 0);
        CHECK(symlink("nowhere", test_path("l")) == 0);
        int fd = open_dir(test_dir());
        /* Twice: where the descriptor stands does not change. */
        for (int round = 0; round < 2; round++) {
                CHECK_OK(dir_list_read(fd, &list, &err), err);
                CHECK_INT(list.count, 10);
                for (size_t idx = 0; idx < 6; idx++)
                        CHECK_STR(list.names[idx], names[idx]);
                CHECK_STR(list.names[6], "d");
                CHECK_STR(list.names[7], "l");
                CHECK_STR(list.names[8], names[6]);
                CHECK_STR(list.names[9], names[7]);
                dir_list_free(&list);
        }
        close(fd);
}

TEST(many_names_are_all_there)
{
        struct dir_list list;
        struct err err;
        char name[32];

        for (int idx = 0; idx < 3000; idx++) {
                snprintf(name, sizeof(name), "f%06d", idx * 7 % 3000);
                touch(name);
        }
        int fd = open_dir(test_dir());
        CHECK_OK(dir_list_read(fd, &list, &err), err);
        CHECK_INT(list.count, 3000);
        for (int idx = 0; idx < 3000; idx++) {
                snprintf(name, sizeof(name), "f%06d", idx);
                CHECK_STR(list.names[idx], name);
        }
        dir_list_free(&list);
        close(fd);
}

TEST(an_empty_directory_has_no_names)
{
        struct dir_list list;
        struct err err;

        int fd = open_dir(test_dir());
        CHECK_OK(dir_list_read(fd, &list, &err), err);
        CHECK_INT(list.count, 0);
        dir_list_free(&list);
        dir_list_free(&list);
        close(fd);
}

TEST(what_is_no_directory_any_more_is_an_error)
{
        struct dir_list list;
        struct err err;

        touch("file");
        int fd = open(test_path("file"), O_RDONLY | O_CLOEXEC);
        CHECK_ERR(dir_list_read(fd, &list, &err) < 0, err, ERR_NOT_FOUND, "cannot read its names");
        close(fd);
        CHECK(mkdir(test_path("d"), 0700) == 0);
        fd = open_dir(test_path("d"));
        CHECK(rmdir(test_path("d")) == 0);
        CHECK_ERR(dir_list_read(fd, &list, &err) < 0, err, ERR_NOT_FOUND, "cannot read its names");
        close(fd);
}

static int
list_some(void *arg, struct err *err)
{
        struct dir_list list;

        if (dir_list_read(*(int *)arg, &list, err) < 0)
                return -1;
        dir_list_free(&list);
        return 0;
}

TEST(survives_each_failing_allocation)
{
        for (int idx = 0; idx < 20; idx++) {
                char name[64];
                snprintf(name, sizeof(name), "a-name-of-some-length-%d", idx);
                touch(name);
        }
        int fd = open_dir(test_dir());
        test_each_allocation(list_some, &fd);
        close(fd);
}
