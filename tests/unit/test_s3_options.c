#include "harness/s3_test.h"

/* The store of that URL; its URL and place are as said. */
static void
check_url(const char *url, const char *want_url, const char *want_place)
{
        struct s3_store *it = s3_store_of(url);

        CHECK_STR(store_url(&it->object.store), want_url);
        CHECK_STR(store_place(&it->object.store), want_place);
        /* It opens the same store. */
        struct s3_store *again = s3_store_of(want_url);
        CHECK_STR(store_url(&again->object.store), want_url);
        store_free(&again->object.store);
        store_free(&it->object.store);
}

TEST(urls_are_normalised)
{
        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        check_url("s3://bucket", "s3://bucket", "s3://bucket");
        check_url("s3://bucket/", "s3://bucket", "s3://bucket");
        check_url("s3://bucket/a/b/", "s3://bucket/a/b", "s3://bucket/a/b");
        check_url(
            "s3://bucket//a%20b/%c3%a9", "s3://bucket/a%20b/%C3%A9", "s3://bucket/a%20b/%C3%A9");
        check_url("s3://bucket/a?connections=8&region=eu-west-1&class=STANDARD_IA",
            "s3://bucket/a?region=eu-west-1&class=STANDARD_IA&connections=8", "s3://bucket/a");
        check_url("s3://bucket/a?region=x&endpoint=https://Host.example:443/",
            "s3://bucket/a?endpoint=https://host.example&region=x",
            "s3://bucket/a?endpoint=https://host.example");
        check_url("s3://bucket?endpoint=http://[::1]:9000",
            "s3://bucket?endpoint=http://[::1]:9000", "s3://bucket?endpoint=http://[::1]:9000");
        check_url("s3://bucket?tags=team=ops,env=a%20b&sse=aws:kms&kms_key=k&retain=30",
            "s3://bucket?sse=aws:kms&kms_key=k&tags=team=ops,env=a%20b&retain=30", "s3://bucket");

        setenv("AWS_ENDPOINT_URL", "https://s3.example", 1);
        check_url("s3://bucket/a", "s3://bucket/a?endpoint=https://s3.example",
            "s3://bucket/a?endpoint=https://s3.example");
}

/* Where a request for that key goes. */
static void
check_address(const char *url, const char *key, const char *want)
{
        struct s3_store *it = s3_store_of(url);
        struct buf base, path;
        struct err err;

        err_init(&err);
        buf_init(&base, 4096);
        buf_init(&path, 4096);
        CHECK_OK(s3_address(it, it->region, key, &base, &path, &err), err);
        CHECK_OK(buf_addstr(&base, path.data, &err), err);
        CHECK_STR(base.data, want);
        buf_free(&base);
        buf_free(&path);
        store_free(&it->object.store);
}

