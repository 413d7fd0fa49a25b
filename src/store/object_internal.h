/*
 * The lanes of an object store, shared by object_*.c.
 */
#ifndef MOONKEEP_STORE_OBJECT_INTERNAL_H
#define MOONKEEP_STORE_OBJECT_INTERNAL_H

#include "object.h"

struct object_op;

struct object_lane {
        struct object_store *it;
        struct loop *loop;
        struct object_lane *next; /* of the idle ones */
        struct object_op *ops;    /* under way */
        int64_t looked_ms;        /* when its loop was run last */
        int64_t back_ms;          /* when it was run again after nobody had for long */
        bool stopping;
};

#endif
