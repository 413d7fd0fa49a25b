#include "harness/aws_test.h"

#include "harness/test.h"

/* The environment, the files, and what is where. */

TEST(keys_of_the_environment)
{
        struct err err;

        clean_environment();
        setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
        err = expect_failing(NULL, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
        setenv("AWS_SECRET_ACCESS_KEY", "hidden/env+1", 1);
        expect_only_keys(NULL, "AKIDENV", "hidden/env+1", NULL);
        setenv("AWS_SESSION_TOKEN", "hiddentoken", 1);
        expect_only_keys(NULL, "AKIDENV", "hidden/env+1", "hiddentoken");
        setenv("AWS_CREDENTIAL_EXPIRATION", expiry(3600), 1);
        expect_only_keys(NULL, "AKIDENV", "hidden/env+1", "hiddentoken");
        setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z", 1);
        err = expect_failing(NULL, "the keys of the environment expired at 2020-01-01");
        CHECK(strstr(err.hint, "set them again") != NULL);
        setenv("AWS_CREDENTIAL_EXPIRATION", "hidden", 1);
        expect_failing(NULL, "the expiration is no time");
        unsetenv("AWS_CREDENTIAL_EXPIRATION");
        setenv("AWS_SECRET_ACCESS_KEY", "hidden\n", 1);
        expect_failing(NULL, "the secret access key has a line break");
        setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
        setenv("AWS_ACCESS_KEY_ID", "hidden id", 1);
        expect_failing(NULL, "the access key id has a blank");
}

TEST(keys_that_nobody_renews_stay)
{
        clean_environment();
        setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "AKIDENV", "hidden", NULL);
        setenv("AWS_ACCESS_KEY_ID", "AKIDNEW", 1);
        expect_keys(creds, "AKIDENV", "hidden", NULL);
        CHECK(!aws_creds_refused(creds, "AKIDENV"));
        expect_keys(creds, "AKIDENV", "hidden", NULL);
        aws_creds_free(creds);
        aws_creds_free(NULL);
}

TEST(keys_of_profiles)
{
        clean_environment();
        write_profiles("[profile one]\naws_access_key_id = AKIDONE\n"
                       "aws_secret_access_key = hidden1\n"
                       "[profile both]\naws_access_key_id = AKIDOLD\n"
                       "aws_secret_access_key = hiddenold\n",
            "[default]\naws_access_key_id = AKIDDEF\naws_secret_access_key = hidden0\n"
            "[both]\naws_access_key_id = AKIDNEW\naws_secret_access_key = hiddennew\n"
            "aws_session_token = hiddentoken\n"
            "[half]\naws_access_key_id = AKIDHALF\n");
        expect_only_keys(NULL, "AKIDDEF", "hidden0", NULL);
        expect_only_keys("one", "AKIDONE", "hidden1", NULL);
        expect_only_keys("both", "AKIDNEW", "hiddennew", "hiddentoken");
        expect_failing("half", "profile \"half\" has aws_access_key_id, but no");
        setenv("AWS_DEFAULT_PROFILE", "both", 1);
        expect_only_keys(NULL, "AKIDNEW", "hiddennew", "hiddentoken");
        setenv("AWS_PROFILE", "one", 1);
        expect_only_keys(NULL, "AKIDONE", "hidden1", NULL);
}

TEST(a_profile_that_is_asked_for_comes_before_the_environment)
{
        clean_environment();
        write_profiles("[profile one]\naws_access_key_id = AKIDONE\n"
                       "aws_secret_access_key = hidden1\n[profile none]\nregion = r\n",
            NULL);
        setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
        expect_only_keys("one", "AKIDONE", "hidden1", NULL);
        expect_failing("none", "no credentials: looked in web identity, profile \"none\"");
        setenv("AWS_PROFILE", "one", 1);
        expect_only_keys(NULL, "AKIDENV", "hidden", NULL);
}

