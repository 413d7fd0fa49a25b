/*
 * measure FILE COMMAND...: run it, append "WALL CPU PEAK" to FILE, and end as it
 * ended.  WALL and CPU (user and system, of all processes that it waited for)
 * in microseconds; PEAK is the resident memory of the largest of them, in KiB.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long
now_us(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static long long
tv_us(struct timeval tv)
{
        return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}

int
main(int argc, char **argv)
{
        struct rusage use;
        int status;

        if (argc < 3) {
                fprintf(stderr, "usage: measure FILE COMMAND...\n");
                return 2;
        }
        FILE *out = fopen(argv[1], "ae");
        if (out == NULL) {
                perror(argv[1]);
                return 1;
        }
        /* Ctrl-C is for the command. */
        signal(SIGINT, SIG_IGN);
        long long began = now_us();
        pid_t pid = fork();
        if (pid == 0) {
                signal(SIGINT, SIG_DFL);
                execvp(argv[2], argv + 2);
                perror(argv[2]);
                _exit(127);
        }
        while (pid > 0 && wait4(pid, &status, 0, &use) < 0) {
                if (errno != EINTR)
                        pid = -1;
        }
        if (pid < 0) {
                perror("measure");
                return 1;
        }
        fprintf(out, "%lld %lld %ld\n", now_us() - began, tv_us(use.ru_utime) + tv_us(use.ru_stime),
            use.ru_maxrss);
        if (fclose(out) != 0) {
                perror(argv[1]);
                return 1;
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
