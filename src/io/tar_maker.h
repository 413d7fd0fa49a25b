/*
 * The entries of a tar, made below a directory: what is refused, files,
 * directories and links; all but the data.  Internal to the tar modules.
 */
#ifndef IO_TAR_MAKER_H
#define IO_TAR_MAKER_H

#include "moonkeep/buf.h"
#include "moonkeep/tar.h"
#include "tar_links.h"
#include "tar_marks.h"
#include "tar_name.h"
#include "tar_place.h"

struct tar_maker {
        const struct tar_extract_opts *opts;
        struct tar_place place;
        struct tar_links files; /* what was extracted, for hard links */
        struct buf dirs;        /* the directories whose marks wait for the end */
        size_t last_dir;
        struct tar_marks marks; /* of the entry at hand */
        char name[TAR_NAME_MAX + 1];
        char shown[TAR_SHOWN_SIZE]; /* its name, for messages */
};

/* tar_maker_init: for what is below dest; opts is borrowed.  */
int tar_maker_init(struct tar_maker *maker, const char *dest, const struct tar_extract_opts *opts,
    struct err *err);
void tar_maker_free(struct tar_maker *maker);

/*
 * tar_maker_entry: make it.  *fd becomes the descriptor of a file that is to be
 * filled and then given to tar_maker_end_file; -1 for all else.
 */
int tar_maker_entry(
    struct tar_maker *maker, const struct tar_entry *entry, int *fd, struct err *err);

/* tar_maker_end_file: all data of the entry was written; takes fd. */
int tar_maker_end_file(struct tar_maker *maker, int fd, struct err *err);

/* tar_maker_finish: there is no further entry: the marks of the directories. */
int tar_maker_finish(struct tar_maker *maker, struct err *err);

#endif
