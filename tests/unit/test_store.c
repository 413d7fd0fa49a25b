#include "harness/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/store_suite.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"

static struct store *
open_store(const char *url)
{
        struct err err;

        err_init(&err);
        struct store *store = store_open(url, &err);
        CHECK_PTR(store, err);
        return store;
}

/* A store at test_path("store") whose root exists. */
static struct store *
made(void)
{
        CHECK(mkdir(test_path("store"), 0700) == 0);
        return open_store(test_path("store"));
}

static void
put_file(const char *path, const char *text)
{
        FILE *file = fopen(path, "we");

        CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int
ignore(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)arg;
        (void)key;
        (void)stat;
        (void)err;
        return 0;
}

static int
list(struct store *store, const char *prefix, struct err *err)
{
        err_init(err);
        return store_list(store, prefix, false, ignore, NULL, NULL, err);
}

static int
put(struct store *store, const char *key, struct err *err)
{
        err_init(err);
        return store_suite_try_put(store, key, "text", false, err);
}

TEST(a_directory_keeps_what_every_store_promises)
{
        struct store *store = made();

        conformance_all(store, STORE_SHARED | STORE_LONG | STORE_MANY);
        store_free(store);
        store_free(NULL);
}

/* URLs. */

TEST(directories_are_written_in_several_ways)
{
        static const char *const relative[] = { "./store", "./store/", ".//./store", "./store/." };
        char url[1200];

        CHECK(chdir(test_dir()) == 0);
        for (size_t idx = 0; idx < sizeof(relative) / sizeof(relative[0]); idx++) {
                struct store *store = open_store(relative[idx]);
                CHECK_STR(store_url(store), test_path("store"));
                store_free(store);
        }
        static const char *const hosts[] = { "", "//", "//localhost" };
        for (size_t idx = 0; idx < sizeof(hosts) / sizeof(hosts[0]); idx++) {
                snprintf(url, sizeof(url), "File:%s%s/a%%20b", hosts[idx], test_dir());
                struct store *store = open_store(url);
                CHECK_STR(store_url(store), test_path("a b"));
                store_free(store);
        }
        struct store *store = open_store("/");
        CHECK_STR(store_url(store), "/");
        store_free(store);
}

TEST(what_names_no_store_is_explained)
{
        static const struct {
                const char *url;
                enum err_code code;
                const char *text;
        } bad[] = {
                { "", ERR_USAGE, "empty" },
                { "backups", ERR_USAGE, "\"backups\"" },
                { "backups/prod", ERR_USAGE, "\"backups/prod\"" },
                { "s3://bucket/prefix?regoin=x", ERR_USAGE, "unknown option \"regoin\"" },
                { "azure://account/container?teir=hot", ERR_USAGE, "unknown option \"teir\"" },
                { "azure://account/container?sig=hunter2", ERR_USAGE, "has a SAS in it" },
                { "sftp://host/path", ERR_UNSUPPORTED, "no driver for sftp stores" },
                { "sftp://me:hunter2@host/path", ERR_USAGE, "has a password in it" },
                { "ftp://host/path", ERR_USAGE, "\"ftp\" is no kind of store" },
                { "file:relative", ERR_USAGE, "absolute path" },
                { "file://host/path", ERR_USAGE, "absolute path" },
                { "file:///path?query", ERR_USAGE, "absolute path" },
                { "file:///a%00b", ERR_USAGE, "not a URL" },
                { "s3://bucket/a b", ERR_USAGE, "not a URL" },
                { "x y:z", ERR_USAGE, "not a URL" },
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                err_init(&err);
                CHECK_ERR(
                    store_open(bad[idx].url, &err) == NULL, err, bad[idx].code, bad[idx].text);
                CHECK(strstr(err.msg, "hunter2") == NULL);
        }
        err_init(&err);
        CHECK(store_open("backups", &err) == NULL);
        CHECK_STR(
            err.hint, "named stores come from the site file; a directory is written ./backups");
}

/* The root. */

