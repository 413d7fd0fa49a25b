#include "tar_marks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
tar_marks_fill(const struct tar_extract_opts *opts, const struct tar_entry *entry,
    struct tar_marks *marks, struct err *err)
{
        *marks = (struct tar_marks){
                .uid = opts->uid,
                .gid = opts->gid,
                .mode = entry->mode & 0777,
                .mtime_s = entry->mtime_s,
        };
        if (opts->owner == TAR_OWNER_STORED) {
                /* The highest means "none" to chown(2). */
                if (entry->uid >= UINT32_MAX || entry->gid >= UINT32_MAX)
                        return err_set(err, ERR_CORRUPT, "its owner is no user or group");
                marks->uid = (uid_t)entry->uid;
                marks->gid = (gid_t)entry->gid;
                marks->mode = entry->mode & 07777;
        }
        return 0;
}

static bool
sets_owner(const struct tar_extract_opts *opts)
{
        return opts->owner != TAR_OWNER_OURS;
}

static void
fill_times(const struct tar_marks *marks, struct timespec times[2])
{
        times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
        times[1] = (struct timespec){ .tv_sec = (time_t)marks->mtime_s };
}

int
tar_marks_apply(
    const struct tar_extract_opts *opts, const struct tar_marks *marks, int fd, struct err *err)
{
        struct timespec times[2];

        fill_times(marks, times);
        /* Owner before mode: a change of owner takes set-id bits away. */
        if (sets_owner(opts) && fchown(fd, marks->uid, marks->gid) < 0)
                return err_sys(err, "cannot set its owner");
        if (fchmod(fd, marks->mode) < 0)
                return err_sys(err, "cannot set its mode");
        if (futimens(fd, times) < 0)
                return err_sys(err, "cannot set its time");
        return 0;
}

int
tar_marks_apply_link(const struct tar_extract_opts *opts, const struct tar_marks *marks, int dir_fd,
    const char *name, struct err *err)
{
        struct timespec times[2];

        fill_times(marks, times);
        if (sets_owner(opts) &&
            fchownat(dir_fd, name, marks->uid, marks->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "cannot set its owner");
        if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return err_sys(err, "cannot set its time");
        return 0;
}
