/* An object that is written in one request. */
#include <string.h>

#include "moonkeep/mem.h"
#include "object_sink.h"

/* How often an exclusive write whose effect is not known looks what happened. */
#define LOOKS_MAX 3

/* What the answer says of the object that was made: its ETag, without quotes. */
static void
note_made(const struct object_sink *it, const struct http_answer *answer)
{
        struct store_stat *made = it->upload.how.made;
        const char *etag = http_answer_header(answer, "etag");

        if (made == NULL || etag == NULL)
                return;
        etag += *etag == '"';
        size_t len = strcspn(etag, "\"");
        if (len > STORE_ETAG_MAX)
                return;
        *made = (struct store_stat){ .size = it->len };
        memcpy(made->etag, etag, len);
}

static int
put(struct object_sink *it, struct err *err)
{
        struct object_store *store = it->store;
        struct object_request request;
        struct http_answer answer;
        unsigned char empty[SHA256_SIZE];

        object_request_init(&request, store, "write", "PUT", it->upload.key);
        request.payload = it->data != NULL ? it->data : "";
        request.payload_len = it->len;
        if (it->len == 0) {
                if (sha256_bytes("", 0, empty, &request.failed) == 0)
                        request.sha256 = empty;
        } else if (it->len <= store->part_size) {
                request.sha256 = object_sink_sha256(it, 1);
        }
        request.once = it->upload.how.exclusive;
        store->dialect->writing(store, &it->upload.how, &request);
        if (object_call(store, &request, it->cancel, &answer, err) < 0)
                return -1;
        note_made(it, &answer);
        http_answer_clear(&answer);
        return 0;
}

/* Is what the store has what we wrote?  1, 0, or -1. */
static int
is_ours(struct object_sink *it, struct err *err)
{
        struct source *src =
            object_source(it->store, it->upload.key, 0, UINT64_MAX, it->cancel, err);
        size_t same = 0;
        ssize_t got;

        if (src == NULL)
                return -1;
        char *chunk = mem_alloc(STREAM_CHUNK, err);
        if (chunk == NULL) {
                source_free(src);
                return -1;
        }
        while ((got = source_read(src, chunk, STREAM_CHUNK, err)) > 0) {
                if ((size_t)got > it->len - same ||
                    memcmp(chunk, it->data + same, (size_t)got) != 0)
                        break;
                same += (size_t)got;
        }
        mem_free(chunk);
        source_free(src);
        if (got < 0)
                return -1;
        return got == 0 && same == it->len;
}

/*
 * A create-only write that broke off may have taken effect.  Said again, it
 * would fail because of itself: what is there now tells.
 */
static int
put_exclusive(struct object_sink *it, struct err *err)
{
        for (int look = 0;; look++) {
                struct err failure, why;

                err_init(&failure);
                if (put(it, &failure) == 0)
                        return 0;
                bool is_open = failure.retryable || (look > 0 && failure.code == ERR_EXISTS);
                if (!is_open || look == LOOKS_MAX || cancel_is_set(it->cancel)) {
                        *err = failure;
                        return -1;
                }
                err_init(&why);
                int ours = is_ours(it, &why);
                if (ours > 0)
                        return 0;
                if (ours == 0) {
                        err_set(err, ERR_EXISTS, "cannot write \"%s%s\": it exists already",
                            it->store->prefix, it->upload.key);
                        return -1;
                }
                if (why.code != ERR_NOT_FOUND) {
                        *err = failure;
                        return -1;
                }
        }
}

int
object_sink_put_whole(struct object_sink *it, struct err *err)
{
        return it->upload.how.exclusive ? put_exclusive(it, err) : put(it, err);
}
