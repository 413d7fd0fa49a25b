#include "harness/aws_test.h"

#include "harness/test.h"

/* What containers and machines are told: the endpoint of a container, and IMDSv2. */

static void serve(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
serve(const char *fmt, ...)
{
        char script[16384];
        va_list args;

        va_start(args, fmt);
        vsnprintf(script, sizeof(script), fmt, args);
        va_end(args);
        start_server(script);
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server_url("/v1/credentials?a=b"), 1);
        setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server_url("/"), 1);
}

/* "application/json {...}" with keys of that id; valid until the fourth next call. */
static const char *
keys(const char *id, int seconds)
{
        static char texts[4][512];
        static int next;
        char *text = texts[next++ % 4];

        snprintf(text, sizeof(texts[0]),
            "application/json {\"Code\": \"Success\", \"AccessKeyId\": \"%s\", "
            "\"SecretAccessKey\": \"hidden/%s\", \"Token\": \"hiddentoken+%s\", "
            "\"Expiration\": \"%s\"}\n",
            id, id, id, expiry(seconds));
        return text;
}

/* Containers. */

#define GET "expect GET /v1/credentials?a=b\n"

static void
prepare_container(void)
{
        clean_environment();
        setenv("http_proxy", "http://127.0.0.1:1", 1);
}

