/*
 * A walk over a directory tree, without following a symbolic link, with the
 * names of each directory sorted and a bounded number of open directories.
 * Internal to the tar modules.
 */
#ifndef IO_TAR_WALK_H
#define IO_TAR_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "moonkeep/err.h"

struct tar_walk;

/* What was found; valid until the next call. */
struct tar_walk_entry {
        const char *path; /* relative to root */
        int dir_fd;       /* the directory that holds it, ... */
        const char *name; /* ... and its name there */
        bool follow;      /* st is of what a symbolic link leads to */
        struct stat st;
};

/*
 * tar_walk_new: walk over all below root, or over names (NULL-terminated; copied
 * nowhere, so they and root must outlive the walk) and what is below them.
 */
struct tar_walk *tar_walk_new(
    const char *root, const char *const *names, bool follow_names, struct err *err);

/*
 * tar_walk_next: 1 and the next entry, directories before what they hold; 0 at
 * the end; -1.  What vanishes during the walk is ERR_IO, a name that was never
 * there ERR_NOT_FOUND.
 */
int tar_walk_next(struct tar_walk *walk, struct tar_walk_entry *entry, struct err *err);

void tar_walk_free(struct tar_walk *walk);

#endif
