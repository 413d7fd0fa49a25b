/*
 * The extraction hangs on tar_scan: what is written is what was checked, by
 * one parser.  Files are made by descriptors of their directories, each step
 * without following a link, instead of by libarchive, whose disk writer
 * works on paths below the current directory; that is the whole process's,
 * and a thread gets one of its own only where a container's seccomp rules
 * allow unshare(2), which the common ones do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/tar.h"
#include "tar_links.h"
#include "tar_name.h"
#include "tar_place.h"

/* The directories whose mode and time wait for the end: a million of them, and more. */
#define DIRS_MAX ((size_t)256 * 1024 * 1024)

/*
 * Data goes to the disk in windows of this size while more is extracted, so
 * that the last sync is short; small files are left to that.
 */
#define WINDOW ((uint64_t)8 * 1024 * 1024)
#define SMALL ((uint64_t)1024 * 1024)

/* What is restored of an entry besides its data. */
struct marks {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        int64_t mtime_s;
};

/* A directory that waits; its name and a NUL follow. */
struct waiting {
        struct marks marks;
        size_t before; /* where the one before it begins */
};

struct extract {
        const struct tar_extract_opts *opts;
        struct tar_place place;
        struct tar_links files; /* what was extracted, for hard links */
        struct buf dirs;
        size_t last_dir;
        int fd; /* the file that is being written, or -1 */
        uint64_t written;
        uint64_t flushed; /* up to here the kernel was told to start writing */
        struct marks marks;
        char name[TAR_NAME_MAX + 1];
        char shown[TAR_SHOWN_SIZE];
};

static bool
sets_owner(const struct extract *it)
{
        return it->opts->owner != TAR_OWNER_OURS;
}

static int
fill_marks(
    const struct extract *it, const struct tar_entry *entry, struct marks *marks, struct err *err)
{
        *marks = (struct marks){
                .uid = it->opts->uid,
                .gid = it->opts->gid,
                .mode = entry->mode & 0777,
                .mtime_s = entry->mtime_s,
        };
        if (it->opts->owner == TAR_OWNER_STORED) {
                /* The highest means "none" to chown(2). */
                if (entry->uid >= UINT32_MAX || entry->gid >= UINT32_MAX)
                        return err_set(err, ERR_CORRUPT, "its owner is no user or group");
                marks->uid = (uid_t)entry->uid;
                marks->gid = (gid_t)entry->gid;
                marks->mode = entry->mode & 07777;
        }
        return 0;
}

static void
fill_times(const struct marks *marks, struct timespec times[2])
{
        times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
        times[1] = (struct timespec){ .tv_sec = (time_t)marks->mtime_s };
}

/* Owner before mode: a change of owner takes set-id bits away. */
static int
apply_marks(const struct extract *it, int fd, const struct marks *marks, struct err *err)
{
        struct timespec times[2];

        fill_times(marks, times);
        if (sets_owner(it) && fchown(fd, marks->uid, marks->gid) < 0)
                return err_sys(err, "cannot set its owner");
        if (fchmod(fd, marks->mode) < 0)
                return err_sys(err, "cannot set its mode");
        if (futimens(fd, times) < 0)
                return err_sys(err, "cannot set its time");
        return 0;
}

