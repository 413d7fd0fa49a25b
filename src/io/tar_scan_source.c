#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"
#include "moonkeep/tar.h"

struct scan_source {
        struct source source;
        struct source *inner;
        struct tar_scan *scan;
};

static ssize_t
scan_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct scan_source *it = (struct scan_source *)src;
        ssize_t got = source_read(it->inner, buf, cap, err);

        if (got < 0)
                return -1;
        if (got == 0)
                return tar_scan_end(it->scan, err);
        return tar_scan_push(it->scan, buf, (size_t)got, err) < 0 ? -1 : got;
}

static void
scan_source_free(struct source *src)
{
        struct scan_source *it = (struct scan_source *)src;

        source_free(it->inner);
        tar_scan_free(it->scan);
        mem_free(it);
}

static const struct source_ops scan_source_ops = {
        .name = "tar scan",
        .read = scan_source_read,
        .free = scan_source_free,
};

struct source *
tar_scan_source(struct source *src, const struct tar_watcher *watcher, struct err *err)
{
        if (src == NULL)
                return NULL;

        struct scan_source *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        it->scan = tar_scan_new(watcher, err);
        if (it->scan == NULL)
                goto fail_scan;
        source_init(&it->source, &scan_source_ops);
        it->inner = src;
        return &it->source;

fail_scan:
        mem_free(it);
fail:
        source_free(src);
        return NULL;
}
