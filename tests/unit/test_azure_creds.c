#include "../../src/store/azure_creds.h"

#include "../../src/store/azure_identity.h"
#include "harness/http_test.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

#define KEY_TEXT "c2VjcmV0c2VjcmV0"
#define CLIENT "11111111-2222-3333-4444-555555555555"
#define TENANT "tenant.example.com"

/* The environment: nothing of the person who runs the test. */

static void
only(const char *const *settings)
{
        clearenv();
        for (; settings[0] != NULL; settings += 2)
                CHECK(setenv(settings[0], settings[1], 1) == 0);
}

#define ONLY(...) only((const char *const[]){ __VA_ARGS__, NULL })

/* "http://127.0.0.1:PORT" of the scripted server, with what follows. */
static const char *
at_server(const char *path)
{
        static char url[256];

        snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server_port, path);
        return url;
}

static struct azure_creds *
found(const char *account)
{
        struct err err;

        err_init(&err);
        struct azure_creds *creds = azure_creds_new(account, AZURE_RESOURCE_STORAGE, &err);
        CHECK_PTR(creds, err);
        return creds;
}

static void
check_token(struct azure_creds *creds, const char *want)
{
        struct err err;

        err_init(&err);
        struct secret *token = azure_creds_get(creds, NULL, &err);
        CHECK_PTR(token, err);
        CHECK_STR(secret_bytes(token, NULL), want);
        secret_unref(token);
}

static struct err
failure(struct azure_creds *creds)
{
        struct err err;

        err_init(&err);
        struct secret *token = azure_creds_get(creds, NULL, &err);
        CHECK(token == NULL);
        return err;
}

/* What is found, and in which order. */

TEST(a_connection_string_is_before_a_key_and_that_before_a_signature)
{
        ONLY("AZURE_STORAGE_CONNECTION_STRING",
            "AccountName=mine;AccountKey=" KEY_TEXT ";EndpointSuffix=example.com",
            "AZURE_STORAGE_KEY", "b3RoZXI=", "AZURE_STORAGE_SAS_TOKEN", "?sig=abcd&se=2026-11-21");
        struct azure_creds *creds = found("mine");
        CHECK_STR(azure_creds_source(creds), "AZURE_STORAGE_CONNECTION_STRING");
        CHECK_STR(azure_creds_endpoint(creds), "https://mine.blob.example.com");
        CHECK_INT(azure_creds_kind(creds), AZURE_AUTH_KEY);
        check_token(creds, "secretsecret");
        CHECK(!azure_creds_refused(creds));
        azure_creds_free(creds);

        /* It is of one account only. */
        creds = found("other");
        CHECK_STR(azure_creds_source(creds), "AZURE_STORAGE_KEY");
        CHECK(azure_creds_endpoint(creds) == NULL);
        check_token(creds, "other");
        azure_creds_free(creds);

        unsetenv("AZURE_STORAGE_KEY");
        creds = found("other");
        CHECK_STR(azure_creds_source(creds), "AZURE_STORAGE_SAS_TOKEN");
        CHECK_INT(azure_creds_kind(creds), AZURE_AUTH_SAS);
        CHECK_INT(azure_creds_expires(creds), 1795219200000LL);
        check_token(creds, "sig=abcd&se=2026-11-21");
        azure_creds_free(creds);
}

TEST(key_and_signature_are_of_the_account_that_is_named)
{
        ONLY("AZURE_STORAGE_KEY", KEY_TEXT, "AZURE_STORAGE_ACCOUNT", "Mine",
            "AZURE_STORAGE_SAS_TOKEN", "sig=abcd");
        struct azure_creds *creds = found("mine");
        CHECK_INT(azure_creds_kind(creds), AZURE_AUTH_KEY);
        azure_creds_free(creds);
        creds = found("other");
        CHECK_INT(azure_creds_kind(creds), AZURE_AUTH_TOKEN);
        azure_creds_free(creds);

        CHECK(setenv("AZURE_STORAGE_AUTH_MODE", "login", 1) == 0);
        creds = found("mine");
        CHECK_INT(azure_creds_kind(creds), AZURE_AUTH_TOKEN);
        azure_creds_free(creds);
}

