/*
 * What the tests of the codecs share: streams in memory, in any step size.
 */
#ifndef TESTS_HARNESS_CODEC_TEST_H
#define TESTS_HARNESS_CODEC_TEST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "harness/test.h"
#include "moonkeep/codec.h"
#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/stream_driver.h"

struct stepper {
        struct source source;
        struct source *upstream;
        size_t step;
};

static inline ssize_t
stepper_read(struct source *src, void *buf, size_t cap, struct err *err)
{
        struct stepper *it = (struct stepper *)src;

        return source_read(it->upstream, buf, cap < it->step ? cap : it->step, err);
}

static inline void
stepper_free(struct source *src)
{
        source_free(((struct stepper *)src)->upstream);
        mem_free(src);
}

static const struct source_ops stepper_ops = { "stepper", stepper_read, stepper_free };

/* codec_test_source: data as a source that gives step bytes a read; step 0: all. */
static inline struct source *
codec_test_source(const void *data, size_t len, size_t step, struct err *err)
{
        struct source *src = mem_source(data, len, err);

        if (src == NULL || step == 0)
                return src;
        struct stepper *it = mem_alloc(sizeof(*it), err);
        if (it == NULL) {
                source_free(src);
                return NULL;
        }
        source_init(&it->source, &stepper_ops);
        it->upstream = src;
        it->step = step;
        return &it->source;
}

/*
 * codec_test_run: data through codec (taken), read upstream in_step and
 * downstream out_step bytes at a time; the result is appended to out.
 */
static inline int
codec_test_run(struct codec *codec, const void *data, size_t len, size_t in_step, size_t out_step,
    struct buf *out, struct err *err)
{
        struct source *src = codec_source(codec_test_source(data, len, in_step, err), codec, err);
        ssize_t got = -1;

        if (src == NULL)
                return -1;
        do {
                char *room = buf_reserve(out, out_step, err);
                if (room == NULL)
                        break;
                got = source_read(src, room, out_step, err);
                if (got > 0)
                        buf_commit(out, (size_t)got);
        } while (got > 0);
        source_free(src);
        return got == 0 ? 0 : -1;
}

/* codec_test_tool: data through a command of the shell, appended to out; its exit status. */
static inline int
codec_test_tool(const char *command, const void *data, size_t len, struct buf *out)
{
        struct err err;
        char line[2048];
        const char *in = test_path("tool-in"), *result = test_path("tool-out");

        CHECK_OK(file_write(in, data, len, NULL, &err), err);
        snprintf(line, sizeof(line), "%s <%s >%s 2>/dev/null", command, in, result);
        int status = system(line);
        CHECK_OK(file_read(result, out, &err), err);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* codec_test_fill: len bytes, a mix of repetition and noise, the same every time. */
static inline void
codec_test_fill(unsigned char *data, size_t len)
{
        static const char text[] = "moonkeep ";
        uint32_t state = 1;

        for (size_t at = 0; at < len; at++) {
                state = state * 1664525u + 1013904223u;
                /* Text with a few surprises, and every fourth block is noise. */
                if ((at >> 14) % 4 == 3)
                        data[at] = (unsigned char)(state >> 24);
                else
                        data[at] = (unsigned char)text[at * (1 + (state >> 31)) % 9];
        }
}

#endif