TEST(no_such_profile)
{
        struct err err;

        clean_environment();
        err = expect_not_opened("prod", "no such AWS profile \"prod\"");
        CHECK(strstr(err.msg, "/.aws/config\"") != NULL && strstr(err.hint, "no profile") != NULL);
        write_profiles("[profile prod-eu]\n[profile other]\n[profile PROD]\n[wrong]\n", NULL);
        err = expect_not_opened("prod", "no such AWS profile \"prod\"");
        CHECK_STR(err.hint, "similar profiles: \"prod-eu\", \"PROD\"");
        err = expect_not_opened("zzz", "no such AWS profile");
        CHECK_STR(err.hint, "the profiles there are: \"prod-eu\", \"other\", \"PROD\"");
        err = expect_not_opened("wrong", "no such AWS profile");
        CHECK(strstr(err.hint, "it has to be [profile wrong]") != NULL);
        setenv("AWS_PROFILE", "gone", 1);
        expect_not_opened(NULL, "no such AWS profile \"gone\"");
        unsetenv("AWS_PROFILE");
        unsetenv("HOME");
        expect_not_opened("prod", "neither \"~/.aws\" nor");
        expect_failing(NULL, "profile \"default\" of \"~/.aws/credentials\"");
}

TEST(files_that_are_not_understood_are_named)
{
        clean_environment();
        write_profiles("[default]\nregion = a\n\nhidden\n", NULL);
        expect_not_opened(NULL, ".aws/config\": line 4:");
        setenv("AWS_CONFIG_FILE", "/dev/null", 1);
        write_profiles(NULL, "aws_secret_access_key = hidden\n");
        expect_not_opened(NULL, ".aws/credentials\": line 1:");
        write_file("mine", "[default]\naws_access_key_id=A\naws_secret_access_key=hidden\n");
        setenv("AWS_SHARED_CREDENTIALS_FILE", "~/mine", 1);
        expect_only_keys(NULL, "A", "hidden", NULL);
        if (geteuid() != 0) {
                CHECK(chmod(test_path("mine"), 0) == 0);
                expect_not_opened(NULL, "Permission denied");
        }
}

TEST(nothing_at_all)
{
        clean_environment();
        struct err err =
            expect_failing(NULL, "cannot get AWS credentials: no credentials: looked in "
                                 "environment, web identity, profile \"default\" of");
        CHECK(strstr(err.msg, "container, IMDS (AWS_EC2_METADATA_DISABLED)") != NULL);
        CHECK(strstr(err.hint, "AWS_ACCESS_KEY_ID") != NULL);
        CHECK(!err.retryable);
}

TEST(logins_that_are_not_supported_say_what_to_do)
{
        struct err err;

        clean_environment();
        write_profiles("[profile sso]\nsso_session = x\nsso_account_id = 1\nsso_role_name = r\n"
                       "[profile login]\nlogin_session = arn\n"
                       "[profile mfa]\nrole_arn = arn\nsource_profile = sso\nmfa_serial = m\n",
            NULL);
        err = expect_failing("sso", "logs in with IAM Identity Center (SSO), which is not");
        CHECK(strstr(err.hint, "aws configure export-credentials --profile sso") != NULL);
        err = expect_failing("login", "logs in with \"aws login\"");
        CHECK(strstr(err.hint, "export-credentials --profile login") != NULL);
        err = expect_failing("mfa", "wants a code of a device (mfa_serial)");
        CHECK(strstr(err.hint, "export-credentials --profile mfa") != NULL);
}

TEST(profiles_that_name_one_another_wrongly)
{
        clean_environment();
        write_profiles("[profile a]\nrole_arn = a\nsource_profile = b\n"
                       "[profile b]\nrole_arn = b\nsource_profile = c\n"
                       "[profile c]\nrole_arn = c\nsource_profile = a\n"
                       "[profile self]\nrole_arn = s\nsource_profile = self\n"
                       "[profile gone]\nrole_arn = g\nsource_profile = nobody\n"
                       "[profile empty]\nregion = r\n"
                       "[profile poor]\nrole_arn = p\nsource_profile = empty\n"
                       "[profile none]\nrole_arn = n\n"
                       "[profile both]\nrole_arn = n\nsource_profile=a\ncredential_source=x\n"
                       "[profile odd]\nrole_arn = n\ncredential_source=Pocket\n"
                       "[profile bare]\nrole_arn = n\ncredential_source=Environment\n"
                       "[profile boxed]\nrole_arn = n\ncredential_source=EcsContainer\n"
                       "[profile web]\nweb_identity_token_file = /x\n",
            NULL);
        expect_failing("a", "the source_profile of \"c\" leads back to \"a\"");
        expect_failing("self", "the source_profile of \"self\" leads back to \"self\"");
        expect_failing("gone", "source_profile \"nobody\", which does not exist");
        expect_failing("poor", "source_profile \"empty\", which has no credentials");
        expect_failing("none", "neither source_profile nor credential_source");
        expect_failing("both", "both source_profile and credential_source");
        expect_failing("odd", "credential_source that is not known");
        expect_failing("bare", "credential_source Environment of the profile \"bare\" has no");
        expect_failing("boxed", "credential_source EcsContainer of the profile \"boxed\" has no");
        expect_failing("web", "a web identity token file, \"/x\", but no role");
}

