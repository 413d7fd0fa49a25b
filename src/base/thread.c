#include "moonkeep/thread.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

/*
 * Enough for a parser that recurses (jansson, 2048 levels) and for what OpenSSL
 * and sanitizers take; only what is touched is memory.
 */
#define STACK_SIZE ((size_t)1024 * 1024)

/* The signals that a fault raises on its own thread stay open, for sanitizers and debuggers. */
static void
all_but_faults(sigset_t *set)
{
        sigfillset(set);
        sigdelset(set, SIGSEGV);
        sigdelset(set, SIGBUS);
        sigdelset(set, SIGFPE);
        sigdelset(set, SIGILL);
        sigdelset(set, SIGABRT);
}

int
thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg, struct err *err)
{
        pthread_attr_t attr;
        sigset_t blocked, before;
        pthread_t made;

        int rc = pthread_attr_init(&attr);
        if (rc != 0)
                goto fail;
        rc = pthread_attr_setstacksize(&attr, STACK_SIZE);
        if (rc != 0)
                goto fail_attr;

        /* The thread inherits the mask, so that no signal finds it before it could block. */
        all_but_faults(&blocked);
        rc = pthread_sigmask(SIG_BLOCK, &blocked, &before);
        if (rc != 0)
                goto fail_attr;
        rc = pthread_create(&made, &attr, fn, arg);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (rc != 0)
                goto fail_attr;

        /* A name that did not take is no failure: it is for people who look. */
        (void)pthread_setname_np(made, name);
        pthread_attr_destroy(&attr);
        *thread = made;
        return 0;

fail_attr:
        pthread_attr_destroy(&attr);
fail:
        errno = rc;
        return err_sys(err, "cannot start the thread \"%s\"", name);
}

void
thread_join(pthread_t thread)
{
        pthread_join(thread, NULL);
}
