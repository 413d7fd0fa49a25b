#include "harness/aws_test.h"

#include <sched.h>

#include "../../src/store/aws_creds_internal.h"
#include "harness/test.h"
#include "moonkeep/thread.h"

/* STS as a script; the answers are those of AWS. */

#define CREDENTIALS                                                                                \
        "<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>hidden/%s"                     \
        "</SecretAccessKey><SessionToken>hiddentoken+%s</SessionToken>"                            \
        "<Expiration>%s</Expiration></Credentials>"

#define ERROR(code, message)                                                                       \
        "text/xml <ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>"      \
        "<Type>Sender</Type><Code>" code "</Code><Message>" message "</Message></Error>"           \
        "<RequestId>1</RequestId></ErrorResponse>\n"

/* "text/xml ..." of the answer to action, with keys of that id; valid until the fourth next call.
 */
static const char *
granted(const char *action, const char *id, int seconds)
{
        static char texts[4][2048];
        static int next;
        char *text = texts[next++ % 4];

        snprintf(text, sizeof(texts[0]),
            "text/xml <%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
            "<AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>" CREDENTIALS
            "</%sResult></%sResponse>\n",
            action, action, id, id, id, expiry(seconds), action, action);
        return text;
}

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
        setenv("AWS_ENDPOINT_URL_STS", server_url(""), 1);
}

static void
prepare(void)
{
        clean_environment();
        write_profiles("[default]\naws_access_key_id = AKIDBASE\n"
                       "aws_secret_access_key = hiddenkey\naws_session_token = hiddenbasetoken\n"
                       "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nregion = eu-west-1\n"
                       "source_profile = default\nrole_session_name = me@x\n"
                       "external_id = e/1\nduration_seconds = 900\n"
                       "[profile second]\nrole_arn = arn:second\nsource_profile = role\n"
                       "role_session_name = two\n"
                       "[profile self]\nrole_arn = arn:self\nsource_profile = self\n"
                       "role_session_name = s\n"
                       "aws_access_key_id = AKIDSELF\naws_secret_access_key = hiddenself\n"
                       "[profile place]\nrole_arn = arn:place\ncredential_source = Environment\n"
                       "role_session_name = p\n"
                       "[profile odd]\nrole_arn = arn:odd\nsource_profile = default\n"
                       "duration_seconds = 1h\n"
                       "[profile far]\nrole_arn = arn:far\nsource_profile = default\n"
                       "region = example.com/x\n",
            NULL);
}

/* Web identity by the environment. */
static void
prepare_web(void)
{
        clean_environment();
        write_file("token", "hiddenjwt.1+x\n");
        setenv("AWS_WEB_IDENTITY_TOKEN_FILE", test_path("token"), 1);
        setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/web", 1);
        setenv("AWS_ROLE_SESSION_NAME", "pod", 1);
}

#define POST "expect POST /\n"
#define WEB_BODY                                                                                   \
        "expect-body Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"                         \
        "RoleArn=arn%%3Aaws%%3Aiam%%3A%%3A1%%3Arole%%2Fweb&RoleSessionName=pod&"

TEST(a_role_of_a_source_profile)
{
        prepare();
        serve(POST "expect-header Content-Type: application/x-www-form-urlencoded; charset=utf-8\n"
                   "expect-header X-Amz-Security-Token: hiddenbasetoken\nexpect-no-text hiddenkey\n"
                   "expect-body Action=AssumeRole&Version=2011-06-15&"
                   "RoleArn=arn%%3Aaws%%3Aiam%%3A%%3A1%%3Arole%%2Fr&RoleSessionName=me%%40x&"
                   "DurationSeconds=900&ExternalId=e%%2F1\nanswer 200 %s",
            granted("AssumeRole", "ASIA1", 3600));
        struct aws_creds *creds = open_creds("role");
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        /* Kept: the server expects no other request. */
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        aws_creds_free(creds);
        server_is_content();
}

