#include "harness/test.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "moonkeep/file.h"

/*
 * System calls that stand before those of the C library: they fail with the
 * given errno, if any, and do their work otherwise.
 */
static int fail_renameat2, fail_linkat, fail_fsync;
static int fsyncs_before_failure;
static bool hobble; /* every other write is interrupted, the others are short */

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
        errno = fail_renameat2;
        return fail_renameat2 != 0 ? -1
                                   : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
        errno = fail_linkat;
        return fail_linkat != 0 ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int
fsync(int fd)
{
        errno = fail_fsync;
        if (fail_fsync != 0 && fsyncs_before_failure-- <= 0)
                return -1;
        return (int)syscall(SYS_fsync, fd);
}

ssize_t
write(int fd, const void *data, size_t len)
{
        static bool odd;

        odd = !odd;
        errno = EINTR;
        if (hobble && odd)
                return -1;
        return syscall(SYS_write, fd, data, hobble && len > 3 ? 3 : len);
}

static int
entries(const char *dir)
{
        DIR *list = opendir(dir);
        int count = 0;

        CHECK(list != NULL);
        while (readdir(list) != NULL)
                count++;
        closedir(list);
        return count - 2;
}

static void
check_content(const char *path, const char *want)
{
        struct err err;
        struct buf out;

        buf_init(&out, 1000);
        CHECK_OK(file_read(path, &out, &err), err);
        CHECK_STR(out.data, want);
        buf_free(&out);
}

static mode_t
mode_of(const char *path)
{
        struct stat st;

        CHECK(stat(path, &st) == 0);
        return st.st_mode & 07777;
}

static struct sink *
begin(const char *path, const struct file_sink_opts *opts)
{
        struct err err;
        struct sink *sink = file_sink(path, opts, NULL, &err);

        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, "new", 3, &err), err);
        return sink;
}

TEST(nothing_is_visible_before_the_commit_and_all_after_it)
{
        struct err err;
        const char *path = test_path("file");
        struct sink *sink = begin(path, NULL);

        CHECK(access(path, F_OK) < 0);
        CHECK_OK(sink_commit(sink, &err), err);
        check_content(path, "new");
        CHECK_INT(mode_of(path), 0600);
        CHECK_INT(entries(test_dir()), 1);
        sink_free(sink);
        check_content(path, "new");
}

TEST(a_dropped_sink_leaves_nothing_and_the_old_file_as_it_was)
{
        struct err err;
        const char *path = test_path("file");

        CHECK_OK(file_write(path, "old", 3, NULL, &err), err);
        sink_free(begin(path, NULL));
        check_content(path, "old");
        CHECK_INT(entries(test_dir()), 1);
}

TEST(the_temporary_file_is_private_and_found_by_its_prefix)
{
        struct file_sink_opts opts = { .mode = 0644 };
        struct sink *sink = begin(test_path("file"), &opts);
        DIR *list = opendir(test_dir());
        struct dirent *entry;
        int found = 0;

        while ((entry = readdir(list)) != NULL) {
                if (entry->d_name[0] == '.' && entry->d_name[1] != 'm')
                        continue;
                CHECK(strncmp(entry->d_name, FILE_TEMP_PREFIX "file-",
                          strlen(FILE_TEMP_PREFIX "file-")) == 0);
                CHECK_INT(mode_of(test_path(entry->d_name)), 0600);
                found++;
        }
        closedir(list);
        CHECK_INT(found, 1);
        sink_free(sink);
}

TEST(the_mode_is_as_asked_for_whatever_the_umask)
{
        struct err err;
        const char *path = test_path("file");
        struct file_sink_opts opts = { .mode = 0664 };

        umask(077);
        CHECK_OK(file_write(path, "x", 1, &opts, &err), err);
        CHECK_INT(mode_of(path), 0664);
}

TEST(replaces_a_file_unless_exclusive)
{
        struct err err;
        const char *path = test_path("file");
        struct file_sink_opts opts = { .exclusive = true };

        CHECK_OK(file_write(path, "one", 3, &opts, &err), err);
        CHECK_ERR(file_write(path, "two", 3, &opts, &err) < 0, err, ERR_EXISTS, "cannot create \"");
        check_content(path, "one");
        CHECK_OK(file_write(path, "three", 5, NULL, &err), err);
        check_content(path, "three");
        CHECK_INT(entries(test_dir()), 1);
}

TEST(of_two_exclusive_writers_one_wins)
{
        struct err err;
        const char *path = test_path("file");
        struct file_sink_opts opts = { .exclusive = true };
        struct sink *one = begin(path, &opts), *two = begin(path, &opts);

        CHECK_OK(sink_commit(two, &err), err);
        CHECK_ERR(sink_commit(one, &err) < 0, err, ERR_EXISTS, NULL);
        sink_free(one);
        sink_free(two);
        CHECK_INT(entries(test_dir()), 1);
}

