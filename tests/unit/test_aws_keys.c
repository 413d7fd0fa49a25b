#include <stdio.h>

#include "../../src/store/aws_keys.h"
#include "harness/test.h"

#define JSON                                                                                       \
        "{\"Code\":\"Success\",\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"hidden\","           \
        "\"Token\":\"hiddent\",\"Expiration\":\"2026-11-21T02:00:00Z\"}"

#define STS                                                                                        \
        "<AssumeRoleResponse xmlns=\"urn:x\"><AssumeRoleResult><Credentials>"                      \
        "<AccessKeyId>AKID</AccessKeyId><SecretAccessKey>hidden</SecretAccessKey>"                 \
        "<SessionToken>hiddent</SessionToken><Expiration>2026-11-21T02:00:00Z</Expiration>"        \
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"

static void
check_keys(struct aws_keys *keys)
{
        CHECK_STR(keys->id, "AKID");
        CHECK_STR(secret_bytes(keys->secret, NULL), "hidden");
        CHECK_STR(secret_bytes(keys->token, NULL), "hiddent");
        CHECK_INT(keys->expires_ms, 1795226400000);
        aws_keys_clear(keys);
        CHECK(keys->id == NULL && keys->secret == NULL && keys->token == NULL);
}

TEST(documents_and_their_copies)
{
        struct aws_keys keys, copy;
        struct err err;

        CHECK_OK(aws_keys_from_json(JSON, strlen(JSON), "Token", 0, &keys, &err), err);
        CHECK_OK(aws_keys_copy(&keys, &copy, &err), err);
        check_keys(&keys);
        check_keys(&copy);
        CHECK_OK(aws_keys_from_sts(STS, strlen(STS), "AssumeRole", &keys, &err), err);
        check_keys(&keys);
}

TEST(what_was_said_is_quoted_in_one_line_and_redacted)
{
        struct err err;
        struct secret *secret = secret_new("a-secret-of-some-length", 23, &err);
        char out[AWS_QUOTE_SIZE], text[10000];

        aws_quote(NULL, 0, out);
        CHECK_STR(out, "");
        aws_quote(" \r\n a\tb \x1b[31m\n\nc\x7f ", 17, out);
        CHECK_STR(out, "a b [31m c");
        aws_quote("it is a-secret-of-some-length!", 30, out);
        CHECK_STR(out, "it is ***********************!");
        /* Wherever it is cut off, there is nothing of it. */
        for (size_t at = 370; at < 400; at++) {
                memset(text, 'x', sizeof(text));
                memcpy(text + at, "a-secret-of-some-length", 23);
                aws_quote(text, 1000, out);
                CHECK(strlen(out) == AWS_QUOTE_SIZE - 1 && strstr(out, "a-s") == NULL);
        }
        memset(text, ' ', sizeof(text));
        memcpy(text + 4090, "a-secret-of-some-length", 23);
        aws_quote(text, sizeof(text), out);
        CHECK(strstr(out, "a-s") == NULL);
        secret_unref(secret);
}

static int
read_both(void *arg, struct err *err)
{
        struct aws_keys keys = { 0 }, copy = { 0 };

        (void)arg;
        int rc = aws_keys_from_json(JSON, strlen(JSON), "Token", 0, &keys, err);
        if (rc == 0)
                rc = aws_keys_copy(&keys, &copy, err);
        aws_keys_clear(&keys);
        aws_keys_clear(&copy);
        if (rc == 0)
                rc = aws_keys_from_sts(STS, strlen(STS), "AssumeRole", &keys, err);
        aws_keys_clear(&keys);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(read_both, NULL);
}
