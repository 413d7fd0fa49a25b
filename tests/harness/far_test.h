/*
 * Far hosts for tests: this machine by a shell of choice, and a transport that
 * lies.
 */
#ifndef TESTS_HARNESS_FAR_TEST_H
#define TESTS_HARNESS_FAR_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/buf.h"
#include "moonkeep/far.h"
#include "moonkeep/far_stream.h"

enum far_lie {
        LIE_NONE,
        LIE_CUT,        /* the connection ends behind a byte: ERR_TRUNCATED */
        LIE_END,        /* the same, and says that the command ended with status 0 */
        LIE_DROP,       /* bytes are lost */
        LIE_TWICE,      /* a byte comes twice */
        LIE_FLIP,       /* a byte is another */
        LIE_SILENT,     /* nothing more comes */
        LIE_ERR_FIRST,  /* standard output is held back while there is standard error */
        LIE_OUT_FIRST,  /* the other way round */
        LIE_BYTEWISE,   /* every byte comes alone */
        LIE_LOSE_INPUT, /* what is sent is lost from a byte on */
        LIE_FLIP_INPUT  /* a byte of what is sent is another */
};

struct far_lies {
        enum far_lie lie;
        enum far_kind kind; /* of which output the byte is */
        uint64_t at;        /* which byte */
        size_t count;       /* how many are lost; 0: one */
        uint64_t out_bytes; /* seen so far */
        uint64_t err_bytes;
        uint64_t in_bytes;
};

/*
 * far_test_host: "sh" there is shell ("dash", "bash", "busybox sh"); lies may be NULL
 * (borrowed).  path, if not NULL, replaces PATH there.
 */
struct far_host *far_test_host(const char *shell, const char *path, struct far_lies *lies);

/* far_test_busybox: a PATH of nothing but busybox, made in the test's directory; NULL: none here.
 */
const char *far_test_busybox(void);

/* far_test_shells: the shells that are here, NULL-terminated; at least one. */
const char *const *far_test_shells(void);

/*
 * far_test_take: read src (taken) to its end, into into, which is freed by the caller in any
 * case.  0, or -1 as source_read; src NULL is an error that err has already.
 */
int far_test_take(struct source *src, struct buf *into, struct err *err);

/* far_test_much: 100 MiB come back from a shell as they went in, also while much else is said. */
void far_test_much(struct far_shell *shell);

/* far_test_left: are processes left whose command line holds text?  Waits a moment for them. */
bool far_test_left(const char *text);

/* far_test_left_home: are processes left whose HOME is dir?  Waits a moment for them. */
bool far_test_left_home(const char *dir);

#endif
