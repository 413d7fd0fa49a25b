#include "store_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"

/* How often a write looks for its directory again when a removal has just taken it. */
#define CREATE_TRIES 16

static int
not_found(const struct store_file *it, const char *key, struct err *err)
{
        return err_set(
            err, ERR_NOT_FOUND, "\"%s\" does not exist in the store \"%s\"", key, it->store.url);
}

/* Length of the directory part of key, without its slash; 0 for the root. */
static size_t
parent_len(const char *key)
{
        const char *slash = strrchr(key, '/');

        return slash != NULL ? (size_t)(slash - key) : 0;
}

static const char *
last_part(const char *key)
{
        const char *slash = strrchr(key, '/');

        return slash != NULL ? slash + 1 : key;
}

static int
file_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        struct store_file *it = (struct store_file *)store;
        struct stat st;
        struct err reason;

        (void)cancel;
        err_init(&reason);
        if (store_file_check_key(key, err) < 0 || store_file_root(it, err) < 0)
                return -1;
        int dir = store_file_open_dir(it, key, parent_len(key), O_PATH, &reason);
        if (dir < 0)
                return store_file_unless_gone(&reason, err) == 0 ? not_found(it, key, err) : -1;
        int rc = fstatat(dir, last_part(key), &st, AT_SYMLINK_NOFOLLOW);
        int saved = errno;
        close(dir);
        errno = saved;
        if (rc < 0 && (errno == ENOENT || errno == ENOTDIR))
                return not_found(it, key, err);
        if (rc < 0)
                return err_sys(err, "cannot look at \"%s/%s\"", store->url, key);
        if (S_ISDIR(st.st_mode))
                return not_found(it, key, err);
        if (!S_ISREG(st.st_mode))
                return store_file_strange(it, key, S_ISLNK(st.st_mode), err);
        *out = (struct store_stat){ .size = (uint64_t)st.st_size };
        out->mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        return 0;
}

static struct source *
file_read_key(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        struct store_stat st;

        /* It says what is no key of this store; file_source never follows a link at the end. */
        if (file_stat(store, key, &st, cancel, err) < 0)
                return NULL;
        char *path = path_join(store->url, key, err);
        if (path == NULL)
                return NULL;
        struct source *src = file_source(path, offset, length, cancel, err);
        mem_free(path);
        return src;
}

/* Make the root, unless it is there. */
static int
make_root(struct store_file *it, struct err *err)
{
        struct err reason;

        err_init(&reason);
        if (store_file_root(it, &reason) >= 0)
                return 0;
        if (reason.code != ERR_NOT_FOUND) {
                if (err != NULL)
                        *err = reason;
                return -1;
        }
        if (path_make_dirs(it->store.url, 0700, err) < 0)
                return err_prefix(err, "cannot make the store \"%s\"", it->store.url);
        return store_file_root(it, err) >= 0 ? 0 : -1;
}

/* May key be created: no part of its way is a file, and it is no folder itself? */
static int
check_place(struct store_file *it, const char *key, struct err *err)
{
        struct stat st;
        char part[STORE_KEY_MAX + 1];
        int rc = 0;

        int dir = store_file_open_dir(it, "", 0, O_PATH, err);
        if (dir < 0)
                return -1;
        for (size_t start = 0; rc == 0;) {
                size_t len = strcspn(key + start, "/");
                bool is_last = key[start + len] == '\0';
                memcpy(part, key + start, len);
                part[len] = '\0';
                start += len + 1;
                if (fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        break;
                if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
                        rc = store_file_strange(it, key, S_ISLNK(st.st_mode), err);
                } else if (is_last && S_ISDIR(st.st_mode)) {
                        rc = err_set(err, ERR_INVALID,
                            "cannot create \"%s/%s\": there are keys below that name",
                            it->store.url, key);
                } else if (!is_last && S_ISREG(st.st_mode)) {
                        rc = err_set(err, ERR_INVALID,
                            "cannot create \"%s/%s\": \"%s\" is a file, no folder", it->store.url,
                            key, part);
                }
                if (is_last || rc < 0)
                        break;
                int next = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                close(dir);
                dir = next;
                /* Gone again: file_sink will make it. */
                if (dir < 0)
                        return 0;
        }
        close(dir);
        return rc;
}

