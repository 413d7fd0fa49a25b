/*
 * Paths and the directory operations that have to survive a crash.
 */
#ifndef MOONKEEP_PATH_H
#define MOONKEEP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"

/* path_join: "dir/name" as a new string (mem_free); one slash between them. */
char *path_join(const char *dir, const char *name, struct err *err);

/* path_parent: the directory part as a new string; "." or "/" where there is none. */
char *path_parent(const char *path, struct err *err);

/*
 * path_is_inside: is name (len bytes) a relative path that stays inside its
 * directory: not empty, not absolute, no ".." component, no NUL?
 */
bool path_is_inside(const char *name, size_t len);

/* path_make_dirs: mkdir -p with mode for new directories; each new name is made durable. */
int path_make_dirs(const char *path, mode_t mode, struct err *err);

/* path_sync_dir: fsync the directory itself, so that names in it are durable. */
int path_sync_dir(const char *path, struct err *err);

/* path_sync_parent: fsync the directory that holds path. */
int path_sync_parent(const char *path, struct err *err);

/*
 * path_remove_tree: remove path and all below it, never following a symbolic
 * link or leaving the file system's tree.  A missing path is success.
 */
int path_remove_tree(const char *path, struct cancel *cancel, struct err *err);

#endif