TEST(what_is_set_and_cannot_be_right_is_told_without_showing_it)
{
        static const struct {
                const char *name, *value, *why;
        } bad[] = {
                { "AZURE_STORAGE_CONNECTION_STRING", "hunter2", "not NAME=VALUE" },
                { "AZURE_STORAGE_KEY", "hunter2", "base64" },
                { "AZURE_STORAGE_SAS_TOKEN", "hunter2", "sig=" },
                { "AZURE_CLIENT_ID", "hunter2/..", "is no id" },
                { "AZURE_POD_IDENTITY_AUTHORITY_HOST", "ftp://hunter2", "http" },
        };

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                struct err err;
                err_init(&err);
                ONLY(bad[idx].name, bad[idx].value);
                CHECK_ERR(azure_creds_new("mine", AZURE_RESOURCE_STORAGE, &err) == NULL, err,
                    ERR_CREDENTIALS, bad[idx].why);
                CHECK(strstr(err.msg, bad[idx].name) != NULL);
                CHECK(strstr(err.msg, "hunter2") == NULL);
        }
        struct err err;
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_CLIENT_SECRET", "s",
            "AZURE_AUTHORITY_HOST", "http://login.example.com");
        CHECK_ERR(azure_creds_new("mine", AZURE_RESOURCE_STORAGE, &err) == NULL, err,
            ERR_CREDENTIALS, "AZURE_AUTHORITY_HOST is not https");
}

/* Identities. */

TEST(an_application_shows_its_secret_in_the_body_only)
{
        start_server(
            "expect POST /" TENANT "/oauth2/v2.0/token\n"
            "expect-header Content-Type: application/x-www-form-urlencoded\n"
            "expect-body grant_type=client_credentials&client_id=" CLIENT
            "&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_secret=a%2Bb%26c\n"
            "answer 200 application/json "
            "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"tok-1\"}\n");
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_CLIENT_SECRET", "a+b&c",
            "AZURE_AUTHORITY_HOST", at_server("/"), "AZURE_FEDERATED_TOKEN_FILE", "/nowhere");
        struct azure_creds *creds = found("mine");
        CHECK_STR(azure_creds_source(creds), "AZURE_CLIENT_SECRET");
        check_token(creds, "tok-1");
        check_token(creds, "tok-1");
        azure_creds_free(creds);
        server_is_content();
}

