/* An object written in as many pieces as it takes. */
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/stream_driver.h"
#include "store_span_internal.h"

/* A piece that is written, and not visible before all are. */
struct piece {
        struct sink *sink;
        struct stream_digest *digest; /* of this piece; or NULL */
        bool committed;
};

struct span_sink {
        struct sink sink;
        struct store_span *store;
        struct cancel *cancel;
        char *key;
        struct store_write how;
        struct piece *pieces;
        unsigned count;
        uint64_t in_piece;          /* bytes of the last one */
        struct stream_digest first; /* the caller's digests, as the first piece fills them */
        struct sha256 *whole;       /* NULL unless wanted */
        bool committed;
};

static int
open_piece(struct span_sink *it, struct err *err)
{
        struct store *inner = it->store->inner;
        struct store_write how = it->how;
        char name[SPAN_NAME_SIZE];
        struct piece piece = { 0 };

        if (store_span_name(it->key, it->count, name, err) < 0)
                return -1;
        struct piece *pieces = mem_realloc(it->pieces, (it->count + 1) * sizeof(*pieces), err);
        if (pieces == NULL)
                return -1;
        it->pieces = pieces;
        if (it->how.digest != NULL && it->count > 0) {
                piece.digest =
                    stream_digest_new(parts_digest_part_size(it->how.digest->parts), false, err);
                if (piece.digest == NULL)
                        return -1;
        }
        how.digest = it->count > 0 || it->how.digest == NULL ? piece.digest : &it->first;
        if (it->count > 0)
                how.made = NULL;
        piece.sink = inner->ops->create(inner, name, &how, it->cancel, err);
        if (piece.sink == NULL) {
                stream_digest_free(piece.digest);
                return -1;
        }
        pieces[it->count++] = piece;
        it->in_piece = 0;
        return 0;
}

static int
span_sink_write(struct sink *sink, const void *data, size_t len, struct err *err)
{
        struct span_sink *it = (struct span_sink *)sink;
        const char *at = data;

        if (it->whole != NULL && sha256_update(it->whole, data, len, err) < 0)
                return -1;
        while (len > 0) {
                if (it->in_piece == it->store->max && open_piece(it, err) < 0)
                        return -1;
                uint64_t room = it->store->max - it->in_piece;
                size_t now = room < len ? (size_t)room : len;
                if (sink_write(it->pieces[it->count - 1].sink, at, now, err) < 0)
                        return -1;
                it->in_piece += now;
                at += now;
                len -= now;
        }
        return 0;
}

static void *
span_sink_room(struct sink *sink, size_t *len)
{
        struct span_sink *it = (struct span_sink *)sink;
        uint64_t left = it->store->max - it->in_piece;

        if (left == 0)
                return NULL;
        void *room = sink_room(it->pieces[it->count - 1].sink, len);
        if (room != NULL && *len > left)
                *len = (size_t)left;
        return room;
}

static int
commit_piece(struct span_sink *it, unsigned n, struct err *err)
{
        struct piece *piece = &it->pieces[n];

        /* Perhaps, when it fails: what it left is removed then. */
        piece->committed = true;
        return sink_commit(piece->sink, err);
}

/* Is there, or may there be, something that would look like one piece more of this object? */
static bool
has_leftover(struct span_sink *it, char name[SPAN_NAME_SIZE])
{
        struct store *inner = it->store->inner;
        struct store_stat stat;
        struct err why;

        if (it->in_piece < it->store->max || it->count > SPAN_MORE_MAX ||
            store_span_name(it->key, it->count, name, NULL) < 0)
                return false;
        err_init(&why);
        return inner->ops->stat(inner, name, &stat, it->cancel, &why) == 0 ||
               why.code != ERR_NOT_FOUND;
}

/*
 * What is there of an older object must not look like a piece of this one, nor
 * what is new of this one like a piece of the older one.  The older one goes
 * before any of its pieces does: without them it would look whole.
 */
