#include "tar_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/dir_list.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"
#include "moonkeep/tar.h"
#include "tar_name.h"

/* Deeper than this, the upper directories are closed and opened again on the way back. */
#define OPEN_DIRS_MAX 32

/* A slash is put behind the names of directories. */
#define PATH_MAX_LEN (TAR_NAME_MAX - 1)

struct level {
        int fd; /* -1 while it is closed for a deeper one */
        dev_t dev;
        ino_t ino;
        struct dir_list list;
        size_t next;     /* index of the name to be visited next */
        size_t path_len; /* of the directory's own path, with its slash */
};

struct tar_walk {
        const char *root;
        const char *const *names; /* what is left of them; NULL: all of root */
        bool follow_names;
        int root_fd;
        int named_fd; /* the directory that holds the current one of names */
        struct level *levels;
        size_t depth;
        size_t room;
        struct tar_walk_entry entry; /* what was handed out last */
        bool descend;                /* it is a directory, and next comes what it holds */
        size_t path_len;
        char path[PATH_MAX_LEN + 1];
};

static const char *
shown(const struct tar_walk *walk, char out[TAR_SHOWN_SIZE])
{
        return tar_name_show(walk->path, walk->path_len, out);
}

static int
fail_sys(const struct tar_walk *walk, const char *what, struct err *err)
{
        char name[TAR_SHOWN_SIZE];

        return err_sys(err, "cannot %s \"%s/%s\"", what, walk->root, shown(walk, name));
}

static int
fail_changed(const struct tar_walk *walk, struct err *err)
{
        char name[TAR_SHOWN_SIZE];

        return err_set(err, ERR_IO, "\"%s/%s\" changed while its directory was read", walk->root,
            shown(walk, name));
}

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

static void
level_free(struct level *level)
{
        close_fd(&level->fd);
        dir_list_free(&level->list);
}

static int
set_path(struct tar_walk *walk, size_t base, const char *name, struct err *err)
{
        size_t len = strlen(name);

        if (base + len > PATH_MAX_LEN) {
                char cut[TAR_SHOWN_SIZE];
                return err_set(err, ERR_TOO_BIG, "the path of \"%s\" below \"%s\" is too long",
                    tar_name_show(name, len, cut), walk->root);
        }
        memcpy(walk->path + base, name, len + 1);
        walk->path_len = base + len;
        return 0;
}

static int
list(struct tar_walk *walk, struct level *level, struct err *err)
{
        char name[TAR_SHOWN_SIZE];
        struct err reason;

        err_init(&reason);
        if (dir_list_read(level->fd, &level->list, &reason) == 0)
                return 0;
        if (reason.code == ERR_NOT_FOUND)
                return fail_changed(walk, err);
        if (err != NULL)
                *err = reason;
        return err_prefix(err, "cannot list \"%s/%s\"", walk->root, shown(walk, name));
}

/* Go into the directory fd (taken), whose path is in walk->path. */
static int
enter(struct tar_walk *walk, int fd, const struct stat *st, struct err *err)
{
        struct level level = { .fd = fd, .dev = st->st_dev, .ino = st->st_ino };

        if (walk->depth == walk->room) {
                size_t room = walk->room > 0 ? 2 * walk->room : 8;
                struct level *levels = mem_realloc(walk->levels, room * sizeof(*levels), err);
                if (levels == NULL)
                        goto fail;
                walk->levels = levels;
                walk->room = room;
        }
        if (list(walk, &level, err) < 0)
                goto fail;
        level.path_len = walk->path_len;
        if (level.path_len > 0) {
                if (set_path(walk, walk->path_len, "/", err) < 0)
                        goto fail;
                level.path_len++;
        }
        if (walk->depth >= OPEN_DIRS_MAX)
                close_fd(&walk->levels[walk->depth - OPEN_DIRS_MAX].fd);
        walk->levels[walk->depth++] = level;
        return 0;

fail:
        level_free(&level);
        return -1;
}