static void
write_token(const char *text)
{
        FILE *file = fopen(test_path("token"), "we");

        CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

TEST(the_token_file_is_read_at_each_refresh)
{
#define WORKLOAD_FORM(token)                                                                       \
        "expect POST /" TENANT "/oauth2/v2.0/token\n"                                              \
        "expect-body grant_type=client_credentials&client_id=" CLIENT                              \
        "&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&client_assertion_type="              \
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=" token \
        "\n"
        start_server(WORKLOAD_FORM(
            "first") "answer 200 application/json "
                     "{\"expires_in\":\"20\",\"access_token\":\"tok-1\"}\n" WORKLOAD_FORM(
                         "second") "answer 200 application/json "
                                   "{\"expires_in\":3600,\"access_token\":\"tok-2\"}\n");
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_FEDERATED_TOKEN_FILE",
            test_path("token"), "AZURE_AUTHORITY_HOST", at_server(""));
        struct err err;
        struct azure_identity identity = { 0 };
        struct azure_token token = { 0 };
        struct buf looked;

        err_init(&err);
        buf_init(&looked, 4096);
        CHECK_OK(azure_identity_find(&identity, &looked, &err), err);
        CHECK_INT(identity.kind, AZURE_WORKLOAD);
        write_token("first\n");
        CHECK_OK(
            azure_identity_token(&identity, AZURE_RESOURCE_MANAGEMENT, &token, NULL, &err), err);
        CHECK_STR(secret_bytes(token.secret, NULL), "tok-1");
        CHECK(token.expires_ms > time_now_ms() && token.expires_ms <= time_now_ms() + 20000);
        azure_token_clear(&token);
        write_token("second");
        CHECK_OK(
            azure_identity_token(&identity, AZURE_RESOURCE_MANAGEMENT, &token, NULL, &err), err);
        CHECK_STR(secret_bytes(token.secret, NULL), "tok-2");
        azure_token_clear(&token);

        write_token(" \n");
        CHECK_ERR(
            azure_identity_token(&identity, AZURE_RESOURCE_MANAGEMENT, &token, NULL, &err) < 0, err,
            ERR_CREDENTIALS, "token\" is empty");
        CHECK(unlink(test_path("token")) == 0);
        CHECK_ERR(
            azure_identity_token(&identity, AZURE_RESOURCE_MANAGEMENT, &token, NULL, &err) < 0, err,
            ERR_CREDENTIALS, "token file unreadable");
        CHECK(strstr(err.msg, "the workload identity \"" CLIENT "\"") != NULL);
        azure_identity_clear(&identity);
        buf_free(&looked);
        server_is_content();
}

TEST(the_machine_is_asked_without_a_proxy)
{
        start_server("expect GET /metadata/identity/oauth2/token?api-version=2018-02-01"
                     "&resource=https%3A%2F%2Fstorage.azure.com&client_id=" CLIENT "\n"
                     "expect-header Metadata: true\n"
                     "answer 200 application/json {\"access_token\":\"tok-1\","
                     "\"expires_in\":\"86399\",\"expires_on\":\"1\"}\n");
        ONLY("AZURE_POD_IDENTITY_AUTHORITY_HOST", at_server("/"), "AZURE_CLIENT_ID", CLIENT,
            "http_proxy", "http://127.0.0.1:1");
        struct azure_creds *creds = found("mine");
        check_token(creds, "tok-1");
        azure_creds_free(creds);
        server_is_content();
}

TEST(app_service_wants_its_header)
{
        char answer[512];

        snprintf(answer, sizeof(answer),
            "expect GET /msi/token?api-version=2019-08-01&resource=https%%3A%%2F%%2Fstorage."
            "azure.com\nexpect-header X-IDENTITY-HEADER: proof\n"
            "answer 200 application/json {\"access_token\":\"tok-1\",\"expires_on\":%lld}\n",
            (long long)time_now_ms() / 1000 + 3600);
        start_server(answer);
        ONLY("IDENTITY_ENDPOINT", at_server("/msi/token"), "IDENTITY_HEADER", "proof");
        struct azure_creds *creds = found("mine");
        CHECK_STR(azure_creds_source(creds), "IDENTITY_ENDPOINT");
        check_token(creds, "tok-1");
        azure_creds_free(creds);
        server_is_content();
}

/* Failures. */

TEST(without_any_credentials_it_says_where_it_looked)
{
        server_port = free_port();
        ONLY("AZURE_POD_IDENTITY_AUTHORITY_HOST", at_server(""), "AZURE_FEDERATED_TOKEN_FILE",
            "/nowhere", "AZURE_STORAGE_KEY", KEY_TEXT, "AZURE_STORAGE_ACCOUNT", "other");
        struct azure_creds *creds = found("mine");
        struct err err = failure(creds);
        CHECK_ERR(true, err, ERR_CREDENTIALS,
            "no credentials: looked in AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY (of "
            "another AZURE_STORAGE_ACCOUNT), AZURE_STORAGE_SAS_TOKEN, AZURE_FEDERATED_TOKEN_FILE "
            "(without AZURE_CLIENT_ID), IDENTITY_ENDPOINT and asked the machine");
        CHECK(strstr(err.hint, "AZURE_STORAGE_KEY") != NULL && !err.retryable);
        azure_creds_free(creds);
}

