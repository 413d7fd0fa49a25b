/*
 * What an implementer of a source or a sink needs.  Embed the struct as the
 * first member, call source_init / sink_init, and return &it->source.
 */
#ifndef MOONKEEP_STREAM_DRIVER_H
#define MOONKEEP_STREAM_DRIVER_H

#include "moonkeep/stream.h"

struct source_ops {
        const char *name; /* "file", "zstd": for messages and counters */
        /* As source_read; called no more after it returned 0 or -1. */
        ssize_t (*read)(struct source *src, void *buf, size_t cap, struct err *err);
        /* Release the source's memory, and free what it wraps. */
        void (*free)(struct source *src);
};

enum stream_state {
        STREAM_OPEN,
        STREAM_END,
        STREAM_FAILED
};

struct source {
        const struct source_ops *ops;
        enum stream_state state;
        uint64_t bytes;
        uint64_t expected;  /* bytes in all, once a driver knows; else UINT64_MAX */
        struct err failure; /* valid in STREAM_FAILED */
};

void source_init(struct source *src, const struct source_ops *ops);

struct sink_ops {
        const char *name;
        int (*write)(struct sink *sink, const void *data, size_t len, struct err *err);
        int (*commit)(struct sink *sink, struct err *err);
        /* Drop what was not committed, and release the memory. */
        void (*free)(struct sink *sink);
};

struct sink {
        const struct sink_ops *ops;
        void *(*room)(struct sink *sink, size_t *len); /* as sink_room; NULL: never any */
        enum stream_state state;                       /* STREAM_END: committed */
        uint64_t bytes;
        struct err failure;
};

void sink_init(struct sink *sink, const struct sink_ops *ops);

#endif
