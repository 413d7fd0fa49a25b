/*
 * A tar into the far end: what tar_extract would refuse never leaves here, and
 * the tar there is believed only when it had all of it.
 */
#include <stdio.h>

#include "far_script.h"
#include "far_upload.h"
#include "moonkeep/far_stream.h"
#include "tar_judge.h"

struct judged {
        struct tar_judge judge;
        bool has_setid;
};

static int
judge_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct judged *it = arg;

        it->has_setid = it->has_setid || (entry->mode & 07000) != 0;
        return tar_judge_next(&it->judge, entry, err);
}

static const char *
last_line(void *arg)
{
        const struct judged *it = arg;

        return it->has_setid ? "0\nsetid\n" : "0\nplain\n";
}

int
far_tar_extract(struct source *src, struct far_host *host, const struct far_extract_opts *opts,
    struct cancel *cancel, struct err *err)
{
        char owner[48] = "";
        const char *const args[] = { opts->proof == FAR_DIGEST ? "digest" : "structure", owner,
                opts->dest, NULL };
        struct judged judged = { .has_setid = false };
        struct far_upload upload = {
                .path = opts->dest, .tool = "tar", .last_line = last_line, .arg = &judged
        };
        struct tar_tee tee = { .first = { .entry = judge_entry, .arg = &judged },
                .second = opts->watcher };
        struct tar_watcher both = tar_watcher_both(&tee);

        if (opts->chown)
                snprintf(owner, sizeof(owner), "%lu:%lu", (unsigned long)opts->uid,
                    (unsigned long)opts->gid);
        tar_judge_init(&judged.judge);
        int rc = -1;
        src = tar_scan_source(src, &both, err);
        if (src != NULL)
                rc = far_upload_run(&upload, src, host, far_script_tar_in, args, opts->proof,
                    opts->stall_ms, cancel, err);
        tar_judge_free(&judged.judge);
        if (rc < 0)
                return err_prefix(err, "cannot extract into \"%s\" in %s", opts->dest, host->label);
        return 0;
}
