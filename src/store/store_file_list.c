#include "store_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/buf.h"

struct walk {
        struct store_file *it;
        bool shallow;
        store_list_fn *fn;
        void *arg;
        struct cancel *cancel;
        int depth;
        char key[STORE_KEY_MAX + 1]; /* the way to where we are, with a slash at its end */
        size_t len;
};

/* Make the key longer by a name; false when keys are not that long. */
static int
enter(struct walk *walk, const struct dir_name *name, struct err *err)
{
        size_t len = strlen(name->name);

        if (walk->len + len + name->is_dir > STORE_KEY_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "cannot list the store \"%s\": a name below \"%.256s\" is longer than %zu "
                    "bytes",
                    walk->it->store.url, walk->key, STORE_KEY_MAX);
        memcpy(walk->key + walk->len, name->name, len);
        walk->len += len;
        if (name->is_dir)
                walk->key[walk->len++] = '/';
        walk->key[walk->len] = '\0';
        return 0;
}

static void
leave(struct walk *walk, size_t len)
{
        walk->len = len;
        walk->key[len] = '\0';
}

/* What is to be done in each directory: 0, -1, or 1 to stop without an error. */
typedef int visit_fn(struct walk *walk, int fd, struct err *err);

/* Go into the folder that walk->key names now. */
static int
visit_child(struct walk *walk, int parent, const char *name, visit_fn *visit, struct err *err)
{
        struct err reason;

        if (walk->depth == STORE_FILE_DEPTH_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "cannot list the store \"%s\": it is more than %d folders deep",
                    walk->it->store.url, STORE_FILE_DEPTH_MAX);
        err_init(&reason);
        int fd = store_file_open_child(walk->it, parent, name, walk->key, O_RDONLY, &reason);
        /* Removed since its name was read: then it has no keys. */
        if (fd < 0)
                return store_file_unless_gone(&reason, err);
        walk->depth++;
        int rc = visit(walk, fd, err);
        walk->depth--;
        close(fd);
        return rc;
}

/* Is there any key in this directory or below?  1 or 0, or -1. */
static int
has_key(struct walk *walk, int fd, struct err *err)
{
        struct dir_names names;
        int rc = 0;

        if (cancel_check(walk->cancel, err) < 0 ||
            dir_names_read(walk->it, fd, walk->key, &names, err) < 0)
                return -1;
        for (size_t idx = 0; idx < names.count && rc == 0; idx++)
                rc = !names.all[idx].is_dir && !names.all[idx].is_temp;
        for (size_t idx = 0; idx < names.count && rc == 0; idx++) {
                const struct dir_name *name = &names.all[idx];
                size_t len = walk->len;
                if (!name->is_dir || name->is_temp)
                        continue;
                rc = enter(walk, name, err);
                if (rc == 0)
                        rc = visit_child(walk, fd, name->name, has_key, err);
                leave(walk, len);
        }
        dir_names_free(&names);
        return rc;
}

static int list_dir(struct walk *walk, int fd, struct err *err);

/* The key at hand is a file's. */
static int
list_file(struct walk *walk, int fd, const char *name, struct err *err)
{
        struct store_stat stat = { 0 };
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT)
                        return 0;
                return err_sys(err, "cannot look at \"%s/%s\"", walk->it->store.url, walk->key);
        }
        stat.size = (uint64_t)st.st_size;
        stat.mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        return walk->fn(walk->arg, walk->key, &stat, err);
}

static int
list_folder(struct walk *walk, int fd, const char *name, struct err *err)
{
        if (!walk->shallow)
                return visit_child(walk, fd, name, list_dir, err);
        int rc = visit_child(walk, fd, name, has_key, err);
        return rc == 1 ? walk->fn(walk->arg, walk->key, NULL, err) : rc;
}

static int
list_dir(struct walk *walk, int fd, struct err *err)
{
        struct dir_names names;
        int rc = 0;

        if (dir_names_read(walk->it, fd, walk->key, &names, err) < 0)
                return -1;
        for (size_t idx = 0; idx < names.count && rc == 0; idx++) {
                const struct dir_name *name = &names.all[idx];
                size_t len = walk->len;
                if (name->is_temp)
                        continue;
                rc = cancel_check(walk->cancel, err);
                if (rc == 0)
                        rc = enter(walk, name, err);
                if (rc == 0)
                        rc = name->is_dir ? list_folder(walk, fd, name->name, err)
                                          : list_file(walk, fd, name->name, err);
                leave(walk, len);
        }
        dir_names_free(&names);
        return rc;
}

int
store_file_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        struct store_file *it = (struct store_file *)store;
        struct walk walk = { .it = it, .shallow = shallow, .fn = fn, .arg = arg, .cancel = cancel };
        struct err reason;

        if (store_file_check_key(prefix, err) < 0 || store_file_root(it, err) < 0)
                return -1;
        walk.len = strlen(prefix);
        memcpy(walk.key, prefix, walk.len + 1);
        for (size_t idx = 0; idx < walk.len; idx++)
                walk.depth += prefix[idx] == '/';

        err_init(&reason);
        size_t len = walk.len > 0 ? walk.len - 1 : 0;
        int fd = store_file_open_dir(it, prefix, len, O_RDONLY, &reason);
        int rc = fd >= 0 ? list_dir(&walk, fd, err) : store_file_unless_gone(&reason, err);
        if (fd >= 0)
                close(fd);
        /* A store that was taken away half-way looks like one with fewer keys. */
        if (rc == 0 && store_file_root(it, err) < 0)
                return -1;
        return rc;
}
