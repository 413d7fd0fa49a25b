/*
 * What an extraction restores of an entry besides its name and data: owner,
 * mode and time.  Internal to the tar modules.
 */
#ifndef IO_TAR_MARKS_H
#define IO_TAR_MARKS_H

#include <stdint.h>
#include <sys/types.h>

#include "moonkeep/err.h"
#include "moonkeep/tar.h"

struct tar_marks {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        int64_t mtime_s;
};

/* tar_marks_fill: what opts want of entry; ERR_CORRUPT when its owner is none. */
int tar_marks_fill(const struct tar_extract_opts *opts, const struct tar_entry *entry,
    struct tar_marks *marks, struct err *err);

/* tar_marks_apply: to an open file or directory. */
int tar_marks_apply(
    const struct tar_extract_opts *opts, const struct tar_marks *marks, int fd, struct err *err);

/* tar_marks_apply_link: owner and time to the symbolic link name in dir_fd. */
int tar_marks_apply_link(const struct tar_extract_opts *opts, const struct tar_marks *marks,
    int dir_fd, const char *name, struct err *err);

#endif
