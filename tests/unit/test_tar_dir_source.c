#include "harness/test.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/cancel.h"
#include "moonkeep/mem.h"
#include "moonkeep/tar.h"

#define TAR_MAX ((size_t)64 * 1024 * 1024)

/* Run a script in the test's directory. */
static void
run(const char *script)
{
        char command[4096];

        snprintf(command, sizeof(command), "cd '%s' && { %s; }", test_dir(), script);
        CHECK_INT(system(command), 0);
}

static void
setup(void)
{
        setlocale(LC_CTYPE, "C.UTF-8");
        run("umask 022; mkdir t");
}

static struct tar_dir_opts
opts_of_t(void)
{
        return (struct tar_dir_opts){ .root = test_path("t") };
}

static int
gather(const struct tar_dir_opts *opts, size_t cap, struct buf *out, struct err *err)
{
        struct source *src = tar_dir_source(opts, NULL, err);
        ssize_t got = -1;

        buf_init(out, TAR_MAX);
        while (src != NULL) {
                char *room = buf_reserve(out, cap, err);
                if (room == NULL)
                        break;
                got = source_read(src, room, cap, err);
                if (got <= 0)
                        break;
                buf_commit(out, (size_t)got);
        }
        source_free(src);
        return got == 0 ? 0 : -1;
}

static int
list_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        static const char types[] = "fdlho";

        return buf_addf(arg, err, "%c %s%s%s %llu %o\n", types[entry->type], entry->name,
            entry->link != NULL ? " -> " : "", entry->link != NULL ? entry->link : "",
            (unsigned long long)entry->size, entry->mode);
}

/* What is in the tar of opts, and that it is complete. */
static void
expect(const struct tar_dir_opts *opts, const char *text)
{
        struct buf tar, list;
        struct err err;

        CHECK_OK(gather(opts, 65536, &tar, &err), err);
        buf_init(&list, TAR_MAX);
        struct tar_watcher watcher = { .entry = list_entry, .arg = &list };
        struct tar_scan *scan = tar_scan_new(&watcher, &err);
        CHECK_OK(tar_scan_push(scan, tar.data, tar.len, &err), err);
        CHECK_OK(tar_scan_end(scan, &err), err);
        CHECK_STR(list.data != NULL ? list.data : "", text);
        tar_scan_free(scan);
        buf_free(&list);
        buf_free(&tar);
}

static void
refuse(const struct tar_dir_opts *opts, enum err_code code, const char *text)
{
        struct buf tar;
        struct err err;

        CHECK_ERR(gather(opts, 65536, &tar, &err) < 0, err, code, text);
        buf_free(&tar);
}

TEST(stores_a_tree_sorted_by_name)
{
        setup();
        run("cd t; umask 022; mkdir -p b/c; printf hello > b/x; printf '' > b/c/empty; "
            "ln -s ../b a-link; printf 12 > z; chmod 600 z");
        struct tar_dir_opts opts = opts_of_t();
        expect(&opts, "l a-link -> ../b 0 777\n"
                      "d b 0 755\n"
                      "d b/c 0 755\n"
                      "f b/c/empty 0 644\n"
                      "f b/x 5 644\n"
                      "f z 2 600\n");
}

TEST(an_empty_directory_is_an_empty_tar)
{
        setup();
        struct tar_dir_opts opts = opts_of_t();
        expect(&opts, "");
}

TEST(gnu_tar_extracts_what_was_stored)
{
        struct buf tar;
        struct err err;

        setup();
        run("cd t; mkdir -p d/$(printf 'x%.0s' $(seq 1 150)); head -c 300000 /dev/urandom > d/r; "
            "ln -s r d/l; ln d/r d/h; echo x > d/$(printf 'x%.0s' $(seq 1 150))/y");
        struct tar_dir_opts opts = opts_of_t();
        /* A small buffer, so that every kind of step is cut somewhere. */
        CHECK_OK(gather(&opts, 700, &tar, &err), err);
        FILE *file = fopen(test_path("t.tar"), "w");
        CHECK_INT(fwrite(tar.data, 1, tar.len, file), tar.len);
        fclose(file);
        buf_free(&tar);
        run("mkdir u; tar -xf t.tar -C u; diff -r t u; [ u/d/r -ef u/d/h ]; [ -L u/d/l ]");
}

