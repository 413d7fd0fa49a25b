#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/store/aws_config.h"
#include "harness/test.h"

static struct aws_config *
parse_as(enum aws_config_file file, const char *text)
{
        struct err err;
        struct aws_config *config = aws_config_new(&err);

        CHECK_PTR(config, err);
        CHECK_OK(aws_config_parse(config, file, "the file", text, strlen(text), &err), err);
        return config;
}

static struct aws_config *
parse(const char *text)
{
        return parse_as(AWS_FILE_CONFIG, text);
}

static const char *
get(const struct aws_config *config, const char *profile, const char *key)
{
        return aws_config_get(config, AWS_FILE_ANY, AWS_PROFILE, profile, key);
}

static void
check_refused_bytes(const char *text, size_t len, const char *why)
{
        struct err err;
        struct aws_config *config = aws_config_new(&err);

        CHECK_ERR(aws_config_parse(config, AWS_FILE_CONFIG, "the file", text, len, &err) < 0, err,
            ERR_CREDENTIALS, why);
        CHECK(strstr(err.msg, "cannot read \"the file\": ") == err.msg);
        CHECK(strstr(err.msg, "hidden") == NULL);
        aws_config_free(config);
}

static void
check_refused(const char *text, const char *why)
{
        check_refused_bytes(text, strlen(text), why);
}

TEST(reads_sections_and_settings)
{
        struct aws_config *config = parse("# a comment\n"
                                          "; another one\n"
                                          "\n"
                                          "[default]\n"
                                          "region = eu-west-1\n"
                                          "output=json\r\n"
                                          "  # not a setting\n"
                                          "[profile prod]\n"
                                          "  Region: us-east-1\n"
                                          "  role_arn = arn:aws:iam::1:role/x=y\n"
                                          "[ profile 'with space' ] # comment\n"
                                          "region=a # no comment\n"
                                          "[services one]\n"
                                          "s3 =\n"
                                          "  endpoint_url = http://127.0.0.1:1\n"
                                          "[preview]\n"
                                          "region = x");

        CHECK_STR(get(config, "default", "region"), "eu-west-1");
        CHECK_STR(get(config, "default", "output"), "json");
        CHECK_STR(get(config, "prod", "region"), "us-east-1");
        CHECK_STR(get(config, "prod", "role_arn"), "arn:aws:iam::1:role/x=y");
        CHECK_STR(get(config, "with space", "region"), "a # no comment");
        CHECK(get(config, "prod", "output") == NULL && get(config, "none", "region") == NULL);
        CHECK(!aws_config_has(config, AWS_PROFILE, "preview"));
        CHECK(aws_config_has(config, AWS_OTHER, "preview"));
        CHECK_STR(aws_config_get(config, AWS_FILE_ANY, AWS_SERVICES, "one", "s3.endpoint_url"),
            "http://127.0.0.1:1");
        CHECK_STR(aws_config_name_at(config, AWS_PROFILE, 2), "with space");
        CHECK(aws_config_name_at(config, AWS_PROFILE, 3) == NULL);
        aws_config_free(config);
        aws_config_free(NULL);
}

TEST(reads_nested_settings_and_lines_that_go_on)
{
        struct aws_config *config = parse("[default]\n"
                                          "s3 =\n"
                                          "  addressing_style = path\n"
                                          "\n"
                                          "  # between\n"
                                          "\tMax_Queue_Size=1000\n"
                                          "region = r\n"
                                          "credential_process = tool\n"
                                          "    --one\n"
                                          "    --two = 2\n"
                                          "empty =\n"
                                          "[profile indented]\n"
                                          "    region = a\n"
                                          "    output = b\n"
                                          "      more\n");

        CHECK_STR(get(config, "default", "s3.addressing_style"), "path");
        CHECK_STR(get(config, "default", "s3.max_queue_size"), "1000");
        CHECK_STR(get(config, "default", "region"), "r");
        CHECK_STR(get(config, "default", "credential_process"), "tool\n--one\n--two = 2");
        CHECK(get(config, "default", "empty") == NULL && get(config, "default", "s3") == NULL);
        CHECK(aws_config_has(config, AWS_PROFILE, "default"));
        CHECK_STR(get(config, "indented", "region"), "a");
        CHECK_STR(get(config, "indented", "output"), "b\nmore");
        aws_config_free(config);
}

