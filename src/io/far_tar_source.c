/*
 * A directory at the far end as a tar whose end is proven: the tar has its end
 * blocks, the tar there said that it succeeded, with FAR_DIGEST both ends took
 * the same SHA-256; then we say "ok", and only then does the script end with 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "far_link.h"
#include "far_script.h"
#include "moonkeep/digest.h"
#include "moonkeep/encode.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/stream_driver.h"
#include "tar_header.h"
#include "tar_name.h"

struct far_tar {
        struct source source;
        struct far_link link;
        struct tar_scan *scan;
        struct sha256 *sha; /* NULL: structure only */
        char *root;
        char **names;
        _Atomic uint64_t *total;
        const unsigned char *data; /* came, and is not handed out yet */
        size_t len;
        uint64_t came;
        bool has_status;
        bool has_sum;
        bool acked;
        int tar_status;
        unsigned char sum[SHA256_SIZE];
};

static int
refuse_other(void *arg, const struct tar_entry *entry, struct err *err)
{
        char shown[TAR_SHOWN_SIZE];

        (void)arg;
        if (entry->type != TAR_OTHER)
                return 0;
        return err_set(err, ERR_UNSUPPORTED, "\"%s\" is a device, FIFO or socket",
            tar_name_show(entry->name, entry->name_len, shown));
}

static int
fail_tar(struct far_tar *it, struct err *err)
{
        static const char *const changes[] = { "file changed as we read it",
                "file removed before we read it", "shrank by", "short read" };
        char said[FAR_SAID_SIZE];

        far_link_said(&it->link, said);
        for (size_t idx = 0; idx < sizeof(changes) / sizeof(*changes); idx++) {
                if (strstr(said, changes[idx]) != NULL)
                        return err_set(err, ERR_IO, "a file changed while it was read: %s", said);
        }
        return far_link_failed(&it->link, "tar", it->tar_status, err);
}

static int
fail_name(const struct far_tar *it, const char *rest, struct err *err)
{
        char shown[TAR_SHOWN_SIZE];
        const char *space = strchr(rest, ' ');
        long index = space != NULL ? strtol(space + 1, NULL, 10) : -1;
        const char *name = "";

        for (long at = 0; it->names != NULL && it->names[at] != NULL && at <= index; at++)
                name = it->names[at];
        tar_name_show(name, strlen(name), shown);
        if (strncmp(rest, "gone ", 5) == 0)
                return err_set(err, ERR_NOT_FOUND, "\"%s\": No such file or directory", shown);
        if (strncmp(rest, "link ", 5) == 0)
                return err_set(err, ERR_INVALID, "\"%s\" passes through a symbolic link", shown);
        err_set(err, ERR_UNSUPPORTED, "links to files and directories are named together");
        return err_hint(err, "the tar there follows links everywhere or nowhere; name files only");
}

static int
on_line(void *arg, const char *word, const char *rest, struct err *err)
{
        struct far_tar *it = arg;

        if (strcmp(word, "total") == 0) {
                if (it->total != NULL)
                        atomic_store(it->total, (uint64_t)strtoull(rest, NULL, 10) * 1024);
                return 0;
        }
        if (strcmp(word, "sum") == 0) {
                it->has_sum = true;
                return hex_decode(rest, strlen(rest), it->sum, SHA256_SIZE, err);
        }
        if (strcmp(word, "refuse") == 0)
                return far_link_refused(rest, it->root, err);
        if (strcmp(word, "name") == 0)
                return fail_name(it, rest, err);
        if (strcmp(word, "tar") != 0)
                return 0;
        it->has_status = true;
        it->tar_status = (int)strtol(rest, NULL, 10);
        return it->tar_status != 0 ? fail_tar(it, err) : 0;
}

/* Is all that can be known known, and in order? */
static int
is_proven(const struct far_tar *it, bool *proven, struct err *err)
{
        unsigned char ours[SHA256_SIZE];

        *proven = it->has_status && tar_scan_is_complete(it->scan);
        if (!*proven || it->sha == NULL)
                return 0;
        if (it->has_sum && sha256_so_far(it->sha, ours, err) < 0)
                return -1;
        /* Output may come behind the line: what differs now may be equal later. */
        *proven = it->has_sum && memcmp(ours, it->sum, SHA256_SIZE) == 0;
        return 0;
}

static int
settle(struct far_tar *it, struct err *err)
{
        bool proven;

        if (it->acked)
                return 0;
        if (is_proven(it, &proven, err) < 0)
                return -1;
        if (proven) {
                it->acked = true;
                return far_link_send(&it->link, "ok\n", 3, err);
        }
        if (!it->has_status || (it->sha != NULL && !it->has_sum) ||
            it->link.quiet_ms < FAR_SETTLE_MS)
                return 0;
        if (!tar_scan_is_complete(it->scan))
                return tar_scan_end(it->scan, err);
        return err_set(err, ERR_CORRUPT, "it arrived with another SHA-256 than it was sent with");
}

static int
take_output(struct far_tar *it, const struct far_event *event, struct err *err)
{
        if (tar_scan_push(it->scan, event->data, event->len, err) < 0)
                return -1;
        if (it->sha != NULL && sha256_update(it->sha, event->data, event->len, err) < 0)
                return -1;
        it->data = event->data;
        it->len = event->len;
        it->came += event->len;
        return 0;
}

