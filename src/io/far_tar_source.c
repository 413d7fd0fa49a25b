/*
 * A directory at the far end as a tar: whole when it has its end blocks, and as many bytes as
 * tar wrote there, where that is known.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "far_output.h"
#include "far_script.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "tar_header.h"
#include "tar_name.h"

struct far_tar {
        struct far_output out;
        struct tar_scan *scan;
        char **names;
        _Atomic uint64_t *total;
        int tar_status;
        uint64_t wrote; /* bytes, by tar and all that it ran; 0: it was not told */
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

        far_link_said(&it->out.link, said);
        for (size_t idx = 0; idx < sizeof(changes) / sizeof(*changes); idx++) {
                if (strstr(said, changes[idx]) != NULL)
                        return err_set(err, ERR_IO, "a file changed while it was read: %s", said);
        }
        return far_link_failed(&it->out.link, "tar", it->tar_status, err);
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
        if (strcmp(word, "sum") == 0)
                return far_output_sum(&it->out, rest, err);
        if (strcmp(word, "refuse") == 0)
                return far_link_refused(rest, it->out.path, err);
        if (strcmp(word, "name") == 0)
                return fail_name(it, rest, err);
        if (strcmp(word, "wrote") == 0) {
                char *behind;
                uint64_t before = strtoull(rest, &behind, 10);
                it->wrote = strtoull(behind, NULL, 10) - before;
                return 0;
        }
        if (strcmp(word, "tar") != 0)
                return 0;
        it->out.has_status = true;
        it->tar_status = (int)strtol(rest, NULL, 10);
        return it->tar_status != 0 ? fail_tar(it, err) : 0;
}

static int
take(struct far_output *out, const void *data, size_t len, struct err *err)
{
        return tar_scan_push(((struct far_tar *)out)->scan, data, len, err);
}

/* Is it as much as tar wrote?  What it said on the other channel was written, too. */
static bool
is_all(const struct far_tar *it)
{
        return it->wrote == 0 ||
               (it->out.came <= it->wrote && it->out.came + it->out.link.other_bytes >= it->wrote);
}

static int
not_all(const struct far_tar *it, struct err *err)
{
        return err_set(err, ERR_CORRUPT,
            "bytes were lost or added on the way: %" PRIu64 " were written, and %" PRIu64 " came",
            it->wrote, it->out.came);
}

/*
 * The end blocks are not enough: files that are lost as a whole leave no gap, and the zeros
 * behind the end take the place of what is lost of the last file.
 */
static bool
is_whole(const struct far_output *out)
{
        const struct far_tar *it = (const struct far_tar *)out;

        return tar_scan_is_complete(it->scan) && is_all(it);
}

static int
look(struct far_output *out, struct err *err)
{
        const struct far_tar *it = (const struct far_tar *)out;

        return it->wrote != 0 && out->came > it->wrote ? not_all(it, err) : 0;
}

static int
cut(struct far_output *out, struct err *err)
{
        const struct far_tar *it = (const struct far_tar *)out;

        return tar_scan_is_complete(it->scan) ? not_all(it, err) : tar_scan_end(it->scan, err);
}

static int
at_end(struct far_output *out, struct err *err)
{
        bool proven;

        if (!is_all((const struct far_tar *)out))
                return not_all((const struct far_tar *)out, err);
        /* All tars are of whole blocks. */
        if (out->came % TAR_BLOCK != 0)
                return err_set(err, ERR_CORRUPT, "bytes were lost or added on the way");
        if (out->sha == NULL)
                return 0;
        if (far_output_is_proven(out, &proven, err) < 0)
                return -1;
        return proven ? 0 : err_set(err, ERR_CORRUPT, "more came than was sent");
}

static void
far_tar_free(struct source *src)
{
        struct far_tar *it = (struct far_tar *)src;

        far_output_clear(&it->out);
        tar_scan_free(it->scan);
        for (size_t idx = 0; it->names != NULL && it->names[idx] != NULL; idx++)
                mem_free(it->names[idx]);
        mem_free(it->names);
        mem_free(it);
}

static const struct far_output_ops far_tar_ops = {
        .source = { "far tar", far_output_read, far_tar_free },
        .take = take,
        .is_whole = is_whole,
        .look = look,
        .cut = cut,
        .at_end = at_end,
};

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
                            tar_name_show(names[idx], strlen(names[idx]), shown), it->out.path);
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
        args[3] = it->out.path;
        for (size_t idx = 0; idx <= count; idx++)
                args[4 + idx] = idx < count ? opts->names[idx] : NULL;
        it->out.link.line = on_line;
        it->out.link.arg = it;
        int rc = far_link_open(
            &it->out.link, host, far_script_tar_out, args, opts->stall_ms, cancel, err);
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
        it->total = opts->total;
        if (far_output_init(&it->out, &far_tar_ops, opts->root, opts->proof, err) < 0 ||
            copy_names(it, opts->names, err) < 0)
                goto fail;
        it->scan = tar_scan_new(&watcher, err);
        if (it->scan == NULL)
                goto fail;
        if (start(it, host, opts, cancel, err) < 0) {
                err_prefix(err, "cannot read \"%s\" in %s", it->out.path, host->label);
                goto fail;
        }
        return &it->out.source;

fail:
        far_tar_free(&it->out.source);
        return NULL;
}