/* Directories that the tar does not name get the owner, too. */
static int
made_on_the_way(void *arg, int dir_fd, const char *name, struct err *err)
{
        struct extract *it = arg;

        if (it->opts->owner == TAR_OWNER_FIXED &&
            fchownat(dir_fd, name, it->opts->uid, it->opts->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "cannot set the owner of the directory \"%s\"", name);
        return 0;
}

static int
extract_dir(struct extract *it, int dir_fd, const char *last, struct err *err)
{
        struct waiting waiting = { it->marks, it->last_dir };
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
        size_t at = it->dirs.len;
        if (buf_add(&it->dirs, &waiting, sizeof(waiting), err) < 0 ||
            buf_add(&it->dirs, it->name, strlen(it->name) + 1, err) < 0)
                return -1;
        it->last_dir = at;
        return 0;
}

static int
extract_file(struct extract *it, int dir_fd, const char *last, struct err *err)
{
        struct stat st;
        int fd = openat(dir_fd, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd < 0)
                return err_sys(err, "cannot make the file");
        if (fstat(fd, &st) < 0) {
                err_sys(err, "cannot look at the file");
                goto fail;
        }
        if (tar_links_add(&it->files, st.st_dev, st.st_ino, "", err) < 0)
                goto fail;
        it->fd = fd;
        it->written = it->flushed = 0;
        return 0;

fail:
        close(fd);
        return -1;
}

static int
extract_symlink(
    struct extract *it, int dir_fd, const char *last, const char *target, struct err *err)
{
        struct timespec times[2];

        fill_times(&it->marks, times);
        if (symlinkat(target, dir_fd, last) < 0)
                return err_sys(err, "cannot make the symbolic link");
        if (sets_owner(it) &&
            fchownat(dir_fd, last, it->marks.uid, it->marks.gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "cannot set its owner");
        if (utimensat(dir_fd, last, times, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "cannot set its time");
        return 0;
}

static int
fail_target(const struct tar_entry *entry, const char *why, struct err *err)
{
        char shown[TAR_SHOWN_SIZE];

        return err_set(err, ERR_CORRUPT, "its target \"%s\" %s",
            tar_name_show(entry->link, entry->link_len, shown), why);
}

static int
extract_hard_link(struct extract *it, const struct tar_entry *entry, struct err *err)
{
        char target[TAR_NAME_MAX + 1];
        size_t target_len;
        const char *target_last;
        const char *last;
        struct stat st;

        if (tar_place_clean(entry->link, entry->link_len, target, &target_len, err) < 0 ||
            target_len == 0)
                return fail_target(entry, "is not inside the directory", err);
        int fd = tar_place_open(&it->place, target, false, &target_last, err);
        if (fd < 0) {
                if (err != NULL && err->code == ERR_NOT_FOUND)
                        return fail_target(entry, "was not extracted before", err);
                return -1;
        }
        if (fstatat(fd, target_last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
            tar_links_find(&it->files, st.st_dev, st.st_ino) == NULL)
                return fail_target(entry, "was not extracted before", err);

        /* The place remembers one directory, and the link may be in another. */
        int target_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (target_fd < 0)
                return err_sys(err, "cannot open the directory of its target");
        int dir_fd = tar_place_open(&it->place, it->name, true, &last, err);
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

/* Everything that is refused is refused here, before anything is written. */
static int
check_entry(struct extract *it, const struct tar_entry *entry, struct err *err)
{
        size_t len;

        if (tar_place_clean(entry->name, entry->name_len, it->name, &len, err) < 0)
                return -1;
        if (entry->type == TAR_OTHER)
                return err_set(err, ERR_CORRUPT, "it is a device, FIFO or socket");
        if (entry->sparse) {
                err_set(err, ERR_UNSUPPORTED, "it is stored with holes");
                return err_hint(err, "make the tar without --sparse");
        }
        if (len == 0 && entry->type != TAR_DIR)
                return err_set(err, ERR_CORRUPT, "it would replace the directory itself");
        if (entry->type == TAR_SYMLINK && !tar_place_link_stays_inside(it->name, entry->link))
                return fail_target(entry, "leads out of the directory", err);
        return fill_marks(it, entry, &it->marks, err);
}

static int
extract_entry(struct extract *it, const struct tar_entry *entry, struct err *err)
{
        const char *last;

        if (check_entry(it, entry, err) < 0)
                return -1;
        if (it->name[0] == '\0')
                return 0; /* dest is the caller's, and stays as it is */
        if (entry->type == TAR_HARDLINK)
                return extract_hard_link(it, entry, err);
        int dir_fd = tar_place_open(&it->place, it->name, true, &last, err);
        if (dir_fd < 0)
                return -1;
        if (entry->type == TAR_DIR)
                return extract_dir(it, dir_fd, last, err);
        if (entry->type == TAR_SYMLINK)
                return extract_symlink(it, dir_fd, last, entry->link, err);
        return extract_file(it, dir_fd, last, err);
}

static int
prefix_entry(const struct extract *it, struct err *err)
{
        return err_prefix(err, "cannot extract \"%s\"", it->shown);
}

static int
on_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct extract *it = arg;

        tar_name_show(entry->name, entry->name_len, it->shown);
        return extract_entry(it, entry, err) < 0 ? prefix_entry(it, err) : 0;
}

/* Start to write what has gathered to the disk; what goes wrong is found by the last sync. */
static void
flush(struct extract *it)
{
        (void)sync_file_range(
            it->fd, (off_t)it->flushed, (off_t)(it->written - it->flushed), SYNC_FILE_RANGE_WRITE);
        it->flushed = it->written;
}

static int
on_data(void *arg, const void *data, size_t len, struct err *err)
{
        struct extract *it = arg;
        const char *from = data;

        while (len > 0) {
                ssize_t put = write(it->fd, from, len);
                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0) {
                        err_sys(err, "cannot write");
                        return prefix_entry(it, err);
                }
                from += put;
                len -= (size_t)put;
                it->written += (uint64_t)put;
        }
        if (it->written - it->flushed >= WINDOW)
                flush(it);
        return 0;
}

static int
on_entry_end(void *arg, uint32_t crc, struct err *err)
{
        struct extract *it = arg;
        int fd = it->fd;

        (void)crc;
        if (fd < 0)
                return 0;
        if (it->written >= SMALL && it->written > it->flushed)
                flush(it);
        it->fd = -1;
        int rc = apply_marks(it, fd, &it->marks, err);
        if (close(fd) < 0 && rc == 0)
                rc = err_sys(err, "cannot close it");
        return rc < 0 ? prefix_entry(it, err) : 0;
}

/*
 * The directories, the last first: what is below a directory comes behind it,
 * and its mode may close it even to us.
 */
static int
finish_dirs(struct extract *it, struct err *err)
{
        size_t at = it->last_dir;

        while (at != SIZE_MAX) {
                struct waiting waiting;
                const char *name = it->dirs.data + at + sizeof(waiting);
                const char *last;
                memcpy(&waiting, it->dirs.data + at, sizeof(waiting));
                tar_name_show(name, strlen(name), it->shown);
                int dir_fd = tar_place_open(&it->place, name, false, &last, err);
                if (dir_fd < 0)
                        return prefix_entry(it, err);
                int fd = openat(dir_fd, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                int rc = fd >= 0 ? apply_marks(it, fd, &waiting.marks, err)
                                 : err_sys(err, "cannot open the directory");
                if (fd >= 0)
                        close(fd);
                if (rc < 0)
                        return prefix_entry(it, err);
                at = waiting.before;
        }
        return 0;
}

static void
extract_free(struct extract *it)
{
        if (it->fd >= 0)
                close(it->fd);
        tar_place_close(&it->place);
        if (it->place.root_fd >= 0)
                close(it->place.root_fd);
        tar_links_free(&it->files);
        buf_free(&it->dirs);
        mem_free(it);
}

static struct extract *
extract_new(const char *dest, const struct tar_extract_opts *opts, struct err *err)
{
        struct extract *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        it->opts = opts;
        it->fd = -1;
        it->last_dir = SIZE_MAX;
        buf_init(&it->dirs, DIRS_MAX);
        tar_place_init(&it->place, open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        it->place.made = made_on_the_way;
        it->place.arg = it;
        if (it->place.root_fd < 0) {
                err_sys(err, "cannot open the directory \"%s\"", dest);
                extract_free(it);
                return NULL;
        }
        return it;
}

int
tar_extract(struct source *src, const char *dest, const struct tar_extract_opts *opts,
    struct cancel *cancel, struct err *err)
{
        struct extract *it = extract_new(dest, opts, err);
        struct tar_tee tee = { .first = opts->watcher };

        if (it == NULL)
                goto fail;
        tee.second = (struct tar_watcher){
                .entry = on_entry, .data = on_data, .entry_end = on_entry_end, .arg = it
        };
        struct tar_watcher both = tar_watcher_both(&tee);
        src = tar_scan_source(src, &both, err);
        if (src == NULL)
                goto fail_scan;
        if (stream_drain(src, NULL, cancel, err) < 0 || finish_dirs(it, err) < 0)
                goto fail_scan;
        if (syncfs(it->place.root_fd) < 0) {
                err_sys(err, "cannot sync \"%s\"", dest);
                goto fail_scan;
        }
        extract_free(it);
        source_free(src);
        return 0;

fail_scan:
        extract_free(it);
fail:
        source_free(src);
        return -1;
}