TEST(a_root_that_does_not_exist_is_made_by_the_first_write_only)
{
        struct store *store = open_store(test_path("x/y/store"));
        struct store_stat got;
        struct err err;

        CHECK_ERR(list(store, "", &err) < 0, err, ERR_NOT_FOUND, "x/y/store\"");
        CHECK_ERR(list(store, "a/", &err) < 0, err, ERR_NOT_FOUND, "x/y/store\"");
        CHECK_ERR(store_stat(store, "k", &got, NULL, &err) < 0, err, ERR_NOT_FOUND, "x/y/store\"");
        CHECK_ERR(store_remove(store, "k", NULL, &err) < 0, err, ERR_NOT_FOUND, "x/y/store\"");
        CHECK_ERR(store_sweep(store, "", NULL, NULL, &err) < 0, err, ERR_NOT_FOUND, "x/y/store\"");
        CHECK(access(test_path("x"), F_OK) != 0);
        store_suite_put(store, "a/k", "text");
        store_suite_list(store, "", false, "a/k");

        struct stat st;
        CHECK(stat(test_path("x/y/store"), &st) == 0 && (st.st_mode & 07777) == 0700);
        CHECK(stat(test_path("x/y/store/a"), &st) == 0 && (st.st_mode & 07777) == 0700);
        CHECK(stat(test_path("x/y/store/a/k"), &st) == 0 && (st.st_mode & 07777) == 0600);
        store_free(store);
}

TEST(a_root_that_is_a_file_is_told)
{
        struct err err;

        put_file(test_path("store"), "x");
        struct store *store = open_store(test_path("store"));
        CHECK_ERR(list(store, "", &err) < 0, err, ERR_INVALID, "store\": it is no directory");
        CHECK_ERR(put(store, "k", &err) < 0, err, ERR_INVALID, "store\": it is no directory");
        store_free(store);
        store = open_store(test_path("store/below"));
        CHECK(put(store, "k", &err) < 0);
        CHECK(strstr(err.msg, "cannot make the store") != NULL);
        store_free(store);
}

TEST(a_root_may_be_a_link)
{
        CHECK(mkdir(test_path("real"), 0700) == 0);
        CHECK(symlink("real", test_path("store")) == 0);
        struct store *store = open_store(test_path("store"));
        store_suite_put(store, "a/k", "text");
        store_suite_list(store, "", false, "a/k");
        CHECK(access(test_path("real/a/k"), F_OK) == 0);
        store_free(store);
}

TEST(a_store_that_vanishes_is_told_and_not_made_again)
{
        struct store *store = made();
        struct store_stat stat;
        struct err err;

        store_suite_put(store, "a/k", "text");
        CHECK(rename(test_path("store"), test_path("elsewhere")) == 0);
        CHECK_ERR(list(store, "", &err) < 0, err, ERR_IO, "store\" has vanished");
        CHECK_ERR(put(store, "b", &err) < 0, err, ERR_IO, "store\" has vanished");
        CHECK_ERR(store_stat(store, "a/k", &stat, NULL, &err) < 0, err, ERR_IO, "has vanished");
        CHECK_ERR(store_remove(store, "a/k", NULL, &err) < 0, err, ERR_IO, "has vanished");
        CHECK(access(test_path("store"), F_OK) != 0);

        /* Another one in its place is not it. */
        CHECK(mkdir(test_path("store"), 0700) == 0);
        CHECK_ERR(put(store, "b", &err) < 0, err, ERR_IO, "store\" has vanished");
        CHECK(rmdir(test_path("store")) == 0);
        CHECK(rename(test_path("elsewhere"), test_path("store")) == 0);
        store_suite_list(store, "", false, "a/k");
        store_free(store);
}

struct taker {
        const char *root;
        int calls;
};

static int
take_root_away(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct taker *taker = arg;

        (void)key;
        (void)stat;
        taker->calls++;
        return path_remove_tree(taker->root, NULL, err);
}

TEST(a_listing_during_which_the_store_vanishes_is_an_error)
{
        struct store *store = made();
        struct taker taker = { test_path("store"), 0 };
        struct err err;

        for (char name[] = "a/k"; name[0] <= 'f'; name[0]++)
                store_suite_put(store, name, "x");
        err_init(&err);
        CHECK_ERR(store_list(store, "", false, take_root_away, &taker, NULL, &err) < 0, err, ERR_IO,
            "has vanished");
        CHECK_INT(taker.calls, 1);
        store_free(store);
}