TEST(stores_hard_links_once)
{
        setup();
        run("cd t; umask 022; printf data > a; ln a b; mkdir d; ln a d/c");
        struct tar_dir_opts opts = opts_of_t();
        expect(&opts, "f a 4 644\n"
                      "h b -> a 0 644\n"
                      "d d 0 755\n"
                      "h d/c -> a 0 644\n");
}

TEST(names_are_bytes)
{
        setup();
        run("cd t; umask 022; : > \"$(printf 'u\\303\\244')\"; : > \"$(printf 'v\\377\\344')\"; "
            "ln -s \"$(printf 'to\\377')\" w; : > \"$(printf 'x\\ny')\"");
        struct tar_dir_opts opts = opts_of_t();
        expect(&opts, "f u\xc3\xa4 0 644\n"
                      "f v\xff\xe4 0 644\n"
                      "l w -> to\xff 0 777\n"
                      "f x\ny 0 644\n");
}

/* GNU tar complains of records that it does not know. */
TEST(plain_names_need_no_pax_header)
{
        struct buf tar;
        struct err err;

        setup();
        run("cd t; echo > $(printf 'x%.0s' $(seq 1 99)); touch -d '2020-01-01 00:00:00.123' z");
        struct tar_dir_opts opts = opts_of_t();
        CHECK_OK(gather(&opts, 4096, &tar, &err), err);
        CHECK_INT(tar.len, 512 + 512 + 512 + 1024);
        CHECK(memmem(tar.data, tar.len, "hdrcharset", 10) == NULL);
        buf_free(&tar);
}

TEST(takes_only_the_given_names)
{
        static const char *const names[] = { "b/c/", "./z", "l", NULL };

        setup();
        run("cd t; umask 022; mkdir -p b/c/d b/other; echo > b/c/d/x; echo > z; echo > y; ln -s z "
            "l");
        struct tar_dir_opts opts = opts_of_t();
        opts.names = names;
        expect(&opts, "d b/c 0 755\n"
                      "d b/c/d 0 755\n"
                      "f b/c/d/x 1 644\n"
                      "f z 1 644\n"
                      "l l -> z 0 777\n");
}

TEST(follows_given_names_but_nothing_below_them)
{
        static const char *const names[] = { "file", "dir", "dir/file", NULL };

        setup();
        run("cd t; umask 022; mkdir real; printf 123 > real/file; ln -s real/file file; "
            "ln -s real dir; ln -s file real/inner");
        struct tar_dir_opts opts = opts_of_t();
        opts.names = names;
        opts.follow_names = true;
        expect(&opts, "f file 3 644\n"
                      "d dir 0 755\n"
                      "f dir/file 3 644\n"
                      "l dir/inner -> file 0 777\n"
                      "f dir/file 3 644\n");
        opts.follow_names = false;
        refuse(&opts, ERR_NOT_FOUND, "dir/file");
}

TEST(names_outside_and_missing_names_are_refused)
{
        static const char *const outside[] = { "../x", NULL };
        static const char *const absolute[] = { "", NULL };
        static const char *const missing[] = { "no/such", NULL };
        static const char *const missing_too[] = { "none", NULL };

        setup();
        struct tar_dir_opts opts = opts_of_t();
        opts.names = outside;
        refuse(&opts, ERR_INVALID, "../x");
        opts.names = absolute;
        refuse(&opts, ERR_INVALID, "");
        opts.names = missing;
        refuse(&opts, ERR_NOT_FOUND, "no/such");
        opts.names = missing_too;
        refuse(&opts, ERR_NOT_FOUND, "none");
        opts.names = NULL;
        opts.root = test_path("nothing");
        refuse(&opts, ERR_NOT_FOUND, "nothing");
}

TEST(refuses_fifos_and_sockets)
{
        setup();
        run("mkfifo t/pipe");
        struct tar_dir_opts opts = opts_of_t();
        refuse(&opts, ERR_UNSUPPORTED, "t/pipe\" is a socket, FIFO or device");
}