TEST(is_exclusive_without_renameat2_too)
{
        struct err err;
        const char *path = test_path("file");
        struct file_sink_opts opts = { .exclusive = true };

        fail_renameat2 = EINVAL;
        CHECK_OK(file_write(path, "one", 3, &opts, &err), err);
        CHECK_ERR(file_write(path, "two", 3, &opts, &err) < 0, err, ERR_EXISTS, "cannot create \"");
        check_content(path, "one");
        CHECK_INT(entries(test_dir()), 1);
}

TEST(a_file_system_that_cannot_be_exclusive_is_told_so)
{
        struct err err;
        struct file_sink_opts opts = { .exclusive = true };

        fail_renameat2 = EINVAL;
        fail_linkat = EPERM;
        CHECK_ERR(file_write(test_path("file"), "one", 3, &opts, &err) < 0, err, ERR_UNSUPPORTED,
            "/file\"");
        CHECK_INT(entries(test_dir()), 0);
}

TEST(a_sync_that_fails_is_a_commit_that_fails)
{
        struct err err;
        const char *path = test_path("file");

        CHECK_OK(file_write(path, "old", 3, NULL, &err), err);
        fail_fsync = EIO;
        CHECK_ERR(file_write(path, "new", 3, NULL, &err) < 0, err, ERR_IO, "cannot write \"");
        check_content(path, "old");
        CHECK_INT(entries(test_dir()), 1);
        fail_fsync = ENOSPC;
        CHECK_ERR(file_write(path, "new", 3, NULL, &err) < 0, err, ERR_FULL, "No space");
        CHECK(strstr(err.hint, "are free there") != NULL);
        fail_fsync = EIO;
        fsyncs_before_failure = 1;
        CHECK_ERR(file_write(path, "new", 3, NULL, &err) < 0, err, ERR_IO, "durable");
        CHECK_INT(entries(test_dir()), 1);
}

TEST(a_file_that_need_not_outlive_a_power_cut_is_not_synced)
{
        struct file_sink_opts opts = { .unsynced = true };
        struct err err;
        const char *path = test_path("file");

        fail_fsync = EIO;
        CHECK_OK(file_write(path, "new", 3, &opts, &err), err);
        check_content(path, "new");
        CHECK_INT(entries(test_dir()), 1);
}

TEST(a_file_system_that_cannot_sync_directories_is_good_enough)
{
        struct err err;
        const char *path = test_path("file");

        fail_fsync = EINVAL;
        fsyncs_before_failure = 1;
        CHECK_OK(file_write(path, "new", 3, NULL, &err), err);
        check_content(path, "new");
}

TEST(interrupted_and_short_writes_are_completed)
{
        struct err err;
        const char *path = test_path("file");

        hobble = true;
        CHECK_OK(file_write(path, "0123456789", 10, NULL, &err), err);
        hobble = false;
        check_content(path, "0123456789");
}

TEST(makes_directories_only_if_asked_for)
{
        struct err err;
        const char *path = test_path("a/b/file");
        struct file_sink_opts opts = { .make_dirs = true };

        CHECK_ERR(file_sink(path, NULL, NULL, &err) == NULL, err, ERR_NOT_FOUND, "a/b");
        CHECK_OK(file_write(path, "x", 1, &opts, &err), err);
        check_content(path, "x");
        CHECK_INT(mode_of(test_path("a")), 0700);
}

TEST(refuses_what_is_no_name_of_a_file)
{
        struct err err;

        CHECK_ERR(file_sink("/", NULL, NULL, &err) == NULL, err, ERR_INVALID, "no name");
        CHECK_ERR(file_sink("", NULL, NULL, &err) == NULL, err, ERR_INVALID, "no name");
        CHECK_ERR(file_sink("/tmp/..", NULL, NULL, &err) == NULL, err, ERR_INVALID, "no name");
        CHECK(mkdir(test_path("dir"), 0700) == 0);
        CHECK(file_write(test_path("dir"), "x", 1, NULL, &err) < 0);
        CHECK_INT(entries(test_dir()), 1);
}

TEST(replaces_no_device_pipe_or_directory)
{
        struct stat st;
        struct err err;
        const char *fifo = test_path("fifo");
        const char *link = test_path("link");

        CHECK(mkfifo(fifo, 0600) == 0 && symlink("fifo", link) == 0);
        CHECK_ERR(file_sink(fifo, NULL, NULL, &err) == NULL, err, ERR_INVALID, "not replaced");
        CHECK_ERR(file_sink(link, NULL, NULL, &err) == NULL, err, ERR_INVALID, "not replaced");
        CHECK(file_sink(test_dir(), NULL, NULL, &err) == NULL);
        CHECK_INT(err.sys, EISDIR);
        CHECK(stat(fifo, &st) == 0 && S_ISFIFO(st.st_mode));
        CHECK_INT(entries(test_dir()), 2);
}

TEST(takes_a_name_as_long_as_the_file_system_allows)
{
        struct err err;
        char name[NAME_MAX + 1];

        memset(name, 'n', NAME_MAX);
        name[NAME_MAX] = '\0';
        CHECK_OK(file_write(test_path(name), "x", 1, NULL, &err), err);
        check_content(test_path(name), "x");
}

