/*
 * The one wait of the main thread: HTTP requests on a curl multi handle, the
 * ends of jobs, timers, and extra descriptors.
 *
 * All functions are for the thread that made the loop, except where it says
 * "any thread".
 */
#ifndef MOONKEEP_LOOP_H
#define MOONKEEP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/err.h"

struct loop;

struct loop *loop_new(struct err *err);

/* loop_free: all jobs, requests and timers must have ended. */
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

/* Timers: fn(arg) once, after delay_ms.  Returns an id > 0, or 0 on failure. */
typedef void loop_timer_fn(void *arg);
uint64_t loop_timer(
    struct loop *loop, int64_t delay_ms, loop_timer_fn *fn, void *arg, struct err *err);
/* loop_timer_stop: it will not be called; harmless when it was. */
void loop_timer_stop(struct loop *loop, uint64_t id);

/* loop_watch_fd: fn(arg) whenever fd is readable.  fd < 0 in loop_unwatch_fd is fine. */
int loop_watch_fd(struct loop *loop, int fd, loop_timer_fn *fn, void *arg, struct err *err);
void loop_unwatch_fd(struct loop *loop, int fd);

#endif
