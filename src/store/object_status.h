/*
 * What the status of an answer means where no code says more: the same for all object stores.
 */
#ifndef MOONKEEP_STORE_OBJECT_STATUS_H
#define MOONKEEP_STORE_OBJECT_STATUS_H

#include <stdbool.h>

#include "moonkeep/err.h"

struct object_status {
        enum err_code means;
        bool retryable;
        char text[64];
};

/* object_status: false when nothing is known of it; thing is "object", "blob". */
bool object_status(int status, const char *thing, struct object_status *out);

#endif
