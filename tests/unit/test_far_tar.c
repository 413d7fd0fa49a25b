/*
 * Tars out of a far end and into one, by transports that cut, lie, lose and keep silent.
 * begins early
 */
#include "harness/far_test.h"
#include "harness/test.h"

#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moonkeep/far_stream.h"
#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"

#define STALL_MS 30000

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
sh(const char *fmt, ...)
{
        char command[8192];
        va_list args;

        va_start(args, fmt);
        vsnprintf(command, sizeof(command), fmt, args);
        va_end(args);
        if (system(command) != 0)
                fprintf(stderr, "failed: %s\n", command);
        CHECK(true);
}

/* A tree with what is odd; DIR/tree. */
static const char *
make_tree(void)
{
        sh("cd %s && rm -rf tree && mkdir -p tree/d/e 'tree/a b' && cd tree && echo one >d/one && "
           ": >empty && "
           "printf 'x%%.0s' $(seq 1 3000) >'a b/-dash' && echo n >\"$(printf 'new\\nline')\" && "
           "echo i >\"$(printf 'bad\\377')\" && ln -s d/one link && ln d/one d/hard && chmod 750 "
           "d/e && "
           "chmod 640 d/one && touch -d @1500000000 d/one d/e && "
           "dd if=/dev/urandom of=big bs=64k count=9 2>/dev/null && "
           "echo long >$(printf 'n%%.0s' $(seq 1 180))",
            test_dir());
        return test_path("tree");
}

static void
with_each(void (*fn)(struct far_host *host, const char *name))
{
        const char *busybox = far_test_busybox();

        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                bool is_busybox = strncmp(*name, "busybox", 7) == 0;
                struct far_host *host = far_test_host(*name, is_busybox ? busybox : NULL, NULL);
                fprintf(stderr, "# %s\n", *name);
                fn(host, *name);
                far_host_unref(host);
        }
}

static int
fetch(struct far_host *host, const struct far_tar_opts *opts, struct buf *out, struct err *err)
{
        return far_test_take(far_tar_source(host, opts, NULL, err), out, err);
}

static int
put(struct far_host *host, const struct buf *tar, const struct far_extract_opts *opts,
    struct err *err)
{
        return far_tar_extract(mem_source(tar->data, tar->len, err), host, opts, NULL, err);
}

static void
there_and_back(struct far_host *host, const char *name)
{
        const char *root = make_tree();
        const char *dest = test_path("dest");
        struct buf tar;
        struct err err;

        (void)name;
        for (int proof = FAR_STRUCTURE; proof <= FAR_DIGEST; proof++) {
                _Atomic uint64_t total = 0;
                struct far_tar_opts out = { .root = root,
                        .proof = (enum far_proof)proof,
                        .stall_ms = STALL_MS,
                        .total = &total };
                struct far_extract_opts in = {
                        .dest = dest, .proof = (enum far_proof)proof, .stall_ms = STALL_MS
                };
                CHECK_OK(fetch(host, &out, &tar, &err), err);
                CHECK(total > 500000);
                sh("rm -rf %s; mkdir -m 711 %s", dest, dest);
                CHECK_OK(put(host, &tar, &in, &err), err);
                buf_free(&tar);
                sh("diff -r --no-dereference %s %s", root, dest);
                CHECK_INT(system("exit 0"), 0);
                char command[4096];
                snprintf(command, sizeof(command),
                    "diff -r --no-dereference %s %s && [ \"$(stat -c '%%a %%Y' %s/d/one %s/d/e)\" "
                    "= "
                    "\"$(stat -c '%%a %%Y' %s/d/one %s/d/e)\" ] && [ $(stat -c %%h %s/d/hard) = 2 "
                    "] && [ "
                    "$(stat -c %%a %s) = 711 ] && [ -z \"$(find %s -name '.moon*')\" ]",
                    root, dest, root, root, dest, dest, dest, dest, dest);
                CHECK_INT(system(command), 0);
        }
}

TEST(a_tree_goes_out_and_comes_back)
{
        with_each(there_and_back);
}

