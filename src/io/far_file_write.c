/*
 * One file into the far end, under a temporary name until both ends agree.
 */
#include <stdio.h>
#include <string.h>

#include "far_script.h"
#include "far_upload.h"
#include "moonkeep/far_stream.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/rand.h"

#define RANDOM_LEN 10
#define NAME_LIMIT 255

/* "DIR/.moonkeep-tmp-NAME-random", as file_sink; of a long name only its beginning. */
static char *
temp_path(const char *path, const char *dir, struct err *err)
{
        const char *slash = strrchr(path, '/');
        const char *name = slash != NULL ? slash + 1 : path;
        size_t room = NAME_LIMIT - strlen(FILE_TEMP_PREFIX) - 1 - RANDOM_LEN;
        char id[RANDOM_LEN + 1];
        char temp[NAME_LIMIT + 1];

        if (rand_id(id, RANDOM_LEN, err) < 0)
                return NULL;
        snprintf(temp, sizeof(temp), "%s%.*s-%s", FILE_TEMP_PREFIX, (int)room, name, id);
        return path_join(dir, temp, err);
}

static int
write_file(struct source *src, struct far_host *host, const char *path, const char *dir,
    const struct far_file_opts *opts, struct cancel *cancel, struct err *err)
{
        char mode[16];
        char *temp = temp_path(path, dir, err);
        struct far_upload upload = { .path = path, .tool = "dd" };

        if (temp == NULL) {
                source_free(src);
                return -1;
        }
        snprintf(mode, sizeof(mode), "%04o", (opts->mode != 0 ? opts->mode : 0600) & 07777);
        const char *const args[] = { opts->proof == FAR_DIGEST ? "digest" : "structure", mode,
                opts->exclusive ? "1" : "0", path, temp, dir, NULL };
        int rc = far_upload_run(
            &upload, src, host, far_script_file_in, args, opts->proof, opts->stall_ms, cancel, err);
        mem_free(temp);
        return rc;
}

int
far_file_write(struct source *src, struct far_host *host, const char *path,
    const struct far_file_opts *opts, struct cancel *cancel, struct err *err)
{
        char *dir = src != NULL ? path_parent(path, err) : NULL;
        int rc = -1;

        if (dir != NULL)
                rc = write_file(src, host, path, dir, opts, cancel, err);
        else
                source_free(src);
        mem_free(dir);
        return rc < 0 ? err_prefix(err, "cannot write \"%s\" in %s", path, host->label) : 0;
}
