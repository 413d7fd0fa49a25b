/*
 * The one wait of the main thread: HTTP requests on a curl multi handle, the
 * ends of jobs, timers, and extra descriptors.
 *
 * All functions are for one thread at a time, the one that has the loop, except
 * where it says "any thread".
 */
#ifndef MOONKEEP_LOOP_H
#define MOONKEEP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/err.h"

struct loop;

/* loop_new: an empty loop.  libcurl is only set up by the first request. */
struct loop *loop_new(struct err *err);

/* loop_free: all jobs, requests and timers must have ended.  NULL is fine. */
void loop_free(struct loop *loop);

/*
 * loop_run_once: wait until something happened (at most max_wait_ms, -1: no
 * limit) and call what is due.
 */
int loop_run_once(struct loop *loop, int max_wait_ms, struct err *err);

/* loop_pending: how many jobs, requests and timers are under way. */
unsigned loop_pending(const struct loop *loop);

/* loop_wake: make loop_run_once return soon.  Any thread, and signal handlers. */
void loop_wake(struct loop *loop);

/* What the loop calls, on its thread. */
typedef void loop_fn(void *arg);

/* loop_timer: fn(arg) once, after delay_ms.  Returns an id > 0, or 0 on failure. */
uint64_t loop_timer(struct loop *loop, int64_t delay_ms, loop_fn *fn, void *arg, struct err *err);
/* loop_timer_stop: it will not be called; harmless when it was, and for id 0. */
void loop_timer_stop(struct loop *loop, uint64_t id);

/*
 * loop_watch_fd: fn(arg) whenever fd is readable, until loop_unwatch_fd; the
 * same descriptor may be watched by several.  Returns an id > 0, or 0 on
 * failure.  The descriptor must stay open until it is unwatched.
 */
uint64_t loop_watch_fd(struct loop *loop, int fd, loop_fn *fn, void *arg, struct err *err);
/* loop_unwatch_fd: it will not be called any more; harmless for id 0. */
void loop_unwatch_fd(struct loop *loop, uint64_t id);

#endif
