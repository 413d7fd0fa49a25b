#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "object_pool.h"
#include "object_source.h"

/* A request that brought less before it broke was no progress. */
#define PROGRESS ((uint64_t)64 * 1024)

/* Up to here a range has memory of its own, above a buffer of the pool. */
#define OWN_MAX ((uint64_t)1024 * 1024)

/* Bound on what a stream without ranges is ahead of its reader: what one look at it can bring. */
#define STREAM_MAX ((size_t)64 * 1024 * 1024)

void
object_range_clear(struct object_range *range)
{
        if (range->pooled)
                object_pool_put(range->data, range->cap);
        else
                mem_free(range->data);
        range->data = NULL;
}

static int
make_room(struct object_range *range, struct err *err)
{
        if (range->data != NULL || range->len == 0)
                return 0;
        range->pooled = range->len > OWN_MAX && range->len <= range->it->store->part_size;
        range->cap = range->pooled ? range->it->store->part_size : (size_t)range->len;
        if (range->pooled)
                return object_pool_get(range->cap, true, &range->data, err) > 0 ? 0 : -1;
        range->data = mem_alloc(range->cap, err);
        return range->data != NULL ? 0 : -1;
}

/* What an answer says of the object. */

/* "bytes 0-99/1000" */
static int
parse_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *size)
{
        int end = -1;

        if (sscanf(text, "bytes %20" SCNu64 "-%20" SCNu64 "/%20" SCNu64 "%n", first, last, size,
                &end) != 3 ||
            end < 0 || text[end] != '\0')
                return -1;
        return *first <= *last && *last < *size ? 0 : -1;
}

static int
wrong_answer(const char *why, struct err *err)
{
        return err_set(err, ERR_PROTOCOL, "the server's answer is wrong: %s", why);
}

static int
was_replaced(struct err *err)
{
        err_set(err, ERR_IO, "it was replaced while it was read");
        return err_hint(err, "read it again, when nobody writes it");
}

static void
copy_etag(const struct http_answer *answer, char etag[STORE_ETAG_MAX + 1])
{
        const char *text = http_answer_header(answer, "etag");

        *etag = '\0';
        if (text != NULL && strlen(text) <= STORE_ETAG_MAX)
                strcpy(etag, text);
}

/* All answers are of one version of the object. */
static int
check_version(struct object_source *it, const struct http_answer *answer, struct err *err)
{
        char etag[STORE_ETAG_MAX + 1];

        copy_etag(answer, etag);
        if (!it->known) {
                memcpy(it->etag, etag, sizeof(etag));
                return 0;
        }
        if (etag[0] == '\0')
                return wrong_answer("it does not say which version of the object it is of", err);
        return strcmp(it->etag, etag) == 0 ? 0 : was_replaced(err);
}

/* A server without ranges sends all of it, each time. */
static int
begin_stream(struct object_range *range, const struct http_answer *answer, struct err *err)
{
        struct object_source *it = range->it;
        const char *text = http_answer_header(answer, "content-length");

        if (it->offset != 0 || (it->known && !it->is_stream))
                return err_set(err, ERR_UNSUPPORTED,
                    "the server does not send a part of an object, but all of it");
        /* What answers 200 to everything (a portal, a broken proxy) has no version of anything. */
        if (http_answer_header(answer, "etag") == NULL)
                return wrong_answer("it has no ETag, so it is no object", err);
        if (check_version(it, answer, err) < 0)
                return -1;
        uint64_t size = text != NULL ? strtoull(text, NULL, 10) : UINT64_MAX;
        if (!it->known) {
                it->is_stream = true;
                it->has_size = text != NULL;
                range->len = UINT64_MAX;
                if (object_source_learn(it, size, err) < 0)
                        return -1;
        } else if (it->has_size && size != it->size) {
                return was_replaced(err);
        }
        range->skip = range->got;
        return 0;
}

/* Of an empty range one byte is asked for, to see whether it is there. */
static uint64_t
wanted(const struct object_range *range)
{
        return range->len > 0 ? range->len - range->got : 1;
}

static int
begin_range(struct object_range *range, const struct http_answer *answer, struct err *err)
{
        struct object_source *it = range->it;
        const char *text = http_answer_header(answer, "content-range");
        uint64_t first, last, size;

        if (text == NULL || parse_content_range(text, &first, &last, &size) < 0)
                return wrong_answer("it does not say which bytes it has", err);
        if (it->is_stream)
                return wrong_answer("it has a range, and had none before", err);
        if (check_version(it, answer, err) < 0)
                return -1;
        if (first != range->offset + range->got || last - first >= wanted(range))
                return wrong_answer("it has other bytes than those asked for", err);
        if (it->known)
                return size == it->size ? 0 : was_replaced(err);
        if (object_source_learn(it, size, err) < 0)
                return -1;
        if (range->len > it->length)
                range->len = it->length;
        return make_room(range, err);
}