TEST(the_last_of_equal_settings_counts_and_the_credentials_file_comes_first)
{
        struct err err;
        struct aws_config *config = parse("[default]\nregion=a\nregion=b\n[profile default]\n"
                                          "output=c\naws_access_key_id=OLD\n"
                                          "[profile other]\nregion=d\n");
        static const char credentials[] =
            "[default]\naws_access_key_id=NEW\n[profile x]\nregion=e\n[other]\noutput=f\n";

        CHECK_OK(aws_config_parse(
                     config, AWS_FILE_CREDENTIALS, "c", credentials, strlen(credentials), &err),
            err);
        CHECK_STR(get(config, "default", "region"), "b");
        CHECK_STR(get(config, "default", "output"), "c");
        CHECK_STR(get(config, "default", "aws_access_key_id"), "NEW");
        CHECK_STR(
            aws_config_get(config, AWS_FILE_CONFIG, AWS_PROFILE, "default", "aws_access_key_id"),
            "OLD");
        CHECK_STR(aws_config_get(
                      config, AWS_FILE_CREDENTIALS, AWS_PROFILE, "default", "aws_access_key_id"),
            "NEW");
        CHECK_STR(get(config, "other", "region"), "d");
        CHECK_STR(get(config, "other", "output"), "f");
        CHECK_STR(get(config, "profile x", "region"), "e");
        aws_config_free(config);
}

TEST(secrets_are_secrets)
{
        struct aws_config *config =
            parse_as(AWS_FILE_CREDENTIALS, "[default]\naws_secret_access_key = one+two/three\n"
                                           "aws_session_token = \n");
        char text[] = "the key is one+two/three";

        CHECK(get(config, "default", "aws_secret_access_key") == NULL);
        struct secret *secret =
            aws_config_secret(config, AWS_FILE_ANY, "default", "aws_secret_access_key");
        CHECK(secret != NULL);
        CHECK_STR(secret_bytes(secret, NULL), "one+two/three");
        secret_redact(text, strlen(text));
        CHECK_STR(text, "the key is *************");
        CHECK(aws_config_secret(config, AWS_FILE_ANY, "default", "aws_session_token") == NULL);
        CHECK(
            aws_config_secret(config, AWS_FILE_CONFIG, "default", "aws_secret_access_key") == NULL);
        CHECK(aws_config_secret(config, AWS_FILE_ANY, "x", "aws_secret_access_key") == NULL);
        aws_config_free(config);
}

TEST(bad_lines_are_named_and_not_shown)
{
        check_refused("region = hidden", "line 1: a setting outside of any section");
        check_refused("[default]\nhidden\n", "line 2: a line that is neither");
        check_refused("[default]\n\n= hidden\n", "line 3: a value without a name");
        check_refused("[default\nregion=x\n", "line 1: a section without");
        check_refused("[default]\ns3 =\n  hidden\n", "line 3: a line that is neither");
        check_refused_bytes("[default]\nhidden=\0\n", 19, "line 2: a NUL byte");
        char text[2000] = "[default]\n";
        memset(text + 10, 'n', 300);
        check_refused(text, "line 2: a line that is neither");
        strcat(text, "=1\n");
        check_refused(text, "line 2: a name that is too long");
        memset(text, '[', 1000);
        text[1000] = ']';
        check_refused(text, "line 1: a section whose name is too long");
}

TEST(sections_without_a_usable_name_are_dropped)
{
        struct aws_config *config = parse("[]\na=1\n[profile]\na=1\n[profile a b]\na=1\n"
                                          "[profile \"open]\na=1\n[profile \"\"]\na=1\n");

        CHECK(aws_config_name_at(config, AWS_PROFILE, 0) == NULL);
        aws_config_free(config);
        config = parse("");
        CHECK(aws_config_name_at(config, AWS_PROFILE, 0) == NULL);
        aws_config_free(config);
        config = parse("\xef\xbb\xbf[default]\na=1");
        CHECK_STR(get(config, "default", "a"), "1");
        aws_config_free(config);
}

