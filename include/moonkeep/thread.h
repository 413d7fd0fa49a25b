/*
 * Worker threads: small stacks, all signals blocked, a name for debuggers.
 */
#ifndef MOONKEEP_THREAD_H
#define MOONKEEP_THREAD_H

#include <pthread.h>

#include "moonkeep/err.h"

/*
 * thread_start: run fn(arg) on a new joinable thread.  name has at most 15
 * characters.  The caller joins it with thread_join.
 */
int thread_start(
    pthread_t *thread, const char *name, void *(*fn)(void *), void *arg, struct err *err);

/* thread_join: wait for the thread's end. */
void thread_join(pthread_t thread);

#endif
