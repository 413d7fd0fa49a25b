#include "tar_maker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tar_judge.h"

/* The directories whose mode and time wait for the end: a million of them, and more. */
#define DIRS_MAX ((size_t)256 * 1024 * 1024)

/* A directory that waits; its name and a NUL follow. */
struct waiting {
        struct tar_marks marks;
        size_t before; /* where the one before it begins */
};

/* Directories that the tar does not name get the owner, too. */
static int
made_on_the_way(void *arg, int dir_fd, const char *name, struct err *err)
{
        struct tar_maker *maker = arg;

        if (maker->opts->owner == TAR_OWNER_FIXED &&
            fchownat(dir_fd, name, maker->opts->uid, maker->opts->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "cannot set the owner of the directory \"%s\"", name);
        return 0;
}

static int
extract_dir(struct tar_maker *maker, int dir_fd, const char *last, struct err *err)
{
        struct waiting waiting = { maker->marks, maker->last_dir };
        struct stat st;

        /* Open to us alone until the end. */
        if (mkdirat(dir_fd, last, 0700) < 0) {
                if (errno != EEXIST)
                        return err_sys(err, "cannot make the directory");
                if (fstatat(dir_fd, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return err_sys(err, "cannot read what is there");
                if (!S_ISDIR(st.st_mode))
                        return err_set(err, ERR_EXISTS, "it exists, and is no directory");
        }
        size_t at = maker->dirs.len;
        if (buf_add(&maker->dirs, &waiting, sizeof(waiting), err) < 0 ||
            buf_add(&maker->dirs, maker->name, strlen(maker->name) + 1, err) < 0)
                return -1;
        maker->last_dir = at;
        return 0;
}

static int
extract_file(struct tar_maker *maker, int dir_fd, const char *last, int *made, struct err *err)
{
        struct stat st;
        int fd = openat(dir_fd, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                return err_sys(err, "cannot make the file");
        if (fstat(fd, &st) < 0) {
                err_sys(err, "cannot look at the file");
                goto fail;
        }
        if (tar_links_add(&maker->files, st.st_dev, st.st_ino, "", err) < 0)
                goto fail;
        *made = fd;
        return 0;

fail:
        close(fd);
        return -1;
}

static int
extract_symlink(
    struct tar_maker *maker, int dir_fd, const char *last, const char *target, struct err *err)
{
        if (symlinkat(target, dir_fd, last) < 0)
                return err_sys(err, "cannot make the symbolic link");
        return tar_marks_apply_link(maker->opts, &maker->marks, dir_fd, last, err);
}

static int
extract_hard_link(struct tar_maker *maker, const struct tar_entry *entry, struct err *err)
{
        char target[TAR_NAME_MAX + 1];
        const char *target_last;
        const char *last;
        struct stat st;

        if (tar_judge_target(entry, target, err) < 0)
                return -1;
        int fd = tar_place_open(&maker->place, target, false, &target_last, err);
        if (fd < 0) {
                if (err != NULL && err->code == ERR_NOT_FOUND)
                        return tar_judge_fail_target(entry, "was not extracted before", err);
                return -1;
        }
        if (fstatat(fd, target_last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
            tar_links_find(&maker->files, st.st_dev, st.st_ino) == NULL)
                return tar_judge_fail_target(entry, "was not extracted before", err);

        /* The place remembers one directory, and the link may be in another. */
        int target_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (target_fd < 0)
                return err_sys(err, "cannot open the directory of its target");
        int dir_fd = tar_place_open(&maker->place, maker->name, true, &last, err);
        if (dir_fd < 0)
                goto fail;
        if (linkat(target_fd, target_last, dir_fd, last, 0) < 0) {
                err_sys(err, "cannot make the hard link");
                goto fail;
        }
        close(target_fd);
        return 0;

fail:
        close(target_fd);
        return -1;
}

static int
extract_entry(struct tar_maker *maker, const struct tar_entry *entry, int *fd, struct err *err)
{
        const char *last;

        /* Everything that is refused is refused here, before anything is written. */
        if (tar_judge_entry(entry, maker->name, err) < 0 ||
            tar_marks_fill(maker->opts, entry, &maker->marks, err) < 0)
                return -1;
        if (maker->name[0] == '\0')
                return 0; /* dest is the caller's, and stays as it is */
        if (entry->type == TAR_HARDLINK)
                return extract_hard_link(maker, entry, err);
        int dir_fd = tar_place_open(&maker->place, maker->name, true, &last, err);
        if (dir_fd < 0)
                return -1;
        if (entry->type == TAR_DIR)
                return extract_dir(maker, dir_fd, last, err);
        if (entry->type == TAR_SYMLINK)
                return extract_symlink(maker, dir_fd, last, entry->link, err);
        return extract_file(maker, dir_fd, last, fd, err);
}

static int
prefix_entry(const struct tar_maker *maker, struct err *err)
{
        return err_prefix(err, "cannot extract \"%s\"", maker->shown);
}

int
tar_maker_entry(struct tar_maker *maker, const struct tar_entry *entry, int *fd, struct err *err)
{
        int made = -1;

        tar_name_show(entry->name, entry->name_len, maker->shown);
        if (extract_entry(maker, entry, &made, err) < 0)
                return prefix_entry(maker, err);
        *fd = made;
        return 0;
}

int
tar_maker_end_file(struct tar_maker *maker, int fd, struct err *err)
{
        int rc = tar_marks_apply(maker->opts, &maker->marks, fd, err);

        if (close(fd) < 0 && errno != EINTR && rc == 0)
                rc = err_sys(err, "cannot close it");
        return rc < 0 ? prefix_entry(maker, err) : 0;
}

/*
 * The directories, the last first: what is below a directory comes behind it,
 * and its mode may close it even to us.
 */
int
tar_maker_finish(struct tar_maker *maker, struct err *err)
{
        size_t at = maker->last_dir;

        while (at != SIZE_MAX) {
                struct waiting waiting;
                const char *name = maker->dirs.data + at + sizeof(waiting);
                const char *last;
                memcpy(&waiting, maker->dirs.data + at, sizeof(waiting));
                tar_name_show(name, strlen(name), maker->shown);
                int dir_fd = tar_place_open(&maker->place, name, false, &last, err);
                if (dir_fd < 0)
                        return prefix_entry(maker, err);
                int fd = openat(dir_fd, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int rc = fd >= 0 ? tar_marks_apply(maker->opts, &waiting.marks, fd, err)
                                 : err_sys(err, "cannot open the directory");
                if (fd >= 0)
                        close(fd);
                if (rc < 0)
                        return prefix_entry(maker, err);
                at = waiting.before;
        }
        return 0;
}

int
tar_maker_init(
    struct tar_maker *maker, const char *dest, const struct tar_extract_opts *opts, struct err *err)
{
        maker->opts = opts;
        maker->files = (struct tar_links){ 0 };
        maker->last_dir = SIZE_MAX;
        buf_init(&maker->dirs, DIRS_MAX);
        tar_place_init(&maker->place, open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        maker->place.made = made_on_the_way;
        maker->place.arg = maker;
        if (maker->place.root_fd < 0)
                return err_sys(err, "cannot open the directory \"%s\"", dest);
        return 0;
}

void
tar_maker_free(struct tar_maker *maker)
{
        tar_place_close(&maker->place);
        if (maker->place.root_fd >= 0)
                close(maker->place.root_fd);
        tar_links_free(&maker->files);
        buf_free(&maker->dirs);
}
