/*
 * Streams out of a pod and into one, by a server that lies, loses and stalls
 * (tests/servers/kube_api.c): nothing but all of it is a success.
 */
#include "../../src/kube/kube_connect.h"
#include "harness/far_test.h"
#include "harness/kube_pod_test.h"
#include "harness/tls_test.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/thread.h"

static int64_t stall_ms = 20000;

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
shell(const char *fmt, ...)
{
        char command[4096];
        va_list args;

        int len = snprintf(command, sizeof(command), "cd '%s' && ", test_dir());
        va_start(args, fmt);
        vsnprintf(command + len, sizeof(command) - (size_t)len, fmt, args);
        va_end(args);
        CHECK_INT(system(command), 0);
}

/* A tree of so many KiB that no loss can look like. */
static void
make_tree(int kib)
{
        shell("rm -rf tree && mkdir -p tree/d && dd if=/dev/urandom of=tree/d/one bs=1024 count=%d "
              "2>/dev/null && printf %%700s x >tree/two && : >tree/z",
            kib);
}

static int
take(enum far_proof proof, struct buf *into, struct err *err)
{
        struct far_tar_opts opts = {
                .root = test_path("tree"), .proof = proof, .stall_ms = stall_ms
        };

        return far_test_take(far_tar_source(box, &opts, NULL, err), into, err);
}

static int
put(enum far_proof proof, const struct buf *tar, struct err *err)
{
        struct far_extract_opts opts = {
                .dest = test_path("dest"), .proof = proof, .stall_ms = stall_ms
        };

        shell("rm -rf dest && mkdir dest");
        return far_tar_extract(mem_source(tar->data, tar->len, err), box, &opts, NULL, err);
}

/* What an honest transport brings. */
static void
take_here(struct buf *into)
{
        struct err err;
        struct far_host *here = far_process_host(&err);
        struct far_tar_opts opts = { .root = test_path("tree"), .stall_ms = stall_ms };

        CHECK_PTR(here, err);
        CHECK_OK(far_test_take(far_tar_source(here, &opts, NULL, &err), into, &err), err);
        far_host_unref(here);
}

static void
same(const struct buf *got, const struct buf *want)
{
        CHECK_INT(got->len, want->len);
        CHECK(memcmp(got->data, want->data, want->len) == 0);
}

/* What goes out: refused, or (code is ERR_NONE) as it is. */
static void
out_with(const char *action, const char *protocols, enum err_code code)
{
        char faults[256];
        struct buf want, got;

        take_here(&want);
        for (int proof = FAR_STRUCTURE; proof <= FAR_DIGEST; proof++) {
                struct err err;
                err_init(&err);
                snprintf(faults, sizeof(faults), "* */exec* every %s\n", action);
                start_box(*action != '\0' ? faults : "", protocols);
                int rc = take((enum far_proof)proof, &got, &err);
                fprintf(stderr, "# out, %s, proof %d: %s\n", action, proof,
                    rc == 0 ? "whole" : err.msg);
                if (code == ERR_NONE) {
                        CHECK_OK(rc, err);
                        same(&got, &want);
                } else {
                        /* What a loss does to the structure is a matter of its place. */
                        if (code == ERR_CORRUPT && err.code == ERR_TRUNCATED)
                                code = ERR_TRUNCATED;
                        CHECK_ERR(rc < 0, err, code, "pod default/box");
                        check_not_shown(&err);
                }
                buf_free(&got);
                CHECK(!far_test_left_home(test_path("default/box")));
                stop_box();
        }
        buf_free(&want);
}

static void
in_with(const char *action, const char *protocols, enum err_code code)
{
        char faults[256];
        struct buf tar;

        take_here(&tar);
        for (int proof = FAR_STRUCTURE; proof <= FAR_DIGEST; proof++) {
                struct err err;
                err_init(&err);
                snprintf(faults, sizeof(faults), "* */exec* every %s\n", action);
                start_box(*action != '\0' ? faults : "", protocols);
                int rc = put((enum far_proof)proof, &tar, &err);
                fprintf(
                    stderr, "# in, %s, proof %d: %s\n", action, proof, rc == 0 ? "whole" : err.msg);
                if (code == ERR_NONE) {
                        CHECK_OK(rc, err);
                        shell("diff -r tree dest");
                } else {
                        CHECK_ERR(rc < 0, err, code, "pod default/box");
                        check_not_shown(&err);
                }
                CHECK(!far_test_left_home(test_path("default/box")));
                stop_box();
        }
        buf_free(&tar);
}

