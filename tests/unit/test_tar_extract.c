#include "harness/test.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/cancel.h"
#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/tar.h"

#define BLOCK 512

/* A tar under construction, and where it goes. */
static struct buf tar;
static const char *dest;

static void
begin(void)
{
        setlocale(LC_CTYPE, "C.UTF-8");
        buf_init(&tar, 64 * 1024 * 1024);
        dest = test_path("dest");
        CHECK_INT(mkdir(dest, 0755), 0);
        CHECK_INT(mkdir(test_path("outside"), 0755), 0);
}

static void
put_sum(unsigned char *block)
{
        unsigned sum = 0;

        memset(block + 148, ' ', 8);
        for (int pos = 0; pos < BLOCK; pos++)
                sum += block[pos];
        snprintf((char *)block + 148, 7, "%06o", sum);
}

static void
put_entry_of(
    const char *name, char type, const char *link, const char *data, unsigned mode, unsigned uid)
{
        static const char zeros[BLOCK];
        unsigned size = data != NULL ? (unsigned)strlen(data) : 0;
        unsigned char *block = (unsigned char *)buf_reserve(&tar, BLOCK, NULL);

        memset(block, 0, BLOCK);
        memcpy(block, name, strlen(name));
        snprintf((char *)block + 100, 8, "%07o", mode);
        snprintf((char *)block + 108, 8, "%07o", uid);
        snprintf((char *)block + 116, 8, "%07o", uid);
        snprintf((char *)block + 124, 12, "%011o", size);
        snprintf((char *)block + 136, 12, "%011o", 1500000000);
        block[156] = (unsigned char)type;
        if (link != NULL)
                memcpy(block + 157, link, strlen(link));
        memcpy(block + 257, "ustar\00000", 8);
        put_sum(block);
        buf_commit(&tar, BLOCK);
        if (size > 0) {
                buf_add(&tar, data, size, NULL);
                buf_add(&tar, zeros, (BLOCK - size % BLOCK) % BLOCK, NULL);
        }
}

static void
put_file(const char *name, const char *data)
{
        put_entry_of(name, '0', NULL, data, 0640, 0);
}

static void
put_dir(const char *name)
{
        put_entry_of(name, '5', NULL, NULL, 0750, 0);
}

static void
put_link(const char *name, char type, const char *link)
{
        put_entry_of(name, type, link, NULL, 0777, 0);
}

static void
put_end(void)
{
        static const char zeros[2 * BLOCK];

        buf_add(&tar, zeros, sizeof(zeros), NULL);
}

static int
extract_as(const struct tar_extract_opts *opts, struct err *err)
{
        struct source *src = mem_source(tar.data, tar.len, err);

        if (src == NULL)
                return -1;
        return tar_extract(src, dest, opts, NULL, err);
}

static int
extract(struct err *err)
{
        struct tar_extract_opts opts = { .owner = TAR_OWNER_OURS };

        return extract_as(&opts, err);
}

static void
run(const char *script)
{
        char command[4096];

        snprintf(command, sizeof(command), "cd '%s' && { %s; }", test_dir(), script);
        CHECK_INT(system(command), 0);
}

static void
check_content(const char *path, const char *want)
{
        char got[256] = "";
        FILE *file = fopen(test_path(path), "r");

        CHECK(file != NULL);
        got[fread(got, 1, sizeof(got) - 1, file)] = '\0';
        fclose(file);
        CHECK_STR(got, want);
}

/* The tar is refused, and the last entry of it has left nothing. */
static void
refuse(enum err_code code, const char *text)
{
        struct err err;

        put_end();
        CHECK_ERR(extract(&err) < 0, err, code, text);
        buf_free(&tar);
        run("[ -z \"$(ls -A outside)\" ] && [ ! -e escaped ] && [ ! -e dest/bad ]");
}

