/*
 * Connections to a pod that end at each class of byte of each frame that the server
 * sends: never is it taken for the end.
 */
#include "harness/cut_relay.h"
#include "harness/far_test.h"
#include "harness/kube_pod_test.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem_io.h"

#define STALL_MS 20000
#define FRAMES_MAX 40
#define DATA_LEN ((size_t)100000)

/* What is done to the pod: 0 when it says that it was done well, and then it must have been. */
typedef int act_fn(struct err *err);

static struct buf tar; /* of the pod's directory "small", as it comes without a cut */
static char data[DATA_LEN];

static void
shell(const char *script)
{
        char command[4096];

        snprintf(command, sizeof(command), "cd '%s' && %s", test_dir(), script);
        CHECK_INT(system(command), 0);
}

static int
take_tar(struct err *err)
{
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = STALL_MS };
        struct buf got;
        int rc = far_test_take(far_tar_source(box, &opts, NULL, err), &got, err);

        if (rc == 0) {
                CHECK_INT(got.len, tar.len);
                CHECK(memcmp(got.data, tar.data, tar.len) == 0);
        }
        buf_free(&got);
        return rc;
}

static int
put_tar(struct err *err)
{
        struct far_extract_opts opts = { .dest = test_path("dest"), .stall_ms = STALL_MS };

        shell("rm -rf dest && mkdir dest");
        int rc = far_tar_extract(mem_source(tar.data, tar.len, err), box, &opts, NULL, err);
        if (rc == 0)
                shell("diff -r small dest");
        return rc;
}

static int
take_file(struct err *err)
{
        struct buf got;
        int rc = far_test_take(
            far_file_source(box, test_path("file"), FAR_DIGEST, STALL_MS, NULL, err), &got, err);

        if (rc == 0) {
                CHECK_INT(got.len, DATA_LEN);
                CHECK(memcmp(got.data, data, DATA_LEN) == 0);
        }
        buf_free(&got);
        return rc;
}

static bool
is_whole_or_not_there(void)
{
        char command[4096];

        snprintf(command, sizeof(command),
            "cd '%s/in' && [ -z \"$(ls -A)\" ] || { [ \"$(ls -A)\" = file ] && cmp file ../file; }",
            test_dir());
        return system(command) == 0;
}

/*
 * The file is there as a whole or not at all, whatever is said of it.  A command may begin
 * when its connection has gone already: soon that has ended, too.
 */
static int
put_file(struct err *err)
{
        struct far_file_opts opts = { .mode = 0600, .stall_ms = STALL_MS };
        bool good = false;

        shell("rm -rf in && mkdir in");
        int rc = far_file_write(
            mem_source(data, DATA_LEN, err), box, test_path("in/file"), &opts, NULL, err);
        for (int tries = 0; tries < 200 && !good; tries++) {
                good = !far_test_left_home(test_path("default/box")) && is_whole_or_not_there();
                if (!good)
                        usleep(50000);
        }
        CHECK(good);
        if (rc == 0)
                shell("[ -e in/file ]");
        return rc;
}

static int
run(struct err *err)
{
        static const char *const argv[] = { "sh", "-c", "echo out; echo err >&2; exit 7", NULL };
        struct far_run_spec spec = { .argv = argv, .output_max = 1024, .stall_ms = STALL_MS };
        struct proc_result result;
        int rc = far_run(box, &spec, &result, NULL, err);

        if (rc == 0) {
                CHECK_INT(result.status, 7);
                CHECK_STR(result.out.data, "out\n");
                CHECK_STR(result.err_out.data, "err\n");
        }
        proc_result_free(&result);
        return rc;
}

static int
run_bare(struct err *err)
{
        static const char *const argv[] = { "sh", "-c", "exit 7", NULL };
        struct far_run_spec spec = { .argv = argv, .output_max = 1024, .bare = true };
        struct proc_result result;
        int rc = far_run(box, &spec, &result, NULL, err);

        if (rc == 0)
                CHECK_INT(result.status, 7);
        proc_result_free(&result);
        return rc;
}

/* Returns whether there was such a byte. */
static bool
cut_once(act_fn *act, bool by_status, struct cut where)
{
        struct cut_relay relay;
        struct err err;

        cut_relay_start(&relay, server_port, where);
        struct kube_client *direct = client;
        struct far_host *direct_box = box;
        open_box_at(relay.port);
        err_init(&err);
        int rc = act(&err);
        close_box();
        client = direct;
        box = direct_box;
        cut_relay_end(&relay);

        fprintf(stderr, "# frame %d, class %d, %s: %s\n", where.frame, where.place,
            relay.cut ? "cut" : "no such byte", rc == 0 ? "passed" : err.msg);
        if (rc < 0)
                CHECK(err.code == ERR_TRUNCATED || err.code == ERR_NETWORK);
        if (by_status && !relay.status_came)
                CHECK(rc < 0);
        /* A reset may take along what was not read yet. */
        if (relay.status_came && !where.reset)
                CHECK_OK(rc, err);
        return relay.cut;
}

/* by_status: its end is the status of the connection, not a mark in its output. */
static void
cut_everywhere(act_fn *act, bool by_status)
{
        static const unsigned char pattern[] = "so many bytes, and each is to come";
        struct err err;
        int frame;

        signal(SIGPIPE, SIG_IGN);
        start_box(NULL, NULL);
        for (size_t idx = 0; idx < DATA_LEN; idx++)
                data[idx] = (char)(pattern[idx % sizeof(pattern)] ^ (idx >> 8));
        shell("mkdir small && printf %700s x >small/file && : >small/z");
        FILE *file = fopen(test_path("file"), "we");
        CHECK(file != NULL && fwrite(data, 1, DATA_LEN, file) == DATA_LEN && fclose(file) == 0);
        struct far_tar_opts opts = { .root = test_path("small"), .stall_ms = STALL_MS };
        CHECK_OK(far_test_take(far_tar_source(box, &opts, NULL, &err), &tar, &err), err);

        for (int reset = 0; reset < 2; reset++) {
                bool cut = true;
                for (frame = -1; cut; frame++) {
                        CHECK(frame < FRAMES_MAX);
                        for (int place = CUT_FIRST; place < CUT_CLASSES; place++) {
                                struct cut where = { .frame = frame,
                                        .place = (enum cut_class)place,
                                        .reset = reset == 1 };
                                bool was = cut_once(act, by_status, where);
                                if (place == CUT_FIRST)
                                        cut = was;
                                if (!cut)
                                        break;
                        }
                }
                /* The head, the message that it is ready, the status, the close frame. */
                CHECK(frame >= 4);
        }
        CHECK(!far_test_left_home(test_path("default/box")));
        buf_free(&tar);
        stop_box();
}

TEST(a_tar_that_comes_is_whole_or_an_error)
{
        cut_everywhere(take_tar, true);
}

TEST(a_tar_that_goes_is_whole_or_an_error)
{
        cut_everywhere(put_tar, true);
}

TEST(a_file_that_comes_is_whole_or_an_error)
{
        cut_everywhere(take_file, true);
}

TEST(a_file_that_goes_is_whole_or_not_there)
{
        cut_everywhere(put_file, true);
}

TEST(a_command_ends_with_its_status_or_an_error)
{
        cut_everywhere(run, false);
}

TEST(a_bare_command_ends_with_its_status_or_an_error)
{
        cut_everywhere(run_bare, true);
}