/* One answer of the token endpoint, and what becomes of it. */
static struct err
refused(const char *answer)
{
        char script[2048];

        snprintf(script, sizeof(script), "expect POST /" TENANT "/oauth2/v2.0/token\nanswer %s\n",
            answer);
        start_server(script);
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_CLIENT_SECRET", "hunter2",
            "AZURE_AUTHORITY_HOST", at_server(""));
        struct azure_creds *creds = found("mine");
        struct err err = failure(creds);
        azure_creds_free(creds);
        server_is_content();
        return err;
}

TEST(what_the_endpoint_says_is_told_in_one_line_and_redacted)
{
        struct err err =
            refused("401 application/json {\"error\":\"invalid_client\",\"error_description\":"
                    "\"AADSTS7000215: Invalid client secret hunter2 provided.\\r\\nTrace ID: "
                    "1\",\"error_codes\":[7000215]}");
        CHECK_ERR(true, err, ERR_CREDENTIALS,
            "cannot get a token of the application \"" CLIENT "\": AADSTS7000215: Invalid client "
            "secret ******* provided (status 401)");
        CHECK(strstr(err.msg, "Trace") == NULL && strstr(err.hint, "AZURE_CLIENT_SECRET") != NULL);
        CHECK_INT(err.http, 401);

        err =
            refused("401 application/json {\"error\":\"invalid_client\",\"error_description\":"
                    "\"AADSTS7000222: The provided client secret keys are expired. Trace ID: x\"}");
        CHECK_ERR(true, err, ERR_CREDENTIALS, "expired: AADSTS7000222");
        CHECK(strstr(err.hint, "make a new one") != NULL);

        err = refused("400 text/html <html>hunter2</html>");
        CHECK_ERR(true, err, ERR_CREDENTIALS, "it answered with status 400");

        err = refused("200 application/json {\"access_token\":\"hunter3\"}");
        CHECK_ERR(true, err, ERR_INVALID, "until when its token is good");
        CHECK(strstr(err.msg, "hunter3") == NULL);
        err = refused("200 application/json {\"access_token\":\"hunter3\"");
        CHECK_ERR(true, err, ERR_INVALID, "no JSON");
        err = refused("200 application/json {\"expires_in\":3600}");
        CHECK_ERR(true, err, ERR_INVALID, "no access_token");
        err = refused("200 application/json {\"expires_in\":-5,\"access_token\":\"hunter3\"}");
        CHECK_ERR(true, err, ERR_INVALID, "until when its token is good");
        err = refused("200 application/json {\"expires_in\":1,\"access_token\":\"hunter3\"}");
        CHECK_ERR(true, err, ERR_CREDENTIALS, "has expired already");
}

TEST(passing_failures_are_tried_again)
{
        static const struct {
                enum azure_identity_kind kind;
                const char *script;
        } cases[] = {
                { AZURE_CLIENT_SECRET, "expect POST /t/oauth2/v2.0/token\nanswer 503 text/plain x\n"
                                       "expect POST /t/oauth2/v2.0/token\nanswer 429 text/plain x\n"
                                       "expect POST /t/oauth2/v2.0/token\nreset\n"
                                       "expect POST /t/oauth2/v2.0/token\n" },
                { AZURE_MACHINE, "expect GET /metadata/*\nanswer 404 text/plain updating\n"
                                 "expect GET /metadata/*\nanswer 410 text/plain x\n"
                                 "expect GET /metadata/*\nanswer 500 text/plain x\n"
                                 "expect GET /metadata/*\n" },
        };
        char script[1024], client[] = "c", tenant[] = "t";

        for (size_t idx = 0; idx < 2; idx++) {
                struct azure_token token = { 0 };
                struct err err;
                err_init(&err);
                snprintf(script, sizeof(script),
                    "%sanswer 200 application/json {\"expires_in\":60,\"access_token\":\"tok\"}\n",
                    cases[idx].script);
                start_server(script);
                char endpoint[64];
                snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", server_port);
                struct azure_identity identity = { .kind = cases[idx].kind,
                        .endpoint = endpoint,
                        .tenant = tenant,
                        .client = client,
                        .proof = secret_new("proof", 5, &err),
                        .attempts = 4,
                        .pause_ms = 1 };
                CHECK_OK(azure_identity_token(&identity, "r", &token, NULL, &err), err);
                azure_token_clear(&token);
                secret_unref(identity.proof);
                server_is_content();
        }
}

