#include "moonkeep/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* For tests: which allocation fails, and how many were asked for. */
static _Atomic unsigned long fail_at;
static _Atomic unsigned long count;

static void *
checked(void *ptr, size_t size, struct err *err)
{
        if (ptr == NULL)
                err_set(err, ERR_NOMEM, "cannot allocate %zu bytes of memory", size);
        return ptr;
}

static int
fails(void)
{
        return atomic_fetch_add(&count, 1) + 1 == atomic_load(&fail_at);
}

void *
mem_alloc(size_t size, struct err *err)
{
        return checked(fails() ? NULL : malloc(size != 0 ? size : 1), size, err);
}

void *
mem_zalloc(size_t size, struct err *err)
{
        return checked(fails() ? NULL : calloc(1, size != 0 ? size : 1), size, err);
}

void *
mem_realloc(void *ptr, size_t size, struct err *err)
{
        return checked(fails() ? NULL : realloc(ptr, size != 0 ? size : 1), size, err);
}

char *
mem_strdup(const char *text, struct err *err)
{
        return mem_strndup(text, strlen(text), err);
}

char *
mem_strndup(const char *text, size_t len, struct err *err)
{
        char *copy = mem_alloc(len + 1, err);

        if (copy == NULL)
                return NULL;
        memcpy(copy, text, len);
        copy[len] = '\0';
        return copy;
}

void
mem_free(void *ptr)
{
        free(ptr);
}

void
mem_fail_at(unsigned long n)
{
        atomic_store(&count, 0);
        atomic_store(&fail_at, n);
}

unsigned long
mem_count(void)
{
        return atomic_load(&count);
}
