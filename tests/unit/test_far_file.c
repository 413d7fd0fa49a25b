#include "harness/far_test.h"
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/far_stream.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"

#define STALL_MS 30000
#define MANY ((size_t)3 * 1024 * 1024 + 17)

static char *
bytes_of(size_t len)
{
        char *data = malloc(len + 1);

        CHECK(data != NULL);
        for (size_t pos = 0; pos < len; pos++)
                data[pos] = (char)(pos * 2654435761u >> 13);
        return data;
}

static int
fetch(struct far_host *host, const char *path, enum far_proof proof, int64_t stall_ms,
    struct buf *out, struct err *err)
{
        return far_test_take(far_file_source(host, path, proof, stall_ms, NULL, err), out, err);
}

static int
put(struct far_host *host, const char *path, const char *data, size_t len,
    const struct far_file_opts *opts, struct err *err)
{
        return far_file_write(mem_source(data, len, err), host, path, opts, NULL, err);
}

static struct far_host *
host_of(const char *shell, struct far_lies *lies)
{
        bool is_busybox = strncmp(shell, "busybox", 7) == 0;

        return far_test_host(shell, is_busybox ? far_test_busybox() : NULL, lies);
}

TEST(a_file_goes_in_and_comes_out)
{
        static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, MANY };
        char *data = bytes_of(MANY);
        struct buf out;
        struct err err;

        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                struct far_host *host = host_of(*name, NULL);
                fprintf(stderr, "# %s\n", *name);
                for (size_t idx = 0; idx < sizeof(sizes) / sizeof(*sizes); idx++) {
                        struct far_file_opts opts = { .mode = 0640,
                                .stall_ms = STALL_MS,
                                .proof = idx % 2 == 0 ? FAR_STRUCTURE : FAR_DIGEST };
                        const char *path = test_path("-it's a\nfile");
                        CHECK_OK(put(host, path, data, sizes[idx], &opts, &err), err);
                        CHECK_OK(fetch(host, path, opts.proof, STALL_MS, &out, &err), err);
                        CHECK_INT(out.len, sizes[idx]);
                        CHECK(out.len == 0 || memcmp(out.data, data, out.len) == 0);
                        struct stat st;
                        CHECK_INT(stat(path, &st), 0);
                        CHECK_INT(st.st_mode & 07777, 0640);
                        buf_free(&out);
                }
                far_host_unref(host);
        }
        free(data);
}

TEST(what_cannot_be_read_or_written_is_told)
{
        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                struct far_host *host = host_of(*name, NULL);
                struct far_file_opts opts = {
                        .mode = 0600, .exclusive = true, .stall_ms = STALL_MS
                };
                struct buf out;
                struct err err;

                CHECK_ERR(fetch(host, test_path("none"), FAR_STRUCTURE, STALL_MS, &out, &err) < 0,
                    err, ERR_NOT_FOUND, "No such file");
                buf_free(&out);
                CHECK_ERR(fetch(host, test_dir(), FAR_STRUCTURE, STALL_MS, &out, &err) < 0, err,
                    ERR_INVALID, "is a directory");
                buf_free(&out);
                CHECK_OK(put(host, test_path("new"), "x", 1, &opts, &err), err);
                CHECK_ERR(put(host, test_path("new"), "y", 1, &opts, &err) < 0, err, ERR_EXISTS,
                    "exists");
                CHECK_ERR(put(host, test_path("no/dir"), "y", 1, &opts, &err) < 0, err,
                    ERR_NOT_FOUND, "cannot write");
                CHECK_INT(unlink(test_path("new")), 0);
                far_host_unref(host);
        }
}

/* A server that ends a connection against what is on its way may drop the words for it. */
TEST(nothing_is_sent_to_what_refuses_it)
{
        struct far_lies lies = { .lie = LIE_NONE };
        struct far_host *host = host_of(far_test_shells()[0], &lies);
        struct far_file_opts opts = { .mode = 0600, .stall_ms = STALL_MS };
        char *data = bytes_of(MANY);
        struct err err;

        CHECK_ERR(put(host, test_path("no/dir"), data, MANY, &opts, &err) < 0, err, ERR_NOT_FOUND,
            "cannot write");
        CHECK(lies.in_bytes > 0);
        CHECK(lies.in_bytes < 16384);
        far_host_unref(host);
        free(data);
}

