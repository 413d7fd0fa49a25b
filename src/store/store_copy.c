#include <string.h>

#include "moonkeep/store_driver.h"

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
        if (sink == NULL || stream_copy(src, sink, progress, cancel, &bytes, err) < 0)
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