TEST(requests_go_where_the_bucket_is)
{
        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        check_address("s3://bucket", NULL, "https://bucket.s3.us-east-1.amazonaws.com/");
        check_address("s3://bucket?region=eu-west-1", "a/b c",
            "https://bucket.s3.eu-west-1.amazonaws.com/a/b%20c");
        check_address("s3://bucket?region=cn-north-1", "k",
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/k");
        check_address(
            "s3://bucket?addressing=path", "k", "https://s3.us-east-1.amazonaws.com/bucket/k");
        /* A certificate has one level of names only. */
        check_address("s3://my.bucket", "k", "https://s3.us-east-1.amazonaws.com/my.bucket/k");
        check_address(
            "s3://bucket?endpoint=http://127.0.0.1:9000", "k", "http://127.0.0.1:9000/bucket/k");
        check_address(
            "s3://bucket?endpoint=http://127.0.0.1:9000", NULL, "http://127.0.0.1:9000/bucket");
        check_address("s3://bucket?endpoint=http://localhost:9000&addressing=virtual", "a+b",
            "http://bucket.localhost:9000/a%2Bb");
        check_address("s3://bucket?endpoint=https://s3.eu-west-1.amazonaws.com", "k",
            "https://bucket.s3.eu-west-1.amazonaws.com/k");

        setenv("AWS_REGION", "ap-south-1", 1);
        check_address("s3://bucket", NULL, "https://bucket.s3.ap-south-1.amazonaws.com/");
        check_address(
            "s3://bucket?region=eu-west-1", NULL, "https://bucket.s3.eu-west-1.amazonaws.com/");
}

TEST(a_region_stands_in_the_name_of_an_endpoint)
{
        static const char *const hosts[][2] = {
                { "s3.eu-west-1.amazonaws.com", "eu-west-1" },
                { "bucket.s3.eu-west-1.amazonaws.com", "eu-west-1" },
                { "my.s3.bucket.s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1" },
                { "s3-fips.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1" },
                { "bucket.s3-us-west-2.amazonaws.com", "us-west-2" },
                { "s3.cn-north-1.amazonaws.com.cn", "cn-north-1" },
        };
        static const char *const none[] = { "s3.amazonaws.com", "bucket.s3.amazonaws.com",
                "sts.eu-west-1.amazonaws.com", "s3.eu-west-1.example.com",
                "s3.eu-west-1.amazonaws.com.evil.example", "s3.amazonaws.com.evil", "" };
        char region[S3_REGION_MAX + 1];

        for (size_t idx = 0; idx < sizeof(hosts) / sizeof(hosts[0]); idx++) {
                CHECK(s3_endpoint_region(hosts[idx][0], region));
                CHECK_STR(region, hosts[idx][1]);
        }
        for (size_t idx = 0; idx < sizeof(none) / sizeof(none[0]); idx++)
                CHECK(!s3_endpoint_region(none[idx], region));
}

TEST(what_is_no_store_is_explained)
{
        static const struct {
                const char *url;
                enum err_code code;
                const char *text;
        } bad[] = {
                { "s3:", ERR_USAGE, "names no bucket" },
                { "s3://ab", ERR_USAGE, "\"ab\" is no name of a bucket" },
                { "s3://a..b", ERR_USAGE, "\"a..b\" is no name of a bucket" },
                { "s3://-abc", ERR_USAGE, "is no name of a bucket" },
                { "s3://Bucket/a", ERR_USAGE, "the bucket of its URL has capital letters" },
                { "s3://bucket:9000/a", ERR_USAGE, "no user and no port" },
                { "s3://me@bucket/a", ERR_USAGE, "no user and no port" },
                { "s3://bucket/a//b", ERR_USAGE, "has an empty part" },
                { "s3://bucket/../b", ERR_USAGE, "has a \".\" or \"..\" part" },
                { "s3://bucket/a%0ab", ERR_USAGE, "control character" },
                { "s3://bucket?regoin=x", ERR_USAGE, "unknown option \"regoin\"" },
                { "s3://bucket?region=a/b", ERR_USAGE, "no name of a region" },
                { "s3://bucket?endpoint=host:9000", ERR_USAGE, "no \"https://HOST\"" },
                { "s3://bucket?endpoint=ftp://host", ERR_USAGE, "no \"https://HOST\"" },
                { "s3://bucket?endpoint=host", ERR_USAGE, "the endpoint of S3: not a URL" },
                { "s3://bucket?endpoint=https://host/path", ERR_USAGE, "a path or a query" },
                { "s3://bucket?endpoint=https://me:hunter2@host", ERR_USAGE, "user or a password" },
                { "s3://bucket?addressing=dns", ERR_USAGE, "neither path nor virtual" },
                { "s3://bucket?endpoint=http://127.0.0.1&addressing=virtual", ERR_USAGE,
                    "IP address" },
                { "s3://bucket?connections=0", ERR_USAGE, "no number from 1 to 32" },
                { "s3://bucket?attempts=x", ERR_USAGE, "no number from 1 to 100" },
                { "s3://bucket?stall=0", ERR_USAGE, "no number from 1 to 3600" },
                { "s3://bucket?class=a%20b", ERR_USAGE, "no storage class" },
                { "s3://bucket?sse=kms", ERR_USAGE, "\"sse\" of its URL is none of AES256" },
                { "s3://bucket?kms_key=k", ERR_USAGE, "needs sse=aws:kms" },
                { "s3://bucket?sse=AES256&kms_key=k", ERR_USAGE, "needs sse=aws:kms" },
                { "s3://bucket?tags=team", ERR_USAGE, "NAME=VALUE" },
                { "s3://bucket?tags=a=1,,b=2", ERR_USAGE, "NAME=VALUE" },
                { "s3://bucket?tags=a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=", ERR_USAGE, "more than 10" },
                { "s3://bucket?retain=0", ERR_USAGE, "no number from 1 to 36500" },
                { "s3://bucket?retain_mode=governance", ERR_USAGE, "needs retain=DAYS" },
                { "s3://bucket?retain=1&retain_mode=x", ERR_USAGE, "neither governance nor" },
                { "s3://bucket?sse=customer", ERR_KEY, "needs a key" },
                { "s3://bucket?profile=nobody", ERR_CREDENTIALS, "nobody" },
        };
        struct url url;
        struct err err;

        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        unsetenv("MOONKEEP_SSE_CUSTOMER_KEY");
        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                err_init(&err);
                CHECK_OK(url_parse(bad[idx].url, &url, &err), err);
                CHECK_ERR(s3_open(&url, &err) == NULL, err, bad[idx].code, bad[idx].text);
                CHECK(strstr(err.msg, "hunter2") == NULL);
                url_clear(&url);
        }
}

