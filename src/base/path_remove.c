#include "moonkeep/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "moonkeep/buf.h"

/*
 * Directories are held open from the top down to the one that is being
 * emptied, so that each name is looked up in the directory where it was read
 * and nobody can lead us elsewhere with a link.  To keep the number of
 * descriptors small in a tree of any depth, a directory below LEVELS_MAX is
 * moved up to the top and is emptied from there.
 */
#define LEVELS_MAX 32

struct level {
        DIR *dir;
        size_t path_len; /* of the path to this directory, in remover.path */
        bool changed;    /* names came or went since it was last read from its start */
};

struct remover {
        struct cancel *cancel;
        struct level levels[LEVELS_MAX];
        size_t depth;    /* levels in use */
        dev_t dev;       /* the file system of the top */
        uint64_t moved;  /* names given to directories that were moved up */
        struct buf path; /* of the thing at hand, for messages */
};

static int
fail(struct remover *rm, const char *name, struct err *err)
{
        return err_sys(err, "cannot remove \"%s%s%s\"", rm->path.data, name != NULL ? "/" : "",
            name != NULL ? name : "");
}

static int
refuse_mount_point(struct remover *rm, int fd, struct err *err)
{
        struct statx stx;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
                return fail(rm, NULL, err);
        dev_t dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
        if (rm->depth == 0) {
                rm->dev = dev;
                return 0;
        }
        /* The attribute shows a bind mount of the same file system, too. */
        if (dev != rm->dev || (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) {
                err_set(err, ERR_REFUSED, "cannot remove \"%s\": something is mounted there",
                    rm->path.data);
                return err_hint(err, "unmount it first");
        }
        return 0;
}

/* Make fd, the directory at rm->path, the deepest level.  Takes fd. */
static int
push(struct remover *rm, int fd, struct err *err)
{
        if (refuse_mount_point(rm, fd, err) < 0) {
                close(fd);
                return -1;
        }
        DIR *dir = fdopendir(fd);
        if (dir == NULL) {
                fail(rm, NULL, err);
                close(fd);
                return -1;
        }
        rm->levels[rm->depth++] = (struct level){ .dir = dir, .path_len = rm->path.len };
        return 0;
}

static void
pop(struct remover *rm)
{
        closedir(rm->levels[--rm->depth].dir);
}

static int
parent_fd(const struct remover *rm)
{
        return dirfd(rm->levels[rm->depth - 1].dir);
}

static int
move_up(struct remover *rm, const char *name, struct err *err)
{
        int top = dirfd(rm->levels[0].dir);
        char up[48];

        for (;;) {
                snprintf(up, sizeof(up), ".moonkeep-removed-%ju", (uintmax_t)rm->moved++);
                if (renameat2(parent_fd(rm), name, top, up, RENAME_NOREPLACE) == 0)
                        break;
                if (errno == ENOENT)
                        return 0;
                if (errno != EEXIST)
                        return fail(rm, name, err);
        }
        rm->levels[0].changed = true;
        return 0;
}

/* Enter the directory name of the deepest level, or remove it at once if it is empty. */
static int
enter(struct remover *rm, const char *name, struct err *err)
{
        if (unlinkat(parent_fd(rm), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
                return fail(rm, name, err);
        if (rm->depth == LEVELS_MAX)
                return move_up(rm, name, err);

        int fd = openat(parent_fd(rm), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0)
                return fail(rm, name, err);
        if (buf_addf(&rm->path, err, "/%s", name) < 0) {
                close(fd);
                return -1;
        }
        return push(rm, fd, err);
}

static int
remove_entry(struct remover *rm, const struct dirent *entry, struct err *err)
{
        const char *name = entry->d_name;

        if (entry->d_type != DT_DIR) {
                if (unlinkat(parent_fd(rm), name, 0) == 0 || errno == ENOENT)
                        return 0;
                if (errno != EISDIR)
                        return fail(rm, name, err);
        }
        return enter(rm, name, err);
}

/* The deepest level was read to its end: remove it by its name in the level above, and go up. */
static int
leave(struct remover *rm, struct err *err)
{
        struct level *level = &rm->levels[rm->depth - 1];
        const char *name = rm->path.data;
        int fd = AT_FDCWD;
        size_t keep = 0;

        if (rm->depth > 1) {
                keep = level[-1].path_len;
                name += keep + 1;
                fd = dirfd(level[-1].dir);
        }
        if (unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
                /* Some file systems skip names while others are being removed. */
                if ((errno != ENOTEMPTY && errno != EEXIST) || !level->changed)
                        return fail(rm, NULL, err);
                level->changed = false;
                rewinddir(level->dir);
                return 0;
        }
        pop(rm);
        rm->path.len = keep;
        rm->path.data[keep] = '\0';
        return 0;
}

static int
empty_levels(struct remover *rm, struct err *err)
{
        while (rm->depth > 0) {
                if (cancel_check(rm->cancel, err) < 0)
                        return -1;
                errno = 0;
                const struct dirent *entry = readdir(rm->levels[rm->depth - 1].dir);
                if (entry == NULL && errno != 0)
                        return fail(rm, NULL, err);
                if (entry == NULL) {
                        if (leave(rm, err) < 0)
                                return -1;
                        continue;
                }
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                rm->levels[rm->depth - 1].changed = true;
                if (remove_entry(rm, entry, err) < 0)
                        return -1;
        }
        return 0;
}

/* Would removing path remove the directory that we or the system stand in? */
static bool
is_own_ground(const char *path, size_t len)
{
        const char *name = memrchr(path, '/', len);

        name = name != NULL ? name + 1 : path;
        size_t name_len = len - (size_t)(name - path);
        return len == 0 || (name_len <= 2 && memcmp(name, "..", name_len) == 0);
}

int
path_remove_tree(const char *path, struct cancel *cancel, struct err *err)
{
        struct remover rm = { .cancel = cancel };
        size_t len = strlen(path);
        int rc = -1;

        /* A slash at the end would make the system follow a link. */
        while (len > 0 && path[len - 1] == '/')
                len--;
        if (is_own_ground(path, len))
                return err_set(err, ERR_INVALID, "cannot remove \"%s\": not a name", path);

        buf_init(&rm.path, len + (size_t)LEVELS_MAX * (NAME_MAX + 1));
        if (buf_add(&rm.path, path, len, err) < 0)
                return -1;
        if (cancel_check(cancel, err) < 0)
                goto done;
        if (unlink(rm.path.data) == 0 || errno == ENOENT) {
                rc = 0;
                goto done;
        }
        if (errno != EISDIR) {
                fail(&rm, NULL, err);
                goto done;
        }
        int fd = open(rm.path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                rc = errno == ENOENT ? 0 : fail(&rm, NULL, err);
                goto done;
        }
        if (push(&rm, fd, err) == 0)
                rc = empty_levels(&rm, err);
done:
        while (rm.depth > 0)
                pop(&rm);
        buf_free(&rm.path);
        return rc;
}
