/*
 * Known answers: the "AWS Signature Version 4 Test Suite" (AWS General
 * Reference), those of its cases that no path normalisation is needed for, as S3
 * does none; and the worked examples of the Amazon S3 API Reference,
 * "Signature Calculations for the Authorization Header: Transferring Payload in
 * a Single Chunk".  Keys in them are AWS's examples.
 */
#include "harness/test.h"

#include <stdio.h>

#include "../../src/store/s3_sign.h"
#include "moonkeep/encode.h"

#define HEADERS_MAX 6

struct known {
        const char *name;
        const char *method;
        const char *path;
        struct s3_pair query[3];
        struct s3_pair headers[HEADERS_MAX];
        const char *body;
        const char *signature;
};

static size_t
count_pairs(const struct s3_pair *pairs, size_t max)
{
        size_t count = 0;

        while (count < max && pairs[count].name != NULL)
                count++;
        return count;
}

static void
check(const struct known *known, const char *id, const char *secret, const char *date,
    const char *service, const char *names)
{
        unsigned char key[SHA256_SIZE], digest[SHA256_SIZE];
        char hash[SHA256_HEX_SIZE], want[1024];
        struct buf query, out;
        struct err err;

        err_init(&err);
        buf_init(&query, 1000);
        buf_init(&out, 1000);
        CHECK_OK(s3_query(known->query, count_pairs(known->query, 3), &query, &err), err);
        CHECK_OK(sha256_bytes(known->body, strlen(known->body), digest, &err), err);
        hex_encode(digest, sizeof(digest), hash);
        CHECK_OK(
            s3_signing_key(secret, strlen(secret), date, "us-east-1", service, key, &err), err);
        struct s3_signing signing = { .method = known->method,
                .path = known->path,
                .query = query.data != NULL ? query.data : "",
                .headers = known->headers,
                .header_count = count_pairs(known->headers, HEADERS_MAX),
                .payload_hash = hash,
                .date = date,
                .region = "us-east-1",
                .service = service,
                .key_id = id,
                .key = key };
        CHECK_OK(s3_authorization(&signing, &out, &err), err);
        if (names != NULL) {
                snprintf(want, sizeof(want),
                    "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request, "
                    "SignedHeaders=%s, Signature=%s",
                    id, date, service, names, known->signature);
                CHECK_STR(out.data, want);
        }
        CHECK_STR(strstr(out.data, "Signature=") + 10, known->signature);
        buf_free(&query);
        buf_free(&out);
}

#define HOST                                                                                       \
        {                                                                                          \
                "Host", "example.amazonaws.com"                                                    \
        }
#define DATE                                                                                       \
        {                                                                                          \
                "X-Amz-Date", "20150830T123600Z"                                                   \
        }

