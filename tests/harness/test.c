#include "harness/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "moonkeep/path.h"

#define STATUS_SKIPPED 77

static struct test *tests;
static struct test **tests_end = &tests;
static char scratch[256];
static struct {
        char *paths[256];
        size_t count;
} named;

void
test_register(struct test *test)
{
        *tests_end = test;
        tests_end = &test->next;
}

static void
fail(const char *file, int line)
{
        fprintf(stderr, "  at %s:%d\n", file, line);
        exit(1);
}

void
test_check(bool ok, const char *expr, const char *file, int line)
{
        if (ok)
                return;
        fprintf(stderr, "  false: %s\n", expr);
        fail(file, line);
}

void
test_check_ok(bool ok, const char *expr, const struct err *err, const char *file, int line)
{
        if (ok)
                return;
        fprintf(stderr, "  failed: %s\n  with %s: %s\n", expr, err_code_name(err->code), err->msg);
        fail(file, line);
}

void
test_check_err(bool failed, const char *expr, const struct err *err, enum err_code code,
    const char *text, const char *file, int line)
{
        if (failed && err->code == code && (text == NULL || strstr(err->msg, text) != NULL))
                return;
        fprintf(stderr, "  expected %s \"%s\" from: %s\n", err_code_name(code),
            text != NULL ? text : "", expr);
        if (failed)
                fprintf(stderr, "  got %s: %s\n", err_code_name(err->code), err->msg);
        else
                fprintf(stderr, "  got success\n");
        fail(file, line);
}

void
test_check_str(const char *got, const char *want, const char *expr, const char *file, int line)
{
        if (got != NULL && strcmp(got, want) == 0)
                return;
        fprintf(stderr, "  %s\n  is   \"%s\"\n  want \"%s\"\n", expr, got != NULL ? got : "(null)",
            want);
        fail(file, line);
}

void
test_check_int(long long got, long long want, const char *expr, const char *file, int line)
{
        if (got == want)
                return;
        fprintf(stderr, "  %s is %lld, want %lld\n", expr, got, want);
        fail(file, line);
}

void
test_skip(const char *reason)
{
        fprintf(stderr, "  %s\n", reason);
        exit(STATUS_SKIPPED);
}

const char *
test_dir(void)
{
        return scratch;
}

const char *
test_path(const char *name)
{
        char *path = path_join(scratch, name, NULL);

        for (size_t idx = 0; path != NULL && idx < named.count; idx++) {
                if (strcmp(named.paths[idx], path) == 0) {
                        mem_free(path);
                        return named.paths[idx];
                }
        }
        if (path == NULL || named.count == sizeof(named.paths) / sizeof(named.paths[0])) {
                fprintf(stderr, "  too many test paths\n");
                exit(1);
        }
        named.paths[named.count++] = path;
        return path;
}

void
test_each_allocation(int (*fn)(void *arg, struct err *err), void *arg)
{
        struct err err;

        err_init(&err);
        mem_fail_at(0);
        test_check_ok(fn(arg, &err) == 0, "the undisturbed run", &err, __FILE__, __LINE__);

        unsigned long total = mem_count();
        for (unsigned long n = 1; n <= total; n++) {
                err_init(&err);
                mem_fail_at(n);
                int result = fn(arg, &err);
                mem_fail_at(0);
                if (result == 0 || err.code != ERR_NOMEM) {
                        fprintf(stderr,
                            "  allocation %lu of %lu failed, and the result was %d %s: %s\n", n,
                            total, result, err_code_name(err.code), err.msg);
                        exit(1);
                }
        }
}

static int
count_descriptors(void)
{
        DIR *dir = opendir("/proc/self/fd");
        int count = 0;

        if (dir == NULL)
                return -1;
        while (readdir(dir) != NULL)
                count++;
        closedir(dir);
        return count;
}

/* The child: one test, then the checks of its end. */
static void
run_one(const struct test *test)
{
        int before = count_descriptors();

        test->fn();

        for (size_t idx = 0; idx < named.count; idx++)
                mem_free(named.paths[idx]);
        named.count = 0;
        if (count_descriptors() != before) {
                fprintf(stderr, "  descriptors are left open\n");
                exit(1);
        }
        exit(0);
}

int
main(int argc, char **argv)
{
        const char *base = getenv("TMPDIR");
        int failed = 0;

        if (base == NULL)
                base = "/tmp";
        for (struct test *test = tests; test != NULL; test = test->next) {
                if (argc > 1 && strcmp(argv[1], test->name) != 0)
                        continue;
                snprintf(scratch, sizeof(scratch), "%s/moonkeep-unit-XXXXXX", base);
                if (mkdtemp(scratch) == NULL) {
                        perror(scratch);
                        return 1;
                }
                fflush(NULL);
                pid_t pid = fork();
                if (pid == 0) {
                        alarm(120);
                        run_one(test);
                }
                int status = -1;
                while (waitpid(pid, &status, 0) < 0)
                        ;
                path_remove_tree(scratch, NULL, NULL);
                if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED) {
                        printf("skip %s\n", test->name);
                } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                        printf("ok %s\n", test->name);
                } else {
                        printf("not ok %s (%s %d)\n", test->name,
                            WIFSIGNALED(status) ? "signal" : "status",
                            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
                        failed++;
                }
                fflush(stdout);
        }
        return failed != 0;
}
