#include "store_span_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"

int
store_span_name(const char *key, unsigned n, char out[SPAN_NAME_SIZE], struct err *err)
{
        int len = n == 0 ? snprintf(out, SPAN_NAME_SIZE, "%s", key)
                         : snprintf(out, SPAN_NAME_SIZE, "%s.%03u", key, n);

        if (n > SPAN_MORE_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "cannot write \"%s\": it is larger than %u objects of the store", key,
                    SPAN_MORE_MAX + 1);
        if (len > (int)STORE_KEY_MAX)
                return err_set(err, ERR_INVALID,
                    "\"%.64s...\" is no key for an object of several pieces: its name is too long",
                    key);
        return 0;
}

int
store_span_more(
    struct store_span *it, const char *key, uint64_t *size, struct cancel *cancel, struct err *err)
{
        uint64_t sum = 0;
        unsigned n = 0;

        for (; n < SPAN_MORE_MAX; n++) {
                struct store_stat stat;
                char name[SPAN_NAME_SIZE];
                struct err failure;

                err_init(&failure);
                /* What has no room for the ending has no pieces, either. */
                if (store_span_name(key, n + 1, name, &failure) < 0)
                        break;
                if (it->inner->ops->stat(it->inner, name, &stat, cancel, &failure) < 0) {
                        if (failure.code == ERR_NOT_FOUND)
                                break;
                        if (err != NULL)
                                *err = failure;
                        return -1;
                }
                sum += stat.size;
                if (stat.size != it->max) {
                        n++;
                        break;
                }
        }
        *size = sum;
        return (int)n;
}

/* What is known of the first piece becomes what is known of all; returns how many more there are.
 */
static int
widen(struct store_span *it, const char *key, struct store_stat *stat, struct cancel *cancel,
    struct err *err)
{
        uint64_t size;

        if (stat->size != it->max)
                return 0;
        int more = store_span_more(it, key, &size, cancel, err);
        if (more > 0) {
                stat->size += size;
                /* It names a part of the content only. */
                stat->etag[0] = '\0';
        }
        return more;
}

static int
span_stat(struct store *store, const char *key, struct store_stat *out, struct cancel *cancel,
    struct err *err)
{
        struct store_span *it = (struct store_span *)store;
        struct store_stat stat;

        if (it->inner->ops->stat(it->inner, key, &stat, cancel, err) < 0 ||
            widen(it, key, &stat, cancel, err) < 0)
                return -1;
        *out = stat;
        return 0;
}

/* Listing. */

/* An object whose other pieces are still to come in the listing. */
struct wide {
        struct wide *next;
        unsigned more;
        char key[];
};

struct listing {
        struct store_span *it;
        store_list_fn *fn;
        void *arg;
        struct cancel *cancel;
        struct wide *wides;
};

/* Is key one of its other pieces? */
static bool
is_piece(const struct wide *wide, const char *key)
{
        size_t len = strlen(wide->key);

        if (strncmp(key, wide->key, len) != 0 || key[len] != '.' || strlen(key + len) != 4)
                return false;
        for (const char *at = key + len + 1; *at != '\0'; at++) {
                if (!isdigit((unsigned char)*at))
                        return false;
        }
        unsigned long n = strtoul(key + len + 1, NULL, 10);
        return n > 0 && n <= wide->more;
}

/* All names of pieces sort before NAME and this. */
static bool
is_past(const struct wide *wide, const char *key)
{
        size_t len = strlen(wide->key);
        int order = strncmp(key, wide->key, len);

        return order > 0 || (order == 0 && (unsigned char)key[len] > '.');
}

static bool
is_hidden(struct listing *listing, const char *key)
{
        for (struct wide **at = &listing->wides; *at != NULL;) {
                struct wide *wide = *at;
                if (is_piece(wide, key))
                        return true;
                if (is_past(wide, key)) {
                        *at = wide->next;
                        mem_free(wide);
                } else {
                        at = &wide->next;
                }
        }
        return false;
}

static int
remember(struct listing *listing, const char *key, unsigned more, struct err *err)
{
        size_t size = strlen(key) + 1;
        struct wide *wide = mem_alloc(sizeof(*wide) + size, err);

        if (wide == NULL)
                return -1;
        wide->more = more;
        memcpy(wide->key, key, size);
        wide->next = listing->wides;
        listing->wides = wide;
        return 0;
}