static int
make_way(struct span_sink *it, struct err *err)
{
        struct store *inner = it->store->inner;
        char name[SPAN_NAME_SIZE];
        bool leftover = has_leftover(it, name);

        if ((it->count > 1 || leftover) && inner->ops->remove(inner, it->key, it->cancel, err) < 0)
                return -1;
        return leftover ? inner->ops->remove(inner, name, it->cancel, err) : 0;
}

/*
 * The digests of the pieces one after the other are those of the whole, as
 * pieces end where parts do.  The first piece has all its parts by now, and ends
 * the list with its commit.
 */
static int
join_digests(struct span_sink *it, struct err *err)
{
        struct stream_digest *digest = it->how.digest;

        if (digest == NULL)
                return 0;
        for (unsigned n = 1; n < it->count; n++) {
                if (parts_digest_append(digest->parts, it->pieces[n].digest->parts, err) < 0)
                        return -1;
        }
        return it->whole != NULL ? sha256_final(it->whole, digest->whole, err) : 0;
}

static int
span_sink_commit(struct sink *sink, struct err *err)
{
        struct span_sink *it = (struct span_sink *)sink;

        if (make_way(it, err) < 0)
                return -1;
        for (unsigned n = 1; n < it->count; n++) {
                if (commit_piece(it, n, err) < 0)
                        return -1;
        }
        if (join_digests(it, err) < 0 || sink_commit(it->pieces[0].sink, err) < 0)
                return -1;
        it->committed = true;
        if (it->how.digest != NULL)
                it->how.digest->complete = true;
        if (it->count > 1 && it->how.made != NULL) {
                it->how.made->size = it->sink.bytes;
                it->how.made->etag[0] = '\0';
        }
        return 0;
}

static void
span_sink_free(struct sink *sink)
{
        struct span_sink *it = (struct span_sink *)sink;
        struct store *inner = it->store->inner;
        /* A token that is set already is the reason: what is left is removed all the same. */
        struct cancel *cancel = cancel_is_set(it->cancel) ? NULL : it->cancel;
        bool works = true;

        for (unsigned n = 0; n < it->count; n++) {
                char name[SPAN_NAME_SIZE];
                struct piece *piece = &it->pieces[n];
                sink_free(piece->sink);
                stream_digest_free(piece->digest);
                /* Where one cannot be removed, each more would only take its time. */
                if (piece->committed && !it->committed && works &&
                    store_span_name(it->key, n, name, NULL) == 0)
                        works = inner->ops->remove(inner, name, cancel, NULL) == 0;
        }
        mem_free(it->pieces);
        sha256_free(it->whole);
        cancel_unref(it->cancel);
        mem_free(it->key);
        mem_free(it);
}

static const struct sink_ops span_sink_ops = { "span", span_sink_write, span_sink_commit,
        span_sink_free };

struct sink *
store_span_create(struct store *store, const char *key, const struct store_write *how,
    struct cancel *cancel, struct err *err)
{
        struct store_span *span = (struct store_span *)store;

        /* Exclusion is of one name, and what needs it is small. */
        if (how->exclusive)
                return span->inner->ops->create(span->inner, key, how, cancel, err);
        struct store_write own = *how;
        if (!span->inner->ops->digests)
                own.digest = NULL;
        if (own.digest != NULL && span->max % parts_digest_part_size(own.digest->parts) != 0) {
                own.digest = NULL;
                return hash_sink(
                    store_span_create(store, key, &own, cancel, err), how->digest, err);
        }

        struct span_sink *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                return NULL;
        sink_init(&it->sink, &span_sink_ops);
        it->sink.room = span_sink_room;
        it->store = span;
        it->cancel = cancel_ref(cancel);
        it->how = own;
        if (own.digest != NULL)
                it->first.parts = own.digest->parts;
        if (own.digest != NULL && own.digest->want_whole) {
                it->whole = sha256_new(err);
                if (it->whole == NULL)
                        goto fail;
        }
        it->key = mem_strdup(key, err);
        if (it->key == NULL || open_piece(it, err) < 0)
                goto fail;
        return &it->sink;

fail:
        span_sink_free(&it->sink);
        return NULL;
}
