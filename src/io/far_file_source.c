/*
 * One file at the far end, to the size that it had when it was opened.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "far_output.h"
#include "far_script.h"
#include "moonkeep/mem.h"

struct far_file {
        struct far_output out;
        uint64_t size; /* UINT64_MAX until it is known */
};

static int
on_line(void *arg, const char *word, const char *rest, struct err *err)
{
        struct far_file *it = arg;

        if (strcmp(word, "size") == 0) {
                it->size = strtoull(rest, NULL, 10);
        } else if (strcmp(word, "sum") == 0) {
                return far_output_sum(&it->out, rest, err);
        } else if (strcmp(word, "read") == 0) {
                it->out.has_status = true;
                if (strcmp(rest, "0") != 0)
                        return err_set(err, ERR_IO, "dd ended with status %s there", rest);
        } else if (strcmp(word, "refuse") == 0) {
                return far_link_refused(rest, it->out.path, err);
        }
        return 0;
}

static bool
is_whole(const struct far_output *out)
{
        return out->came == ((const struct far_file *)out)->size;
}

static int
look(struct far_output *out, struct err *err)
{
        uint64_t size = ((const struct far_file *)out)->size;

        if (size == UINT64_MAX || out->came <= size)
                return 0;
        return err_set(err, ERR_CORRUPT, "more bytes came than it has (%" PRIu64 ")", size);
}

static int
cut(struct far_output *out, struct err *err)
{
        return err_set(err, ERR_TRUNCATED, "only %" PRIu64 " of %" PRIu64 " bytes came", out->came,
            ((const struct far_file *)out)->size);
}

static void
far_file_free(struct source *src)
{
        far_output_clear((struct far_output *)src);
        mem_free(src);
}

static const struct far_output_ops far_file_ops = {
        .source = { "far file", far_output_read, far_file_free },
        .is_whole = is_whole,
        .look = look,
        .cut = cut,
};

struct source *
far_file_source(struct far_host *host, const char *path, enum far_proof proof, int64_t stall_ms,
    struct cancel *cancel, struct err *err)
{
        const char *const args[] = { proof == FAR_DIGEST ? "digest" : "structure", path, NULL };
        struct far_file *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->size = UINT64_MAX;
        if (far_output_init(&it->out, &far_file_ops, path, proof, err) < 0)
                goto fail;
        it->out.link.line = on_line;
        it->out.link.arg = it;
        if (far_link_open(&it->out.link, host, far_script_file_out, args, stall_ms, cancel, err) <
            0) {
                err_prefix(err, "cannot read \"%s\" in %s", path, host->label);
                goto fail;
        }
        return &it->out.source;

fail:
        far_file_free(&it->out.source);
        return NULL;
}
