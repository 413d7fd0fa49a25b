/*
 * Names below a directory, reached without following any symbolic link:
 * where an extraction puts things.  Internal to the tar modules.
 */
#ifndef IO_TAR_PLACE_H
#define IO_TAR_PLACE_H

#include <stddef.h>
#include <sys/types.h>

#include "moonkeep/err.h"
#include "moonkeep/tar.h"

struct tar_place {
        int root_fd;
        int dir_fd; /* the directory that was reached last; -1: none */
        size_t dir_len;
        char dir[TAR_NAME_MAX + 1]; /* its name, without slash at the end */
        /* Called for each directory that is made on the way. */
        int (*made)(void *arg, int dir_fd, const char *name, struct err *err);
        void *arg;
};

/* tar_place_init: for what is below root_fd (borrowed). */
void tar_place_init(struct tar_place *place, int root_fd);
void tar_place_close(struct tar_place *place);

/*
 * tar_place_clean: name without "." and double slashes into out
 * (TAR_NAME_MAX + 1 bytes); the length is 0 when it is the directory itself.
 * ERR_CORRUPT when it is absolute or has "..".
 */
int tar_place_clean(const char *name, size_t len, char *out, size_t *out_len, struct err *err);

/*
 * tar_place_open: the directory that holds the cleaned name, as a descriptor
 * that is valid until the next call; missing directories on the way are made
 * if make, else they are ERR_NOT_FOUND.  *last is the last component.  A name
 * that passes through a symbolic link or a file is ERR_CORRUPT.
 */
int tar_place_open(
    struct tar_place *place, const char *name, bool make, const char **last, struct err *err);

/*
 * tar_place_link_stays_inside: does the target of a symbolic link with that
 * (cleaned) name stay inside, whatever else was extracted?  It must be
 * relative, with ".." only in front and not more than name has directories:
 * behind another name, ".." could lead anywhere, as that may be a link, too.
 */
bool tar_place_link_stays_inside(const char *name, const char *target);

#endif
