#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "harness/test.h"
#include "moonkeep/secret.h"
#include "moonkeep/thread.h"

static struct secret *
secret_of(const char *text)
{
        struct err err;
        struct secret *secret = secret_new(text, strlen(text), &err);

        CHECK_PTR(secret, err);
        return secret;
}

/* What becomes of text. */
static void
check_redacted(const char *text, const char *want)
{
        char copy[4096];
        size_t len = strlen(text);

        memcpy(copy, text, len + 1);
        secret_redact(copy, len);
        CHECK_STR(copy, want);
}

TEST(keeps_bytes_while_referenced)
{
        struct err err;
        struct secret *secret = secret_new("a\0b", 3, &err);
        size_t len;

        CHECK_PTR(secret, err);
        CHECK(secret_ref(secret) == secret);
        secret_unref(secret);
        CHECK(memcmp(secret_bytes(secret, &len), "a\0b", 4) == 0);
        CHECK_INT(len, 3);
        secret_unref(secret);
        secret_unref(NULL);
        CHECK(secret_ref(NULL) == NULL);
}

TEST(a_secret_may_be_empty_and_is_bounded)
{
        struct err err;
        static char big[SECRET_MAX + 1];
        struct secret *secret = secret_new(NULL, 0, &err);

        CHECK_PTR(secret, err);
        CHECK_STR(secret_bytes(secret, NULL), "");
        check_redacted("nothing", "nothing");
        secret_unref(secret);
        CHECK_ERR(secret_new(big, sizeof(big), &err) == NULL, err, ERR_TOO_BIG, "longer than");
        secret = secret_new(big, sizeof(big) - 1, &err);
        CHECK_PTR(secret, err);
        secret_unref(secret);
}

TEST(redacts_the_bytes_wherever_they_are)
{
        struct secret *secret = secret_of("hunter2!");

        check_redacted("hunter2!", "********");
        check_redacted("pw=hunter2! or hunter2!hunter2!.", "pw=******** or ****************.");
        check_redacted("hunter2", "hunter2");
        check_redacted("HUNTER2!", "HUNTER2!");
        check_redacted("", "");
        secret_unref(secret);
        check_redacted("hunter2!", "hunter2!");
}

TEST(short_secrets_are_left_alone)
{
        struct secret *three = secret_of("abc"), *four = secret_of("wxyz");

        check_redacted("abc wxyz", "abc ****");
        secret_unref(three);
        secret_unref(four);
}

TEST(redacts_url_encoded_forms)
{
        struct secret *secret = secret_of("p/w d%:+");

        check_redacted("x=p%2Fw%20d%25%3A%2B&y", "x=******************&y");
        check_redacted("x=p%2fw%20d%25%3a%2b&y", "x=******************&y");
        check_redacted("x=p/w+d%25:%2b&y", "x=************&y");
        check_redacted("%70%2F%77%20%64%25%3A%2B", "************************");
        check_redacted("p/w d%:+", "********");
        secret_unref(secret);
        secret = secret_of("a%2Fb");
        check_redacted("a%2Fb a%252Fb a/b", "***** ******* a/b");
        secret_unref(secret);
}

TEST(redacts_json_escaped_forms)
{
        struct secret *secret = secret_of("q\"\\\n/\x01z");

        check_redacted("{\"a\":\"q\\\"\\\\\\n/\\u0001z\"}", "{\"a\":\"***************\"}");
        check_redacted("q\\\"\\\\\\n\\/\\x01z.", "**************.");
        secret_unref(secret);
}

TEST(redacts_base64_at_each_alignment)
{
        struct secret *secret = secret_of("sesame?>");

        /* base64 of "sesame?>", "Xsesame?>Y" and "XXsesame?>YY" */
        check_redacted("c2VzYW1lPz4=", "***********=");
        check_redacted("(WHNlc2FtZT8+WQ==)", "(W***********WQ==)");
        check_redacted("(WFhzZXNhbWU/PllZ)", "(WF************lZ)");
        secret_unref(secret);
}