static int
on_key(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        struct listing *listing = arg;

        if (is_hidden(listing, key))
                return 0;
        if (stat == NULL || stat->size != listing->it->max)
                return listing->fn(listing->arg, key, stat, err);
        struct store_stat all = *stat;
        int more = widen(listing->it, key, &all, listing->cancel, err);
        if (more < 0 || (more > 0 && remember(listing, key, (unsigned)more, err) < 0))
                return -1;
        return listing->fn(listing->arg, key, &all, err);
}

static int
span_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        struct store_span *it = (struct store_span *)store;
        struct listing listing = { .it = it, .fn = fn, .arg = arg, .cancel = cancel };

        int rc = it->inner->ops->list(it->inner, prefix, shallow, on_key, &listing, cancel, err);
        while (listing.wides != NULL) {
                struct wide *next = listing.wides->next;
                mem_free(listing.wides);
                listing.wides = next;
        }
        return rc;
}

/* The rest. */

static int
span_remove(struct store *store, const char *key, struct cancel *cancel, struct err *err)
{
        struct store_span *it = (struct store_span *)store;
        struct store *inner = it->inner;
        struct store_stat stat;
        struct err failure;
        uint64_t size;
        int more = 0;

        /* Only what is there says whether NAME.001 belongs to it. */
        err_init(&failure);
        if (inner->ops->stat(inner, key, &stat, cancel, &failure) < 0) {
                /*
                 * Who may not look may still remove, and who lacks the key that it is
                 * encrypted with (400); what cannot be seen is not guessed.
                 */
                if (failure.code != ERR_NOT_FOUND && failure.code != ERR_PERMISSION &&
                    failure.http != 400) {
                        if (err != NULL)
                                *err = failure;
                        return err_prefix(err, "cannot remove \"%s\"", key);
                }
        } else if (stat.size == it->max) {
                more = store_span_more(it, key, &size, cancel, err);
        }
        if (more < 0 || inner->ops->remove(inner, key, cancel, err) < 0)
                return -1;
        for (unsigned n = 1; n <= (unsigned)more; n++) {
                char name[SPAN_NAME_SIZE];
                if (store_span_name(key, n, name, err) < 0 ||
                    inner->ops->remove(inner, name, cancel, err) < 0)
                        return -1;
        }
        return 0;
}

static int
span_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err)
{
        struct store *inner = ((struct store_span *)store)->inner;

        return inner->ops->sweep(inner, prefix, removed, cancel, err);
}

static int
span_copy(struct store *to, struct store *from, const char *key, const struct store_stat *seen,
    struct store_stat *made, struct cancel *cancel, struct err *err)
{
        struct store_span *into = (struct store_span *)to;
        struct store_span *out_of = (struct store_span *)from;
        const struct store_ops *ops = into->inner->ops;

        /* Of several pieces, or perhaps so: they are read and written here. */
        if (ops->copy == NULL || ops != out_of->inner->ops || seen->size >= into->max ||
            seen->size >= out_of->max)
                return 0;
        return ops->copy(into->inner, out_of->inner, key, seen, made, cancel, err);
}

static int
span_call(struct store *store, const struct store_call *call, struct store_answer *answer,
    struct cancel *cancel, struct err *err)
{
        return store_call(((struct store_span *)store)->inner, call, answer, cancel, err);
}

static void
span_free(struct store *store)
{
        struct store_span *it = (struct store_span *)store;

        store_free(it->inner);
        mem_free(it->store.url);
        mem_free(it->store.place);
        mem_free(it);
}

#define SPAN_OPS(takes_digests)                                                                    \
        {                                                                                          \
                .name = "span", .stat = span_stat, .list = span_list, .read = store_span_read,     \
                .create = store_span_create, .remove = span_remove, .sweep = span_sweep,           \
                .copy = span_copy, .call = span_call, .free = span_free, .digests = takes_digests  \
        }

static const struct store_ops plain_ops = SPAN_OPS(false);
static const struct store_ops digest_ops = SPAN_OPS(true);

struct store *
store_span(struct store *inner, uint64_t max_bytes, struct err *err)
{
        if (inner == NULL)
                return NULL;
        struct store_span *it = mem_zalloc(sizeof(*it), err);
        if (it == NULL)
                goto fail;
        it->store.ops = inner->ops->digests ? &digest_ops : &plain_ops;
        it->store.capabilities = inner->capabilities;
        it->max = max_bytes;
        it->store.url = mem_strdup(inner->url, err);
        it->store.place = mem_strdup(store_place(inner), err);
        if (it->store.url == NULL || it->store.place == NULL)
                goto fail_it;
        it->inner = inner;
        return &it->store;

fail_it:
        mem_free(it->store.url);
        mem_free(it->store.place);
        mem_free(it);
fail:
        store_free(inner);
        return NULL;
}
