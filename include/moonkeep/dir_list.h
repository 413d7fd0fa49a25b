/*
 * The names in a directory.
 */
#ifndef MOONKEEP_DIR_LIST_H
#define MOONKEEP_DIR_LIST_H

#include <stddef.h>

#include "moonkeep/buf.h"
#include "moonkeep/err.h"

/* Bound on all names of one directory, in bytes with their ends: a million of them, and more. */
#define DIR_LIST_MAX ((size_t)64 * 1024 * 1024)

struct dir_list {
        const char **names; /* sorted by their bytes */
        size_t count;
        struct buf text; /* that they point into */
};

/*
 * dir_list_read: the names in the directory fd (borrowed; where it stands does
 * not matter and does not change), without "." and "..".  The message says why
 * it failed, and not of which directory.  ERR_NOT_FOUND when the directory was
 * removed meanwhile, ERR_TOO_BIG past DIR_LIST_MAX.
 */
int dir_list_read(int fd, struct dir_list *out, struct err *err);

/* dir_list_free: a zeroed one is fine. */
void dir_list_free(struct dir_list *list);

#endif
