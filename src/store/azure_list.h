/*
 * A listing under way: asked for by azure_list.c, read by azure_page.c.
 */
#ifndef MOONKEEP_STORE_AZURE_LIST_H
#define MOONKEEP_STORE_AZURE_LIST_H

#include "azure.h"

struct azure_listing {
        struct azure_store *it;
        const char *prefix;
        bool shallow;
        const char *include; /* what else is listed; or NULL */
        store_list_fn *fn;
        void *arg;
        char *last;   /* the key that fn saw last; or NULL */
        char *marker; /* of the next page; or NULL */
        unsigned empty_pages;
};

/* azure_page_read: tell the keys of a page, and note the marker of the next; frees body. */
int azure_page_read(struct azure_listing *list, struct buf *body, struct err *err);

#endif