TEST(a_store_that_nobody_may_read_or_write_is_told)
{
        struct store *store = made();
        struct err err;

        /* Root may read and write everything; it becomes somebody else here. */
        if (geteuid() == 0) {
                CHECK(chown(test_dir(), 65534, 65534) == 0);
                CHECK(chown(test_path("store"), 65534, 65534) == 0);
                CHECK(seteuid(65534) == 0);
        }
        store_suite_put(store, "a/k", "text");
        CHECK(chmod(test_path("store/a"), 0500) == 0);
        CHECK_ERR(put(store, "a/b", &err) < 0, err, ERR_PERMISSION, "a/b\"");
        CHECK_ERR(store_remove(store, "a/k", NULL, &err) < 0, err, ERR_PERMISSION, "a/k\"");
        CHECK(chmod(test_path("store/a"), 0) == 0);
        CHECK_ERR(list(store, "", &err) < 0, err, ERR_PERMISSION, "/a");
        CHECK(chmod(test_path("store/a"), 0700) == 0);
        CHECK(chmod(test_path("store"), 0) == 0);
        CHECK_ERR(list(store, "", &err) < 0, err, ERR_PERMISSION, "store\"");
        CHECK(chmod(test_path("store"), 0700) == 0);
        store_free(store);
        if (getuid() == 0) {
                /* The leak check wants to look at us. */
                CHECK(seteuid(0) == 0);
                CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
        }
}

TEST(a_full_store_is_told_and_keeps_what_it_had)
{
        struct store *store = made();
        struct rlimit limit = { 4096, 4096 };
        struct err err;
        static char block[8192];

        store_suite_put(store, "a/k", "text");
        signal(SIGXFSZ, SIG_IGN);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        err_init(&err);
        struct sink *sink = store_create(store, "a/big", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_ERR(sink_write(sink, block, sizeof(block), &err) < 0, err, ERR_FULL, "a/big");
        sink_free(sink);
        store_suite_list(store, "", false, "a/k");
        store_free(store);
}

/* What is in a directory and no part of a store. */

TEST(names_of_writes_under_way_are_hidden_and_swept)
{
        struct store *store = made();
        struct err err;
        uint64_t removed = 0;

        store_suite_put(store, "a/k", "text");
        put_file(test_path("store/a/" FILE_TEMP_PREFIX "k-abc"), "x");
        put_file(test_path("store/" FILE_TEMP_PREFIX "top-abc"), "x");
        CHECK(mkdir(test_path("store/b"), 0700) == 0);
        CHECK(mkdir(test_path("store/b/c"), 0700) == 0);
        put_file(test_path("store/b/c/" FILE_TEMP_PREFIX "k-abc"), "x");
        store_suite_list(store, "", false, "a/k");
        store_suite_list(store, "", true, "a/");
        err_init(&err);
        CHECK_ERR(put(store, "a/" FILE_TEMP_PREFIX "x", &err) < 0, err, ERR_INVALID, "its own");

        CHECK_OK(store_sweep(store, "b/c/", &removed, NULL, &err), err);
        CHECK_INT(removed, 1);
        CHECK(access(test_path("store/b"), F_OK) != 0);
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 2);
        store_suite_get(store, "a/k", "text");
        store_free(store);
}

TEST(directories_go_with_their_last_key_but_never_the_root)
{
        struct store *store = made();
        struct err err;

        err_init(&err);
        store_suite_put(store, "a/b/c/k", "x");
        store_suite_put(store, "a/k", "x");
        CHECK_OK(store_remove(store, "a/b/c/k", NULL, &err), err);
        CHECK(access(test_path("store/a/b"), F_OK) != 0);
        CHECK(access(test_path("store/a/k"), F_OK) == 0);
        CHECK_OK(store_remove(store, "a/k", NULL, &err), err);
        CHECK(access(test_path("store/a"), F_OK) != 0);
        CHECK(access(test_path("store"), F_OK) == 0);
        store_free(store);
}

TEST(an_empty_folder_is_no_key)
{
        struct store *store = made();

        CHECK(mkdir(test_path("store/a"), 0700) == 0);
        CHECK(mkdir(test_path("store/a/b"), 0700) == 0);
        store_suite_list(store, "", false, "");
        store_suite_list(store, "", true, "");
        store_free(store);
}

