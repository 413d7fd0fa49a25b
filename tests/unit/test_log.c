#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/log.h"
#include "moonkeep/secret.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

static char output[256 * 1024];

/* Run fn with standard error going to a file; its contents are in output then. */
static void
capture(void (*fn)(void))
{
        int file = open(test_path("log"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        int saved = dup(STDERR_FILENO);

        CHECK(file >= 0 && saved >= 0);
        CHECK(dup2(file, STDERR_FILENO) >= 0);
        fn();
        CHECK(dup2(saved, STDERR_FILENO) >= 0);
        ssize_t len = pread(file, output, sizeof(output) - 1, 0);
        CHECK(len >= 0);
        output[len] = '\0';
        close(file);
        close(saved);
}

static void
log_each_level(void)
{
        log_msg(LOG_ERROR, "e%d", 1);
        log_msg(LOG_WARN, "w");
        log_msg(LOG_INFO, "i");
        log_msg(LOG_DEBUG, "d");
}

TEST(shows_what_was_asked_for_with_a_time)
{
        int64_t when;
        struct err err;

        CHECK(log_enabled(LOG_WARN) && !log_enabled(LOG_INFO));
        log_setup(LOG_INFO, false);
        CHECK(log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
        capture(log_each_level);
        CHECK_STR(output + 24, strstr(output, " error: e1\n"));
        CHECK(strstr(output, " warn: w\n") != NULL && strstr(output, " info: i\n") != NULL);
        CHECK(strstr(output, "debug") == NULL);
        output[24] = '\0';
        CHECK_OK(time_parse(output, &when, &err), err);
}

static void
log_nasty(void)
{
        log_msg(
            LOG_ERROR, "a\nb\033[2J\x7f \xc2\x9b \xff\"\\ \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST(nothing_steers_a_terminal_or_ends_the_line)
{
        capture(log_nasty);
        CHECK_STR(strstr(output, "error"), "error: a\\nb\\x1b[2J\\x7f \\xc2\\x9b \\xff\"\\ "
                                           "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n");
}

TEST(json_lines_are_json)
{
        log_setup(LOG_ERROR, true);
        capture(log_nasty);
        char *end = strstr(output, "\",\"time\":\"");
        CHECK(end != NULL);
        CHECK_STR(end + 10 + 24, "\"}\n");
        *end = '\0';
        CHECK_STR(output, "{\"level\":\"error\",\"message\":\"a\\nb\\u001b[2J\\u007f "
                          "\\ufffd\\ufffd \\ufffd\\\"\\\\ "
                          "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void
log_secret(void)
{
        log_msg(LOG_ERROR, "token=%s", "s3cr\net!");
}

TEST(secrets_are_redacted_before_they_are_escaped)
{
        struct err err;
        struct secret *secret = secret_new("s3cr\net!", 8, &err);

        CHECK_PTR(secret, err);
        capture(log_secret);
        CHECK_STR(strstr(output, "error"), "error: token=********\n");
        secret_unref(secret);
}

static char long_text[10001];

static void
log_long(void)
{
        log_msg(LOG_ERROR, "%s", long_text);
}

TEST(long_messages_are_cut_and_no_secret_is_left_at_the_cut)
{
        struct err err;
        struct secret *secret = secret_new("0123456789abcdef", 16, &err);

        memset(long_text, '.', sizeof(long_text) - 1);
        memcpy(long_text + 4085, "0123456789abcdef", 16);
        capture(log_long);
        CHECK(strlen(output) < 4200 && output[strlen(output) - 1] == '\n');
        CHECK(strstr(output, "0123") == NULL && strstr(output, "****\n") != NULL);
        memset(long_text, 1, sizeof(long_text) - 1);
        log_setup(LOG_ERROR, true);
        capture(log_long);
        CHECK(strlen(output) > 6 * 4095);
        secret_unref(secret);
}

static void
log_a_wait(void)
{
        for (int turn = 0; turn < 50; turn++) {
                log_news(LOG_ERROR, "GET pods: %d bytes", turn < 30 ? 10 : 20);
                log_news(LOG_ERROR, "GET sets: 7 bytes");
                log_msg(LOG_ERROR, "x");
        }
}

TEST(what_is_asked_again_and_again_is_said_when_its_answer_changes)
{
        size_t plain = 0;
        char *first, *second, *sets;

        capture(log_a_wait);
        for (const char *at = output; (at = strstr(at, "error: x\n")) != NULL; at++)
                plain++;
        CHECK_INT(plain, 50);
        first = strstr(output, "GET pods: 10");
        second = strstr(output, "GET pods: 20");
        sets = strstr(output, "GET sets: 7");
        CHECK(first != NULL && second > first && sets > first && second > sets);
        CHECK(strstr(first + 1, "GET pods: 10") == NULL);
        CHECK(strstr(second + 1, "GET pods: 20") == NULL);
        CHECK(strstr(sets + 1, "GET sets: 7") == NULL);
}

static void
log_many_lines(void)
{
        for (int idx = 0; idx < 40; idx++)
                log_news(LOG_ERROR, "line %d", idx % 20);
}

TEST(what_was_said_long_ago_is_said_again)
{
        capture(log_many_lines);
        char *first = strstr(output, "line 7\n");
        CHECK(first != NULL && strstr(first + 1, "line 7\n") != NULL);
}

static void
log_errno(void)
{
        errno = ENOENT;
        log_msg(LOG_ERROR, "x");
        CHECK_INT(errno, ENOENT);
        log_news(LOG_ERROR, "errno");
        CHECK_INT(errno, ENOENT);
}

TEST(errno_stays)
{
        capture(log_errno);
}

static void *
log_many(void *arg)
{
        for (int idx = 0; idx < 200; idx++)
                log_msg(LOG_ERROR, "thread %s", (const char *)arg);
        return NULL;
}

static void
log_from_threads(void)
{
        static char names[4][16] = { "aaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbb", "ccccccccccccccc",
                "ddddddddddddddd" };
        pthread_t threads[4];

        for (int idx = 0; idx < 4; idx++)
                CHECK(thread_start(&threads[idx], "log", log_many, names[idx], NULL) == 0);
        for (int idx = 0; idx < 4; idx++)
                thread_join(threads[idx]);
}

TEST(lines_of_threads_stay_whole)
{
        size_t lines = 0;

        capture(log_from_threads);
        for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
                CHECK_INT(strlen(line), 24 + 8 + 7 + 15);
                CHECK_INT(strspn(line + 39, (char[]){ line[39], '\0' }), 15);
        }
        CHECK_INT(lines, 800);
}