TEST(an_old_token_is_kept_while_no_new_one_can_be_had)
{
        /* Good for a minute: a new one is asked for, once, and refused. */
        start_server(
            "expect POST /" TENANT "/oauth2/v2.0/token\n"
            "answer 200 application/json {\"expires_in\":60,\"access_token\":\"tok-1\"}\n");
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_CLIENT_SECRET", "s",
            "AZURE_AUTHORITY_HOST", at_server(""));
        struct azure_creds *creds = found("mine");
        check_token(creds, "tok-1");
        server_is_content();
        /* Nobody listens any more. */
        check_token(creds, "tok-1");
        CHECK(azure_creds_refused(creds));
        check_token(creds, "tok-1");
        azure_creds_free(creds);
}

static void *
ask(void *arg)
{
        check_token(arg, "tok-1");
        return NULL;
}

TEST(one_thread_asks_for_all)
{
        pthread_t threads[4];
        struct err err;

        start_server(
            "expect POST /" TENANT "/oauth2/v2.0/token\nstall 0.2\n"
            "answer 200 application/json {\"expires_in\":3600,\"access_token\":\"tok-1\"}\n");
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_CLIENT_SECRET", "s",
            "AZURE_AUTHORITY_HOST", at_server(""));
        struct azure_creds *creds = found("mine");
        err_init(&err);
        for (int idx = 0; idx < 4; idx++)
                CHECK_OK(thread_start(&threads[idx], "asker", ask, creds, &err), err);
        for (int idx = 0; idx < 4; idx++)
                thread_join(threads[idx]);
        azure_creds_free(creds);
        server_is_content();
}

TEST(who_waits_can_be_cancelled)
{
        struct err err;

        err_init(&err);
        start_server("expect POST /" TENANT "/oauth2/v2.0/token\nstall 30\n");
        ONLY("AZURE_CLIENT_ID", CLIENT, "AZURE_TENANT_ID", TENANT, "AZURE_CLIENT_SECRET", "s",
            "AZURE_AUTHORITY_HOST", at_server(""));
        struct azure_creds *creds = found("mine");
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        cancel_trigger(token);
        CHECK_ERR(azure_creds_get(creds, token, &err) == NULL, err, ERR_CANCELLED, "");
        cancel_unref(token);
        azure_creds_free(creds);
        end_server();
}

static int
make_and_get(void *arg, struct err *err)
{
        struct azure_creds *creds = azure_creds_new(arg, AZURE_RESOURCE_STORAGE, err);

        if (creds == NULL)
                return -1;
        struct secret *key = azure_creds_get(creds, NULL, err);
        azure_creds_free(creds);
        secret_unref(key);
        return key != NULL ? 0 : -1;
}

TEST(survives_the_failure_of_each_allocation)
{
        static char account[] = "mine";

        ONLY("AZURE_STORAGE_KEY", KEY_TEXT);
        test_each_allocation(make_and_get, account);
        ONLY("AZURE_STORAGE_CONNECTION_STRING", "AccountName=mine;AccountKey=" KEY_TEXT);
        test_each_allocation(make_and_get, account);
        ONLY("AZURE_STORAGE_SAS_TOKEN", "sig=abcd");
        test_each_allocation(make_and_get, account);
}
