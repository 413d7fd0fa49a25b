/*
 * Tar: a directory as a tar stream, a check of a tar stream while it passes,
 * and its extraction.
 *
 * Names are bytes.  What is written is pax (restricted: pax headers only where
 * needed), entries sorted by name inside each directory, names relative to the
 * root, no "./" in front.
 */
#ifndef MOONKEEP_TAR_H
#define MOONKEEP_TAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "moonkeep/stream.h"

enum tar_type {
        TAR_FILE,
        TAR_DIR,
        TAR_SYMLINK,
        TAR_HARDLINK,
        TAR_OTHER
};

/*
 * One entry; the strings are valid during the call that hands it out, and
 * NUL-terminated.  The name of a directory has no slash at its end, and no name
 * has "." as a component or doubled slashes.
 */
struct tar_entry {
        const char *name;
        size_t name_len;
        const char *link; /* target of a symbolic or hard link, else NULL */
        size_t link_len;
        enum tar_type type;
        uint64_t size; /* bytes of data that follow */
        bool sparse;   /* stored with holes: size is the full size, but no data follows */
        unsigned mode; /* permission bits */
        int64_t mtime_s;
        uint64_t uid;
        uint64_t gid;
};

/*
 * Somebody who looks at a tar's entries as they pass; one for the root itself
 * ("." or "./", which GNU tar and busybox store) is not handed out.  Each function returns
 * 0, or -1 with err to stop the stream; each may be NULL.
 */
struct tar_watcher {
        int (*entry)(void *arg, const struct tar_entry *entry, struct err *err);
        int (*data)(void *arg, const void *data, size_t len, struct err *err);
        /* The entry's data is complete; crc is the CRC-32C of it. */
        int (*entry_end)(void *arg, uint32_t crc, struct err *err);
        /* The two end blocks were seen, and only zeros behind them. */
        int (*end)(void *arg, struct err *err);
        void *arg;
};

/*
 * tar_watcher_both: one watcher that hands everything to tee->first and then
 * to tee->second.  tee is borrowed and must outlive the stream.
 */
struct tar_tee {
        struct tar_watcher first;
        struct tar_watcher second;
};
struct tar_watcher tar_watcher_both(struct tar_tee *tee);

/* Bounds on what a tar may say of itself. */
#define TAR_NAME_MAX ((size_t)4096)
#define TAR_PAX_MAX ((size_t)1024 * 1024)

/*
 * tar_scan: a push parser for ustar, pax and GNU tar.  Give it the bytes in
 * any slices, then the end.  A stream that ends before its two end blocks is
 * ERR_TRUNCATED (a cut at a member boundary, too); a bad header checksum or an
 * impossible field is ERR_CORRUPT; both say at which byte.  What readers
 * disagree about (links or directories with data, a global pax header that
 * renames) is ERR_CORRUPT, too; entry types of GNU incremental and multi-volume
 * archives are ERR_UNSUPPORTED.  After a failure scan can only be freed.
 */
struct tar_scan;
struct tar_scan *tar_scan_new(const struct tar_watcher *watcher, struct err *err);
int tar_scan_push(struct tar_scan *scan, const void *data, size_t len, struct err *err);
int tar_scan_end(struct tar_scan *scan, struct err *err);
/* tar_scan_is_complete: were the two end blocks seen? */
bool tar_scan_is_complete(const struct tar_scan *scan);
void tar_scan_free(struct tar_scan *scan);

/*
 * tar_scan_source: passes src on unchanged and scans it; its end is only
 * reported when the tar is complete.  Takes src (on failure, too).
 */
struct source *tar_scan_source(
    struct source *src, const struct tar_watcher *watcher, struct err *err);

/*
 * tar_dir_source: the directory root as a tar.
 *
 * names: what to take, relative to root (NULL-terminated; NULL: everything
 * below root).  A file that shrinks while it is read is ERR_IO ("changed while
 * it was read"); one that vanishes before it was opened, too; growth is cut at
 * the size in its header.  Sockets, FIFOs and devices are ERR_UNSUPPORTED.
 * Hard links inside the tree are stored once; owners as numbers, mtime in
 * seconds, no extended attributes.  Directories on the way to a name are not
 * stored, and without follow_names no link on the way is followed.  *total, if
 * not NULL, is set to the sum of the file sizes before the first byte is
 * returned (for progress).
 */
struct tar_dir_opts {
        const char *root;
        const char *const *names;
        bool follow_names; /* names that are symbolic links: what they lead to */
        _Atomic uint64_t *total;
};
struct source *tar_dir_source(
    const struct tar_dir_opts *opts, struct cancel *cancel, struct err *err);

/*
 * tar_extract: extract src below the existing directory dest.
 *
 * Nothing is ever written outside dest.  ERR_CORRUPT, before anything of that
 * entry is written: absolute names, "..", names that pass through a symbolic
 * link, hard links to what was not extracted before, devices, FIFOs and
 * sockets, and symbolic links that are absolute or have ".." anywhere but in
 * front or more of them than directories above.  Files with holes are
 * ERR_UNSUPPORTED, an existing file is ERR_EXISTS.  Messages name the entry.
 *
 * Mode (set-id bits only with the stored owner) and mtime in seconds are
 * restored; owner: uid and gid of opts for all, or as in the tar, or ours.
 * dest itself stays as it is.  src is read to its verified end, and everything
 * is synced to disk before 0 is returned.  After a failure what was extracted
 * stays: the caller removes dest.  Takes src (freed in all cases).
 */
enum tar_owner {
        TAR_OWNER_OURS,
        TAR_OWNER_FIXED,
        TAR_OWNER_STORED
};
struct tar_extract_opts {
        enum tar_owner owner;
        uid_t uid; /* TAR_OWNER_FIXED */
        gid_t gid;
        struct tar_watcher watcher; /* sees what passes; may be zeroed */
};
int tar_extract(struct source *src, const char *dest, const struct tar_extract_opts *opts,
    struct cancel *cancel, struct err *err);

/*
 * tar_catalog: a watcher that writes one JSON line per entry to sink:
 * {"name":..,"type":"file","size":..,"mode":"0644","mtime":..,"crc32c":"8 hex"},
 * "name_b64" instead of "name" where it is not UTF-8, "link" for links.
 * The sink is borrowed; the caller commits it after the stream's end.
 */
struct tar_catalog;
struct tar_catalog *tar_catalog_new(struct sink *sink, struct err *err);
struct tar_watcher tar_catalog_watcher(struct tar_catalog *catalog);
uint64_t tar_catalog_entries(const struct tar_catalog *catalog);
uint64_t tar_catalog_file_bytes(const struct tar_catalog *catalog);
void tar_catalog_free(struct tar_catalog *catalog);

#endif
