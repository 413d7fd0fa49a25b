#include "harness/test.h"

#include "../../src/store/azure_connection.h"
#include "../../src/store/azure_endpoint.h"
#include "moonkeep/mem.h"

/* "secretsecret" and its base64. */
#define KEY_BYTES "secretsecret"
#define KEY_TEXT "c2VjcmV0c2VjcmV0"

#define SAS_TEXT "sv=2021-12-02&sr=c&sp=rl&se=2026-11-21T02%3A00%3A00Z&sig=abc%2Fdef%3D"

static struct azure_connection
parsed(const char *text)
{
        struct azure_connection got = { 0 };
        struct err err;

        err_init(&err);
        CHECK_OK(azure_connection_parse(text, &got, &err), err);
        return got;
}

TEST(an_account_with_its_key)
{
        struct azure_connection got =
            parsed("DefaultEndpointsProtocol=https;AccountName=backups1;AccountKey=" KEY_TEXT
                   ";EndpointSuffix=core.windows.net");

        CHECK_STR(got.account, "backups1");
        CHECK_STR(got.endpoint, "https://backups1.blob.core.windows.net");
        CHECK_STR(secret_bytes(got.key, NULL), KEY_BYTES);
        CHECK(got.sas.query == NULL);
        azure_connection_clear(&got);

        got = parsed("accountname=b;ACCOUNTKEY=" KEY_TEXT ";EndpointSuffix=core.chinacloudapi.cn;");
        CHECK_STR(got.endpoint, "https://b.blob.core.chinacloudapi.cn");
        azure_connection_clear(&got);

        got = parsed(" AccountName=b;\nAccountKey=" KEY_TEXT
                     ";DefaultEndpointsProtocol=http;BlobEndpoint=HTTP://Host:10000/b/;\n");
        CHECK_STR(got.endpoint, "http://host:10000/b");
        azure_connection_clear(&got);
}

TEST(an_endpoint_with_a_signature)
{
        struct azure_connection got =
            parsed("BlobEndpoint=https://backups1.blob.core.windows.net/;"
                   "QueueEndpoint=https://backups1.queue.core.windows.net/;"
                   "SharedAccessSignature=" SAS_TEXT);

        CHECK_STR(got.account, "backups1");
        CHECK_STR(got.endpoint, "https://backups1.blob.core.windows.net");
        CHECK(got.key == NULL);
        CHECK_STR(secret_bytes(got.sas.query, NULL), SAS_TEXT);
        azure_connection_clear(&got);

        got = parsed("BlobEndpoint=http://127.0.0.1:10000/dev;SharedAccessSignature=?" SAS_TEXT);
        CHECK_STR(got.account, "dev");
        CHECK_STR(secret_bytes(got.sas.query, NULL), SAS_TEXT);
        azure_connection_clear(&got);
}

TEST(the_emulator)
{
        struct azure_connection got = parsed("UseDevelopmentStorage=true");

        CHECK_STR(got.account, "devstoreaccount1");
        CHECK_STR(got.endpoint, "http://127.0.0.1:10000/devstoreaccount1");
        CHECK(got.key != NULL);
        azure_connection_clear(&got);
        got = parsed("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite");
        CHECK_STR(got.endpoint, "http://azurite:10000/devstoreaccount1");
        azure_connection_clear(&got);
}

TEST(what_is_no_connection_string_is_told_without_showing_it)
{
        static const struct {
                const char *text;
                const char *why;
        } bad[] = {
                { "", "neither AccountName nor BlobEndpoint" },
                { "hunter2", "not NAME=VALUE" },
                { "AccountName=a", "neither AccountKey nor" },
                { "AccountName=a;UseDevelopmentStorage=false", "neither AccountKey nor" },
                { "AccountKey=" KEY_TEXT, "neither AccountName nor" },
                { "AccountName=a;AccountName=b;AccountKey=" KEY_TEXT, "AccountName twice" },
                { "AccountName=a;AccountKey=hunter2", "base64" },
                { "AccountName=a;AccountKey=", "empty" },
                { "AccountName=a;AccountKey=" KEY_TEXT ";BlobEndpoint=hunter2", "not a URL" },
                { "AccountName=a;AccountKey=" KEY_TEXT ";BlobEndpoint=ftp://hunter2", "http" },
                { "AccountName=a;AccountKey=" KEY_TEXT ";BlobEndpoint=https://u:hunter2@h",
                    "no user, password" },
                { "AccountName=a b;AccountKey=" KEY_TEXT, "not a URL" },
                { "BlobEndpoint=https://localhost;SharedAccessSignature=" SAS_TEXT,
                    "which account" },
                { "BlobEndpoint=https://a.b;SharedAccessSignature=hunter2", "sig=" },
        };

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                struct azure_connection got = { 0 };
                struct err err;
                err_init(&err);
                CHECK_ERR(azure_connection_parse(bad[idx].text, &got, &err) < 0, err, ERR_INVALID,
                    bad[idx].why);
                CHECK(strstr(err.msg, "hunter2") == NULL && strstr(err.msg, KEY_TEXT) == NULL);
                CHECK(got.account == NULL && got.key == NULL && got.endpoint == NULL);
        }
}