TEST(sizes_are_bounded)
{
        size_t size = AWS_CONFIG_FILE_MAX + 100;
        char *text = malloc(size);

        memset(text, '\n', size);
        check_refused_bytes(text, size, "it has more than");
        size_t at = 0;
        for (int idx = 0; idx < 10001; idx++)
                at += (size_t)sprintf(text + at, "[profile p%d]\n", idx);
        check_refused_bytes(text, at, "line 10001: there are more than 10000 sections");
        at = (size_t)sprintf(text, "[default]\n");
        for (int idx = 0; idx < 1001; idx++)
                at += (size_t)sprintf(text + at, "a%d=1\n", idx);
        check_refused_bytes(text, at, "the section has more than 1000 settings");
        at = (size_t)sprintf(text, "[default]\naws_session_token=");
        memset(text + at, 'h', 70000);
        check_refused_bytes(text, at + 70000, "line 2: a secret of 70000 bytes");
        /* Many lines that go on with one setting take no more than linear time. */
        at = (size_t)sprintf(text, "[default]\na=b");
        while (at < AWS_CONFIG_FILE_MAX - 3)
                at += (size_t)sprintf(text + at, "\n c");
        text[at] = '\0';
        aws_config_free(parse(text));
        free(text);
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
        FILE *file = fopen(test_path(name), "we");

        CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
        CHECK(chmod(test_path(name), mode) == 0);
}

TEST(reads_files_and_takes_missing_ones_as_empty)
{
        struct err err;
        struct aws_config *config = aws_config_new(&err);

        write_file("good", "[default]\nregion=a\n", 0600);
        write_file("empty", "", 0600);
        write_file("bad", "[default]\nhidden\n", 0600);
        CHECK_OK(aws_config_read(config, AWS_FILE_CONFIG, test_path("good"), &err), err);
        CHECK_OK(aws_config_read(config, AWS_FILE_CONFIG, test_path("empty"), &err), err);
        CHECK_OK(aws_config_read(config, AWS_FILE_CONFIG, test_path("none"), &err), err);
        CHECK_OK(aws_config_read(config, AWS_FILE_CONFIG, test_path("none/none"), &err), err);
        CHECK_OK(aws_config_read(config, AWS_FILE_CONFIG, "/dev/null", &err), err);
        CHECK_STR(get(config, "default", "region"), "a");
        CHECK_ERR(aws_config_read(config, AWS_FILE_CONFIG, test_path("bad"), &err) < 0, err,
            ERR_CREDENTIALS, "bad\": line 2");
        CHECK_ERR(aws_config_read(config, AWS_FILE_CONFIG, test_dir(), &err) < 0, err,
            ERR_CREDENTIALS, test_dir());
        if (geteuid() != 0) {
                write_file("closed", "", 0);
                CHECK_ERR(aws_config_read(config, AWS_FILE_CONFIG, test_path("closed"), &err) < 0,
                    err, ERR_CREDENTIALS, "Permission denied");
        }
        aws_config_free(config);
}

static int
parse_both(void *arg, struct err *err)
{
        struct aws_config *config = aws_config_new(err);
        int rc = -1;

        if (config != NULL)
                rc = aws_config_parse(config, AWS_FILE_CONFIG, "a", arg, strlen(arg), err);
        if (rc == 0)
                rc = aws_config_parse(config, AWS_FILE_CREDENTIALS, "b", arg, strlen(arg), err);
        aws_config_free(config);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        static char text[] = "[default]\naws_secret_access_key=one\na=1\na=2\ns3 =\n  b=c\n"
                             "aws_secret_access_key=two\n[profile x]\na=1\n b\n";

        test_each_allocation(parse_both, text);
}