static int
see_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        return buf_addf(arg, err, "%s%s%s\n", entry->name, entry->link != NULL ? " -> " : "",
            entry->link != NULL ? entry->link : "");
}

/* The names in a tar, sorted as they come. */
static const char *
names_of(struct far_host *host, const struct far_tar_opts *opts)
{
        static struct buf names;
        struct tar_watcher watcher = { .entry = see_entry, .arg = &names };
        struct buf tar;
        struct err err;

        buf_free(&names);
        buf_init(&names, 65536);
        CHECK_OK(fetch(host, opts, &tar, &err), err);
        struct tar_scan *scan = tar_scan_new(&watcher, &err);
        CHECK_OK(tar_scan_push(scan, tar.data, tar.len, &err), err);
        CHECK_OK(tar_scan_end(scan, &err), err);
        tar_scan_free(scan);
        buf_free(&tar);
        return names.data != NULL ? names.data : "";
}

static void
chosen_names(struct far_host *host, const char *name)
{
        static const char *const plain[] = { "d/one", "link", NULL };
        static const char *const dashed[] = { "-x y", "new\nline", NULL };
        static const char *const missing[] = { "d/one", "no", NULL };
        static const char *const through[] = { "ld/one", NULL };
        static const char *const dir_link[] = { "ld", NULL };
        static const char *const above[] = { "../x", NULL };
        static const char *const mixed[] = { "ld", "link", NULL };
        const char *root = make_tree();
        struct far_tar_opts opts = { .root = root, .stall_ms = STALL_MS };
        struct buf tar;
        struct err err;

        (void)name;
        sh("cd %s && ln -s d ld && echo >'-x y' && ln -s one d/inner", root);
        opts.names = plain;
        CHECK_STR(names_of(host, &opts), "d/one\nlink -> d/one\n");
        opts.follow_names = true;
        /* GNU tar sees that both are one file. */
        CHECK(strstr(names_of(host, &opts), "link") != NULL);
        opts.follow_names = false;
        opts.names = dashed;
        CHECK_STR(names_of(host, &opts), "-x y\nnew\nline\n");
        opts.names = missing;
        CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, ERR_NOT_FOUND, "\"no\": No such file");
        buf_free(&tar);
        opts.names = through;
        CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, ERR_INVALID, "through a symbolic link");
        buf_free(&tar);
        opts.follow_names = true;
        CHECK_STR(names_of(host, &opts), "ld/one\n");
        opts.names = dir_link;
        CHECK(strstr(names_of(host, &opts), "ld/inner -> one\n") != NULL);
        opts.names = above;
        CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, ERR_INVALID, "is no name below");
        buf_free(&tar);
        opts.names = mixed;
        CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, ERR_UNSUPPORTED, "named together");
        buf_free(&tar);
}

TEST(names_are_chosen_and_followed)
{
        with_each(chosen_names);
}

static void
refusals(struct far_host *host, const char *name)
{
        struct far_tar_opts opts = { .root = test_path("nowhere"), .stall_ms = STALL_MS };
        struct far_extract_opts in = { .dest = test_path("nowhere"), .stall_ms = STALL_MS };
        const char *root = make_tree();
        struct buf tar;
        struct err err;

        (void)name;
        CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, ERR_NOT_FOUND, "cannot read");
        opts.root = root;
        CHECK_OK(fetch(host, &opts, &tar, &err), err);
        CHECK_ERR(put(host, &tar, &in, &err) < 0, err, ERR_NOT_FOUND, "cannot extract into");
        /* What is there already stays. */
        in.dest = root;
        CHECK_ERR(put(host, &tar, &in, &err) < 0, err, ERR_EXISTS, "File exists");
        buf_free(&tar);
        sh("mkfifo %s/fifo", root);
        CHECK_ERR(
            fetch(host, &opts, &tar, &err) < 0, err, ERR_UNSUPPORTED, "device, FIFO or socket");
        buf_free(&tar);
}

TEST(what_cannot_be_done_is_told)
{
        with_each(refusals);
}

