/*
 * A far end that says anything: the words of our scripts at any place, in any
 * pieces, with anything between.  What is taken for a complete tar or file is
 * only that where the far end also said so, and ended with status 0.
 *
 * The input is a list of pieces: a byte for the kind, a byte for the length, and
 * so many bytes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct player {
        struct far far;
        const uint8_t *data;
        size_t size;
        char mark[64];
        struct buf piece;
        bool said_ok; /* by us */
        bool ended;
};

static struct {
        const uint8_t *data;
        size_t size;
        bool said_ok;
        bool ended_well;
} now;

static int
player_next(struct far *far, int wait_ms, struct far_event *out, struct err *err)
{
        struct player *it = (struct player *)far;

        (void)wait_ms;
        buf_clear(&it->piece);
        if (it->size < 2)
                return err_set(err, ERR_TRUNCATED, "the connection ended");
        unsigned kind = it->data[0] % 5;
        size_t len = it->data[1] < it->size - 2 ? it->data[1] : it->size - 2;
        const uint8_t *bytes = it->data + 2;
        it->data += 2 + len;
        it->size -= 2 + len;
        if (kind == 4) {
                *out = (struct far_event){ .kind = FAR_ENDED, .status = len > 0 ? bytes[0] : 0 };
                now.ended_well = out->status == 0;
                it->size = 0;
                return 0;
        }
        /* A line of our script, which only has to know its mark. */
        if (kind == 2 && buf_addf(&it->piece, NULL, "\n%s ", it->mark) < 0)
                abort();
        if (buf_add(&it->piece, bytes, len, NULL) < 0)
                abort();
        *out = (struct far_event){ .kind = kind == 0 || kind == 3 ? FAR_OUT : FAR_ERR,
                .data = (const unsigned char *)it->piece.data,
                .len = it->piece.len };
        return 0;
}

static int
player_send(struct far *far, const void *data, size_t len, struct err *err)
{
        (void)far;
        (void)err;
        now.said_ok = now.said_ok || (len == 3 && memcmp(data, "ok\n", 3) == 0);
        return 0;
}

static void
player_free(struct far *far)
{
        struct player *it = (struct player *)far;

        far_host_unref(far->host);
        buf_free(&it->piece);
        free(it);
}

static const struct far_ops player_ops = {
        .next = player_next, .send = player_send, .free = player_free
};

static struct far *
player_open(struct far_host *host, const char *const *argv, struct cancel *cancel, struct err *err)
{
        struct player *it = calloc(1, sizeof(*it));

        (void)cancel;
        (void)err;
        if (it == NULL)
                abort();
        it->far.ops = &player_ops;
        it->far.host = far_host_ref(host);
        it->data = now.data;
        it->size = now.size;
        strncpy(it->mark, argv[4], sizeof(it->mark) - 1);
        buf_init(&it->piece, 4096);
        return &it->far;
}

static void
host_free(struct far_host *host)
{
        free(host);
}

static const struct far_host_ops host_ops = { "player", player_open, host_free };

static void
drain(struct source *src)
{
        if (src == NULL)
                return;
        if (stream_drain(src, NULL, NULL, NULL) == 0 && (!now.said_ok || !now.ended_well))
                abort();
        source_free(src);
}

static void
play(const uint8_t *data, size_t size)
{
        now.data = data;
        now.size = size;
        now.said_ok = now.ended_well = false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 1)
                return 0;
        struct far_host *host = calloc(1, sizeof(*host));
        struct err err;
        if (host == NULL || far_host_init(host, &host_ops, "player", &err) < 0)
                abort();
        enum far_proof proof = data[0] & 1 ? FAR_DIGEST : FAR_STRUCTURE;
        const struct far_tar_opts tar = { .root = "/x", .proof = proof };
        const struct far_file_opts file = { .proof = proof };
        struct proc_result result;

        play(data + 1, size - 1);
        switch (data[0] >> 1 & 3) {
        case 0:
                drain(far_tar_source(host, &tar, NULL, &err));
                break;
        case 1:
                drain(far_file_source(host, "/x", proof, 0, NULL, &err));
                break;
        case 2:
                if (far_file_write(mem_source("x", 1, &err), host, "/x", &file, NULL, &err) == 0 &&
                    (!now.said_ok || !now.ended_well))
                        abort();
                break;
        default: {
                const char *const argv[] = { "x", NULL };
                const struct far_run_spec spec = { .argv = argv, .output_max = 1000 };
                (void)far_run(host, &spec, &result, NULL, &err);
                proc_result_free(&result);
        }
        }
        far_host_unref(host);
        return 0;
}
