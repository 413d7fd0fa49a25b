/*
 * What the tests of the S3 driver share: stores at the scripted server
 * (harness/http_test.h) and at real ones (harness/stores.h).
 */
#ifndef TESTS_HARNESS_S3_TEST_H
#define TESTS_HARNESS_S3_TEST_H

#include "harness/http_test.h"

#include "../../src/store/s3.h"
#include "harness/store_suite.h"
#include "harness/stores.h"
#include "moonkeep/time.h"

#define S3_TEST_ID "AKIDEXAMPLE"
#define S3_TEST_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/* Only what the test says: nothing of who runs it, no metadata service. */
static inline void
s3_credentials(const char *id, const char *secret)
{
        static const char *const others[] = { "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION",
                "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL",
                "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "AWS_ROLE_ARN",
                "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "http_proxy", "https_proxy",
                "HTTPS_PROXY" };

        for (size_t idx = 0; idx < sizeof(others) / sizeof(others[0]); idx++)
                unsetenv(others[idx]);
        setenv("HOME", test_dir(), 1);
        setenv("AWS_CONFIG_FILE", test_path("no-config"), 1);
        setenv("AWS_SHARED_CREDENTIALS_FILE", test_path("no-credentials"), 1);
        setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
        setenv("AWS_ACCESS_KEY_ID", id, 1);
        setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
}

/* The store of that URL, undivided, that does not wait long before it tries again. */
static inline struct s3_store *
s3_store_of(const char *url)
{
        struct url parsed;
        struct err err;

        err_init(&err);
        CHECK_OK(url_parse(url, &parsed, &err), err);
        struct store *store = s3_open(&parsed, &err);
        url_clear(&parsed);
        CHECK_PTR(store, err);
        struct s3_store *it = s3_of((struct object_store *)store);
        it->object.patience.pause_ms = 1;
        it->object.patience.pause_max_ms = 5;
        return it;
}

/* s3://bucket/p at the scripted server, with more options ("&sse=AES256"). */
static inline struct s3_store *
s3_scripted(const char *options)
{
        char url[2048];

        s3_credentials(S3_TEST_ID, S3_TEST_SECRET);
        snprintf(url, sizeof(url), "s3://bucket/p?endpoint=http://127.0.0.1:%d&stall=10%s",
            server_port, options);
        return s3_store_of(url);
}

/* At a real server (harness/stores.h): undivided, and with small parts if wanted. */
static inline struct s3_store *
s3_real(const struct test_store *server, const char *options)
{
        return s3_store_of(test_store_url(server, NULL, "some/prefix", options));
}

#endif
