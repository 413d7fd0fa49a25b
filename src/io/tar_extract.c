/*
 * The extraction hangs on tar_scan: what is written is what was checked, by
 * one parser.  Files are made by descriptors of their directories, each step
 * without following a link, instead of by libarchive, whose disk writer
 * works on paths below the current directory; that is the whole process's,
 * and a thread gets one of its own only where a container's seccomp rules
 * allow unshare(2), which the common ones do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "file_full.h"
#include "moonkeep/mem.h"
#include "moonkeep/tar.h"
#include "tar_maker.h"

/*
 * Data goes to the disk in windows of this size while more is extracted, so
 * that the last sync is short; small files are left to that.
 */
#define WINDOW ((uint64_t)8 * 1024 * 1024)
#define SMALL ((uint64_t)1024 * 1024)

struct extract {
        struct tar_maker maker;
        int fd; /* the file that is being written, or -1 */
        uint64_t written;
        uint64_t flushed; /* up to here the kernel was told to start writing */
};

/* Where there is no room, say how much there is.  Returns -1. */
static int
failed(const struct extract *it, struct err *err)
{
        return err != NULL ? file_full_hint(it->maker.place.root_fd, err->sys, err) : -1;
}

static int
on_entry(void *arg, const struct tar_entry *entry, struct err *err)
{
        struct extract *it = arg;

        it->written = it->flushed = 0;
        return tar_maker_entry(&it->maker, entry, &it->fd, err) < 0 ? failed(it, err) : 0;
}

/* Start to write what has gathered to the disk; what goes wrong is found by the last sync. */
static void
flush(struct extract *it)
{
        (void)sync_file_range(
            it->fd, (off_t)it->flushed, (off_t)(it->written - it->flushed), SYNC_FILE_RANGE_WRITE);
        it->flushed = it->written;
}

static int
on_data(void *arg, const void *data, size_t len, struct err *err)
{
        struct extract *it = arg;
        const char *from = data;

        while (len > 0) {
                ssize_t put = write(it->fd, from, len);
                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0) {
                        err_sys(err, "cannot extract \"%s\": cannot write", it->maker.shown);
                        return failed(it, err);
                }
                from += put;
                len -= (size_t)put;
                it->written += (uint64_t)put;
        }
        if (it->written - it->flushed >= WINDOW)
                flush(it);
        return 0;
}

static int
on_entry_end(void *arg, uint32_t crc, struct err *err)
{
        struct extract *it = arg;
        int fd = it->fd;

        (void)crc;
        if (fd < 0)
                return 0;
        if (it->written >= SMALL && it->written > it->flushed)
                flush(it);
        it->fd = -1;
        return tar_maker_end_file(&it->maker, fd, err) < 0 ? failed(it, err) : 0;
}

static int
run(struct extract *it, struct source *src, const char *dest, struct cancel *cancel,
    struct err *err)
{
        if (stream_drain(src, NULL, cancel, err) < 0)
                return -1;
        if (tar_maker_finish(&it->maker, err) < 0)
                return failed(it, err);
        if (syncfs(it->maker.place.root_fd) < 0) {
                err_sys(err, "cannot sync \"%s\"", dest);
                return failed(it, err);
        }
        return 0;
}

int
tar_extract(struct source *src, const char *dest, const struct tar_extract_opts *opts,
    struct cancel *cancel, struct err *err)
{
        struct extract *it = mem_zalloc(sizeof(*it), err);
        struct tar_tee tee = { .first = opts->watcher };
        int rc = -1;

        if (it == NULL)
                goto free_src;
        it->fd = -1;
        if (tar_maker_init(&it->maker, dest, opts, err) < 0)
                goto free_it;
        tee.second = (struct tar_watcher){
                .entry = on_entry, .data = on_data, .entry_end = on_entry_end, .arg = it
        };
        struct tar_watcher both = tar_watcher_both(&tee);
        src = tar_scan_source(src, &both, err);
        if (src != NULL)
                rc = run(it, src, dest, cancel, err);
        if (it->fd >= 0)
                close(it->fd);
free_it:
        tar_maker_free(&it->maker);
        mem_free(it);
free_src:
        source_free(src);
        return rc;
}
