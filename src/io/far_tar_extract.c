/*
 * A tar into the far end: what tar_extract would refuse never leaves here, and
 * the tar there is believed only when it had all of it.
 */
#include <stdio.h>

#include "far_script.h"
#include "far_upload.h"
#include "moonkeep/far_stream.h"
#include "tar_judge.h"

static int
judge_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        return tar_judge_next(arg, entry, err);
}

int
far_tar_extract(struct source *src, struct far_host *host, const struct far_extract_opts *opts,
    struct cancel *cancel, struct err *err)
{
        char owner[48] = "";
        const char *const args[] = { opts->proof == FAR_DIGEST ? "digest" : "structure", owner,
                opts->dest, NULL };
        struct far_upload upload = { .path = opts->dest, .tool = "tar" };
        struct tar_judge judge;
        struct tar_tee tee = { .first = { .entry = judge_entry, .arg = &judge },
                .second = opts->watcher };
        struct tar_watcher both = tar_watcher_both(&tee);

        if (opts->chown)
                snprintf(owner, sizeof(owner), "%lu:%lu", (unsigned long)opts->uid,
                    (unsigned long)opts->gid);
        tar_judge_init(&judge);
        int rc = -1;
        src = tar_scan_source(src, &both, err);
        if (src != NULL)
                rc = far_upload_run(&upload, src, host, far_script_tar_in, args, opts->proof,
                    opts->stall_ms, cancel, err);
        tar_judge_free(&judge);
        if (rc < 0)
                return err_prefix(err, "cannot extract into \"%s\" in %s", opts->dest, host->label);
        return 0;
}