TEST(links_and_devices_in_a_store_are_errors_and_never_followed)
{
        struct store *store = made();
        struct store_stat stat;
        struct err err;

        CHECK(mkdir(test_path("outside"), 0700) == 0);
        put_file(test_path("outside/secret"), "secret");
        store_suite_put(store, "a/k", "x");
        CHECK(symlink("../outside", test_path("store/dir")) == 0);
        CHECK_ERR(list(store, "", &err) < 0, err, ERR_INVALID, "\"dir\" in the store");
        CHECK_ERR(list(store, "dir/", &err) < 0, err, ERR_INVALID, "symbolic link");
        CHECK_ERR(store_stat(store, "dir/secret", &stat, NULL, &err) < 0, err, ERR_INVALID,
            "symbolic link");
        CHECK_ERR(store_read(store, "dir/secret", 0, 1, NULL, &err) == NULL, err, ERR_INVALID,
            "symbolic link");
        CHECK_ERR(put(store, "dir/new", &err) < 0, err, ERR_INVALID, "symbolic link");
        CHECK_ERR(
            store_remove(store, "dir/secret", NULL, &err) < 0, err, ERR_INVALID, "symbolic link");
        CHECK_ERR(
            store_sweep(store, "dir/", NULL, NULL, &err) < 0, err, ERR_INVALID, "symbolic link");
        CHECK(access(test_path("outside/secret"), F_OK) == 0);
        CHECK(access(test_path("outside/new"), F_OK) != 0);
        CHECK(unlink(test_path("store/dir")) == 0);

        CHECK(symlink("../../outside/secret", test_path("store/a/link")) == 0);
        CHECK_ERR(
            store_stat(store, "a/link", &stat, NULL, &err) < 0, err, ERR_INVALID, "symbolic link");
        CHECK_ERR(store_read(store, "a/link", 0, 1, NULL, &err) == NULL, err, ERR_INVALID,
            "symbolic link");
        CHECK_ERR(list(store, "a/", &err) < 0, err, ERR_INVALID, "\"a/link\"");
        CHECK(unlink(test_path("store/a/link")) == 0);

        CHECK(mkfifo(test_path("store/a/fifo"), 0600) == 0);
        CHECK_ERR(list(store, "", &err) < 0, err, ERR_INVALID, "neither a file nor a folder");
        CHECK_ERR(store_read(store, "a/fifo", 0, 1, NULL, &err) == NULL, err, ERR_INVALID,
            "neither a file nor a folder");
        store_free(store);
}

TEST(the_folder_of_the_file_system_is_left_alone)
{
        struct store *store = made();
        struct err err;

        CHECK(mkdir(test_path("store/lost+found"), 0) == 0);
        store_suite_put(store, "a/lost+found/k", "x");
        store_suite_list(store, "", false, "a/lost+found/k");
        CHECK_ERR(put(store, "lost+found/k", &err) < 0, err, ERR_INVALID, "file system's");
        store_free(store);
}

TEST(a_key_cannot_be_file_and_folder)
{
        struct store *store = made();
        struct err err;

        store_suite_put(store, "a/k", "x");
        CHECK_ERR(put(store, "a/k/below", &err) < 0, err, ERR_INVALID, "\"k\" is a file");
        CHECK_ERR(put(store, "a", &err) < 0, err, ERR_INVALID, "keys below that name");
        store_suite_list(store, "", false, "a/k");
        store_free(store);
}

TEST(deep_trees_have_a_bound)
{
        struct store *store = made();
        char key[200] = "";
        struct err err;

        for (int idx = 0; idx < 63; idx++)
                strcat(key, "d/");
        strcat(key, "k");
        store_suite_put(store, key, "x");
        store_suite_list(store, "", false, key);
        store_suite_list(store, "", true, "d/");
        strcat(key, "/k");
        CHECK_ERR(put(store, key, &err) < 0, err, ERR_INVALID, "more than 64 parts");
        store_free(store);
}

static int
use_store(void *arg, struct err *err)
{
        struct store *store = store_open(arg, err);
        struct store_stat stat;
        int rc = -1;

        if (store == NULL)
                return -1;
        if (store_suite_try_put(store, "a/b/k", "text", false, err) == 0 &&
            store_stat(store, "a/b/k", &stat, NULL, err) == 0 &&
            store_list(store, "", false, ignore, NULL, NULL, err) == 0 &&
            store_list(store, "", true, ignore, NULL, NULL, err) == 0 &&
            store_sweep(store, "", NULL, NULL, err) == 0 &&
            store_remove(store, "a/b/k", NULL, err) == 0)
                rc = 0;
        struct source *src = rc == 0 ? store_read(store, "a/k", 0, 1, NULL, err) : NULL;
        if (rc == 0 && src == NULL)
                rc = -1;
        source_free(src);
        store_free(store);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        char url[400];

        CHECK(mkdir(test_path("store"), 0700) == 0);
        CHECK(mkdir(test_path("store/a"), 0700) == 0);
        put_file(test_path("store/a/k"), "x");
        snprintf(url, sizeof(url), "file://%s/store", test_dir());
        test_each_allocation(use_store, url);
}
