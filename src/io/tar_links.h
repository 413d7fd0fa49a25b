/*
 * Files by their identity: which name a file with several links was first
 * seen under.  Internal to the tar modules.
 */
#ifndef IO_TAR_LINKS_H
#define IO_TAR_LINKS_H

#include <stddef.h>
#include <sys/types.h>

#include "moonkeep/err.h"

struct tar_links {
        struct tar_link *slots;
        size_t size; /* a power of two, or 0 */
        size_t used;
};

/* tar_links_free: release the names; empty and usable afterwards. */
void tar_links_free(struct tar_links *links);

/* tar_links_find: the name that was added, borrowed; NULL when the file is new. */
const char *tar_links_find(const struct tar_links *links, dev_t dev, ino_t ino);

/* tar_links_add: a file that is not there yet, with a copy of name. */
int tar_links_add(struct tar_links *links, dev_t dev, ino_t ino, const char *name, struct err *err);

#endif
