#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/store_driver.h"

/* What is smaller is read at once: a buffer of its own size is had for less than a large one. */
#define SMALL ((size_t)64 * 1024)

static int
changed(const char *key, struct err *err)
{
        err_set(err, ERR_IO, "cannot copy \"%s\": it was changed meanwhile", key);
        if (err != NULL)
                err->retryable = true;
        return -1;
}

/*
 * Where the content has no name of its own, a file that is written to while it
 * is read shows only in its time.
 */
static int
check_unchanged(struct store *from, const char *key, const struct store_stat *seen,
    struct cancel *cancel, struct err *err)
{
        struct store_stat now;

        if (seen->etag[0] != '\0')
                return 0;
        if (store_stat(from, key, &now, cancel, err) < 0)
                return -1;
        if (now.size != seen->size || now.mtime_ms != seen->mtime_ms)
                return changed(key, err);
        return 0;
}

/* Read at most a byte more than there should be, and write that. */
static int
copy_small(struct source *src, struct sink *sink, size_t size, struct progress *progress,
    uint64_t *bytes, struct err *err)
{
        ssize_t got = 0;
        size_t len = 0;
        int rc = -1;

        char *data = mem_alloc(size + 1, err);
        if (data == NULL)
                return -1;
        while (len <= size && (got = source_read(src, data + len, size + 1 - len, err)) > 0)
                len += (size_t)got;
        if (got < 0 || (len == size && sink_write(sink, data, len, err) < 0))
                goto done;
        if (progress != NULL)
                atomic_fetch_add(&progress->bytes_out, len);
        *bytes = len;
        rc = 0;
done:
        mem_free(data);
        return rc;
}

static int
copy_bytes(struct source *src, struct sink *sink, const struct store_stat *seen,
    struct progress *progress, struct cancel *cancel, uint64_t *bytes, struct err *err)
{
        if (seen->size <= SMALL)
                return copy_small(src, sink, (size_t)seen->size, progress, bytes, err);
        return stream_copy(src, sink, progress, cancel, bytes, err);
}

static int
copy_here(struct store *from, struct store *to, const char *key, const struct store_stat *seen,
    struct store_stat *made, struct progress *progress, struct cancel *cancel, struct err *err)
{
        const struct store_write how = { .made = made };
        struct sink *sink = NULL;
        uint64_t bytes;

        struct source *src = store_read(from, key, 0, UINT64_MAX, cancel, err);
        if (src != NULL && progress != NULL)
                src = progress_source(src, progress, err);
        if (src == NULL)
                goto fail;
        sink = store_create(to, key, &how, cancel, err);
        if (sink == NULL || copy_bytes(src, sink, seen, progress, cancel, &bytes, err) < 0)
                goto fail;
        if (bytes != seen->size) {
                changed(key, err);
                goto fail;
        }
        if (check_unchanged(from, key, seen, cancel, err) < 0 || sink_commit(sink, err) < 0)
                goto fail;
        sink_free(sink);
        source_free(src);
        return 0;

fail:
        sink_free(sink);
        source_free(src);
        return -1;
}

int
store_copy(struct store *from, struct store *to, const char *key, const struct store_stat *seen,
    struct store_copied *out, struct progress *progress, struct cancel *cancel, struct err *err)
{
        struct store_copied copied = { 0 };
        int done = 0;

        if (to->ops->copy != NULL && to->ops == from->ops)
                done = to->ops->copy(to, from, key, seen, &copied.made, cancel, err);
        if (done < 0)
                return -1;
        copied.by_server = done > 0;
        if (copied.by_server && progress != NULL) {
                atomic_fetch_add(&progress->bytes_in, seen->size);
                atomic_fetch_add(&progress->bytes_out, seen->size);
        }
        if (!copied.by_server &&
            copy_here(from, to, key, seen, &copied.made, progress, cancel, err) < 0)
                return -1;
        if (copied.made.etag[0] == '\0' && copied.made.mtime_ms == 0) {
                if (store_stat(to, key, &copied.made, cancel, err) < 0)
                        return err_prefix(err, "cannot look at what was copied");
                if (copied.made.size != seen->size)
                        return changed(key, err);
        }
        copied.made.size = seen->size;
        *out = copied;
        return 0;
}
