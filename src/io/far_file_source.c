/*
 * One file at the far end, to the size that it had when it was opened.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "far_link.h"
#include "far_script.h"
#include "moonkeep/digest.h"
#include "moonkeep/encode.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"

struct far_file {
        struct source source;
        struct far_link link;
        struct sha256 *sha; /* NULL: the byte count only */
        char *path;
        const unsigned char *data;
        size_t len;
        uint64_t came;
        uint64_t size; /* UINT64_MAX until it is known */
        bool has_read;
        bool has_sum;
        bool acked;
        unsigned char sum[SHA256_SIZE];
};

static int
on_line(void *arg, const char *word, const char *rest, struct err *err)
{
        struct far_file *it = arg;

        if (strcmp(word, "size") == 0) {
                it->size = strtoull(rest, NULL, 10);
        } else if (strcmp(word, "sum") == 0) {
                it->has_sum = true;
                return hex_decode(rest, strlen(rest), it->sum, SHA256_SIZE, err);
        } else if (strcmp(word, "read") == 0) {
                it->has_read = true;
                if (strcmp(rest, "0") != 0)
                        return err_set(err, ERR_IO, "dd ended with status %s there", rest);
        } else if (strcmp(word, "refuse") == 0) {
                return far_link_refused(rest, it->path, err);
        }
        return 0;
}

static int
is_proven(const struct far_file *it, bool *proven, struct err *err)
{
        unsigned char ours[SHA256_SIZE];

        *proven = it->has_read && it->came == it->size;
        if (!*proven || it->sha == NULL)
                return 0;
        if (it->has_sum && sha256_so_far(it->sha, ours, err) < 0)
                return -1;
        *proven = it->has_sum && memcmp(ours, it->sum, SHA256_SIZE) == 0;
        return 0;
}

static int
settle(struct far_file *it, struct err *err)
{
        bool proven;

        if (it->size != UINT64_MAX && it->came > it->size)
                return err_set(
                    err, ERR_CORRUPT, "more bytes came than it has (%" PRIu64 ")", it->size);
        if (it->acked)
                return 0;
        if (is_proven(it, &proven, err) < 0)
                return -1;
        if (proven) {
                it->acked = true;
                return far_link_send(&it->link, "ok\n", 3, err);
        }
        if (!it->has_read || (it->sha != NULL && !it->has_sum) || it->link.quiet_ms < FAR_SETTLE_MS)
                return 0;
        if (it->came < it->size)
                return err_set(err, ERR_TRUNCATED, "only %" PRIu64 " of %" PRIu64 " bytes came",
                    it->came, it->size);
        return err_set(err, ERR_CORRUPT, "it arrived with another SHA-256 than it was sent with");
}

static int
at_end(const struct far_file *it, struct err *err)
{
        if (!it->acked)
                return far_link_early_end(&it->link, err);
        if (it->link.status != 0)
                return err_set(err, ERR_TRUNCATED, "%s did not end it well (status %d)",
                    it->link.host->label, it->link.status);
        return 0;
}

static int
advance(struct far_file *it, struct err *err)
{
        while (it->len == 0 && !it->link.ended) {
                struct far_event event;
                /* What is sent takes the place of data: only when that was handed out. */
                if (settle(it, err) < 0)
                        return -1;
                int wait_ms = it->has_read && !it->acked ? 1000 : -1;
                if (far_link_next(&it->link, wait_ms, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_OUT) {
                        it->data = event.data;
                        it->len = event.len;
                        it->came += event.len;
                        if (it->sha != NULL && sha256_update(it->sha, it->data, it->len, err) < 0)
                                return -1;
                }
                if (it->link.ended)
                        return at_end(it, err);
        }
        return 0;
}

static ssize_t
far_file_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct far_file *it = (struct far_file *)src;

        if (it->len == 0 && advance(it, err) < 0)
                return err_prefix(err, "cannot read \"%s\" in %s", it->path, it->link.host->label);
        size_t step = it->len < cap ? it->len : cap;
        if (step > 0)
                memcpy(buf, it->data, step);
        it->data += step;
        it->len -= step;
        return (ssize_t)step;
}

static void
far_file_free(struct source *src)
{
        struct far_file *it = (struct far_file *)src;

        if (it->link.host != NULL)
                far_link_close(&it->link);
        sha256_free(it->sha);
        mem_free(it->path);
        mem_free(it);
}

static const struct source_ops far_file_ops = { "far file", far_file_read, far_file_free };

struct source *
far_file_source(struct far_host *host, const char *path, enum far_proof proof, int64_t stall_ms,
    struct cancel *cancel, struct err *err)
{
        const char *const args[] = { proof == FAR_DIGEST ? "digest" : "structure", path, NULL };
        struct far_file *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        source_init(&it->source, &far_file_ops);
        it->size = UINT64_MAX;
        it->path = mem_strdup(path, err);
        if (it->path == NULL)
                goto fail;
        if (proof == FAR_DIGEST) {
                it->sha = sha256_new(err);
                if (it->sha == NULL)
                        goto fail;
        }
        it->link.line = on_line;
        it->link.arg = it;
        if (far_link_open(&it->link, host, far_script_file_out, args, stall_ms, cancel, err) < 0) {
                err_prefix(err, "cannot read \"%s\" in %s", path, host->label);
                goto fail;
        }
        return &it->source;

fail:
        far_file_free(&it->source);
        return NULL;
}