/* Nothing of it stays, not even beside its place. */
static bool
is_empty(const char *dir)
{
        char command[1024];

        snprintf(command, sizeof(command), "[ -z \"$(ls -A '%s')\" ]", dir);
        return system(command) == 0;
}

TEST(a_transport_that_lies_leaves_no_file)
{
        static const struct {
                enum far_lie lie;
                uint64_t at;
        } lies[] = { { LIE_LOSE_INPUT, 0 }, { LIE_LOSE_INPUT, 3000 }, { LIE_LOSE_INPUT, 100000 },
                { LIE_LOSE_INPUT, MANY }, { LIE_END, 3 }, { LIE_CUT, 3 }, { LIE_CUT, 45 },
                { LIE_FLIP_INPUT, 200000 } };
        char *data = bytes_of(MANY);
        struct err err;

        CHECK_INT(mkdir(test_path("in"), 0700), 0);
        for (size_t idx = 0; idx < sizeof(lies) / sizeof(*lies); idx++) {
                struct far_lies it = { .lie = lies[idx].lie, .kind = FAR_ERR, .at = lies[idx].at };
                struct far_host *host = host_of("dash", &it);
                struct far_file_opts opts = { .proof = FAR_DIGEST, .stall_ms = 2000 };
                int rc = put(host, test_path("in/f"), data, MANY, &opts, &err);
                fprintf(stderr, "# lie %d at %llu: %s\n", it.lie, (unsigned long long)it.at,
                    rc == 0 ? "passed" : err.msg);
                CHECK(rc < 0);
                CHECK(is_empty(test_path("in")));
                far_host_unref(host);
        }
        free(data);
}

TEST(a_file_that_lost_or_gained_bytes_is_found_out)
{
        static const enum far_lie lies[] = { LIE_CUT, LIE_END, LIE_TWICE, LIE_DROP };
        static const uint64_t places[] = { 0, 1000, 65535, 99999 };
        char *data = bytes_of(100000);
        const struct far_file_opts opts = { .stall_ms = STALL_MS };
        struct far_host *honest = host_of("dash", NULL);
        struct buf out;
        struct err err;

        CHECK_OK(put(honest, test_path("f"), data, 100000, &opts, &err), err);
        for (size_t lie = 0; lie < sizeof(lies) / sizeof(*lies); lie++) {
                for (size_t idx = 0; idx < sizeof(places) / sizeof(*places); idx++) {
                        /* Each lost byte is waited for. */
                        if (lies[lie] == LIE_DROP && idx != 1)
                                continue;
                        struct far_lies it = {
                                .lie = lies[lie], .kind = FAR_OUT, .at = places[idx]
                        };
                        struct far_host *host = host_of("dash", &it);
                        CHECK(fetch(host, test_path("f"), FAR_STRUCTURE, STALL_MS, &out, &err) < 0);
                        buf_free(&out);
                        far_host_unref(host);
                }
        }
        struct far_lies flip = { .lie = LIE_FLIP, .kind = FAR_OUT, .at = 500 };
        struct far_host *host = host_of("dash", &flip);
        CHECK_ERR(fetch(host, test_path("f"), FAR_DIGEST, STALL_MS, &out, &err) < 0, err,
            ERR_CORRUPT, "another SHA-256");
        buf_free(&out);
        far_host_unref(host);
        far_host_unref(honest);
        free(data);
}

TEST(a_full_disk_ends_an_upload_at_once)
{
        struct far_host *host = host_of("dash", NULL);
        struct far_file_opts opts = { .stall_ms = STALL_MS };
        char command[512];
        char *data = bytes_of(MANY);
        struct err err;

        CHECK_INT(mkdir(test_path("small"), 0700), 0);
        snprintf(command, sizeof(command), "mount -t tmpfs -o size=1m none '%s' 2>/dev/null",
            test_path("small"));
        if (system(command) != 0)
                SKIP("needs a file system of its own: root");
        int rc = put(host, test_path("small/f"), data, MANY, &opts, &err);
        bool left = !is_empty(test_path("small"));
        snprintf(command, sizeof(command), "umount '%s'", test_path("small"));
        CHECK_INT(system(command), 0);
        CHECK_ERR(rc < 0, err, ERR_FULL, "No space left");
        CHECK(!left);
        far_host_unref(host);
        free(data);
}