TEST(restores_files_directories_links_modes_and_times)
{
        struct err err;
        struct stat st;

        begin();
        put_dir("./");
        put_dir("./d/");
        put_file("./d/a", "hello");
        put_link("d/l", '2', "../e/f/b");
        put_link("d/h", '1', "./d/a");
        put_file("e/f/b", "world");
        put_file("empty", NULL);
        put_end();
        CHECK_OK(extract(&err), err);
        buf_free(&tar);

        check_content("dest/d/a", "hello");
        check_content("dest/d/l", "world");
        check_content("dest/e/f/b", "world");
        check_content("dest/empty", "");
        run("[ dest/d/a -ef dest/d/h ] && [ \"$(readlink dest/d/l)\" = ../e/f/b ]");
        CHECK_INT(stat(test_path("dest/d/a"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0640);
        CHECK_INT(st.st_mtime, 1500000000);
        CHECK_INT(stat(test_path("dest/d"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0750);
        CHECK_INT(st.st_mtime, 1500000000);
        CHECK_INT(lstat(test_path("dest/d/l"), &st), 0);
        CHECK_INT(st.st_mtime, 1500000000);
        /* dest itself stays as it was. */
        CHECK_INT(stat(test_path("dest"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0755);
}

TEST(what_tar_dir_source_stores_comes_back)
{
        struct err err;
        struct tar_extract_opts opts = { .owner = TAR_OWNER_OURS };

        begin();
        run("mkdir -p in/d/e; cd in; head -c 700000 /dev/urandom > d/r; ln d/r h; ln -s d/r l; "
            "echo > \"$(printf 'v\\377\\344')\"; chmod 555 d/e; touch -d 2001-01-01 d/e; "
            "echo > $(printf 'n%.0s' $(seq 1 200))");
        struct tar_dir_opts from = { .root = test_path("in") };
        struct source *src = tar_dir_source(&from, NULL, &err);
        CHECK_OK(tar_extract(src, dest, &opts, NULL, &err), err);
        run("diff -r in dest && [ dest/d/r -ef dest/h ] && [ $(stat -c %a%Y dest/d/e) = "
            "$(stat -c %a%Y in/d/e) ]");
}

TEST(what_gnu_tar_stores_comes_back)
{
        struct err err;
        static const char *const formats[] = { "v7", "gnu", "ustar", "pax" };

        begin();
        run("mkdir -p in/d/e; cd in; head -c 70000 /dev/urandom > d/r; ln d/r h; ln -s d/r l; "
            "echo > $(printf 'n%.0s' $(seq 1 90))");
        for (size_t idx = 0; idx < 4; idx++) {
                char script[200];
                buf_init(&tar, 64 * 1024 * 1024);
                snprintf(script, sizeof(script),
                    "rm -rf dest; mkdir dest; tar --format=%s -cf t.tar -C in .", formats[idx]);
                run(script);
                FILE *file = fopen(test_path("t.tar"), "r");
                char *room = buf_reserve(&tar, 1000000, &err);
                buf_commit(&tar, fread(room, 1, 1000000, file));
                fclose(file);
                CHECK_OK(extract(&err), err);
                buf_free(&tar);
                run("diff -r in dest && [ dest/d/r -ef dest/h ]");
        }
}

TEST(refuses_a_name_that_leads_out)
{
        begin();
        put_file("../escaped", "x");
        refuse(ERR_CORRUPT, "cannot extract \"../escaped\": its name leads out");
}

TEST(refuses_a_name_with_dots_in_the_middle)
{
        begin();
        put_dir("d");
        put_file("d/../../escaped", "x");
        refuse(ERR_CORRUPT, "\"d/../../escaped\"");
}

TEST(refuses_an_absolute_name)
{
        begin();
        char name[100];
        snprintf(name, sizeof(name), "%.98s", test_path("escaped"));
        put_file(name, "x");
        refuse(ERR_CORRUPT, "its name leads out");
}

TEST(refuses_an_absolute_link)
{
        begin();
        put_link("bad", '2', "/etc/passwd");
        refuse(ERR_CORRUPT, "\"bad\": its target \"/etc/passwd\" leads out");
}

TEST(refuses_a_link_that_leads_out)
{
        begin();
        put_link("bad", '2', "../outside");
        refuse(ERR_CORRUPT, "its target \"../outside\" leads out");
}

TEST(refuses_a_link_that_leads_out_through_another_link)
{
        struct err err;

        begin();
        put_link("here", '2', ".");
        put_link("bad", '2', "here/../outside");
        refuse(ERR_CORRUPT, "leads out");
        /* The same from deeper, where it stays inside. */
        buf_init(&tar, 64 * 1024);
        run("rm -rf dest; mkdir dest");
        put_link("d/e/good", '2', "../../f");
        put_file("f", "x");
        put_end();
        CHECK_OK(extract(&err), err);
        check_content("dest/d/e/good", "x");
        buf_free(&tar);
}

TEST(refuses_a_name_that_passes_through_a_link)
{
        begin();
        put_dir("d");
        put_link("l", '2', "d");
        put_file("l/bad", "x");
        refuse(ERR_CORRUPT, "\"l/bad\": its name passes through the symbolic link \"l\"");
        run("[ ! -e dest/d/bad ]");
}

TEST(refuses_a_name_that_passes_through_a_link_that_was_there)
{
        begin();
        run("ln -s ../outside dest/l");
        put_file("l/bad", "x");
        refuse(ERR_CORRUPT, "passes through the symbolic link \"l\"");
}

TEST(refuses_a_directory_in_the_place_of_a_link)
{
        begin();
        run("ln -s ../outside dest/l");
        put_dir("l");
        put_file("l/bad", "x");
        refuse(ERR_EXISTS, "\"l\": it exists");
}

TEST(refuses_a_name_that_passes_through_a_file)
{
        begin();
        put_file("f", "x");
        put_file("f/bad", "x");
        refuse(ERR_CORRUPT, "passes through the file \"f\"");
}

TEST(refuses_hard_links_to_what_was_not_extracted)
{
        begin();
        run("echo > dest/there-before");
        put_link("bad", '1', "there-before");
        refuse(ERR_CORRUPT, "its target \"there-before\" was not extracted before");

        buf_init(&tar, 64 * 1024);
        put_link("bad", '1', "no/such");
        refuse(ERR_CORRUPT, "was not extracted before");
        buf_init(&tar, 64 * 1024);
        put_link("bad", '1', "../escaped");
        refuse(ERR_CORRUPT, "is not inside");
        buf_init(&tar, 64 * 1024);
        put_link("bad", '1', "/etc/hostname");
        refuse(ERR_CORRUPT, "is not inside");
        buf_init(&tar, 64 * 1024);
        put_link("l", '2', "x");
        put_link("bad", '1', "l");
        refuse(ERR_CORRUPT, "was not extracted before");
}

TEST(refuses_devices_fifos_and_files_with_holes)
{
        static const char types[] = "346";

        begin();
        for (int idx = 0; idx < 3; idx++) {
                buf_init(&tar, 64 * 1024);
                put_entry_of("bad", types[idx], NULL, NULL, 0644, 0);
                refuse(ERR_CORRUPT, "\"bad\": it is a device");
        }
        buf_init(&tar, 64 * 1024);
        put_entry_of("pax", 'x', NULL, "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n", 0, 0);
        put_file("bad", "1\n0\n1\nx");
        refuse(ERR_UNSUPPORTED, "stored with holes");
}

TEST(never_overwrites)
{
        begin();
        run("echo old > dest/f");
        put_file("f", "new");
        refuse(ERR_EXISTS, "cannot extract \"f\"");
        check_content("dest/f", "old\n");

        buf_init(&tar, 64 * 1024);
        put_file("twice", "1");
        put_file("twice", "2");
        refuse(ERR_EXISTS, "\"twice\"");
        check_content("dest/twice", "1");
        buf_init(&tar, 64 * 1024);
        put_link("f", '2', "x");
        refuse(ERR_EXISTS, "\"f\"");
        buf_init(&tar, 64 * 1024);
        put_dir("f");
        refuse(ERR_EXISTS, "\"f\": it exists, and is no directory");
}

TEST(does_not_write_through_a_dangling_link)
{
        begin();
        run("ln -s ../escaped dest/f");
        put_file("f", "x");
        refuse(ERR_EXISTS, "\"f\"");
}

TEST(a_directory_may_come_twice_and_be_there)
{
        struct err err;

        begin();
        run("mkdir dest/d");
        put_dir("d");
        put_dir("d/");
        put_file("d/a", "x");
        put_end();
        CHECK_OK(extract(&err), err);
        check_content("dest/d/a", "x");
        buf_free(&tar);
}

TEST(a_closed_directory_can_be_filled)
{
        struct err err;
        struct stat st;

        begin();
        put_entry_of("d", '5', NULL, NULL, 0500, 0);
        put_entry_of("d/e", '5', NULL, NULL, 0, 0);
        put_file("d/e/a", "x");
        put_end();
        if (geteuid() == 0) {
                CHECK_INT(chown(test_path("dest"), 65534, 65534), 0);
                CHECK_INT(chmod(test_dir(), 0755), 0);
                CHECK_INT(seteuid(65534), 0);
        }
        CHECK_OK(extract(&err), err);
        CHECK_INT(stat(test_path("dest/d"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0500);
        CHECK_INT(seteuid(getuid()), 0);
        run("chmod -R u+rwx dest");
        check_content("dest/d/e/a", "x");
        buf_free(&tar);
}

TEST(set_id_bits_stay_only_with_the_stored_owner)
{
        struct err err;
        struct stat st;
        struct tar_extract_opts opts = { .owner = TAR_OWNER_STORED };

        begin();
        put_entry_of("s", '0', NULL, "x", 06755, getuid());
        put_end();
        CHECK_OK(extract(&err), err);
        CHECK_INT(stat(test_path("dest/s"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0755);
        run("rm dest/s");
        CHECK_OK(extract_as(&opts, &err), err);
        CHECK_INT(stat(test_path("dest/s"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 06755);
        buf_free(&tar);
}

TEST(gives_everything_to_the_owner_that_is_asked_for)
{
        struct err err;
        struct stat st;
        struct tar_extract_opts opts = { .owner = TAR_OWNER_FIXED, .uid = 1234, .gid = 1235 };

        if (geteuid() != 0)
                SKIP("needs root");
        begin();
        put_file("on/the/way", "x");
        put_dir("d");
        put_link("l", '2', "d");
        put_entry_of("stored", '0', NULL, "x", 0600, 77);
        put_end();
        CHECK_OK(extract_as(&opts, &err), err);
        run("[ -z \"$(find dest/* ! -user 1234 -o ! -group 1235)\" ]");
        run("rm -rf dest/*");
        opts.owner = TAR_OWNER_STORED;
        CHECK_OK(extract_as(&opts, &err), err);
        CHECK_INT(stat(test_path("dest/stored"), &st), 0);
        CHECK_INT(st.st_uid, 77);
        buf_free(&tar);
}

TEST(a_cut_tar_is_an_error)
{
        struct err err;

        begin();
        put_file("a", "x");
        CHECK_ERR(extract(&err) < 0, err, ERR_TRUNCATED, "cut");
        buf_free(&tar);
}

TEST(a_missing_destination_is_named)
{
        struct err err;
        struct tar_extract_opts opts = { .owner = TAR_OWNER_OURS };

        CHECK_ERR(tar_extract(mem_source("", 0, &err), test_path("none"), &opts, NULL, &err) < 0,
            err, ERR_NOT_FOUND, "none");
}

TEST(a_full_disk_names_the_file)
{
        struct err err;
        struct rlimit limit = { 2000, 2000 };
        char data[4001];

        begin();
        memset(data, 'x', 4000);
        data[4000] = '\0';
        put_file("big", data);
        put_end();
        signal(SIGXFSZ, SIG_IGN);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
        CHECK_ERR(extract(&err) < 0, err, ERR_FULL, "cannot extract \"big\": cannot write");
        CHECK(strstr(err.hint, "beyond 2000 bytes") != NULL);
        buf_free(&tar);
}

static int
say_no(void *arg, const struct tar_entry *entry, struct err *err)
{
        (void)arg;
        return strcmp(entry->name, "bad") == 0 ? err_set(err, ERR_REFUSED, "not this one") : 0;
}

TEST(the_watcher_sees_an_entry_before_it_is_written)
{
        struct err err;
        struct tar_extract_opts opts = { .owner = TAR_OWNER_OURS, .watcher = { .entry = say_no } };

        begin();
        put_file("good", "x");
        put_file("bad", "x");
        put_end();
        CHECK_ERR(extract_as(&opts, &err) < 0, err, ERR_REFUSED, "not this one");
        check_content("dest/good", "x");
        run("[ ! -e dest/bad ]");
        buf_free(&tar);
}

TEST(cancel_ends_it)
{
        struct err err;
        struct tar_extract_opts opts = { .owner = TAR_OWNER_OURS };
        struct cancel *token = cancel_new(NULL, &err);

        begin();
        put_file("a", "x");
        put_end();
        cancel_trigger(token);
        CHECK_ERR(tar_extract(mem_source(tar.data, tar.len, &err), dest, &opts, token, &err) < 0,
            err, ERR_CANCELLED, "");
        cancel_unref(token);
        buf_free(&tar);
}

static int
extract_anew(void *arg, struct err *err)
{
        (void)arg;
        run("rm -rf dest; mkdir dest");
        return extract(err);
}

TEST(survives_each_failing_allocation)
{
        begin();
        put_dir("d");
        put_file("d/a", "x");
        put_link("h", '1', "d/a");
        put_link("l", '2', "d/a");
        put_end();
        test_each_allocation(extract_anew, NULL);
        buf_free(&tar);
}
