#include "store_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/file.h"

int
store_file_strange(const struct store_file *it, const char *at, bool is_link, struct err *err)
{
        err_set(err, ERR_INVALID, "\"%s\" in the store \"%s\" is %s", at, it->store.url,
            is_link ? "a symbolic link" : "neither a file nor a folder");
        return err_hint(err, "a store holds only files and folders; move it elsewhere");
}

int
store_file_check_key(const char *key, struct err *err)
{
        size_t first = strcspn(key, "/");
        int parts = 0;

        if (first == strlen(STORE_FILE_FOREIGN) && strncmp(key, STORE_FILE_FOREIGN, first) == 0)
                return err_set(err, ERR_INVALID,
                    "\"%s\" is no key of a directory store: \"%s\" is the file system's", key,
                    STORE_FILE_FOREIGN);
        for (const char *part = key; *part != '\0';) {
                size_t len = strcspn(part, "/");
                if (strncmp(part, FILE_TEMP_PREFIX, strlen(FILE_TEMP_PREFIX)) == 0)
                        return err_set(err, ERR_INVALID,
                            "\"%s\" is no key of a directory store: names that begin with \"%s\" "
                            "are its own",
                            key, FILE_TEMP_PREFIX);
                if (++parts > STORE_FILE_DEPTH_MAX)
                        return err_set(err, ERR_INVALID,
                            "\"%s\" is no key of a directory store: more than %d parts", key,
                            STORE_FILE_DEPTH_MAX);
                part += len + (part[len] == '/');
        }
        return 0;
}

int
store_file_unless_gone(const struct err *reason, struct err *err)
{
        if (reason->code == ERR_NOT_FOUND)
                return 0;
        if (err != NULL)
                *err = *reason;
        return -1;
}

static int
vanished(const struct store_file *it, struct err *err)
{
        err_set(err, ERR_IO,
            "the store \"%s\" has vanished: its directory was removed, moved or unmounted while it "
            "was in use",
            it->store.url);
        return -1;
}

static int
open_root(struct store_file *it, struct err *err)
{
        struct stat st;

        int fd = open(it->store.url, O_PATH | O_CLOEXEC);
        if (fd < 0) {
                err_sys(err, "cannot open the store \"%s\"", it->store.url);
                if (errno == ENOENT)
                        err_hint(err, "the first backup into it makes it; is its name right?");
                return -1;
        }
        if (fstat(fd, &st) < 0) {
                err_sys(err, "cannot open the store \"%s\"", it->store.url);
        } else if (!S_ISDIR(st.st_mode)) {
                err_set(err, ERR_INVALID, "cannot open the store \"%s\": it is no directory",
                    it->store.url);
                err_hint(err, "name a directory, which is made when it is missing");
        } else {
                it->root = fd;
                return fd;
        }
        close(fd);
        return -1;
}

int
store_file_root(struct store_file *it, struct err *err)
{
        struct stat held, named;

        pthread_mutex_lock(&it->lock);
        int root = it->root;
        bool is_new = root < 0;
        if (is_new)
                root = open_root(it, err);
        pthread_mutex_unlock(&it->lock);
        if (is_new)
                return root;

        if (fstat(root, &held) < 0 || held.st_nlink == 0)
                return vanished(it, err);
        if (stat(it->store.url, &named) < 0) {
                if (errno == ENOENT || errno == ENOTDIR)
                        return vanished(it, err);
                return err_sys(err, "cannot look at the store \"%s\"", it->store.url);
        }
        if (held.st_dev != named.st_dev || held.st_ino != named.st_ino)
                return vanished(it, err);
        return root;
}

int
store_file_open_child(
    struct store_file *it, int parent, const char *name, const char *at, int flags, struct err *err)
{
        struct stat st;

        int fd = openat(parent, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
                return fd;
        if (errno == ENOTDIR || errno == ELOOP) {
                /* Something else has that name; which is it? */
                if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
                        return store_file_strange(it, at, S_ISLNK(st.st_mode), err);
                errno = ENOENT;
        }
        return err_sys(err, "cannot open \"%s/%s\"", it->store.url, at);
}

int
store_file_open_dir(struct store_file *it, const char *key, size_t len, int flags, struct err *err)
{
        char at[STORE_KEY_MAX + 1];
        int root = store_file_root(it, err);

        if (root < 0)
                return -1;
        int fd = openat(root, ".", (len == 0 ? flags : O_PATH) | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(err, "cannot open the store \"%s\"", it->store.url);

        memcpy(at, key, len);
        at[len] = '\0';
        for (size_t start = 0; start < len;) {
                size_t end = start + strcspn(at + start, "/");
                bool is_last = end == len;
                at[end] = '\0';
                int next =
                    store_file_open_child(it, fd, at + start, at, is_last ? flags : O_PATH, err);
                close(fd);
                if (next < 0)
                        return -1;
                fd = next;
                if (!is_last)
                        at[end] = '/';
                start = end + 1;
        }
        return fd;
}

int
store_file_prune(struct store_file *it, const char *key, struct err *err)
{
        char at[STORE_KEY_MAX + 1];
        struct err reason;
        char *slash;

        memcpy(at, key, strlen(key) + 1);
        while ((slash = strrchr(at, '/')) != NULL) {
                *slash = '\0';
                const char *name = strrchr(at, '/');
                size_t parent = name != NULL ? (size_t)(name - at) : 0;
                name = name != NULL ? name + 1 : at;

                err_init(&reason);
                int dir = store_file_open_dir(it, at, parent, O_RDONLY, &reason);
                if (dir < 0) {
                        /* Somebody else was quicker; there may be more above. */
                        if (store_file_unless_gone(&reason, err) == 0)
                                continue;
                        return -1;
                }
                /* Not empty, or not ours to remove: then it stays. */
                bool removed = unlinkat(dir, name, AT_REMOVEDIR) == 0;
                bool gone = removed || errno == ENOENT;
                if (removed && fsync(dir) < 0 && errno != EINVAL) {
                        err_sys(
                            err, "cannot make the removal of \"%s/%s\" durable", it->store.url, at);
                        close(dir);
                        return -1;
                }
                close(dir);
                if (!gone)
                        break;
        }
        return 0;
}