TEST(a_key_of_the_customer_is_32_bytes_and_stays_secret)
{
        static const char key[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        static const char *const bad[] = { "", "MDEy", "0123456789abcdef0123456789abcdef",
                "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" };
        struct url url;
        struct err err;

        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                setenv("MOONKEEP_SSE_CUSTOMER_KEY", bad[idx], 1);
                err_init(&err);
                CHECK_OK(url_parse("s3://bucket?sse=customer", &url, &err), err);
                CHECK_ERR(s3_open(&url, &err) == NULL, err, ERR_KEY, "32 bytes in base64");
                CHECK(bad[idx][0] == '\0' || strstr(err.msg, bad[idx]) == NULL);
                url_clear(&url);
        }
        setenv("MOONKEEP_SSE_CUSTOMER_KEY", key, 1);
        struct s3_store *it = s3_store_of("s3://bucket?sse=customer");
        CHECK_STR(secret_bytes(it->writing.customer_key, NULL), key);
        CHECK_STR(it->writing.customer_key_md5, "hRasmdxgYDKV3nvbahU1MA==");
        CHECK_STR(store_url(&it->object.store), "s3://bucket?sse=customer");
        store_free(&it->object.store);

        CHECK_OK(
            url_parse("s3://bucket?sse=customer&endpoint=http://host.example", &url, &err), err);
        CHECK_ERR(s3_open(&url, &err) == NULL, err, ERR_USAGE, "in clear text");
        url_clear(&url);
        it = s3_store_of("s3://bucket?sse=customer&endpoint=http://127.0.0.1:9000");
        store_free(&it->object.store);
}

TEST(options_are_kept)
{
        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        struct s3_store *it =
            s3_store_of("s3://bucket/a?connections=16&attempts=3&stall=7&retain=2&"
                        "retain_mode=compliance&tags=a%26b=c%20d,e=&ca_file=/x");
        CHECK_INT(it->object.connections, 16);
        CHECK_INT(it->object.patience.attempts, 3);
        CHECK_INT(it->object.patience.stall_ms, 7000);
        CHECK_INT(it->writing.retain_days, 2);
        CHECK_STR(it->writing.retain_mode, "COMPLIANCE");
        CHECK_STR(it->writing.tags, "a%26b=c%20d&e=");
        CHECK_STR(it->object.ca_file, "/x");
        CHECK_STR(it->object.prefix, "a/");
        store_free(&it->object.store);
}

static int
open_and_free(void *arg, struct err *err)
{
        struct url url;

        if (url_parse(arg, &url, err) < 0)
                return -1;
        struct store *store = s3_open(&url, err);
        url_clear(&url);
        store_free(store);
        return store != NULL ? 0 : -1;
}

TEST(survives_the_failure_of_each_allocation)
{
        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        setenv("MOONKEEP_SSE_CUSTOMER_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 1);
        test_each_allocation(open_and_free,
            (char[]){ "s3://bucket/a/b?endpoint=https://host&region=x&tags=a=b,c=d&class=STANDARD&"
                      "sse=customer&ca_file=/x" });
}