TEST(a_long_chain_of_profiles_ends)
{
        char text[4096] = "";

        clean_environment();
        for (int idx = 0; idx < 20; idx++)
                sprintf(text + strlen(text), "[profile p%d]\nrole_arn = a\nsource_profile = p%d\n",
                    idx, idx + 1);
        write_profiles(text, NULL);
        expect_failing("p0", "more than 10 profiles name one another");
}

TEST(settings)
{
        clean_environment();
        write_profiles("[default]\nregion = file-region\nca_bundle = /ca\nendpoint_url = http://g\n"
                       "s3 =\n  addressing_style = path\n  use_dualstack_endpoint = true\n"
                       "[profile own]\nservices = mine\nuse_fips_endpoint = true\n"
                       "endpoint_url = http://g\n"
                       "[services mine]\ns3 =\n  endpoint_url = http://s\n"
                       "[profile lost]\nservices = nowhere\n",
            NULL);
        struct aws_creds *creds = open_creds(NULL), *own = open_creds("own");
        CHECK_STR(aws_creds_setting(creds, "region"), "file-region");
        CHECK_STR(aws_creds_setting(creds, "ca_bundle"), "/ca");
        CHECK_STR(aws_creds_setting(creds, "addressing_style"), "path");
        CHECK_STR(aws_creds_setting(creds, "use_dualstack_endpoint"), "true");
        CHECK(aws_creds_setting(creds, "use_fips_endpoint") == NULL);
        CHECK(aws_creds_setting(creds, "unknown") == NULL);
        CHECK(aws_creds_setting(own, "region") == NULL);
        CHECK_STR(aws_creds_setting(own, "use_fips_endpoint"), "true");
        CHECK_STR(aws_creds_setting(creds, "endpoint_url"), "http://g");
        CHECK_STR(aws_creds_setting(own, "endpoint_url"), "http://s");
        setenv("AWS_ENDPOINT_URL", "http://all", 1);
        CHECK_STR(aws_creds_setting(own, "endpoint_url"), "http://all");
        setenv("AWS_ENDPOINT_URL_S3", "http://s3", 1);
        CHECK_STR(aws_creds_setting(own, "endpoint_url"), "http://s3");
        setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE", 1);
        CHECK(aws_creds_setting(own, "endpoint_url") == NULL);
        setenv("AWS_DEFAULT_REGION", "env-region", 1);
        CHECK_STR(aws_creds_setting(creds, "region"), "env-region");
        setenv("AWS_REGION", "first-region", 1);
        CHECK_STR(aws_creds_setting(creds, "region"), "first-region");
        aws_creds_free(creds);
        aws_creds_free(own);
        expect_not_opened("lost", "names the services \"nowhere\"");
}

/* Keys of a session in a file are written by a tool that logs in. */
TEST(keys_that_a_tool_renews_in_the_file_are_read_again)
{
        clean_environment();
        write_profiles(NULL, "[default]\naws_access_key_id = ASIA1\n"
                             "aws_secret_access_key = hidden1\naws_session_token = hiddent1\n");
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden1", "hiddent1");
        CHECK(aws_creds_refused(creds, "ASIA1"));
        expect_no_keys(creds, "the keys of the profile \"default\" expired, and there are no new");
        write_profiles(NULL, "half of a file");
        expect_no_keys(creds, "there are no new");
        write_profiles(NULL, "[default]\naws_access_key_id = ASIA2\n"
                             "aws_secret_access_key = hidden2\naws_session_token = hiddent2\n");
        expect_keys(creds, "ASIA2", "hidden2", "hiddent2");
        /* Said late, of keys that nobody has any more. */
        CHECK(aws_creds_refused(creds, "ASIA1"));
        expect_keys(creds, "ASIA2", "hidden2", "hiddent2");
        aws_creds_free(creds);
}

TEST(survives_each_failing_allocation)
{
        static char one[] = "one";

        clean_environment();
        write_profiles("[profile one]\naws_access_key_id = AKIDONE\n"
                       "aws_secret_access_key = hidden1\naws_session_token = hiddent\n",
            NULL);
        test_each_allocation(open_and_get, one);
}
