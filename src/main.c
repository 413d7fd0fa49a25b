/*
 * moonkeep: the process-wide settings, then the command line in Lua.
 */
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "moonkeep/secret.h"
#include "moonkeep/vm.h"

/*
 * Started without one of the standard descriptors, the next file that is
 * opened would take its number, and what is printed would go into that.
 */
static int
fill_standard_descriptors(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= STDERR_FILENO);
        return fd >= 0 ? close(fd) : -1;
}

/*
 * Memory has a bound of its own (src/store/object_pool.c): it must not be held by the
 * heaps of threads that have ended, nor large buffers by the heap once they are free.
 */
static void
bound_heaps(void)
{
        (void)mallopt(M_ARENA_MAX, 4);
        (void)mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
}

int
main(int argc, char **argv)
{
        struct err err;

        if (fill_standard_descriptors() != 0) {
                perror("moonkeep: cannot open /dev/null");
                return 1;
        }
        bound_heaps();

        /* Names in archives are bytes; without this libarchive warns on UTF-8 ones. */
        if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
                (void)setlocale(LC_CTYPE, "");

        /* A closed pipe and a file size limit are errors of write(2), not ends of the process. */
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);

        err_init(&err);
        if (secret_no_core_dumps(&err) != 0) {
                fprintf(stderr, "moonkeep: %s\n", err.msg);
                return 1;
        }
        return vm_main(argc, argv);
}
