#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/thread.h"

static void
check_join(const char *dir, const char *name, const char *want)
{
        struct err err;
        char *got = path_join(dir, name, &err);

        CHECK_STR(got, want);
        mem_free(got);
}

static void
check_parent(const char *path, const char *want)
{
        struct err err;
        char *got = path_parent(path, &err);

        CHECK_STR(got, want);
        mem_free(got);
}

static bool
inside(const char *name)
{
        return path_is_inside(name, strlen(name));
}

static bool
exists(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0;
}

static void
touch(const char *path)
{
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        close(fd);
}

TEST(join_puts_one_slash_between)
{
        check_join("a", "b", "a/b");
        check_join("a//", "b", "a/b");
        check_join("/", "b", "/b");
        check_join("a/b", "c/d", "a/b/c/d");
}

TEST(parent_is_the_directory_part)
{
        check_parent("a/b", "a");
        check_parent("a/b/", "a");
        check_parent("a//b", "a");
        check_parent("a", ".");
        check_parent("a/", ".");
        check_parent("", ".");
        check_parent("/", "/");
        check_parent("///", "/");
        check_parent("/a", "/");
        check_parent("//a//", "/");
        check_parent("/a/b", "/a");
}

TEST(inside_refuses_what_could_lead_out)
{
        CHECK(inside("a") && inside("a/b") && inside("..a/b..") && inside("./a") && inside("..."));
        CHECK(inside("a//b/"));
        CHECK(!inside("") && !inside("/") && !inside("/etc") && !inside("..") && !inside("../a"));
        CHECK(!inside("a/..") && !inside("a/../b") && !inside("a//..//b"));
        CHECK(!path_is_inside("a\0b", 3));
        CHECK(path_is_inside("a..", 2));
}

TEST(make_dirs_makes_all_that_are_missing)
{
        struct err err;
        struct stat st;

        umask(0);
        CHECK_OK(path_make_dirs(test_path("a/b//c/"), 0750, &err), err);
        CHECK(stat(test_path("a/b/c"), &st) == 0 && S_ISDIR(st.st_mode));
        CHECK_INT(st.st_mode & 07777, 0750);
        CHECK_OK(path_make_dirs(test_path("a/b/c"), 0700, &err), err);
        CHECK(symlink("a", test_path("link")) == 0);
        CHECK_OK(path_make_dirs(test_path("link/d"), 0700, &err), err);
        CHECK(exists(test_path("a/d")));
        CHECK_OK(path_make_dirs("/", 0700, &err), err);
        CHECK_ERR(path_make_dirs("", 0700, &err) < 0, err, ERR_INVALID, NULL);
}

TEST(make_dirs_says_which_name_is_in_the_way)
{
        struct err err;

        touch(test_path("file"));
        CHECK_ERR(
            path_make_dirs(test_path("file/x"), 0700, &err) < 0, err, ERR_NOT_FOUND, "/file\"");
        CHECK_ERR(path_make_dirs(test_path("file"), 0700, &err) < 0, err, ERR_NOT_FOUND, "/file\"");
        CHECK(symlink("nowhere", test_path("dangling")) == 0);
        CHECK(path_make_dirs(test_path("dangling"), 0700, &err) < 0);
}

TEST(sync_of_a_missing_directory_is_not_found)
{
        struct err err;

        CHECK_OK(path_sync_dir(test_dir(), &err), err);
        CHECK_OK(path_sync_parent(test_path("x"), &err), err);
        CHECK_ERR(path_sync_dir(test_path("x"), &err) < 0, err, ERR_NOT_FOUND, "/x\"");
        CHECK_ERR(path_sync_parent(test_path("x/y"), &err) < 0, err, ERR_NOT_FOUND, "/x\"");
}

TEST(remove_tree_removes_files_links_and_directories)
{
        struct err err;

        CHECK_OK(path_make_dirs(test_path("t/a/b/c"), 0700, &err), err);
        CHECK_OK(path_make_dirs(test_path("t/empty"), 0700, &err), err);
        touch(test_path("t/a/b/file"));
        CHECK(mkfifo(test_path("t/fifo"), 0600) == 0);
        for (int idx = 0; idx < 500; idx++) {
                char name[64];
                snprintf(name, sizeof(name), "%s/t/a/%d", test_dir(), idx);
                touch(name);
        }
        CHECK_OK(path_remove_tree(test_path("t//"), NULL, &err), err);
        CHECK(!exists(test_path("t")));
        CHECK_OK(path_remove_tree(test_path("t"), NULL, &err), err);
        CHECK_OK(path_remove_tree(test_path("t/below"), NULL, &err), err);
        touch(test_path("file"));
        CHECK_OK(path_remove_tree(test_path("file"), NULL, &err), err);
        CHECK(!exists(test_path("file")));
}

TEST(remove_tree_never_follows_a_link)
{
        struct err err;

        CHECK_OK(path_make_dirs(test_path("keep/deep"), 0700, &err), err);
        touch(test_path("keep/deep/file"));
        CHECK_OK(path_make_dirs(test_path("t"), 0700, &err), err);
        CHECK(symlink("../keep", test_path("t/link")) == 0);
        CHECK(symlink("../keep/deep/file", test_path("t/to-file")) == 0);
        CHECK(symlink("keep", test_path("top-link")) == 0);
        CHECK_OK(path_remove_tree(test_path("t"), NULL, &err), err);
        CHECK_OK(path_remove_tree(test_path("top-link/"), NULL, &err), err);
        CHECK(!exists(test_path("t")) && !exists(test_path("top-link")));
        CHECK(exists(test_path("keep/deep/file")));
}