TEST(writes_into_the_working_directory)
{
        struct err err;

        CHECK(chdir(test_dir()) == 0);
        CHECK_OK(file_write("file", "x", 1, NULL, &err), err);
        check_content(test_path("file"), "x");
}

TEST(large_files_survive_their_windows)
{
        struct err err;
        const char *path = test_path("file");
        struct sink *sink = file_sink(path, NULL, NULL, &err);
        struct stat st;
        size_t len = 3 * 1000 * 1000;
        char *data = calloc(1, len);

        CHECK_PTR(sink, err);
        for (int times = 0; times < 7; times++)
                CHECK_OK(sink_write(sink, data, len, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        CHECK(stat(path, &st) == 0);
        CHECK_INT(st.st_size, 21 * 1000 * 1000);
        CHECK_INT(sink_bytes(sink), 21 * 1000 * 1000);
        sink_free(sink);
        free(data);
}

TEST(ends_when_it_is_cancelled_even_at_the_commit)
{
        struct err err;
        const char *path = test_path("file");
        struct cancel *cancel = cancel_new(NULL, &err);
        struct sink *one = file_sink(path, NULL, cancel, &err);
        struct sink *two = file_sink(path, NULL, cancel, &err);

        CHECK_PTR(one, err);
        CHECK_PTR(two, err);
        CHECK_OK(sink_write(one, "x", 1, &err), err);
        cancel_trigger(cancel);
        CHECK_ERR(sink_write(two, "x", 1, &err) < 0, err, ERR_CANCELLED, NULL);
        CHECK_ERR(sink_commit(one, &err) < 0, err, ERR_CANCELLED, NULL);
        sink_free(one);
        sink_free(two);
        CHECK_INT(entries(test_dir()), 0);
        cancel_unref(cancel);
}

TEST(a_full_place_is_named_with_a_hint_and_nothing_stays)
{
        struct err err;
        const char *path = test_path("file");
        struct rlimit limit = { 100, 100 };
        char data[200] = "";

        signal(SIGXFSZ, SIG_IGN);
        struct sink *sink = file_sink(path, NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        /* 100 bytes go in before the limit is met. */
        CHECK_ERR(sink_write(sink, data, 200, &err) < 0, err, ERR_FULL, "cannot write \"/");
        CHECK(strstr(err.msg, "/file\": File too large") != NULL);
        CHECK(strstr(err.hint, "100 bytes") != NULL);
        CHECK_INT(err.sys, EFBIG);
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_FULL, NULL);
        sink_free(sink);
        CHECK_INT(entries(test_dir()), 0);
}

/* A file system of 64 KiB that only this process sees. */
static void
mount_small(const char *at)
{
        if (geteuid() != 0)
                SKIP("needs root for a file system of its own");
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                SKIP("cannot make a mount namespace");
        CHECK(mkdir(at, 0700) == 0);
        if (mount("none", at, "tmpfs", 0, "size=64k") < 0)
                SKIP("cannot mount a tmpfs");
}

TEST(a_full_disk_says_how_much_is_free_and_keeps_the_old_file)
{
        struct err err;
        static char data[100 * 1024];
        const char *dir = test_path("small"), *path = test_path("small/file");

        mount_small(dir);
        CHECK_OK(file_write(path, "old", 3, NULL, &err), err);
        CHECK_ERR(file_write(path, data, sizeof(data), NULL, &err) < 0, err, ERR_FULL,
            "small/file\": No space left on device");
        CHECK(strstr(err.hint, "MiB are free there") != NULL);
        check_content(path, "old");
        CHECK_INT(entries(dir), 1);
        CHECK(umount(dir) == 0);
}

TEST(a_place_that_may_not_be_written_is_a_matter_of_permission)
{
        struct err err;

        if (geteuid() == 0)
                CHECK(seteuid(65534) == 0);
        CHECK(file_sink("/moonkeep-no-permission", NULL, NULL, &err) == NULL);
        CHECK_ERR(true, err, ERR_PERMISSION, "cannot create \"/moonkeep-no-permission\"");
        (void)!seteuid(0);
}

static int
write_once(void *arg, struct err *err)
{
        struct file_sink_opts opts = { .make_dirs = true };
        char file[600], dir[600];

        snprintf(dir, sizeof(dir), "%s/new", (const char *)arg);
        snprintf(file, sizeof(file), "%s/new/file", (const char *)arg);
        int rc = file_write(file, "some bytes", 10, &opts, err);
        if (rc == 0)
                CHECK(unlink(file) == 0);
        /* Of a failed one nothing stays but, perhaps, the directory. */
        CHECK(rmdir(dir) == 0 || (rc < 0 && errno == ENOENT));
        return rc;
}

TEST(survives_each_failing_allocation)
{
        char path[512];

        snprintf(path, sizeof(path), "%s", test_dir());
        test_each_allocation(write_once, path);
}