TEST(a_missing_tar_is_named)
{
        const char *root = make_tree();
        struct far_tar_opts opts = { .root = root, .stall_ms = STALL_MS };
        struct buf tar;
        struct err err;

        sh("mkdir -p %s/few && ln -sf /bin/dd /bin/cat %s/few", test_dir(), test_dir());
        struct far_host *host = far_test_host("/bin/dash", test_path("few"), NULL);
        CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, ERR_UNSUPPORTED, "test host has no tar");
        buf_free(&tar);
        far_host_unref(host);
}

/* What every byte class gets, in whichever way the transport lies. */
static void
lie_out(const char *shell, enum far_proof proof, enum far_lie lie, enum far_kind kind, uint64_t at,
    bool must_fail)
{
        struct far_lies lies = { .lie = lie, .kind = kind, .at = at };
        bool is_busybox = strncmp(shell, "busybox", 7) == 0;
        struct far_host *host = far_test_host(shell, is_busybox ? far_test_busybox() : NULL, &lies);
        struct far_tar_opts opts = { .root = test_path("small"), .proof = proof, .stall_ms = 2000 };
        struct buf tar;
        struct err err;
        struct buf want;
        struct far_host *honest =
            far_test_host(shell, is_busybox ? far_test_busybox() : NULL, NULL);

        CHECK_OK(fetch(honest, &opts, &want, &err), err);
        int rc = fetch(host, &opts, &tar, &err);
        fprintf(stderr, "# %s proof %d lie %d of %d at %llu: %s\n", shell, proof, lie, kind,
            (unsigned long long)at, rc == 0 ? "passed" : err.msg);
        if (must_fail)
                CHECK(rc < 0);
        if (rc == 0) {
                CHECK_INT(tar.len, want.len);
                CHECK(memcmp(tar.data, want.data, tar.len) == 0);
        }
        buf_free(&tar);
        buf_free(&want);
        far_host_unref(host);
        far_host_unref(honest);
}

static void
make_small(void)
{
        sh("cd %s && rm -rf small && mkdir small && cd small && printf %%700s x >file && : >z",
            test_dir());
}

TEST(a_transport_that_cuts_is_found_out)
{
        /* In a header, in data, in padding, between entries, in and behind the end blocks. */
        static const uint64_t places[] = { 0, 100, 511, 512, 600, 1024, 1500, 1724, 2047, 2048,
                2559, 2560, 2561, 3071, 3072 };

        make_small();
        for (size_t idx = 0; idx < sizeof(places) / sizeof(*places); idx++) {
                for (int proof = FAR_STRUCTURE; proof <= FAR_DIGEST; proof++) {
                        lie_out("dash", (enum far_proof)proof, LIE_CUT, FAR_OUT, places[idx], true);
                        lie_out("dash", (enum far_proof)proof, LIE_END, FAR_OUT, places[idx], true);
                }
        }
}

TEST(a_transport_that_cuts_the_words_is_found_out)
{
        static const uint64_t places[] = { 0, 10, 33, 37, 39 };

        make_small();
        for (size_t idx = 0; idx < sizeof(places) / sizeof(*places); idx++) {
                lie_out("dash", FAR_STRUCTURE, LIE_CUT, FAR_ERR, places[idx], true);
                lie_out("dash", FAR_STRUCTURE, LIE_END, FAR_ERR, places[idx], true);
        }
}

TEST(lost_and_doubled_bytes_are_found)
{
        static const uint64_t places[] = { 3, 600, 1100, 1300, 2000, 2300, 2700, 4000, 10239 };

        make_small();
        for (size_t idx = 0; idx < sizeof(places) / sizeof(*places); idx++) {
                lie_out("dash", FAR_STRUCTURE, LIE_DROP, FAR_OUT, places[idx], true);
                lie_out("dash", FAR_STRUCTURE, LIE_TWICE, FAR_OUT, places[idx], true);
        }
}

/*
 * What leaves no gap: files as a whole, and blocks of the last file, in whose place come
 * the zeros behind the end.
 */
