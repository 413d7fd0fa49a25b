/*
 * What interrupted uploads left: blobs that have blocks, and none in a list.
 *
 * Nothing shows them but a listing with include=uncommittedblobs, and no
 * request removes them.  To commit an empty list, only if there is no blob, and to
 * delete that, only if it is still the one that was made, does.  For a moment
 * it is there, empty: no manifest names it, and a mark in its metadata tells a
 * later sweep what it is, should we be killed in between.
 */
#include <string.h>

#include "azure.h"
#include "moonkeep/mem.h"

#define MARK "x-ms-meta-moonkeep"
#define MARK_VALUE "swept"

static const char empty_list[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList></BlockList>";

struct sweep {
        struct azure_store *it;
        struct object_lane *lane;
        struct cancel *cancel;
        uint64_t removed;
};

/* Delete the empty blob, if it still is the one with that ETag. */
static int
drop(struct sweep *sweep, const char *key, const char *etag, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };
        struct err why;

        err_init(&why);
        object_request_init(&request, &sweep->it->object, "sweep", "DELETE", key);
        object_request_header(&request, "If-Match", etag);
        if (object_call_on(sweep->lane, &request, sweep->cancel, &answer, &why) < 0) {
                /* Somebody has written it meanwhile: it is theirs. */
                if (why.http == 412)
                        return 0;
                if (err != NULL)
                        *err = why;
                return -1;
        }
        http_answer_clear(&answer);
        sweep->removed++;
        return 0;
}

/* Delete what a sweep has made of key: 1, also when key is something else; 0: there is no blob. */
static int
drop_marked(struct sweep *sweep, const char *key, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };
        struct err why;
        int rc = 1;

        err_init(&why);
        object_request_init(&request, &sweep->it->object, "sweep", "HEAD", key);
        if (object_call_on(sweep->lane, &request, sweep->cancel, &answer, &why) < 0) {
                if (why.code == ERR_NOT_FOUND)
                        return 0;
                if (err != NULL)
                        *err = why;
                return -1;
        }
        const char *mark = http_answer_header(&answer, MARK);
        const char *etag = http_answer_header(&answer, "etag");
        if (mark != NULL && strcmp(mark, MARK_VALUE) == 0 && etag != NULL &&
            drop(sweep, key, etag, err) < 0)
                rc = -1;
        http_answer_clear(&answer);
        return rc;
}

static int
commit_nothing(struct sweep *sweep, const char *key, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };
        struct err why;

        err_init(&why);
        object_request_init(&request, &sweep->it->object, "sweep", "PUT", key);
        object_request_query(&request, "comp", "blocklist");
        object_request_header(&request, "If-None-Match", "*");
        object_request_header(&request, MARK, MARK_VALUE);
        request.payload = empty_list;
        request.payload_len = sizeof(empty_list) - 1;
        /* ERR_EXISTS: somebody's, or our own whose answer got lost. */
        if (object_call_on(sweep->lane, &request, sweep->cancel, &answer, &why) < 0 &&
            why.code != ERR_EXISTS) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        http_answer_clear(&answer);
        return drop_marked(sweep, key, err) < 0 ? -1 : 0;
}

/* An empty name: a blob that is empty, blocks without a blob, or what a sweep left. */
static int
look_at(struct sweep *sweep, const char *key, struct err *err)
{
        int rc = drop_marked(sweep, key, err);

        if (rc == 0)
                return commit_nothing(sweep, key, err);
        return rc < 0 ? -1 : 0;
}

static int
on_key(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        return stat != NULL && stat->size == 0 ? look_at(arg, key, err) : 0;
}

int
azure_sweep(struct store *store, const char *prefix, uint64_t *removed, struct cancel *cancel,
    struct err *err)
{
        struct sweep sweep = { .it = (struct azure_store *)store, .cancel = cancel };

        sweep.lane = object_lane_get(&sweep.it->object, err);
        if (sweep.lane == NULL)
                return -1;
        int rc = azure_list_including(
            sweep.it, prefix, false, "uncommittedblobs", on_key, &sweep, cancel, err);
        object_lane_put(sweep.lane);
        if (rc == 0)
                *removed = sweep.removed;
        return rc;
}
