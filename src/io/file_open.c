#include "file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
file_open(const char *path, bool follow, struct stat *st, struct err *err)
{
        struct stat found;

        /* O_NONBLOCK is for what turns out to be a FIFO; regular files ignore it. */
        int fd =
            open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW));
        if (fd < 0) {
                if (errno == ELOOP && !follow)
                        return err_set(
                            err, ERR_INVALID, "cannot read \"%s\": it is a symbolic link", path);
                if (errno == ENXIO)
                        return err_set(
                            err, ERR_INVALID, "cannot read \"%s\": it is no regular file", path);
                return err_sys(err, "cannot open \"%s\"", path);
        }
        if (fstat(fd, &found) < 0) {
                err_sys(err, "cannot read the status of \"%s\"", path);
                goto fail;
        }
        if (!S_ISREG(found.st_mode)) {
                err_set(err, ERR_INVALID, "cannot read \"%s\": it is %s", path,
                    S_ISDIR(found.st_mode) ? "a directory" : "no regular file");
                goto fail;
        }
        *st = found;
        return fd;

fail:
        close(fd);
        return -1;
}