TEST(blocks_and_files_that_are_lost_are_found)
{
        static const struct {
                const char *tree;
                uint64_t at;
                size_t count;
        } losses[] = {
                { "for n in $(seq 100); do echo $n >$n; done", 512 + 3 * 1024, 4096 },
                { "dd if=/dev/urandom of=f bs=1024 count=20 2>/dev/null", 4096, 512 },
        };
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = 600 };

        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                bool is_busybox = strncmp(*name, "busybox", 7) == 0;
                const char *path = is_busybox ? far_test_busybox() : NULL;
                for (size_t idx = 0; idx < sizeof(losses) / sizeof(*losses); idx++) {
                        struct far_lies lies = { .lie = LIE_DROP,
                                .kind = FAR_OUT,
                                .at = losses[idx].at,
                                .count = losses[idx].count };
                        struct far_host *host = far_test_host(*name, path, &lies);
                        struct buf tar;
                        struct err err;
                        sh("cd %s && rm -rf small && mkdir small && cd small && %s", test_dir(),
                            losses[idx].tree);
                        CHECK(fetch(host, &opts, &tar, &err) < 0);
                        CHECK(err.code == ERR_CORRUPT || err.code == ERR_TRUNCATED);
                        buf_free(&tar);
                        far_host_unref(host);
                }
        }
}

/* A tar of ours in front of theirs, which says what a real one would. */
static struct far_host *
host_with_tar(const char *script)
{
        char path[1024];
        const char *bin = test_path("bin");

        sh("mkdir -p %s && printf '%%s\\n' '#!/bin/sh' '%s' >%s/tar && chmod 755 %s/tar", bin,
            script, bin, bin);
        snprintf(path, sizeof(path), "%s:/usr/bin:/bin", bin);
        return far_test_host("/bin/dash", path, NULL);
}

/* It writes to the other channel, too. */
TEST(words_of_tar_are_no_loss)
{
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = STALL_MS };
        struct far_host *host =
            host_with_tar("echo tar: a warning >&2; /bin/tar \"$@\"; echo done >&2; exit 0");
        struct buf tar;
        struct err err;

        make_small();
        CHECK_OK(fetch(host, &opts, &tar, &err), err);
        buf_free(&tar);
        far_host_unref(host);
}

TEST(what_comes_in_another_order_is_the_same)
{
        make_small();
        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                for (int proof = FAR_STRUCTURE; proof <= FAR_DIGEST; proof++) {
                        lie_out(*name, (enum far_proof)proof, LIE_NONE, FAR_OUT, 0, false);
                        lie_out(*name, (enum far_proof)proof, LIE_ERR_FIRST, FAR_OUT, 0, false);
                        lie_out(*name, (enum far_proof)proof, LIE_OUT_FIRST, FAR_OUT, 0, false);
                        lie_out(*name, (enum far_proof)proof, LIE_BYTEWISE, FAR_OUT, 0, false);
                }
        }
}

TEST(silence_is_an_error)
{
        make_small();
        lie_out("dash", FAR_STRUCTURE, LIE_SILENT, FAR_OUT, 700, true);
        lie_out("dash", FAR_STRUCTURE, LIE_SILENT, FAR_ERR, 0, true);
}

