#include "file_full.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

static int
no_space_hint(int fd, struct err *err)
{
        struct statvfs vfs;

        if (fstatvfs(fd, &vfs) < 0)
                return -1;
        /* No inodes left is ENOSPC, too, and then free bytes would only puzzle. */
        if (vfs.f_files != 0 && vfs.f_favail == 0)
                return err_hint(err, "no more files can be created there: all inodes are in use");
        return err_hint(err, "%.1f MiB are free there; make room, or choose another place",
            (double)vfs.f_bavail * (double)vfs.f_frsize / (1024 * 1024));
}

int
file_full_hint(int fd, int sys, struct err *err)
{
        struct rlimit limit;

        switch (sys) {
        case ENOSPC:
                return no_space_hint(fd, err);
        case EDQUOT:
                return err_hint(err, "the disk quota of this user is used up");
        case EFBIG:
                if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
                        return err_hint(err,
                            "files may not grow beyond %" PRIu64 " bytes here (ulimit -f)",
                            (uint64_t)limit.rlim_cur);
                return err_hint(err, "the file system takes no larger files");
        default:
                return -1;
        }
}
