#include "harness/aws_test.h"

#include "harness/test.h"

/* A script in the test's directory as the credential_process of the profile "p". */
static void
write_process(const char *script, const char *arguments)
{
        char text[2048];

        clean_environment();
        snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
        write_file("tool", text);
        CHECK(chmod(test_path("tool"), 0700) == 0);
        snprintf(text, sizeof(text),
            "[profile p]\ncredential_process = %s %s\n"
            "[profile other]\naws_secret_access_key = hidden1\n",
            test_path("tool"), arguments);
        write_profiles(text, NULL);
}

#define KEYS "\"AccessKeyId\": \"AKIDPROC\", \"SecretAccessKey\": \"hidden1\""

TEST(keys_of_a_process)
{
        write_process("echo '{\"Version\": 1, " KEYS "}'", "");
        expect_only_keys("p", "AKIDPROC", "hidden1", NULL);
        write_process("cat <<E\n{\"Version\": 1, " KEYS ", \"SessionToken\": \"hiddent\",\n"
                      "\"Expiration\": \"2999-01-01T00:00:00+00:00\"}\nE\necho noise >&2",
            "");
        expect_only_keys("p", "AKIDPROC", "hidden1", "hiddent");
}

TEST(words_are_split_as_by_a_shell_that_expands_nothing)
{
        write_process("[ $# -eq 7 ] || exit 7\n"
                      "[ \"$1|$2|$3\" = 'a b|c\"d|$HOME `x` *' ] || exit 8\n"
                      "[ \"$4|$5|$6|$7\" = 'one two||back\\slash|q\"$\\x' ] || exit 9\n"
                      "echo '{\"Version\": 1, " KEYS "}'",
            "'a b'  c\\\"d '$HOME `x` *' one\\ two \"\" back'\\'slash \"q\\\"\\$\\x\"");
        expect_only_keys("p", "AKIDPROC", "hidden1", NULL);
        write_process("", "'open");
        expect_failing("p", "ends within quotes");
        write_process("", "open\\");
        expect_failing("p", "ends within quotes, or in \"\\\"");
}

TEST(a_process_that_fails_is_named_with_what_it_said)
{
        write_process("echo \"$0: no login\n token=hidden1\" >&2; exit 3", "--key hidden");
        struct err err = expect_failing("p", "tool\" ended with status 3: ");
        CHECK(strstr(err.msg, "no login token=*******") != NULL);
        CHECK(strstr(err.msg, "the credential_process of the profile \"p\"") != NULL);
        write_process("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", "");
        expect_failing("p", "");
        write_process("kill -9 $$", "");
        expect_failing("p", "ended with status 137");
        write_profiles("[profile p]\ncredential_process = /nowhere/tool hidden\n", NULL);
        expect_failing("p", "/nowhere/tool");
}

TEST(what_is_no_document_is_refused_and_not_shown)
{
        static const char *const cases[][2] = {
                { "echo hidden", "not a JSON object" },
                { ":", "not a JSON object" },
                { "echo '[\"hidden\"]'", "not a JSON object" },
                { "echo '{\"Version\": 1, \"SecretAccessKey\": \"hidden\" \"x\"'", "not a JSON" },
                { "echo '{" KEYS "}'", "does not say \"Version\": 1" },
                { "echo '{\"Version\": 2, " KEYS "}'", "does not say \"Version\": 1" },
                { "echo '{\"Version\": \"1\", " KEYS "}'", "does not say \"Version\": 1" },
                { "echo '{\"Version\": 1, \"AccessKeyId\": \"A\"}'",
                    "secret access key is missing" },
                { "echo '{\"Version\": 1, \"SecretAccessKey\": \"hidden\"}'",
                    "access key id is missing" },
                { "echo '{\"Version\": 1, \"AccessKeyId\": 1, \"SecretAccessKey\": \"hidden\"}'",
                    "access key id is missing" },
                { "printf '{\"Version\": 1, " KEYS ", \"SessionToken\": \"hidden\\\\nx\"}'",
                    "session token has a line break" },
                { "echo '{\"Version\": 1, " KEYS ", \"Expiration\": \"hidden\"}'",
                    "the expiration is no time" },
                { "echo '{\"Version\": 1, " KEYS ", \"Expiration\": \"2020-01-01T00:00:00Z\"}'",
                    "expired at 2020-01-01" },
                { "head -c 100000 /dev/zero", "65536" },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                write_process(cases[idx][0], "");
                expect_failing("p", cases[idx][1]);
        }
}

TEST(a_process_is_run_again_when_its_keys_are_refused)
{
        write_process("dir=${0%/*}\necho x >>$dir/runs\nn=$(wc -l <$dir/runs)\n"
                      "echo '{\"Version\": 1, \"AccessKeyId\": \"A'$n'\","
                      "\"SecretAccessKey\": \"hidden\"}'",
            "");
        struct aws_creds *creds = open_creds("p");
        expect_keys(creds, "A1", "hidden", NULL);
        expect_keys(creds, "A1", "hidden", NULL);
        CHECK(aws_creds_refused(creds, "A1"));
        expect_keys(creds, "A2", "hidden", NULL);
        aws_creds_free(creds);
}

TEST(a_cancelled_run_ends_the_process)
{
        struct aws_keys keys;
        struct err err;

        write_process("sleep 100", "");
        struct cancel *cancel = cancel_new(NULL, &err);
        struct aws_creds *creds = open_creds("p");
        cancel_trigger(cancel);
        CHECK_ERR(aws_creds_get(creds, &keys, cancel, &err) < 0, err, ERR_CANCELLED, "cancelled");
        aws_creds_free(creds);
        cancel_unref(cancel);
}

TEST(no_message_and_no_log_shows_keys)
{
        write_process("echo '{\"Version\": 1, " KEYS "}'; echo hidden1 >&2", "");
        capture_log();
        struct aws_creds *creds = open_creds("p");
        expect_keys(creds, "AKIDPROC", "hidden1", NULL);
        CHECK(aws_creds_refused(creds, "AKIDPROC"));
        expect_no_keys(creds, "and there are no new ones");
        aws_creds_free(creds);
        check_log();
}

TEST(survives_each_failing_allocation)
{
        static char p[] = "p";

        write_process("echo '{\"Version\": 1, " KEYS "}'", "'a b'");
        test_each_allocation(open_and_get, p);
}
