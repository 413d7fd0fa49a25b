/*
 * Files as streams, and small files as a whole.
 */
#ifndef MOONKEEP_FILE_H
#define MOONKEEP_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "moonkeep/buf.h"
#include "moonkeep/stream.h"

/*
 * file_source: length bytes of path from offset (UINT64_MAX: to the end).
 * A file that is shorter than offset + length, or becomes so while it is read,
 * is ERR_TRUNCATED.  Only regular files are opened, and never through a
 * symbolic link at the last component (ERR_INVALID).
 */
struct source *file_source(
    const char *path, uint64_t offset, uint64_t length, struct cancel *cancel, struct err *err);

/*
 * How a file comes into being: written beside its place under a temporary
 * name (FILE_TEMP_PREFIX NAME - random), synced, and moved there by the commit.
 */
#define FILE_TEMP_PREFIX ".moonkeep-tmp-"

struct file_sink_opts {
        mode_t mode;    /* of the file; 0 means 0600 */
        bool exclusive; /* the commit fails with ERR_EXISTS when path exists */
        bool make_dirs; /* make missing parent directories (0700) */
        bool unsynced;  /* a power cut may leave the former file, or an empty one */
};

/*
 * file_sink: write the file path; opts may be NULL.  The mode is set as given,
 * whatever the umask, by the commit.  ERR_FULL carries the hint how much room
 * there is; for that, the program must ignore SIGXFSZ.  ERR_UNSUPPORTED: the
 * file system knows no way to be exclusive.  Only a regular file is replaced
 * (ERR_INVALID), and a symbolic link to one.
 * Only when the last step of a commit fails, the sync of the directory, is the
 * file there although the commit failed.
 */
struct sink *file_sink(
    const char *path, const struct file_sink_opts *opts, struct cancel *cancel, struct err *err);

/*
 * file_read: the whole file appended to out, which then has at most out->max
 * bytes (ERR_TOO_BIG beyond).  Only regular files, but through symbolic links.
 */
int file_read(const char *path, struct buf *out, struct err *err);

/* file_write: the whole file through file_sink. */
int file_write(const char *path, const void *data, size_t len, const struct file_sink_opts *opts,
    struct err *err);

#endif