/* Signatures. */

TEST(a_signature_says_when_it_expires)
{
        static const struct {
                const char *text;
                long long expires_ms;
        } good[] = {
                { SAS_TEXT, 1795226400000LL },
                { "?sig=a&se=2026-11-21", 1795219200000LL },
                { "se=2026-11-21T02:00Z&sig=a", 1795226400000LL },
                { "sig=a&se=2026-11-21T02%3A00%3A00.1230000Z", 1795226400123LL },
                { "si=policy&sig=a", 0 },
                { "sig=a&se=", 0 },
        };

        for (size_t idx = 0; idx < sizeof(good) / sizeof(good[0]); idx++) {
                struct azure_sas sas = { 0 };
                struct err err;
                err_init(&err);
                CHECK_OK(azure_sas_parse(good[idx].text, &sas, &err), err);
                CHECK_INT(sas.expires_ms, good[idx].expires_ms);
                azure_sas_clear(&sas);
        }
}

TEST(a_signature_is_redacted_in_both_forms)
{
        struct azure_sas sas = { 0 };
        struct err err;
        char text[] = "the signature abc/def= of " SAS_TEXT " and abc%2Fdef%3D";

        err_init(&err);
        CHECK_OK(azure_sas_parse(SAS_TEXT, &sas, &err), err);
        CHECK_STR(secret_bytes(sas.signature, NULL), "abc/def=");
        secret_redact(text, strlen(text));
        CHECK(strstr(text, "abc") == NULL && strstr(text, "def") == NULL);
        azure_sas_clear(&sas);
}

TEST(what_is_no_signature_is_told_without_showing_it)
{
        static const struct {
                const char *text;
                const char *why;
        } bad[] = { { "", "sig=" }, { "?", "sig=" }, { "sv=hunter2", "sig=" },
                { "sv=1&sig=", "sig=" }, { "sig=hunter2&se=soon", "no time" },
                { "sig=hunter2 ", "a character that no query has" },
                { "sig=hunter2\n", "a character that no query has" },
                { "sig=hunter2#", "a character that no query has" },
                { "sig=hunter2%4", "broken % escape" } };
        static char long_one[20000];

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                struct azure_sas sas = { 0 };
                struct err err;
                err_init(&err);
                CHECK_ERR(
                    azure_sas_parse(bad[idx].text, &sas, &err) < 0, err, ERR_INVALID, bad[idx].why);
                CHECK(strstr(err.msg, "hunter2") == NULL && sas.query == NULL);
        }
        struct azure_sas sas = { 0 };
        struct err err;
        memset(long_one, 'a', sizeof(long_one) - 1);
        CHECK_ERR(azure_sas_parse(long_one, &sas, &err) < 0, err, ERR_INVALID, "no longer than");
}

/* Endpoints. */

TEST(secrets_go_over_https_or_stay_here)
{
        CHECK(azure_endpoint_keeps_secrets("https://a.blob.core.windows.net"));
        CHECK(azure_endpoint_keeps_secrets("http://127.0.0.1:10000/a"));
        CHECK(azure_endpoint_keeps_secrets("http://localhost:10000/a"));
        CHECK(azure_endpoint_keeps_secrets("http://[::1]:10000/a"));
        CHECK(!azure_endpoint_keeps_secrets("http://a.blob.core.windows.net"));
        CHECK(!azure_endpoint_keeps_secrets("http://127.0.0.1.example.com"));
        CHECK(!azure_endpoint_keeps_secrets("http://127.example.com"));
        CHECK(!azure_endpoint_keeps_secrets("nothing"));
}

static int
parse_both(void *arg, struct err *err)
{
        struct azure_connection got = { 0 };

        if (azure_connection_parse(arg, &got, err) < 0)
                return -1;
        azure_connection_clear(&got);
        return 0;
}

TEST(survives_the_failure_of_each_allocation)
{
        static char with_sas[] =
            "BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=" SAS_TEXT;
        static char with_key[] = "AccountName=a;AccountKey=" KEY_TEXT;

        test_each_allocation(parse_both, with_sas);
        test_each_allocation(parse_both, with_key);
}