TEST(success_with_a_short_stream_is_truncated)
{
        struct buf whole;
        char action[64];

        make_tree(700);
        take_here(&whole);
        const size_t places[] = { 0, 511, 512, 100000, whole.len - 10240, whole.len - 1024,
                whole.len - 1 };
        for (size_t idx = 0; idx < sizeof(places) / sizeof(*places); idx++) {
                snprintf(action, sizeof(action), "success stdout:%zu", places[idx]);
                out_with(action, NULL, ERR_TRUNCATED);
        }
        buf_free(&whole);
}

TEST(an_end_of_the_connection_is_truncated)
{
        make_tree(700);
        out_with("close stdout:100000", NULL, ERR_TRUNCATED);
        out_with("reset stdout:100000", NULL, ERR_TRUNCATED);
        out_with("close-frame stdout:100000", NULL, ERR_TRUNCATED);
        out_with("close-frame stdout:0", "v4", ERR_TRUNCATED);
        in_with("close stdin:100000", NULL, ERR_TRUNCATED);
        in_with("reset stdin:100000", NULL, ERR_TRUNCATED);
        in_with("close-frame stdin:100000", NULL, ERR_TRUNCATED);
        in_with("success stdin:100000", NULL, ERR_TRUNCATED);
        in_with("success stdin:700000", "v4", ERR_TRUNCATED);
}

TEST(a_status_that_is_none_is_an_error)
{
        make_tree(100);
        out_with("final missing", NULL, ERR_TRUNCATED);
        out_with("final empty", NULL, ERR_TRUNCATED);
        out_with("final garbage", NULL, ERR_PROTOCOL);
        out_with("final failure", NULL, ERR_PROCESS);
        in_with("final missing", NULL, ERR_TRUNCATED);
        in_with("final garbage", NULL, ERR_PROTOCOL);
        in_with("final failure", NULL, ERR_PROCESS);
}

/* Whole blocks, too: 32 KiB in the middle of a file. */
TEST(what_is_lost_or_comes_twice_is_found)
{
        make_tree(700);
        stall_ms = 2000;
        out_with("lose 100000 1", NULL, ERR_CORRUPT);
        out_with("lose 102400 512", NULL, ERR_CORRUPT);
        out_with("lose 102400 32768", NULL, ERR_CORRUPT);
        out_with("message drop 3", NULL, ERR_CORRUPT);
        out_with("message twice 3", NULL, ERR_CORRUPT);
}

TEST(frames_of_any_size_and_pings_between_are_no_harm)
{
        make_tree(300);
        out_with("fragments 100", NULL, ERR_NONE);
        in_with("fragments 3", NULL, ERR_NONE);
        make_tree(20);
        out_with("fragments 2", NULL, ERR_NONE);
        out_with("trickle", NULL, ERR_NONE);
        in_with("trickle", NULL, ERR_NONE);
        out_with("upgrade extra", NULL, ERR_NONE);
}

TEST(either_protocol_will_do)
{
        make_tree(300);
        out_with("", "v4", ERR_NONE);
        in_with("", "v4", ERR_NONE);
        out_with("", "v5", ERR_NONE);
        in_with("", "v5", ERR_NONE);
}

/* Who is only slow, at either end, is waited for. */
TEST(a_server_that_pauses_is_waited_for)
{
        make_tree(700);
        out_with("stall 2 stdout:100000", NULL, ERR_NONE);
        in_with("stall 2 stdin:100000", NULL, ERR_NONE);
}