static struct sink *
file_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        struct store_file *it = (struct store_file *)store;
        const struct file_sink_opts opts = { .exclusive = how->exclusive, .make_dirs = true };
        struct sink *sink = NULL;
        struct err reason;

        if (store_file_check_key(key, err) < 0 || make_root(it, err) < 0)
                return NULL;
        char *path = path_join(store->url, key, err);
        if (path == NULL)
                return NULL;
        /*
         * A removal may take the directory, empty as it still is, from under
         * us: then it is made again, unless the whole store has gone.
         */
        for (int tries = 0; sink == NULL && tries < CREATE_TRIES; tries++) {
                err_init(&reason);
                if (check_place(it, key, &reason) < 0)
                        break;
                sink = file_sink(path, &opts, cancel, &reason);
                if (sink == NULL && reason.code != ERR_NOT_FOUND)
                        break;
        }
        mem_free(path);
        if (sink == NULL && err != NULL)
                *err = reason;
        return sink;
}

static int
file_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        struct store_file *it = (struct store_file *)store;
        struct err reason;

        (void)cancel;
        err_init(&reason);
        if (store_file_check_key(key, err) < 0 || store_file_root(it, err) < 0)
                return -1;
        int dir = store_file_open_dir(it, key, parent_len(key), O_RDONLY, &reason);
        if (dir < 0)
                return store_file_unless_gone(&reason, err);
        int rc = 0;
        bool removed = unlinkat(dir, last_part(key), 0) == 0;
        /* EISDIR: a folder is no key, so there is no such key. */
        if (!removed && errno != ENOENT && errno != EISDIR)
                rc = err_sys(err, "cannot remove \"%s/%s\"", store->url, key);
        else if (removed && fsync(dir) < 0 && errno != EINVAL)
                rc = err_sys(err, "cannot make the removal of \"%s/%s\" durable", store->url, key);
        close(dir);
        return rc == 0 ? store_file_prune(it, key, err) : -1;
}

static void
file_free(struct store *store)
{
        struct store_file *it = (struct store_file *)store;

        if (it->root >= 0)
                close(it->root);
        pthread_mutex_destroy(&it->lock);
        mem_free(store->url);
        mem_free(it);
}

static const struct store_ops file_ops = {
        .name = "file",
        .stat = file_stat,
        .list = store_file_list,
        .read = file_read_key,
        .create = file_create,
        .remove = file_remove,
        .sweep = store_file_sweep,
        .free = file_free,
};

/* path as an absolute one, without empty and "." parts; ".." stays (it may follow a link). */
static char *
absolute(const char *path, struct err *err)
{
        struct buf out;
        char *cwd = NULL;

        buf_init(&out, 2 * (size_t)PATH_MAX);
        if (*path != '/') {
                cwd = getcwd(NULL, 0);
                if (cwd == NULL) {
                        err_sys(err, "cannot find the current directory");
                        return NULL;
                }
                if (strcmp(cwd, "/") != 0 && buf_addstr(&out, cwd, err) < 0)
                        goto fail;
        }
        while (*path != '\0') {
                size_t len = strcspn(path, "/");
                if (len > 0 && !(len == 1 && *path == '.')) {
                        if (buf_add(&out, "/", 1, err) < 0 || buf_add(&out, path, len, err) < 0)
                                goto fail;
                }
                path += len + (path[len] == '/');
        }
        if (out.len == 0 && buf_add(&out, "/", 1, err) < 0)
                goto fail;
        free(cwd);
        return buf_detach(&out, err);

fail:
        free(cwd);
        buf_free(&out);
        return NULL;
}

struct store *
store_file_open(const char *path, struct err *err)
{
        struct store_file *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->store.ops = &file_ops;
        it->store.capabilities = STORE_EXCLUSIVE | STORE_WHOLE_DIGEST;
        it->root = -1;
        it->store.url = absolute(path, err);
        if (it->store.url == NULL) {
                mem_free(it);
                return NULL;
        }
        pthread_mutex_init(&it->lock, NULL);
        return &it->store;
}
