/*
 * What an extraction refuses, whoever extracts: tar_extract here, or a tar at
 * the far end.  Internal to the tar and far modules.
 */
#ifndef IO_TAR_JUDGE_H
#define IO_TAR_JUDGE_H

#include "moonkeep/buf.h"
#include "moonkeep/tar.h"

/*
 * tar_judge_entry: what the entry says of itself: ERR_CORRUPT for names, targets
 * and types that tar_extract refuses, ERR_UNSUPPORTED for holes.  Its clean name is
 * put into name (TAR_NAME_MAX + 1 bytes).
 */
int tar_judge_entry(const struct tar_entry *entry, char *name, struct err *err);

/* tar_judge_target: the clean target of a hard link, into target (TAR_NAME_MAX + 1 bytes). */
int tar_judge_target(const struct tar_entry *entry, char *target, struct err *err);

/* tar_judge_fail_target: "its target "x" WHY", ERR_CORRUPT. */
int tar_judge_fail_target(const struct tar_entry *entry, const char *why, struct err *err);

/*
 * Where the file system cannot be asked: what the entries before have made.
 * Refuses, too, names that pass through a symbolic link or a file, hard links to
 * what is no file of this tar, and ERR_EXISTS: what is there twice.
 */
struct tar_judge {
        struct tar_judge_name *slots; /* an open hash table */
        size_t size;
        size_t used;
        struct buf names;
};

void tar_judge_init(struct tar_judge *judge);
void tar_judge_free(struct tar_judge *judge);

/* tar_judge_next: the next entry; messages begin with: cannot extract "NAME". */
int tar_judge_next(struct tar_judge *judge, const struct tar_entry *entry, struct err *err);

#endif