TEST(names_a_file_that_may_not_be_read)
{
        setup();
        if (geteuid() == 0) {
                /* Root reads everything; somebody else does not. */
                CHECK_INT(chmod(test_dir(), 0755), 0);
                run("echo > t/secret; chmod 0 t/secret");
                CHECK_INT(seteuid(65534), 0);
        } else {
                run("echo > t/secret; chmod 0 t/secret");
        }
        struct tar_dir_opts opts = opts_of_t();
        refuse(&opts, ERR_PERMISSION, "t/secret");
        CHECK_INT(seteuid(getuid()), 0);
}

TEST(says_the_total_before_the_first_byte)
{
        _Atomic uint64_t total = 0;
        struct err err;
        char byte;

        setup();
        run("cd t; mkdir d; head -c 1000 /dev/zero > a; ln a b; head -c 234 /dev/zero > d/c; "
            "ln -s a l");
        struct tar_dir_opts opts = opts_of_t();
        opts.total = &total;
        struct source *src = tar_dir_source(&opts, NULL, &err);
        CHECK_INT(source_read(src, &byte, 1, &err), 1);
        CHECK_INT(total, 1234);
        source_free(src);
}

/* Read until the data of a 100,000-byte file has begun. */
static struct source *
source_in_the_middle(struct err *err)
{
        static char chunk[20000];

        setup();
        run("head -c 100000 /dev/zero > t/a");
        struct tar_dir_opts opts = opts_of_t();
        struct source *src = tar_dir_source(&opts, NULL, err);
        CHECK_INT(source_read(src, chunk, sizeof(chunk), err), 512);
        CHECK_INT(source_read(src, chunk, sizeof(chunk), err), sizeof(chunk));
        return src;
}

TEST(a_file_that_shrinks_is_an_error)
{
        struct err err;
        struct source *src = source_in_the_middle(&err);

        CHECK_INT(truncate(test_path("t/a"), 20000), 0);
        CHECK_ERR(stream_drain(src, NULL, NULL, &err) < 0, err, ERR_IO,
            "t/a\" changed while it was read");
        source_free(src);
}

TEST(a_file_that_grows_is_cut_at_its_size)
{
        struct err err;
        struct source *src = source_in_the_middle(&err);

        CHECK_INT(truncate(test_path("t/a"), 200000), 0);
        CHECK_OK(stream_drain(src, NULL, NULL, &err), err);
        CHECK_INT(source_bytes(src), 512 + 100352 + 1024);
        source_free(src);
}

TEST(a_file_that_vanishes_is_an_error)
{
        struct err err;
        struct source *src;
        char chunk[512];

        setup();
        run("echo > t/a; echo > t/b");
        struct tar_dir_opts opts = opts_of_t();
        src = tar_dir_source(&opts, NULL, &err);
        CHECK_INT(source_read(src, chunk, sizeof(chunk), &err), 512);
        CHECK_INT(unlink(test_path("t/b")), 0);
        CHECK_ERR(stream_drain(src, NULL, NULL, &err) < 0, err, ERR_IO, "t/b\" changed");
        source_free(src);
}

TEST(a_file_that_became_a_link_is_not_followed)
{
        struct err err;
        struct source *src;
        char chunk[512];

        setup();
        run("echo > t/a; echo > t/b; echo secret > outside");
        struct tar_dir_opts opts = opts_of_t();
        src = tar_dir_source(&opts, NULL, &err);
        CHECK_INT(source_read(src, chunk, sizeof(chunk), &err), 512);
        run("rm t/b; ln -s ../outside t/b");
        struct buf rest;
        buf_init(&rest, TAR_MAX);
        ssize_t got;
        while ((got = source_read(src, chunk, sizeof(chunk), &err)) > 0)
                CHECK_OK(buf_add(&rest, chunk, (size_t)got, &err), err);
        CHECK(memmem(rest.data, rest.len, "secret", 6) == NULL);
        buf_free(&rest);
        source_free(src);
}

