/* Listings, page by page. */
#include <string.h>

#include "azure_list.h"
#include "moonkeep/mem.h"

#define PAGE_ENTRIES "5000"
#define PAGE_MAX ((size_t)32 * 1024 * 1024)

static int
ask(struct azure_listing *list, struct object_lane *lane, struct http_answer *answer,
    struct cancel *cancel, struct err *err)
{
        struct object_store *it = &list->it->object;
        struct object_request request;
        struct buf prefix;

        object_request_init(&request, it, "list", "GET", NULL);
        object_request_query(&request, "restype", "container");
        object_request_query(&request, "comp", "list");
        object_request_query(&request, "maxresults", PAGE_ENTRIES);
        buf_init(&prefix, 2 * STORE_KEY_MAX);
        if (buf_addf(&prefix, &request.failed, "%s%s", it->prefix, list->prefix) == 0 &&
            prefix.len > 0)
                object_request_query(&request, "prefix", prefix.data);
        buf_free(&prefix);
        if (list->shallow)
                object_request_query(&request, "delimiter", "/");
        if (list->include != NULL)
                object_request_query(&request, "include", list->include);
        if (list->marker != NULL)
                object_request_query(&request, "marker", list->marker);
        request.answer_max = PAGE_MAX;
        request.large = true;
        return object_call_on(lane, &request, cancel, answer, err);
}

/* Its memory is released before the next one is asked for. */
static int
list_page(
    struct azure_listing *list, struct object_lane *lane, struct cancel *cancel, struct err *err)
{
        struct http_answer answer = { 0 };

        if (ask(list, lane, &answer, cancel, err) < 0)
                return -1;
        int rc = azure_page_read(list, &answer.body, err);
        http_answer_clear(&answer);
        return rc;
}

int
azure_list_including(struct azure_store *it, const char *prefix, bool shallow, const char *include,
    store_list_fn *fn, void *arg, struct cancel *cancel, struct err *err)
{
        struct azure_listing list = { .it = it,
                .prefix = prefix,
                .shallow = shallow,
                .include = include,
                .fn = fn,
                .arg = arg };
        struct object_lane *lane = object_lane_get(&it->object, err);
        int rc;

        if (lane == NULL)
                return -1;
        do {
                rc = list_page(&list, lane, cancel, err);
        } while (rc == 0 && list.marker != NULL);
        object_lane_put(lane);
        mem_free(list.last);
        mem_free(list.marker);
        return rc;
}

int
azure_list(struct store *store, const char *prefix, bool shallow, store_list_fn *fn, void *arg,
    struct cancel *cancel, struct err *err)
{
        return azure_list_including(
            (struct azure_store *)store, prefix, shallow, NULL, fn, arg, cancel, err);
}