static int
begin(struct object_range *range, const struct http_answer *answer, struct err *err)
{
        range->begun = true;
        range->skip = 0;
        return answer->status == 206 ? begin_range(range, answer, err)
                                     : begin_stream(range, answer, err);
}

/* The body. */

/* The bytes of a stream that were read make room for those that come. */
static int
add_to_stream(struct object_range *range, const char *data, size_t len, struct err *err)
{
        size_t kept = (size_t)(range->got - range->taken);

        if (kept + len > STREAM_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "the server sends all of it at once, faster than it can be taken");
        if (kept + len > range->cap) {
                size_t cap = range->cap != 0 ? range->cap : 64 * 1024;
                while (cap < kept + len)
                        cap *= 2;
                char *grown = mem_realloc(range->data, cap, err);
                if (grown == NULL)
                        return -1;
                range->data = grown;
                range->cap = cap;
        }
        memcpy(range->data + kept, data, len);
        range->got += len;
        return 0;
}

static int
on_body(void *arg, const struct http_answer *answer, const char *data, size_t len, struct err *err)
{
        struct object_range *range = arg;

        if (!range->begun && begin(range, answer, err) < 0)
                return -1;
        if (range->skip > 0) {
                size_t skip = range->skip < len ? (size_t)range->skip : len;
                range->skip -= skip;
                data += skip;
                len -= skip;
        }
        if (range->it->is_stream)
                return add_to_stream(range, data, len, err);
        if (range->len == 0)
                return 0;
        if (len > range->len - range->got)
                return wrong_answer("it has more bytes than those asked for", err);
        memcpy(range->data + range->got, data, len);
        range->got += len;
        return 0;
}

static void
fail(struct object_source *it, const struct err *err)
{
        if (it->failed)
                return;
        it->failed = true;
        it->failure = *err;
}

/* The request broke, or its answer was short: ask for the rest. */
static int
resume(struct object_range *range, struct err *err)
{
        if (range->got - range->start >= PROGRESS)
                range->tried = 0;
        else
                range->tried++;
        return object_range_start(range, err);
}

static bool
is_complete(const struct object_range *range)
{
        const struct object_source *it = range->it;

        return it->is_stream ? !it->has_size || range->got == it->size : range->got == range->len;
}

static void
on_done(void *arg, struct http_answer *answer, const struct err *failure)
{
        struct object_range *range = arg;
        struct object_source *it = range->it;
        struct err err;

        range->under_way = false;
        it->under_way--;
        if (it->closing)
                return;
        err_init(&err);
        if (failure == NULL) {
                if (!range->begun && begin(range, answer, &err) < 0) {
                        err_prefix(&err, "cannot read \"%s\"", it->key);
                        fail(it, &err);
                        return;
                }
                if (is_complete(range))
                        return;
                err_set(
                    &err, ERR_TRUNCATED, "cannot read \"%s\": the answers are too short", it->key);
                err.retryable = true;
        } else {
                err = *failure;
                if (it->known && err.code == ERR_NOT_FOUND)
                        err.code = ERR_IO;
        }
        /* Where nothing came, it has been tried often enough already. */
        bool go_on = err.retryable && range->got > range->start &&
                     range->tried + 1 < it->store->patience.attempts;
        if (!go_on || resume(range, &err) < 0)
                fail(it, &err);
}

int
object_range_start(struct object_range *range, struct err *err)
{
        struct object_source *it = range->it;
        struct object_store *store = it->store;
        struct object_request request;
        char text[64];

        if (it->known && !it->is_stream && make_room(range, err) < 0)
                return -1;
        object_request_init(&request, store, "read", "GET", it->key);
        if (!it->is_stream) {
                uint64_t first = range->offset + range->got;
                snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, first,
                    first + wanted(range) - 1);
                object_request_header(&request, "Range", text);
        }
        if (store->dialect->reading != NULL)
                store->dialect->reading(store, &request);
        request.on_body = on_body;
        request.body_arg = range;
        request.large = range->len - range->got > OWN_MAX / 4;
        request.tried = range->tried;
        range->start = range->got;
        range->begun = false;
        if (object_start(it->lane, &request, it->cancel, on_done, range, err) < 0)
                return -1;
        range->under_way = true;
        it->under_way++;
        return 0;
}
