/*
 * The directory store, shared by store_file.c and store_file_*.c.
 *
 * A key is a path below the root.  The root may be reached through symbolic
 * links; below it there are only directories and regular files, and anything
 * else is an error when it is met, so that what is listed can be read and
 * nothing is left out silently.  Directories appear with the first key below
 * them and go with the last.
 *
 * The root is held open from its first use: should it be removed, moved or
 * unmounted meanwhile, every operation says so, instead of going on in what
 * has taken its place.
 */
#ifndef MOONKEEP_STORE_FILE_INTERNAL_H
#define MOONKEEP_STORE_FILE_INTERNAL_H

#include <pthread.h>
#include <stddef.h>

#include "moonkeep/store_driver.h"

/* In the root of a file system this folder is the system's, and no part of the store. */
#define STORE_FILE_FOREIGN "lost+found"

/* Most parts of a key: a walk holds a descriptor open for each. */
#define STORE_FILE_DEPTH_MAX 64

struct store_file {
        struct store store; /* its url is the root's absolute path */
        pthread_mutex_t lock;
        int root; /* guarded by lock until it is >= 0 */
};

/* store_file_root: the root's descriptor, borrowed; ERR_NOT_FOUND when there is none yet. */
int store_file_root(struct store_file *it, struct err *err);

/* store_file_check_key: the driver's own rules for a key or prefix. */
int store_file_check_key(const char *key, struct err *err);

/*
 * store_file_open_dir: the directory that the first len bytes of key name (0:
 * the root), opened with flags (O_PATH or O_RDONLY).  ERR_NOT_FOUND where it
 * does not exist or is a file.
 */
int store_file_open_dir(
    struct store_file *it, const char *key, size_t len, int flags, struct err *err);

/*
 * store_file_open_child: a directory by its name in parent; at is its path
 * below the root, for messages.
 */
int store_file_open_child(struct store_file *it, int parent, const char *name, const char *at,
    int flags, struct err *err);

/* store_file_strange: what the entry at is, is neither a file nor a folder.  Returns -1. */
int store_file_strange(const struct store_file *it, const char *at, bool is_link, struct err *err);

/* store_file_unless_gone: 0 when reason is ERR_NOT_FOUND; else it becomes *err, and -1. */
int store_file_unless_gone(const struct err *reason, struct err *err);

/*
 * store_file_prune: remove the directories on the way to key (its last part
 * is not looked at) that have become empty, from below, never the root.
 */
int store_file_prune(struct store_file *it, const char *key, struct err *err);

/* The operations in store_file_list.c and store_file_sweep.c. */
int store_file_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn,
    void *arg, struct cancel *cancel, struct err *err);
int store_file_sweep(struct store *store, const char *prefix, uint64_t *removed,
    struct cancel *cancel, struct err *err);

/* The names in a directory, in the order of the keys that they lead to. */
struct dir_name {
        const char *name;
        bool is_dir;
        bool is_temp; /* a write that is under way, or was interrupted */
};

struct dir_names {
        struct dir_name *all;
        size_t count;
        size_t cap;
        char *bytes; /* of the names */
};

/* dir_names_read: the names in the directory fd; at is its path below the root. */
int dir_names_read(
    const struct store_file *it, int fd, const char *at, struct dir_names *out, struct err *err);
void dir_names_free(struct dir_names *names);

#endif