TEST(uploads_survive_no_lie)
{
        static const struct {
                enum far_lie lie;
                uint64_t at;
        } lies[] = { { LIE_LOSE_INPUT, 0 }, { LIE_LOSE_INPUT, 2000 }, { LIE_LOSE_INPUT, 6500 },
                { LIE_LOSE_INPUT, 9000 }, { LIE_LOSE_INPUT, 12000 }, { LIE_CUT, 3 }, { LIE_END, 3 },
                { LIE_END, 60 }, { LIE_END, 110 } };
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = STALL_MS };
        struct far_host *honest = far_test_host("dash", NULL, NULL);
        struct buf tar;
        struct err err;

        make_small();
        CHECK_OK(fetch(honest, &opts, &tar, &err), err);
        for (size_t idx = 0; idx < sizeof(lies) / sizeof(*lies); idx++) {
                struct far_lies it = { .lie = lies[idx].lie, .kind = FAR_ERR, .at = lies[idx].at };
                struct far_host *host = far_test_host("dash", NULL, &it);
                struct far_extract_opts in = { .dest = test_path("dest"), .stall_ms = 2000 };
                sh("rm -rf %s; mkdir %s", in.dest, in.dest);
                int rc = put(host, &tar, &in, &err);
                fprintf(stderr, "# lie %d at %llu: %s\n", it.lie, (unsigned long long)it.at,
                    rc == 0 ? "passed" : err.msg);
                CHECK(rc < 0);
                far_host_unref(host);
        }
        /* Only a digest finds another byte inside a file. */
        struct far_lies flip = { .lie = LIE_FLIP_INPUT, .at = 8000 };
        struct far_host *host = far_test_host("dash", NULL, &flip);
        struct far_extract_opts in = {
                .dest = test_path("dest"), .proof = FAR_DIGEST, .stall_ms = 2000
        };
        sh("rm -rf %s; mkdir %s", in.dest, in.dest);
        CHECK(put(host, &tar, &in, &err) < 0);
        far_host_unref(host);
        far_host_unref(honest);
        buf_free(&tar);
}

TEST(what_tar_extract_refuses_never_leaves)
{
        struct far_host *host = far_test_host("dash", NULL, NULL);
        struct far_extract_opts in = { .dest = test_path("dest"), .stall_ms = STALL_MS };
        static const char *const makers[] = {
                "tar -P -c -f t.tar --transform=s,^,../, file",
                "tar -P -c -f t.tar --transform=s,^,/, file",
                "ln -s ../.. out; tar -c -f t.tar out",
                "ln -s /etc abs; tar -c -f t.tar abs",
                "mkfifo f; tar -c -f t.tar f",
                ("ln -s sub way; mkdir sub; echo >sub/x; tar -c -f t.tar way sub; tar -r -f t.tar "
                 "--transform=s,^sub,way, sub/x"),
        };
        struct err err;

        for (size_t idx = 0; idx < sizeof(makers) / sizeof(*makers); idx++) {
                struct buf tar;
                sh("cd %s && rm -rf odd dest && mkdir odd dest && cd odd && echo x >file && %s",
                    test_dir(), makers[idx]);
                FILE *file = fopen(test_path("odd/t.tar"), "r");
                char data[65536];
                CHECK(file != NULL);
                size_t len = fread(data, 1, sizeof(data), file);
                fclose(file);
                buf_init(&tar, sizeof(data));
                CHECK_OK(buf_add(&tar, data, len, &err), err);
                CHECK_ERR(put(host, &tar, &in, &err) < 0, err, ERR_CORRUPT, "cannot extract");
                buf_free(&tar);
        }
        far_host_unref(host);
}

TEST(the_words_of_tar_are_told)
{
        static const struct {
                const char *script;
                enum err_code code;
                const char *text;
        } rows[] = {
                { "/bin/tar \"$@\"; echo tar: ./file: file changed as we read it >&2; exit 1",
                    ERR_IO, "changed while it was read" },
                { "/bin/tar \"$@\"; echo tar: ./x: Cannot open: Permission denied >&2; exit 2",
                    ERR_PERMISSION, "Permission denied" },
                { "/bin/tar \"$@\"; exit 2", ERR_IO, "tar ended with status 2" },
                { "/bin/tar \"$@\" | dd bs=512 count=4 2>/dev/null; exit 0", ERR_TRUNCATED, "cut" },
                { "kill -9 $$", ERR_IO, "137" },
                { "echo no tar", ERR_TRUNCATED, "" },
        };
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = STALL_MS };

        make_small();
        for (size_t idx = 0; idx < sizeof(rows) / sizeof(*rows); idx++) {
                struct far_host *host = host_with_tar(rows[idx].script);
                struct buf tar;
                struct err err;
                CHECK_ERR(fetch(host, &opts, &tar, &err) < 0, err, rows[idx].code, rows[idx].text);
                buf_free(&tar);
                far_host_unref(host);
        }
}