TEST(roles_in_a_row)
{
        prepare();
        serve(POST "expect-header X-Amz-Security-Token: hiddenbasetoken\nanswer 200 %s" POST
                   "expect-header X-Amz-Security-Token: hiddentoken+ASIA1\n"
                   "expect-body Action=AssumeRole&Version=2011-06-15&RoleArn=arn%%3Asecond&"
                   "RoleSessionName=two\nanswer 200 %s",
            granted("AssumeRole", "ASIA1", 3600), granted("AssumeRole", "ASIA2", 3600));
        expect_only_keys("second", "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        server_is_content();
}

TEST(a_role_by_keys_of_its_own_profile_and_of_the_environment)
{
        prepare();
        serve(POST "expect-no-header X-Amz-Security-Token\nanswer 200 %s",
            granted("AssumeRole", "ASIA1", 3600));
        expect_only_keys("self", "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        server_is_content();
        setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "hiddenenv", 1);
        setenv("AWS_SESSION_TOKEN", "hiddenenvtoken", 1);
        serve(POST "expect-header X-Amz-Security-Token: hiddenenvtoken\nanswer 200 %s",
            granted("AssumeRole", "ASIA2", 3600));
        expect_only_keys("place", "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        server_is_content();
}

TEST(web_identity_is_not_signed_and_its_token_is_in_the_body)
{
        prepare_web();
        serve(POST "expect-no-header Authorization\nexpect-no-header X-Amz-Date\n" WEB_BODY
                   "WebIdentityToken=hiddenjwt.1%%2Bx\nanswer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        expect_only_keys(NULL, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        server_is_content();
}

TEST(web_identity_of_a_profile)
{
        char text[1024];

        prepare_web();
        unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
        snprintf(text, sizeof(text),
            "[profile web]\nrole_arn = arn:aws:iam::1:role/web\nrole_session_name = pod\n"
            "web_identity_token_file = %s\n[profile over]\nrole_arn = arn:over\n"
            "role_session_name = o\nsource_profile = web\n",
            test_path("token"));
        write_profiles(text, NULL);
        /* That of the environment is not that of a profile that is named. */
        setenv("AWS_ROLE_ARN", "arn:not", 1);
        serve(POST WEB_BODY "WebIdentityToken=hiddenjwt.1%%2Bx\nanswer 200 %s" POST WEB_BODY
                            "WebIdentityToken=hiddenjwt.1%%2Bx\nanswer 200 %s" POST
                            "expect-header X-Amz-Security-Token: hiddentoken+ASIA2\n"
                            "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600),
            granted("AssumeRoleWithWebIdentity", "ASIA2", 3600),
            granted("AssumeRole", "ASIA3", 3600));
        expect_only_keys("web", "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        expect_only_keys("over", "ASIA3", "hidden/ASIA3", "hiddentoken+ASIA3");
        server_is_content();
}

TEST(a_token_file_is_read_again_at_each_refresh)
{
        prepare_web();
        serve(POST WEB_BODY "WebIdentityToken=hiddenjwt.1%%2Bx\nanswer 200 %s" POST WEB_BODY
                            "WebIdentityToken=hiddenjwt.2\nanswer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600),
            granted("AssumeRoleWithWebIdentity", "ASIA2", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        write_file("token", "hiddenjwt.2");
        CHECK(aws_creds_refused(creds, "ASIA1"));
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        aws_creds_free(creds);
        server_is_content();
}

TEST(token_files_that_cannot_be_used)
{
        prepare_web();
        write_file("token", " \n");
        expect_failing(NULL, "token\" is empty");
        setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token", 1);
        expect_failing(NULL, "the web identity token file is not readable: cannot open "
                             "\"/nowhere/token\": No such file");
        setenv("AWS_WEB_IDENTITY_TOKEN_FILE", test_dir(), 1);
        expect_failing(NULL, "the web identity token file is not readable");
}

TEST(a_role_that_is_refused_says_why)
{
        struct err err;

        prepare_web();
        serve(POST "answer 403 " ERROR("AccessDenied", "Not authorized to do that") POST
            "answer 400 " ERROR("ExpiredTokenException", "Token hiddenjwt.1+x expired") POST
            "answer 400 text/plain hidden nonsense\n" POST
            "answer 400 text/xml <Error><Code>Own</Code></Error>\n");
        err = expect_failing(NULL, "the role \"arn:aws:iam::1:role/web\" by web identity: STS "
                                   "refused: AccessDenied: Not authorized to do that (HTTP status "
                                   "403)");
        CHECK(err.http == 403 && !err.retryable);
        CHECK(strstr(err.hint, "trust policy") != NULL);
        err = expect_failing(NULL, "ExpiredTokenException: Token ************* expired");
        CHECK(strstr(err.hint, "expired credentials") != NULL);
        expect_failing(NULL, "STS refused: no reason was given (HTTP status 400)");
        expect_failing(NULL, "STS refused: Own (HTTP status 400)");
        server_is_content();
}

TEST(answers_that_are_not_keys)
{
        prepare_web();
        serve(POST "answer 200 text/xml <AssumeRoleWithWebIdentityResponse>\n" POST
                   "answer 200 text/plain hidden\n" POST "answer 200 text/xml <a/>\n" POST
                   "answer 200 text/xml\n" POST "answer 200 %s" POST "answer 301 text/xml\n",
            granted("AssumeRole", "ASIA1", 3600));
        expect_failing(NULL, "the answer of STS: not XML: line 1: the document is truncated");
        expect_failing(NULL, "the answer of STS: not XML");
        expect_failing(NULL, "the access key id is missing");
        expect_failing(NULL, "the answer of STS: not XML");
        expect_failing(NULL, "the access key id is missing");
        expect_failing(NULL, "HTTP status 301");
        server_is_content();
}

TEST(a_busy_service_is_asked_again)
{
        prepare_web();
        serve(POST "answer 503 text/xml\n" POST "reset\n" POST "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        expect_only_keys(NULL, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        server_is_content();
        serve(POST "answer 503 text/xml\n" POST "answer 429 text/xml\n" POST
                   "answer 500 " ERROR("InternalFailure", ""));
        struct err err = expect_failing(NULL, "STS refused: InternalFailure (HTTP status 500)");
        CHECK(err.retryable && err.http == 500);
        server_is_content();
}

TEST(an_unreachable_service_may_be_asked_later)
{
        char url[64];

        prepare_web();
        snprintf(url, sizeof(url), "http://127.0.0.1:%d", free_port());
        setenv("AWS_ENDPOINT_URL_STS", url, 1);
        struct err err = expect_failing(NULL, "by web identity: ");
        CHECK(err.retryable);
}

TEST(expired_keys_from_sts_are_not_taken)
{
        prepare_web();
        serve(POST "answer 200 %s", granted("AssumeRoleWithWebIdentity", "ASIA1", -60));
        struct err err = expect_failing(NULL, "by web identity expired at 2");
        CHECK(strstr(err.hint, "clock") != NULL);
        server_is_content();
}

/* Our clock is an hour behind: the server's Date says so, and counts. */
TEST(a_clock_that_is_wrong_is_told_from_the_date_of_the_server)
{
        char date[TIME_HTTP_SIZE];

        prepare();
        time_http(time_now_ms() + 3600 * 1000, date);
        serve(POST "header Date: %s\nanswer 403 " ERROR("SignatureDoesNotMatch", "too old") POST
            "header Date: %s\nanswer 200 %s",
            date, date, granted("AssumeRole", "ASIA1", 7200));
        struct aws_creds *creds = open_creds("role");
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        aws_creds_free(creds);
        server_is_content();
        time_http(time_now_ms() - 3600 * 1000, date);
        serve(POST "header Date: %s\nanswer 200 %s", date, granted("AssumeRole", "ASIA2", -60));
        expect_only_keys("role", "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        server_is_content();
}

TEST(settings_that_cannot_be_used)
{
        prepare();
        setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1", 1);
        expect_failing("odd", "duration_seconds is no number");
        expect_failing("far", "the region is not the name of one");
        setenv("AWS_ENDPOINT_URL_STS", "http://user:hidden@127.0.0.1:1/", 1);
        expect_failing("role", "the endpoint of STS");
        setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1/?a=b", 1);
        expect_failing("role", "the endpoint of STS");
        setenv("AWS_ENDPOINT_URL_STS", "nonsense", 1);
        expect_failing("role", "the endpoint of STS");
        setenv("AWS_ENDPOINT_URL_STS", "ftp://127.0.0.1/", 1);
        expect_failing("role", "");
}

/* Refreshing. */

/* Several requests were under way with the keys that expired, and are judged one after the other.
 */
TEST(new_keys_are_not_dropped_for_what_old_ones_did)
{
        prepare_web();
        serve(POST "answer 200 %s" POST "answer 200 %s" POST "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600),
            granted("AssumeRoleWithWebIdentity", "ASIA2", 3600),
            granted("AssumeRoleWithWebIdentity", "ASIA3", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        CHECK(aws_creds_refused(creds, "ASIA1"));
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        CHECK(aws_creds_refused(creds, "ASIA1"));
        CHECK(aws_creds_refused(creds, "ASIA2"));
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        /* When they have been there for a while, it is about them. */
        creds->taken_ms -= 60000;
        CHECK(aws_creds_refused(creds, "ASIA2"));
        expect_keys(creds, "ASIA3", "hidden/ASIA3", "hiddentoken+ASIA3");
        aws_creds_free(creds);
        server_is_content();
}

TEST(keys_are_renewed_before_they_expire)
{
        prepare_web();
        serve(POST "answer 200 %s" POST "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600),
            granted("AssumeRoleWithWebIdentity", "ASIA2", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        creds->keys.expires_ms = time_now_ms() + 4 * 60 * 1000;
        /* Just fetched: not so soon again. */
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        creds->try_at_ms = 0;
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        aws_creds_free(creds);
        server_is_content();
}

TEST(old_keys_do_while_they_are_good_and_new_ones_cannot_be_had)
{
        prepare_web();
        serve(POST "answer 200 %s" POST "answer 403 " ERROR("AccessDenied", "no") POST
            "answer 403 " ERROR("AccessDenied", "no") POST "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600),
            granted("AssumeRoleWithWebIdentity", "ASIA2", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        creds->keys.expires_ms = time_now_ms() + 60 * 1000;
        creds->try_at_ms = 0;
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        /* It has just failed: not so soon again. */
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        creds->keys.expires_ms = time_now_ms() - 1;
        expect_no_keys(creds, "AccessDenied");
        expect_keys(creds, "ASIA2", "hidden/ASIA2", "hiddentoken+ASIA2");
        aws_creds_free(creds);
        server_is_content();
}

struct taker {
        pthread_t thread;
        struct aws_creds *creds;
        struct cancel *cancel;
        struct err err;
        int rc;
        char id[32];
};

static void *
take(void *arg)
{
        struct taker *it = arg;
        struct aws_keys keys = { 0 };

        it->rc = aws_creds_get(it->creds, &keys, it->cancel, &it->err);
        if (it->rc == 0)
                snprintf(it->id, sizeof(it->id), "%s", keys.id);
        aws_keys_clear(&keys);
        return NULL;
}

static void
start_taker(struct taker *it, struct aws_creds *creds, struct cancel *cancel)
{
        struct err err;

        *it = (struct taker){ .creds = creds, .cancel = cancel };
        CHECK_OK(thread_start(&it->thread, "taker", take, it, &err), err);
}

static void
wait_until_busy(struct aws_creds *creds)
{
        bool busy = false;

        while (!busy) {
                pthread_mutex_lock(&creds->lock);
                busy = creds->busy != NULL;
                pthread_mutex_unlock(&creds->lock);
                sched_yield();
        }
}

/* The server answers late enough that all of them wait; it would refuse a second request. */
TEST(one_asks_and_the_others_wait)
{
        struct taker takers[8];

        prepare_web();
        serve(POST "stall 0.3\nanswer 200 %s" POST
                   "stall 0.3\nanswer 403 " ERROR("AccessDenied", "no")
            /* For one that comes too late to wait. */
            "always POST /\nanswer 403 " ERROR("AccessDenied", "no"),
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        struct aws_creds *creds = open_creds(NULL);
        for (int idx = 0; idx < 8; idx++)
                start_taker(&takers[idx], creds, NULL);
        for (int idx = 0; idx < 8; idx++) {
                thread_join(takers[idx].thread);
                CHECK_STR(takers[idx].id, "ASIA1");
        }
        CHECK(aws_creds_refused(creds, "ASIA1"));
        start_taker(&takers[0], creds, NULL);
        wait_until_busy(creds);
        for (int idx = 1; idx < 8; idx++)
                start_taker(&takers[idx], creds, NULL);
        for (int idx = 0; idx < 8; idx++) {
                thread_join(takers[idx].thread);
                CHECK_ERR(takers[idx].rc < 0, takers[idx].err, ERR_CREDENTIALS, "AccessDenied");
        }
        aws_creds_free(creds);
        server_is_content();
}

TEST(others_take_the_old_keys_while_one_asks_early)
{
        struct err err;

        prepare_web();
        serve(POST "answer 200 %s", granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        struct aws_creds *creds = open_creds(NULL);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        creds->keys.expires_ms = time_now_ms() + 4 * 60 * 1000;
        creds->try_at_ms = 0;
        /* One that never gets an answer. */
        creds->busy = cancel_new(NULL, &err);
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        cancel_unref(creds->busy);
        creds->busy = NULL;
        aws_creds_free(creds);
        server_is_content();
}

TEST(who_is_cancelled_ends_and_another_one_asks)
{
        struct taker first, second;
        struct err err;

        prepare_web();
        serve(POST "wait-close\n" POST "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        struct cancel *cancel = cancel_new(NULL, &err);
        struct aws_creds *creds = open_creds(NULL);
        start_taker(&first, creds, cancel);
        wait_until_busy(creds);
        start_taker(&second, creds, NULL);
        cancel_trigger(cancel);
        thread_join(first.thread);
        thread_join(second.thread);
        CHECK_ERR(first.rc < 0, first.err, ERR_CANCELLED, "cancelled");
        CHECK_STR(second.id, "ASIA1");
        aws_creds_free(creds);
        cancel_unref(cancel);
        server_is_content();
}

TEST(no_log_shows_keys_or_tokens)
{
        prepare_web();
        serve(POST "answer 403 " ERROR("AccessDenied", "hiddenjwt.1+x") POST "answer 200 %s",
            granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        capture_log();
        struct aws_creds *creds = open_creds(NULL);
        expect_no_keys(creds, "AccessDenied");
        expect_keys(creds, "ASIA1", "hidden/ASIA1", "hiddentoken+ASIA1");
        aws_creds_free(creds);
        check_log();
        server_is_content();
}

TEST(survives_each_failing_allocation)
{
        static char role[] = "role";

        prepare();
        serve("always POST /\nanswer 200 %s", granted("AssumeRole", "ASIA1", 3600));
        test_each_allocation(open_and_get, role);
        end_server();
        prepare_web();
        serve("always POST /\nanswer 200 %s", granted("AssumeRoleWithWebIdentity", "ASIA1", 3600));
        test_each_allocation(open_and_get, NULL);
        end_server();
}