static int
at_end(struct far_tar *it, struct err *err)
{
        if (!it->acked)
                return far_link_early_end(&it->link, err);
        if (it->link.status != 0)
                return err_set(err, ERR_TRUNCATED, "%s did not end it well (status %d)",
                    it->link.host->label, it->link.status);
        /* Zeros hide a loss behind the last name, but all tars are of whole blocks. */
        if (it->came % TAR_BLOCK != 0)
                return err_set(err, ERR_CORRUPT, "bytes were lost or added on the way");
        if (it->sha == NULL)
                return 0;
        bool proven;
        if (is_proven(it, &proven, err) < 0)
                return -1;
        return proven ? 0 : err_set(err, ERR_CORRUPT, "more came than was sent");
}

/* Until there is data, or the end is proven. */
static int
advance(struct far_tar *it, struct err *err)
{
        while (it->len == 0 && !it->link.ended) {
                struct far_event event;
                /* What is sent takes the place of data: only when that was handed out. */
                if (settle(it, err) < 0)
                        return -1;
                int wait_ms = it->has_status && !it->acked ? 1000 : -1;
                if (far_link_next(&it->link, wait_ms, &event, err) < 0)
                        return -1;
                if (event.kind == FAR_OUT && event.len > 0 && take_output(it, &event, err) < 0)
                        return -1;
                if (it->link.ended)
                        return at_end(it, err);
        }
        return 0;
}

static ssize_t
far_tar_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct far_tar *it = (struct far_tar *)src;

        if (it->len == 0 && advance(it, err) < 0)
                return err_prefix(err, "cannot read \"%s\" in %s", it->root, it->link.host->label);
        size_t step = it->len < cap ? it->len : cap;
        if (step > 0)
                memcpy(buf, it->data, step);
        it->data += step;
        it->len -= step;
        return (ssize_t)step;
}

static void
far_tar_free(struct source *src)
{
        struct far_tar *it = (struct far_tar *)src;

        if (it->link.host != NULL)
                far_link_close(&it->link);
        tar_scan_free(it->scan);
        sha256_free(it->sha);
        for (size_t idx = 0; it->names != NULL && it->names[idx] != NULL; idx++)
                mem_free(it->names[idx]);
        mem_free(it->names);
        mem_free(it->root);
        mem_free(it);
}

static const struct source_ops far_tar_ops = { "far tar", far_tar_read, far_tar_free };

static size_t
count_names(const char *const *names)
{
        size_t count = 0;

        while (names != NULL && names[count] != NULL)
                count++;
        return count;
}

static int
copy_names(struct far_tar *it, const char *const *names, struct err *err)
{
        size_t count = count_names(names);

        it->names = mem_zalloc((count + 1) * sizeof(*it->names), err);
        if (it->names == NULL)
                return -1;
        for (size_t idx = 0; idx < count; idx++) {
                if (!path_is_inside(names[idx], strlen(names[idx]))) {
                        char shown[TAR_SHOWN_SIZE];
                        return err_set(err, ERR_INVALID, "\"%s\" is no name below \"%s\"",
                            tar_name_show(names[idx], strlen(names[idx]), shown), it->root);
                }
                it->names[idx] = mem_strdup(names[idx], err);
                if (it->names[idx] == NULL)
                        return -1;
        }
        return 0;
}

static int
start(struct far_tar *it, struct far_host *host, const struct far_tar_opts *opts,
    struct cancel *cancel, struct err *err)
{
        size_t count = count_names(opts->names);
        const char **args = mem_alloc((count + 5) * sizeof(*args), err);

        if (args == NULL)
                return -1;
        args[0] = opts->proof == FAR_DIGEST ? "digest" : "structure";
        args[1] = opts->follow_names ? "1" : "0";
        args[2] = opts->total != NULL ? "1" : "0";
        args[3] = it->root;
        for (size_t idx = 0; idx <= count; idx++)
                args[4 + idx] = idx < count ? opts->names[idx] : NULL;
        it->link.line = on_line;
        it->link.arg = it;
        int rc =
            far_link_open(&it->link, host, far_script_tar_out, args, opts->stall_ms, cancel, err);
        mem_free(args);
        return rc;
}

struct source *
far_tar_source(
    struct far_host *host, const struct far_tar_opts *opts, struct cancel *cancel, struct err *err)
{
        static const struct tar_watcher watcher = { .entry = refuse_other };
        struct far_tar *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        source_init(&it->source, &far_tar_ops);
        it->total = opts->total;
        it->root = mem_strdup(opts->root, err);
        if (it->root == NULL || copy_names(it, opts->names, err) < 0)
                goto fail;
        it->scan = tar_scan_new(&watcher, err);
        if (it->scan == NULL)
                goto fail;
        if (opts->proof == FAR_DIGEST) {
                it->sha = sha256_new(err);
                if (it->sha == NULL)
                        goto fail;
        }
        if (start(it, host, opts, cancel, err) < 0) {
                err_prefix(err, "cannot read \"%s\" in %s", it->root, host->label);
                goto fail;
        }
        return &it->source;

fail:
        far_tar_free(&it->source);
        return NULL;
}