TEST(a_slow_reader_of_ours_loses_nothing)
{
        struct far_tar_opts opts = { .root = test_path("tree"), .stall_ms = 1000 };
        char piece[65536];
        size_t len = 0;
        ssize_t got;
        struct buf want;
        struct err err;

        /* More than there is room for on the way, and longer than a silence may last. */
        make_tree(40000);
        take_here(&want);
        kube_connect_times(100, 1000);
        start_box(NULL, NULL);
        struct source *src = far_tar_source(box, &opts, NULL, &err);
        CHECK_PTR(src, err);
        for (int count = 0; (got = source_read(src, piece, sizeof(piece), &err)) > 0; count++) {
                CHECK(len + (size_t)got <= want.len);
                CHECK(memcmp(piece, want.data + len, (size_t)got) == 0);
                len += (size_t)got;
                if (count == 10)
                        usleep(3000000);
        }
        CHECK_OK(got < 0 ? -1 : 0, err);
        CHECK_INT(len, want.len);
        source_free(src);
        buf_free(&want);
        stop_box();
}

TEST(a_silent_server_is_given_up)
{
        struct far_tar_opts opts = { .root = test_path("tree"), .stall_ms = 600 };
        struct buf got;
        struct err err;

        make_tree(700);
        start_box("* */exec* every stall 60 stdout:100000\n", NULL);
        CHECK_ERR(far_test_take(far_tar_source(box, &opts, NULL, &err), &got, &err) < 0, err,
            ERR_TIMEOUT, "pod default/box");
        buf_free(&got);
        stop_box();
}

static void
cut_behind_tls(const char *option, const char *faults, bool whole)
{
        char cluster[160];
        struct buf got, want;
        struct err err;

        take_here(&want);
        start_box(faults, NULL);
        close_box();
        start_tls(server_port, option, option != NULL ? "yes" : NULL);
        snprintf(cluster, sizeof(cluster),
            "\"server\":\"https://127.0.0.1:%d\",\"certificate-authority\":\"ca.pem\"", front_port);
        open_box(cluster, "\"client-certificate\":\"one.pem\",\"client-key\":\"one.key\"");
        err_init(&err);
        int rc = take(FAR_STRUCTURE, &got, &err);
        if (whole) {
                CHECK_OK(rc, err);
                same(&got, &want);
                expect_handshakes("- one\n");
        } else {
                CHECK_ERR(rc < 0, err, ERR_TRUNCATED, "pod default/box");
        }
        buf_free(&got);
        buf_free(&want);
        CHECK(!far_test_left_home(test_path("default/box")));
        stop_box();
        end_process(front_pid);
        CHECK_INT(unlink(test_path("tls.log")), 0);
}

TEST(the_same_over_tls)
{
        make_tree(700);
        cut_behind_tls(NULL, "", true);
        cut_behind_tls(NULL, "* */exec* every close stdout:100000\n", false);
        cut_behind_tls("--abrupt", "* */exec* every close stdout:100000\n", false);
        cut_behind_tls(NULL, "* */exec* every reset stdout:100000\n", false);
        cut_behind_tls(NULL, "* */exec* every success stdout:100000\n", false);
}

static void *
trigger_soon(void *token)
{
        usleep(300000);
        cancel_trigger(token);
        return NULL;
}

/* The group of the command goes, not only its shell. */
TEST(a_cancel_ends_all_that_runs_in_the_pod)
{
        static const char *const argv[] = { "sh", "-c",
                "(sleep 8642 & sleep 8642; :) | sleep 8642; :", NULL };
        struct far_run_spec spec = { .argv = argv, .output_max = 1024, .stall_ms = stall_ms };
        struct proc_result result;
        pthread_t thread;
        struct err err;

        start_box(NULL, NULL);
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        CHECK_OK(thread_start(&thread, "trigger", trigger_soon, token, &err), err);
        CHECK_ERR(far_run(box, &spec, &result, token, &err) < 0, err, ERR_CANCELLED, "cancelled");
        thread_join(thread);
        proc_result_free(&result);
        cancel_unref(token);
        CHECK(!far_test_left_home(test_path("default/box")));
        stop_box();
}
