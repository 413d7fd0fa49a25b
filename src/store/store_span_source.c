/* The pieces of an object, read one after the other. */
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"
#include "store_span_internal.h"

struct span_source {
        struct source source;
        struct store_span *store;
        struct cancel *cancel;
        char *key;
        struct source *piece;
        unsigned n;             /* which piece it is */
        uint64_t position;      /* in the piece */
        uint64_t left;          /* to be read; UINT64_MAX: to the end */
        struct store_stat seen; /* the first piece, when the reading began */
};

static int
ends_too_early(const struct span_source *it, struct err *err)
{
        return err_set(err, ERR_TRUNCATED, "cannot read \"%s\": its piece %u is missing or short",
            it->key, it->n);
}

/*
 * Who replaces an object of several pieces removes the first one before
 * another is there: is it still the one that the reading began with?
 */
static int
check_unchanged(struct span_source *it, struct err *err)
{
        struct store *inner = it->store->inner;
        struct store_stat now;
        struct err failure;

        err_init(&failure);
        if (inner->ops->stat(inner, it->key, &now, it->cancel, &failure) < 0 &&
            failure.code != ERR_NOT_FOUND) {
                *err = failure;
                return -1;
        }
        if (failure.code == ERR_NONE && now.size == it->seen.size &&
            now.mtime_ms == it->seen.mtime_ms && strcmp(now.etag, it->seen.etag) == 0)
                return 0;
        err_set(err, ERR_IO, "cannot read \"%s\": it was replaced while it was read", it->key);
        return err_hint(err, "read it again, when nobody writes it");
}

/* 1, 0 when there is no such piece, or -1. */
static int
open_piece(struct span_source *it, unsigned n, uint64_t offset, struct err *err)
{
        struct store *inner = it->store->inner;
        uint64_t length = it->left;
        char name[SPAN_NAME_SIZE];
        struct err failure;

        source_free(it->piece);
        it->piece = NULL;
        it->n = n;
        it->position = offset;
        err_init(&failure);
        if (n > SPAN_MORE_MAX || store_span_name(it->key, n, name, &failure) < 0)
                return 0;
        if (length != UINT64_MAX && length > it->store->max - offset)
                length = it->store->max - offset;
        it->piece = inner->ops->read(inner, name, offset, length, it->cancel, &failure);
        if (it->piece != NULL)
                return 1;
        if (n > 0 && failure.code == ERR_NOT_FOUND)
                return 0;
        *err = failure;
        return -1;
}

static ssize_t
span_source_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct span_source *it = (struct span_source *)src;

        while (it->left > 0) {
                ssize_t got = source_read(it->piece, buf, cap, err);
                if (got != 0) {
                        if (got < 0)
                                return -1;
                        it->position += (uint64_t)got;
                        if (it->left != UINT64_MAX)
                                it->left -= (uint64_t)got;
                        return got;
                }
                bool open_ended = it->left == UINT64_MAX;
                if (it->position != it->store->max)
                        return open_ended ? 0 : ends_too_early(it, err);
                int opened = open_piece(it, it->n + 1, 0, err);
                if (opened < 0 || check_unchanged(it, err) < 0)
                        return -1;
                if (opened == 0)
                        return open_ended ? 0 : ends_too_early(it, err);
        }
        return 0;
}

static void
span_source_free(struct source *src)
{
        struct span_source *it = (struct span_source *)src;

        source_free(it->piece);
        cancel_unref(it->cancel);
        mem_free(it->key);
        mem_free(it);
}

static const struct source_ops span_source_ops = { "span", span_source_read, span_source_free };

/*
 * Is it an object of several pieces, and long enough?  1, 0 when it is of one, -1.
 */
static int
check_pieces(struct span_source *it, uint64_t offset, struct err *err)
{
        uint64_t more;

        if (it->seen.size != it->store->max)
                return 0;
        int count = store_span_more(it->store, it->key, &more, it->cancel, err);
        if (count <= 0)
                return count;
        uint64_t size = it->seen.size + more;
        if (offset > size || (it->left != UINT64_MAX && it->left > size - offset))
                return err_set(err, ERR_TRUNCATED, "cannot read \"%s\": it has %llu bytes", it->key,
                    (unsigned long long)size);
        if (it->left == UINT64_MAX)
                it->left = size - offset;
        it->source.expected = it->left;
        return 1;
}

static struct span_source *
span_source_new(struct store_span *store, const char *key, uint64_t length, struct cancel *cancel,
    struct err *err)
{
        struct span_source *it = mem_zalloc(sizeof(*it), err);

        if (it == NULL)
                return NULL;
        source_init(&it->source, &span_source_ops);
        it->store = store;
        it->left = length;
        it->key = mem_strdup(key, err);
        if (it->key == NULL) {
                mem_free(it);
                return NULL;
        }
        it->cancel = cancel_ref(cancel);
        return it;
}

/* From within the first piece to the end, wherever that is. */
static struct source *
read_to_end(struct store_span *store, const char *key, uint64_t offset, struct cancel *cancel,
    struct err *err)
{
        struct store *inner = store->inner;
        struct source *piece = inner->ops->read(inner, key, offset, UINT64_MAX, cancel, err);

        /* Nearly always it is known to be the only one. */
        if (piece == NULL ||
            (piece->expected != UINT64_MAX && piece->expected != store->max - offset))
                return piece;
        struct span_source *it = span_source_new(store, key, UINT64_MAX, cancel, err);
        if (it == NULL) {
                source_free(piece);
                return NULL;
        }
        it->piece = piece;
        it->position = offset;
        if (inner->ops->stat(inner, key, &it->seen, cancel, err) < 0) {
                span_source_free(&it->source);
                return NULL;
        }
        return &it->source;
}

struct source *
store_span_read(struct store *store, const char *key, uint64_t offset, uint64_t length,
    struct cancel *cancel, struct err *err)
{
        struct store_span *span = (struct store_span *)store;
        struct store *inner = span->inner;
        struct err failure;

        if (offset <= span->max && length <= span->max - offset)
                return inner->ops->read(inner, key, offset, length, cancel, err);
        if (offset < span->max && length == UINT64_MAX)
                return read_to_end(span, key, offset, cancel, err);

        err_init(&failure);
        struct span_source *it = span_source_new(span, key, length, cancel, &failure);
        if (it == NULL || inner->ops->stat(inner, key, &it->seen, cancel, &failure) < 0)
                goto fail;
        int several = check_pieces(it, offset, &failure);
        if (several < 0)
                goto fail;
        if (several == 0) {
                span_source_free(&it->source);
                return inner->ops->read(inner, key, offset, length, cancel, err);
        }
        /* At the very end there is nothing to open. */
        if (it->left == 0)
                return &it->source;
        int opened = open_piece(it, (unsigned)(offset / span->max), offset % span->max, &failure);
        if (opened > 0)
                return &it->source;
        if (opened == 0)
                ends_too_early(it, &failure);
fail:
        if (it != NULL)
                span_source_free(&it->source);
        if (err != NULL)
                *err = failure;
        return NULL;
}