/* Leave the innermost directory; the one above is open again afterwards. */
static int
leave(struct tar_walk *walk, struct err *err)
{
        struct level *level = &walk->levels[walk->depth - 1];
        struct level *above = walk->depth > 1 ? level - 1 : NULL;
        int rc = 0;

        walk->path_len = level->path_len;
        if (above != NULL && above->fd < 0) {
                struct stat st;
                above->fd = openat(level->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (above->fd < 0)
                        rc = fail_sys(walk, "go back from", err);
                else if (fstat(above->fd, &st) < 0 || st.st_dev != above->dev ||
                         st.st_ino != above->ino)
                        rc = fail_changed(walk, err); /* moved to another place */
        }
        level_free(level);
        walk->depth--;
        return rc;
}

struct tar_walk *
tar_walk_new(const char *root, const char *const *names, bool follow_names, struct err *err)
{
        struct tar_walk *walk = mem_zalloc(sizeof(*walk), err);
        struct stat st;

        if (walk == NULL)
                return NULL;
        walk->root = root;
        walk->names = names;
        walk->follow_names = follow_names;
        walk->named_fd = -1;
        walk->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (walk->root_fd < 0 || fstat(walk->root_fd, &st) < 0) {
                err_sys(err, "cannot open the directory \"%s\"", root);
                goto fail;
        }
        if (names == NULL) {
                int fd = walk->root_fd;
                walk->root_fd = -1;
                if (enter(walk, fd, &st, err) < 0)
                        goto fail;
        }
        return walk;

fail:
        tar_walk_free(walk);
        return NULL;
}

void
tar_walk_free(struct tar_walk *walk)
{
        if (walk == NULL)
                return;
        while (walk->depth > 0)
                level_free(&walk->levels[--walk->depth]);
        mem_free(walk->levels);
        close_fd(&walk->named_fd);
        close_fd(&walk->root_fd);
        mem_free(walk);
}

/*
 * Put a given name into walk->path without "." and double slashes, and open
 * the directory that holds it.  Returns where the last component begins.
 */
static const char *
open_named(struct tar_walk *walk, const char *name, struct err *err)
{
        size_t last = 0;

        walk->path_len = 0;
        walk->path[0] = '\0';
        for (size_t len; *name != '\0'; name += len) {
                len = strcspn(name, "/");
                if (len == 0) {
                        len = 1;
                        continue;
                }
                if (len == 1 && name[0] == '.')
                        continue;
                if (walk->path_len + 1 + len > PATH_MAX_LEN) {
                        err_set(err, ERR_TOO_BIG, "a name below \"%s\" is too long", walk->root);
                        return NULL;
                }
                if (walk->path_len > 0)
                        walk->path[walk->path_len++] = '/';
                last = walk->path_len;
                memcpy(walk->path + last, name, len);
                walk->path_len += len;
                walk->path[walk->path_len] = '\0';
        }
        if (!path_is_inside(walk->path, walk->path_len)) {
                char cut[TAR_SHOWN_SIZE];
                err_set(err, ERR_INVALID, "\"%s\" is no name below \"%s\"", shown(walk, cut),
                    walk->root);
                return NULL;
        }

        int fd = fcntl(walk->root_fd, F_DUPFD_CLOEXEC, 0);
        for (size_t start = 0; fd >= 0 && start < last;) {
                size_t len = strcspn(walk->path + start, "/");
                int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
                walk->path[start + len] = '\0';
                int inner =
                    openat(fd, walk->path + start, walk->follow_names ? flags : flags | O_NOFOLLOW);
                walk->path[start + len] = '/';
                close(fd);
                fd = inner;
                start += len + 1;
        }
        if (fd < 0) {
                fail_sys(walk, "reach", err);
                return NULL;
        }
        close_fd(&walk->named_fd);
        walk->named_fd = fd;
        return walk->path + last;
}

/* Go into the directory that was handed out last. */
static int
descend(struct tar_walk *walk, struct err *err)
{
        const struct tar_walk_entry *entry = &walk->entry;
        int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        struct stat st;

        int fd = openat(entry->dir_fd, entry->name, entry->follow ? flags : flags | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                           ? fail_changed(walk, err)
                           : fail_sys(walk, "open", err);
        if (fstat(fd, &st) < 0 || st.st_dev != entry->st.st_dev || st.st_ino != entry->st.st_ino) {
                close(fd);
                return fail_changed(walk, err);
        }
        return enter(walk, fd, &st, err);
}

/* The next name inside the directories that are open; 0 when there is none. */
static int
next_inside(struct tar_walk *walk, struct err *err)
{
        while (walk->depth > 0) {
                struct level *level = &walk->levels[walk->depth - 1];
                if (level->next == level->list.count) {
                        if (leave(walk, err) < 0)
                                return -1;
                        continue;
                }
                const char *name = level->list.names[level->next++];
                if (set_path(walk, level->path_len, name, err) < 0)
                        return -1;
                walk->entry = (struct tar_walk_entry){ .dir_fd = level->fd, .name = name };
                return 1;
        }
        return 0;
}

static int
next_named(struct tar_walk *walk, struct err *err)
{
        if (walk->names == NULL || *walk->names == NULL)
                return 0;
        const char *name = open_named(walk, *walk->names++, err);
        if (name == NULL)
                return -1;
        walk->entry = (struct tar_walk_entry){
                .dir_fd = walk->named_fd, .name = name, .follow = walk->follow_names
        };
        return 1;
}

int
tar_walk_next(struct tar_walk *walk, struct tar_walk_entry *entry, struct err *err)
{
        bool is_named = false;

        if (walk->descend) {
                walk->descend = false;
                if (descend(walk, err) < 0)
                        return -1;
        }
        int found = next_inside(walk, err);
        if (found == 0) {
                found = next_named(walk, err);
                is_named = true;
        }
        if (found <= 0)
                return found;

        struct tar_walk_entry *got = &walk->entry;
        got->path = walk->path;
        int flags = got->follow ? 0 : AT_SYMLINK_NOFOLLOW;
        if (fstatat(got->dir_fd, got->name, &got->st, flags) < 0)
                return errno == ENOENT && !is_named ? fail_changed(walk, err)
                                                    : fail_sys(walk, "read", err);
        walk->descend = S_ISDIR(got->st.st_mode);
        *entry = *got;
        return 1;
}