TEST(the_test_suite_of_aws_is_signed_as_it_should)
{
        static const struct known suite[] = {
                { "get-vanilla", "GET", "/", { { NULL, NULL } }, { HOST, DATE }, "",
                    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
                { "get-header-key-duplicate", "GET", "/", { { NULL, NULL } },
                    { HOST, { "My-Header1", "value2" }, { "My-Header1", "value2" },
                        { "My-Header1", "value1" }, DATE },
                    "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
                { "get-header-value-order", "GET", "/", { { NULL, NULL } },
                    { HOST, { "My-Header1", "value4" }, { "My-Header1", "value1" },
                        { "My-Header1", "value3" }, { "My-Header1", "value2" }, DATE },
                    "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
                { "get-header-value-trim", "GET", "/", { { NULL, NULL } },
                    { HOST, { "My-Header1", " value1" }, { "My-Header2", " \"a   b   c\"" }, DATE },
                    "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
                { "get-unreserved", "GET",
                    "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                    { { NULL, NULL } }, { HOST, DATE }, "",
                    "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
                { "get-utf8", "GET", "/%E1%88%B4", { { NULL, NULL } }, { HOST, DATE }, "",
                    "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
                { "get-space", "GET", "/example%20space/", { { NULL, NULL } }, { HOST, DATE }, "",
                    "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
                { "get-vanilla-query-order-key-case", "GET", "/",
                    { { "Param2", "value2" }, { "Param1", "value1" } }, { HOST, DATE }, "",
                    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
                { "get-vanilla-utf8-query", "GET", "/", { { "\xe1\x88\xb4", "bar" } },
                    { HOST, DATE }, "",
                    "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
                { "post-vanilla", "POST", "/", { { NULL, NULL } }, { HOST, DATE }, "",
                    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
                { "post-x-www-form-urlencoded", "POST", "/", { { NULL, NULL } },
                    { { "Content-Type", "application/x-www-form-urlencoded" }, HOST, DATE },
                    "Param1=value1",
                    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
        };

        for (size_t idx = 0; idx < sizeof(suite) / sizeof(suite[0]); idx++)
                check(&suite[idx], "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                    "20150830T123600Z", "service", NULL);
}

#undef HOST
#undef DATE
#define HOST                                                                                       \
        {                                                                                          \
                "Host", "examplebucket.s3.amazonaws.com"                                           \
        }
#define DATE                                                                                       \
        {                                                                                          \
                "x-amz-date", "20130524T000000Z"                                                   \
        }
#define HASH                                                                                       \
        {                                                                                          \
                "x-amz-content-sha256", s3_hash_of_nothing                                         \
        }

TEST(the_examples_for_s3_are_signed_as_it_should)
{
        static const struct known get = { "GET object", "GET", "/test.txt", { { NULL, NULL } },
                { HOST, { "Range", "bytes=0-9" }, HASH, DATE }, "",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" };
        static const struct known put = { "PUT object", "PUT", "/test%24file.text",
                { { NULL, NULL } },
                { HOST, { "Date", "Fri, 24 May 2013 00:00:00 GMT" }, DATE,
                    { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
                    { "x-amz-content-sha256",
                        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" } },
                "Welcome to Amazon S3.",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" };
        static const struct known lifecycle = { "GET bucket lifecycle", "GET", "/",
                { { "lifecycle", NULL } }, { HOST, HASH, DATE }, "",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" };
        static const struct known list = { "list objects", "GET", "/",
                { { "prefix", "J" }, { "max-keys", "2" } }, { HOST, HASH, DATE }, "",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" };
        static const char id[] = "AKIAIOSFODNN7EXAMPLE";
        static const char secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        static const char date[] = "20130524T000000Z";

        check(&get, id, secret, date, "s3", "host;range;x-amz-content-sha256;x-amz-date");
        check(&put, id, secret, date, "s3",
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class");
        check(&lifecycle, id, secret, date, "s3", "host;x-amz-content-sha256;x-amz-date");
        check(&list, id, secret, date, "s3", "host;x-amz-content-sha256;x-amz-date");
}

/* AWS General Reference, "Deriving the signing key": its example. */
TEST(the_signing_key_is_derived_as_it_should)
{
        static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        unsigned char key[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        struct err err;

        CHECK_OK(s3_signing_key(
                     secret, strlen(secret), "20150830T123600Z", "us-east-1", "iam", key, &err),
            err);
        hex_encode(key, sizeof(key), hex);
        CHECK_STR(hex, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

TEST(a_query_is_sorted_as_it_is_encoded)
{
        static const struct s3_pair pairs[] = { { "uploads", NULL }, { "a b", "c/d+e" },
                { "ab", "2" }, { "ab", "1" }, { "a", "\xc3\xa9" }, { "a", "" } };
        struct buf out;
        struct err err;

        buf_init(&out, 1000);
        CHECK_OK(s3_query(pairs, sizeof(pairs) / sizeof(pairs[0]), &out, &err), err);
        CHECK_STR(out.data, "a=&a=%C3%A9&a%20b=c%2Fd%2Be&ab=1&ab=2&uploads=");
        buf_free(&out);
        CHECK_OK(s3_query(NULL, 0, &out, &err), err);
        CHECK_INT(out.len, 0);
}

TEST(what_is_too_long_is_refused)
{
        static char value[S3_CANONICAL_MAX + 1];
        struct s3_pair header = { "x-amz-meta-long", value };
        unsigned char key[SHA256_SIZE] = { 0 };
        struct s3_signing signing = { "GET", "/", "", &header, 1, s3_hash_of_nothing,
                "20130524T000000Z", "us-east-1", "s3", "id", key };
        struct buf out;
        struct err err;

        memset(value, 'x', sizeof(value) - 1);
        buf_init(&out, 1000);
        CHECK_ERR(s3_authorization(&signing, &out, &err) < 0, err, ERR_TOO_BIG, "262144");
        buf_free(&out);
}

static int
sign_something(void *arg, struct err *err)
{
        static const struct s3_pair query[] = { { "b", "1" }, { "a", NULL } };
        static const struct s3_pair headers[] = { { "Host", "h" }, { "Range", "bytes=0-9" } };
        unsigned char key[SHA256_SIZE];
        struct buf text, out;
        int rc = -1;

        (void)arg;
        buf_init(&text, 1000);
        buf_init(&out, 1000);
        if (s3_query(query, 2, &text, err) == 0 &&
            s3_signing_key("secret", 6, "20130524T000000Z", "us-east-1", "s3", key, err) == 0) {
                struct s3_signing signing = { "GET", "/", text.data, headers, 2, s3_hash_of_nothing,
                        "20130524T000000Z", "us-east-1", "s3", "id", key };
                rc = s3_authorization(&signing, &out, err);
        }
        buf_free(&text);
        buf_free(&out);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        test_each_allocation(sign_something, NULL);
}
