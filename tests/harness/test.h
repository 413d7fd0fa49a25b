/*
 * The harness of the unit tests: one program per subject, TAP-like output.
 *
 *     #include "harness/test.h"
 *
 *     TEST(rejects_an_absolute_name)
 *     {
 *             CHECK(!path_is_inside("/etc", 4));
 *     }
 *
 * Each test runs in a child process of its own, so that a crash is one failed
 * test and a leak is found at its end; output is "ok NAME" or "not ok NAME".
 * After a test no descriptor may be open that was not open before.
 */
#ifndef TESTS_HARNESS_TEST_H
#define TESTS_HARNESS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "moonkeep/err.h"

struct test {
        const char *name;
        void (*fn)(void);
        struct test *next;
};

void test_register(struct test *test);

#define TEST(test_name)                                                                            \
        static void test_name(void);                                                               \
        static struct test test_name##_test = { #test_name, test_name, NULL };                     \
        __attribute__((constructor)) static void test_name##_register(void)                        \
        {                                                                                          \
                test_register(&test_name##_test);                                                  \
        }                                                                                          \
        static void test_name(void)

/* CHECK: the condition holds, or the test ends as failed with file and line. */
#define CHECK(cond) test_check((cond), #cond, __FILE__, __LINE__)
/* CHECK_OK: the call returned 0 (or a pointer); shows err where it failed. */
#define CHECK_OK(call, err) test_check_ok((call) == 0, #call, &(err), __FILE__, __LINE__)
#define CHECK_PTR(ptr, err) test_check_ok((ptr) != NULL, #ptr, &(err), __FILE__, __LINE__)
/* CHECK_ERR: the call failed with that code, and the message contains text. */
#define CHECK_ERR(failed, err, code, text)                                                         \
        test_check_err((failed), #failed, &(err), (code), (text), __FILE__, __LINE__)
#define CHECK_STR(got, want) test_check_str((got), (want), #got, __FILE__, __LINE__)
#define CHECK_INT(got, want)                                                                       \
        test_check_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
/* SKIP: end the test as skipped, with the reason. */
#define SKIP(reason) test_skip(reason)

void test_check(bool ok, const char *expr, const char *file, int line);
void test_check_ok(bool ok, const char *expr, const struct err *err, const char *file, int line);
void test_check_err(bool failed, const char *expr, const struct err *err, enum err_code code,
    const char *text, const char *file, int line);
void test_check_str(
    const char *got, const char *want, const char *expr, const char *file, int line);
void test_check_int(long long got, long long want, const char *expr, const char *file, int line);
void test_skip(const char *reason) __attribute__((noreturn));

/* test_dir: a scratch directory of this test, removed at its end. */
const char *test_dir(void);

/* test_path: "test_dir()/name"; valid until the test ends. */
const char *test_path(const char *name);

/*
 * test_each_allocation: run fn(arg) with no failure, then again with the first
 * allocation failing, then the second, ... until all were tried.  fn returns
 * 0 or -1 and must say -1 when an allocation failed in it (or not use it).
 */
void test_each_allocation(int (*fn)(void *arg, struct err *err), void *arg);

#endif