TEST(keys_of_a_container_are_asked_for_with_its_token)
{
        prepare_container();
        serve(GET "expect-no-header Authorization\nanswer 200 %s", keys("ASIA1", 3600));
        expect_only_keys(NULL, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        server_is_content();
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic hiddenauth", 1);
        serve(GET "expect-header Authorization: Basic hiddenauth\nanswer 200 %s",
            keys("ASIA2", 3600));
        expect_only_keys(NULL, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        server_is_content();
}

TEST(a_token_file_comes_first_and_is_read_again)
{
        prepare_container();
        write_file("token", "hiddenauth1");
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hiddennot", 1);
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", test_path("token"), 1);
        serve(GET "expect-header Authorization: hiddenauth1\nanswer 200 %s" GET
                  "expect-header Authorization: hiddenauth2\nanswer 200 %s",
            keys("ASIA1", 3600), keys("ASIA2", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        write_file("token", "hiddenauth2\n");
        CHECK(aws_creds_refused(creds, "ASIA1"));
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        aws_creds_free(creds);
        server_is_content();
}

TEST(tokens_that_no_header_can_carry_are_refused)
{
        prepare_container();
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/", 1);
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hidden\r\nX-Other: hidden", 1);
        expect_failing(NULL, "the container authorization token has a line break");
        write_file("token", "hidden\nX-Other: hidden");
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", test_path("token"), 1);
        expect_failing(NULL, "the container authorization token has a line break");
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token", 1);
        expect_failing(NULL, "the container authorization token file is not readable: cannot open "
                             "\"/nowhere/token\"");
}

TEST(tokens_are_not_sent_in_the_clear_to_other_machines)
{
        static const char *const bad[] = { "http://example.com/", "http://127.0.0.1.example.com/",
                "http://169.254.169.254/", "http://169.254.170.20/", "http://[::2]/",
                "ftp://127.0.0.1/", "http://localhost.example.com/x", "http://10.0.0.1:80/" };

        prepare_container();
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hidden", 1);
        for (size_t idx = 0; idx < sizeof(bad) / sizeof(*bad); idx++) {
                setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[idx], 1);
                expect_failing(NULL, "which is neither https nor this machine");
        }
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "nonsense", 1);
        expect_failing(NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI: not a URL");
        /* These are asked, and nobody answers. */
        static const char *const good[] = { "http://localhost:1/", "http://127.8.9.1:1/",
                "http://[::1]:1/", "https://127.0.0.1:1/" };
        for (size_t idx = 0; idx < sizeof(good) / sizeof(*good); idx++) {
                setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", good[idx], 1);
                expect_failing(NULL, "the container endpoint: ");
        }
        setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.com/", 1);
        expect_failing(NULL, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path");
}

TEST(a_container_endpoint_that_refuses_or_is_busy)
{
        prepare_container();
        serve(GET "answer 403 application/json {\"message\": \"no hidden/x\"}\n" GET
                  "answer 500 text/plain\n" GET "answer 429 text/plain\n" GET "answer 200 %s" GET
                  "answer 200 text/html <html>hidden</html>\n" GET
                  "answer 200 application/json {}\n" GET
                  "answer 200 application/json {\"Code\": \"Failed\", \"Message\": \"no role\"}\n",
            keys("ASIA1", 3600));
        struct aws_keys none;
        struct err err;
        struct aws_creds *creds = open_creds(NULL);
        CHECK_ERR(aws_creds_get(creds, &none, NULL, &err) < 0, err, ERR_CREDENTIALS,
            "the container endpoint refused: HTTP status 403: {\"message\": \"no");
        CHECK_INT(err.http, 403);
        aws_creds_free(creds);
        expect_only_keys(NULL, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        expect_failing(NULL, "the answer of the container endpoint: the document with the keys is "
                             "not a JSON object");
        expect_failing(NULL, "access key id is missing");
        expect_failing(NULL, "Failed: no role");
        server_is_content();
}

TEST(a_container_endpoint_that_says_nothing)
{
        prepare_container();
        serve("always GET /v1/credentials?a=b\nwait-close\n");
        struct err err = expect_failing(NULL, "the container endpoint: ");
        CHECK(err.retryable);
        end_server();
}

/* Machines. */

#define PUT                                                                                        \
        "expect PUT /latest/api/token\n"                                                           \
        "expect-header X-aws-ec2-metadata-token-ttl-seconds: 21600\n"                              \
        "answer 200 text/plain hiddensession\n"
#define ROLES "/latest/meta-data/iam/security-credentials/"
#define ROLE                                                                                       \
        "expect GET " ROLES "\nexpect-header X-aws-ec2-metadata-token: hiddensession\n"            \
        "answer 200 text/plain my-role\n"
#define ASK "expect GET " ROLES "my-role\nexpect-header X-aws-ec2-metadata-token: hiddensession\n"

static void
prepare_machine(void)
{
        clean_environment();
        unsetenv("AWS_EC2_METADATA_DISABLED");
        setenv("http_proxy", "http://127.0.0.1:1", 1);
}

static void serve_machine(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
serve_machine(const char *fmt, ...)
{
        char script[8192];
        va_list args;

        va_start(args, fmt);
        vsnprintf(script, sizeof(script), fmt, args);
        va_end(args);
        serve("%s", script);
        unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

TEST(keys_of_a_machine)
{
        prepare_machine();
        serve_machine(PUT ROLE ASK "answer 200 %s" PUT ROLE ASK "answer 200 %s",
            keys("ASIA1", 3600), keys("ASIA2", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        CHECK(aws_creds_refused(creds, "ASIA1"));
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        aws_creds_free(creds);
        server_is_content();
}

TEST(a_machine_for_a_role)
{
        prepare_machine();
        write_profiles("[profile r]\nrole_arn = arn:r\nrole_session_name = s\n"
                       "credential_source = Ec2InstanceMetadata\n",
            NULL);
        serve_machine(PUT ROLE ASK "answer 200 %s"
                                   "expect POST /\n"
                                   "expect-header X-Amz-Security-Token: hiddentoken+ASIA1\n"
                                   "answer 403 text/xml <Error><Code>No</Code></Error>\n"
                                   "expect PUT /latest/api/token\nanswer 404 text/plain\n",
            keys("ASIA1", 3600));
        setenv("AWS_ENDPOINT_URL_STS", server_url(""), 1);
        /* Which STS would be reached by, unlike metadata. */
        unsetenv("http_proxy");
        expect_failing("r", "the role \"arn:r\" of the profile \"r\": STS refused: No");
        expect_failing("r", "the credential_source Ec2InstanceMetadata of the profile \"r\": PUT "
                            "/latest/api/token: HTTP status 404");
        server_is_content();
}

TEST(machines_that_have_none_or_talk_nonsense)
{
        static const char *const cases[][2] = {
                { "expect PUT /latest/api/token\nanswer 403 text/plain\n",
                    "IMDS (PUT /latest/api/token: HTTP status 403)" },
                { "expect PUT /latest/api/token\nanswer 200 text/plain\n",
                    "PUT /latest/api/token: an empty answer" },
                { "expect PUT /latest/api/token\nanswer-raw \"HTTP/1.1 200 OK\\r\\n"
                  "Content-Length: 10\\r\\n\\r\\nhidden\\r\\nXX\"\n",
                    "PUT /latest/api/token: not a token" },
                { PUT "expect GET " ROLES "\nanswer 404 text/plain\n",
                    "IMDS (this machine has no role)" },
                { PUT "expect GET " ROLES "\nanswer 200 text/plain ../hidden\n",
                    "not the name of a role" },
                { PUT ROLE "expect GET " ROLES "my-role\nanswer 200 text/html <hidden>\n",
                    "is not a JSON object" },
                { PUT ROLE "expect GET " ROLES "my-role\nanswer 200 application/json "
                           "{\"Code\": \"AssumeRoleUnauthorizedAccess\", \"Message\": \"not "
                           "trusted\"}\n",
                    "AssumeRoleUnauthorizedAccess: not trusted" },
                { PUT ROLE "expect GET " ROLES "my-role\nanswer 500 text/plain\n",
                    "my-role: HTTP status 500" },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                prepare_machine();
                serve_machine("%s", cases[idx][0]);
                expect_failing(NULL, cases[idx][1]);
                server_is_content();
        }
}

TEST(a_machine_that_says_nothing_is_given_up_soon)
{
        prepare_machine();
        serve_machine("expect PUT /latest/api/token\nwait-close\n");
        expect_failing(NULL, "IMDS (unreachable: ");
        server_is_content();
        setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "2", 1);
        serve_machine("expect PUT /latest/api/token\nreset\n" PUT ROLE ASK "answer 200 %s",
            keys("ASIA1", 3600));
        expect_only_keys(NULL, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        server_is_content();
}

TEST(a_machine_is_not_asked_when_that_is_switched_off)
{
        prepare_machine();
        serve_machine("always PUT *\nanswer 500 text/plain\n");
        setenv("AWS_EC2_METADATA_DISABLED", "True", 1);
        expect_failing(NULL, "IMDS (AWS_EC2_METADATA_DISABLED)");
        end_server();
}

TEST(no_log_shows_keys_or_tokens)
{
        prepare_machine();
        serve_machine(PUT ROLE ASK "answer 200 %s", keys("ASIA1", 3600));
        capture_log();
        expect_only_keys(NULL, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        check_log();
        server_is_content();
}

TEST(survives_each_failing_allocation)
{
        prepare_machine();
        serve_machine("always PUT /latest/api/token\nanswer 200 text/plain hiddensession\n"
                      "always GET " ROLES "\nanswer 200 text/plain my-role\n"
                      "always GET " ROLES "my-role\nanswer 200 %s",
            keys("ASIA1", 3600));
        test_each_allocation(open_and_get, NULL);
        end_server();
        prepare_container();
        setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hiddenauth", 1);
        serve("always GET /v1/credentials?a=b\nanswer 200 %s", keys("ASIA1", 3600));
        test_each_allocation(open_and_get, NULL);
        end_server();
}