TEST(a_deep_tree_needs_few_descriptors)
{
        setup();
        run("cd t; for i in $(seq 1 100); do mkdir a; echo > b; cd a; done; "
            "[ $(ulimit -n) -gt 100 ]");
        struct buf tar;
        struct err err;
        struct tar_dir_opts opts = opts_of_t();
        struct source *src = tar_dir_source(&opts, NULL, &err);
        char chunk[4096];
        int most = 0;
        buf_init(&tar, TAR_MAX);
        ssize_t got;
        while ((got = source_read(src, chunk, sizeof(chunk), &err)) > 0) {
                int fd = open("/dev/null", O_RDONLY);
                most = fd > most ? fd : most;
                close(fd);
                CHECK_OK(buf_add(&tar, chunk, (size_t)got, &err), err);
        }
        CHECK_INT(got, 0);
        CHECK(most < 60);
        source_free(src);
        FILE *pipe = popen("[ \"$(tar -tf - | grep -c b$)\" = 100 ]", "w");
        CHECK_INT(fwrite(tar.data, 1, tar.len, pipe), tar.len);
        CHECK_INT(pclose(pipe), 0);
        CHECK(memmem(tar.data, tar.len, "a/a/a/a/b", 9) != NULL);
        buf_free(&tar);
}

TEST(a_directory_that_is_moved_during_the_walk_is_noticed)
{
        struct err err;
        char chunk[512];
        ssize_t got;
        char deep[200] = "";

        setup();
        for (int depth = 0; depth < 45; depth++)
                strcat(deep, "a/");
        char script[600];
        snprintf(script, sizeof(script), "mkdir -p t/%s; echo > t/%sb; mkdir other", deep, deep);
        run(script);
        struct tar_dir_opts opts = opts_of_t();
        struct source *src = tar_dir_source(&opts, NULL, &err);
        for (int entry = 0; entry < 46; entry++)
                CHECK_INT(source_read(src, chunk, sizeof(chunk), &err), 512);
        /* Its ".." is another directory now. */
        run("mv t/a/a/a/a/a other/moved");
        while ((got = source_read(src, chunk, sizeof(chunk), &err)) > 0)
                ;
        CHECK_ERR(got < 0, err, ERR_IO, "changed while its directory was read");
        source_free(src);
}

TEST(cancel_ends_it)
{
        struct err err;
        struct cancel *token = cancel_new(NULL, &err);
        char chunk[512];

        setup();
        run("echo > t/a");
        struct tar_dir_opts opts = opts_of_t();
        struct source *src = tar_dir_source(&opts, token, &err);
        CHECK_INT(source_read(src, chunk, sizeof(chunk), &err), 512);
        cancel_trigger(token);
        CHECK_ERR(source_read(src, chunk, sizeof(chunk), &err) < 0, err, ERR_CANCELLED, "");
        source_free(src);
        cancel_unref(token);
}

TEST(can_be_dropped_at_any_point)
{
        struct err err;
        char chunk[300];

        setup();
        run("cd t; mkdir d; echo > d/a; head -c 2000 /dev/zero > d/b; ln d/a d/c");
        struct tar_dir_opts opts = opts_of_t();
        for (int reads = 0; reads < 30; reads++) {
                struct source *src = tar_dir_source(&opts, NULL, &err);
                for (int done = 0; done < reads; done++)
                        CHECK(source_read(src, chunk, sizeof(chunk), &err) >= 0);
                source_free(src);
        }
}

static int
store(void *arg, struct err *err)
{
        static const char *const names[] = { "d", "l", NULL };
        _Atomic uint64_t total;
        struct tar_dir_opts opts = {
                .root = arg, .names = names, .follow_names = false, .total = &total
        };
        struct source *src = tar_dir_source(&opts, NULL, err);

        if (src == NULL)
                return -1;
        int rc = stream_drain(src, NULL, NULL, err);
        source_free(src);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        setup();
        run("cd t; mkdir -p d/e; echo x > d/e/a; ln d/e/a d/b; ln -s d l");
        test_each_allocation(store, (void *)test_path("t"));
}