TEST(redacts_base64_of_the_url_alphabet_and_in_lines)
{
        struct secret *secret = secret_of("sesame?>?>");

        check_redacted("c2VzYW1lPz4_Pg==", "**************==");
        check_redacted("c2VzYW1lPz4%2FPg==", "****************==");
        check_redacted("c2VzYW\n1lPz4\r\n/Pg==", "*****************==");
        secret_unref(secret);
}

TEST(secrets_within_and_across_each_other_are_gone)
{
        struct secret *user = secret_of("admin"), *password = secret_of("admin123"),
                      *other = secret_of("123456");

        check_redacted("admin admin123 admin123456", "***** ******** ***********");
        secret_unref(user);
        secret_unref(other);
        secret_unref(password);
}

TEST(a_secret_that_a_long_text_was_cut_in_is_gone)
{
        struct secret *secret = secret_of("correct horse battery staple");
        char text[601], want[601];

        memset(text, '.', 600);
        memcpy(text + 590, "correct ho", 11);
        memcpy(want, text, 601);
        memset(want + 590, '*', 10);
        check_redacted(text, want);
        memcpy(text + 590, "correct%20", 11);
        check_redacted(text, want);
        memcpy(text + 590, ".correct%2", 11);
        want[590] = '.';
        check_redacted(text, want);
        check_redacted("the correct", "the correct");
        secret_unref(secret);
}

TEST(text_of_any_size_is_searched)
{
        struct secret *secret = secret_of("needle!");
        size_t len = 100000;
        char *text = malloc(len);

        memset(text, ' ', len);
        memcpy(text + 50000, "needle!", 7);
        secret_redact(text, len);
        CHECK(memcmp(text + 49999, " ******* ", 9) == 0);
        free(text);
        secret_unref(secret);
}

/* A shorter text than the table of the stack, and a longer one. */
static int
redact_long(void *arg, struct err *err)
{
        struct secret *secret = secret_new("needle!", 7, err);
        static char text[5000];

        (void)arg;
        if (secret == NULL)
                return -1;
        memset(text, ' ', sizeof(text));
        memcpy(text + 4000, "needle!", 7);
        secret_redact(text, sizeof(text));
        bool starved = text[0] == '*';
        CHECK(memcmp(text + 4000, "*******", 7) == 0);
        secret_unref(secret);
        return starved ? err_set(err, ERR_NOMEM, "all was hidden") : 0;
}

TEST(without_memory_all_is_hidden)
{
        test_each_allocation(redact_long, NULL);
}

TEST(wipe_zeroes)
{
        char bytes[] = "xyz";

        secret_wipe(bytes, 3);
        CHECK(memcmp(bytes, "\0\0\0", 4) == 0);
        secret_wipe(NULL, 0);
}

TEST(no_core_dumps_also_for_collectors_behind_a_pipe)
{
        struct err err;
        struct rlimit limit;

        CHECK_OK(secret_no_core_dumps(&err), err);
        CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
        CHECK(limit.rlim_cur <= 1 && limit.rlim_max <= 1);
        CHECK_OK(secret_no_core_dumps(&err), err);
}

static void *
churn(void *arg)
{
        (void)arg;
        for (int idx = 0; idx < 500; idx++) {
                char text[] = "some secret-of-a-thread in text";
                struct secret *secret = secret_of("secret-of-a-thread");
                secret_redact(text, strlen(text));
                CHECK_STR(text, "some ****************** in text");
                secret_unref(secret);
        }
        return NULL;
}

TEST(threads_may_make_and_redact_at_once)
{
        struct err err;
        pthread_t threads[4];

        for (int idx = 0; idx < 4; idx++)
                CHECK_OK(thread_start(&threads[idx], "secrets", churn, NULL, &err), err);
        for (int idx = 0; idx < 4; idx++)
                thread_join(threads[idx]);
}