TEST(a_silent_tar_gives_signs_of_life)
{
        struct far_host *host = host_with_tar("sleep 3; exec /bin/tar \"$@\"");
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = 1500 };
        struct buf tar;
        struct err err;

        make_small();
        CHECK_OK(fetch(host, &opts, &tar, &err), err);
        buf_free(&tar);
        far_host_unref(host);
}

TEST(a_full_disk_ends_an_upload_at_once)
{
        struct far_host *host = far_test_host("dash", NULL, NULL);
        struct far_tar_opts out = { .root = test_path("big"), .stall_ms = STALL_MS };
        struct far_extract_opts in = { .dest = test_path("full"), .stall_ms = STALL_MS };
        struct buf tar;
        struct err err;

        sh("mkdir %s %s && dd if=/dev/zero of=%s/f bs=1M count=20 2>/dev/null", out.root, in.dest,
            out.root);
        char command[512];
        snprintf(
            command, sizeof(command), "mount -t tmpfs -o size=1m none '%s' 2>/dev/null", in.dest);
        if (system(command) != 0)
                SKIP("needs a file system of its own: root");
        CHECK_OK(fetch(host, &out, &tar, &err), err);
        int rc = put(host, &tar, &in, &err);
        sh("umount '%s'", in.dest);
        CHECK_ERR(rc < 0, err, ERR_FULL, "cannot extract into");
        buf_free(&tar);
        far_host_unref(host);
}

TEST(no_tar_runs_on_when_we_are_killed)
{
        char seconds[32];

        snprintf(seconds, sizeof(seconds), "8641%d", (int)(getpid() % 100000));
        make_small();
        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                char path[1024];
                sh("mkdir -p %s && printf '%%s\\n' '#!/bin/sh' 'sleep %s' >%s/tar && chmod 755 "
                   "%s/tar",
                    test_path("bin"), seconds, test_path("bin"), test_path("bin"));
                snprintf(path, sizeof(path), "%s:/usr/bin:/bin", test_path("bin"));
                char full[64];
                snprintf(full, sizeof(full), strncmp(*name, "busybox", 7) == 0 ? "%s" : "/bin/%s",
                    *name);
                struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = STALL_MS };
                pid_t child = fork();
                if (child == 0) {
                        struct err err;
                        struct buf tar;
                        (void)fetch(far_test_host(full, path, NULL), &opts, &tar, &err);
                        _exit(0);
                }
                usleep(500000);
                CHECK_INT(kill(child, SIGKILL), 0);
                CHECK_INT(waitpid(child, NULL, 0), child);
                CHECK(!far_test_left(seconds));
        }
}

static int
back_once(void *arg, struct err *err)
{
        static char out_dir[256], in_dir[256];
        if (out_dir[0] == '\0') {
                snprintf(out_dir, sizeof(out_dir), "%s", test_path("small"));
                snprintf(in_dir, sizeof(in_dir), "%s", test_path("dest"));
        }
        struct far_tar_opts out = { .root = out_dir, .proof = FAR_DIGEST, .stall_ms = STALL_MS };
        struct far_extract_opts in = { .dest = in_dir, .proof = FAR_DIGEST, .stall_ms = STALL_MS };

        sh("rm -rf %s; mkdir %s", in_dir, in_dir);
        struct source *src = far_tar_source(arg, &out, NULL, err);
        return src != NULL ? far_tar_extract(src, arg, &in, NULL, err) : -1;
}

TEST(survives_each_failed_allocation)
{
        struct far_host *host = far_test_host("dash", NULL, NULL);

        make_small();
        struct err ignored;
        CHECK_OK(back_once(host, &ignored), ignored);
        /* How many there are differs with the pieces that pipes hand over. */
        for (unsigned long nth = 1; nth < 200; nth++) {
                struct err err;
                mem_fail_at(nth);
                int rc = back_once(host, &err);
                bool reached = mem_count() >= nth;
                mem_fail_at(0);
                if (reached)
                        CHECK_ERR(rc < 0, err, ERR_NOMEM, "");
                else if (rc == 0)
                        break;
        }
        far_host_unref(host);
}
