#include "store_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct sweep {
        struct store_file *it;
        struct cancel *cancel;
        uint64_t removed;
        int depth;
};

static int sweep_dir(struct sweep *sweep, int fd, const char *at, struct err *err);

static int
sweep_temp(struct sweep *sweep, int fd, const char *name, const char *at, struct err *err)
{
        if (unlinkat(fd, name, 0) == 0)
                sweep->removed++;
        else if (errno != ENOENT)
                return err_sys(err, "cannot remove \"%s/%s%s\"", sweep->it->store.url, at, name);
        return 0;
}

static int
sweep_folder(struct sweep *sweep, int fd, const char *name, const char *at, struct err *err)
{
        char path[STORE_KEY_MAX + 1];
        struct err reason;

        int len = snprintf(path, sizeof(path), "%s%s/", at, name);
        if ((size_t)len >= sizeof(path) || sweep->depth == STORE_FILE_DEPTH_MAX)
                return 0; /* no write of ours was ever there */
        err_init(&reason);
        int child = store_file_open_child(sweep->it, fd, name, path, O_RDONLY, &reason);
        if (child < 0)
                return store_file_unless_gone(&reason, err);
        sweep->depth++;
        int rc = sweep_dir(sweep, child, path, err);
        sweep->depth--;
        close(child);
        /* An empty directory has no key: a write was interrupted before its file; others stay. */
        if (rc == 0)
                (void)unlinkat(fd, name, AT_REMOVEDIR);
        return rc;
}

static int
sweep_dir(struct sweep *sweep, int fd, const char *at, struct err *err)
{
        struct dir_names names;
        uint64_t before = sweep->removed;
        int rc = 0;

        if (dir_names_read(sweep->it, fd, at, &names, err) < 0)
                return -1;
        for (size_t idx = 0; idx < names.count && rc == 0; idx++) {
                const struct dir_name *name = &names.all[idx];
                rc = cancel_check(sweep->cancel, err);
                if (rc == 0 && name->is_dir)
                        rc = sweep_folder(sweep, fd, name->name, at, err);
                else if (rc == 0 && name->is_temp)
                        rc = sweep_temp(sweep, fd, name->name, at, err);
        }
        dir_names_free(&names);
        if (rc == 0 && sweep->removed != before && fsync(fd) < 0 && errno != EINVAL)
                rc = err_sys(err, "cannot sync \"%s/%s\"", sweep->it->store.url, at);
        return rc;
}

int
store_file_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err)
{
        struct store_file *it = (struct store_file *)store;
        struct sweep sweep = { .it = it, .cancel = cancel };
        struct err reason;

        if (store_file_check_key(prefix, err) < 0 || store_file_root(it, err) < 0)
                return -1;
        err_init(&reason);
        size_t len = strlen(prefix);
        int fd = store_file_open_dir(it, prefix, len > 0 ? len - 1 : 0, O_RDONLY, &reason);
        if (fd < 0)
                return store_file_unless_gone(&reason, err);
        int rc = sweep_dir(&sweep, fd, prefix, err);
        close(fd);
        if (rc == 0)
                rc = store_file_prune(it, prefix, err);
        if (rc == 0)
                *removed = sweep.removed;
        return rc;
}