TEST(remove_tree_refuses_names_that_are_none)
{
        struct err err;

        CHECK_ERR(path_remove_tree("", NULL, &err) < 0, err, ERR_INVALID, NULL);
        CHECK_ERR(path_remove_tree("//", NULL, &err) < 0, err, ERR_INVALID, NULL);
        CHECK_ERR(path_remove_tree(".", NULL, &err) < 0, err, ERR_INVALID, NULL);
        CHECK_ERR(path_remove_tree("a/..//", NULL, &err) < 0, err, ERR_INVALID, NULL);
}

/* A tree deeper than descriptors and PATH_MAX allow, with something at each level. */
static void
make_deep(int levels)
{
        int fd = open(test_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (int idx = 0; idx < levels; idx++) {
                CHECK(mkdirat(fd, "directory-with-a-name", 0700) == 0);
                CHECK(mkdirat(fd, "other", 0700) == 0 && mkdirat(fd, "other/x", 0700) == 0);
                int below = openat(fd, "directory-with-a-name", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                CHECK(below >= 0);
                close(fd);
                fd = below;
        }
        close(fd);
}

TEST(remove_tree_needs_few_descriptors_for_a_deep_tree)
{
        struct rlimit limit = { 64, 64 };
        struct err err;

        make_deep(1000);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK_OK(path_remove_tree(test_path("directory-with-a-name"), NULL, &err), err);
        CHECK(!exists(test_path("directory-with-a-name")));
}

TEST(remove_tree_names_what_cannot_be_removed)
{
        struct err err;

        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
                SKIP("root may remove everything");
        char base[] = "/tmp/moonkeep-unit-sub-XXXXXX";
        CHECK(mkdtemp(base) != NULL);
        char sub[100], file[110];
        snprintf(sub, sizeof(sub), "%s/closed", base);
        snprintf(file, sizeof(file), "%s/file", sub);
        CHECK(mkdir(sub, 0700) == 0);
        touch(file);
        CHECK(chmod(sub, 0500) == 0);
        CHECK_ERR(path_remove_tree(base, NULL, &err) < 0, err, ERR_PERMISSION, "/closed/file\"");
        CHECK(chmod(sub, 0700) == 0);
        CHECK_OK(path_remove_tree(base, NULL, &err), err);
}

TEST(remove_tree_does_not_enter_a_mount)
{
        struct err err;

        CHECK_OK(path_make_dirs(test_path("t/mnt"), 0700, &err), err);
        CHECK_OK(path_make_dirs(test_path("other"), 0700, &err), err);
        touch(test_path("other/file"));
        if (mount(test_path("other"), test_path("t/mnt"), NULL, MS_BIND, NULL) != 0)
                SKIP("mounting is not allowed");
        int rc = path_remove_tree(test_path("t"), NULL, &err);
        CHECK(umount2(test_path("t/mnt"), MNT_DETACH) == 0);
        CHECK_INT(rc, -1);
        CHECK(err.code == ERR_REFUSED || err.sys == EBUSY);
        CHECK(exists(test_path("other/file")));
}

TEST(remove_tree_stops_when_cancelled)
{
        struct err err;
        struct cancel *token = cancel_new(NULL, &err);

        CHECK_OK(path_make_dirs(test_path("t/a"), 0700, &err), err);
        cancel_trigger(token);
        CHECK_ERR(path_remove_tree(test_path("t"), token, &err) < 0, err, ERR_CANCELLED, NULL);
        CHECK(exists(test_path("t/a")));
        cancel_unref(token);
}

static void *
remove_too(void *arg)
{
        struct err err;

        return path_remove_tree(arg, NULL, &err) == 0 ? NULL : arg;
}

TEST(remove_tree_does_not_mind_a_second_remover)
{
        struct err err;

        for (int round = 0; round < 20; round++) {
                for (int idx = 0; idx < 20; idx++) {
                        char name[200];
                        snprintf(name, sizeof(name), "%s/t/%d/a/b", test_dir(), idx);
                        CHECK_OK(path_make_dirs(name, 0700, &err), err);
                }
                char *path = path_join(test_dir(), "t", &err);
                pthread_t thread;
                CHECK_OK(thread_start(&thread, "remove", remove_too, path, &err), err);
                CHECK_OK(path_remove_tree(path, NULL, &err), err);
                thread_join(thread);
                CHECK(!exists(path));
                mem_free(path);
        }
}

static int
use_paths(void *arg, struct err *err)
{
        (void)arg;
        /* What an earlier run left that failed. */
        rmdir("t/a");
        rmdir("t");

        char *path = path_join(".", "t/a", err);
        char *parent = path != NULL ? path_parent(path, err) : NULL;
        int rc = -1;

        if (parent != NULL && path_make_dirs(path, 0700, err) == 0 &&
            path_sync_parent(path, err) == 0)
                rc = path_remove_tree(parent, NULL, err);
        mem_free(parent);
        mem_free(path);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        CHECK(chdir(test_dir()) == 0);
        test_each_allocation(use_paths, NULL);
}
