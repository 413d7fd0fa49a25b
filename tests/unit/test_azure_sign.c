#include "harness/test.h"

#include "../../src/store/azure_sign.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
check_text(const struct azure_signed *what, const char *want)
{
        struct buf out;
        struct err err;

        err_init(&err);
        buf_init(&out, AZURE_SIGNED_MAX);
        CHECK_OK(azure_string_to_sign(what, &out, &err), err);
        CHECK_STR(out.data, want);
        buf_free(&out);
}

/* The examples of "Authorize with Shared Key". */

TEST(a_container_with_parameters)
{
        static const struct store_pair query[] = { { "restype", "container", NULL },
                { "timeout", "20", NULL }, { "comp", "metadata", NULL } };
        static const struct store_pair headers[] = {
                { "x-ms-version", "2015-02-21", NULL },
                { "x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT", NULL },
        };
        struct azure_signed what = { .method = "GET",
                .account = "myaccount",
                .path = "/mycontainer",
                .query = query,
                .query_count = COUNT(query),
                .headers = headers,
                .header_count = COUNT(headers) };

        check_text(&what, "GET\n\n\n\n\n\n\n\n\n\n\n\n"
                          "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
                          "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20");
}

TEST(several_values_of_one_parameter_are_one_line)
{
        static const struct store_pair query[] = {
                { "restype", "container", NULL },
                { "include", "snapshots", NULL },
                { "comp", "list", NULL },
                { "include", "uncommittedblobs", NULL },
                { "Include", "metadata", NULL },
        };
        struct azure_signed what = { .method = "GET",
                .account = "myaccount",
                .path = "/mycontainer",
                .query = query,
                .query_count = COUNT(query) };

        check_text(&what, "GET\n\n\n\n\n\n\n\n\n\n\n\n/myaccount/mycontainer\ncomp:list\n"
                          "include:metadata,snapshots,uncommittedblobs\nrestype:container");
}

TEST(a_blob_that_is_written)
{
        static const struct store_pair headers[] = {
                { "Content-Type", "text/plain; charset=UTF-8", NULL },
                { "X-Ms-Meta-m2", " v2 ", NULL },
                { "x-ms-meta-m1", "v1", NULL },
                { "x-ms-blob-type", "BlockBlob", NULL },
                { "x-ms-date", "Sun, 11 Oct 2009 21:49:13 GMT", NULL },
                { "If-None-Match", "*", NULL },
                { "User-Agent", "none", NULL },
        };
        struct azure_signed what = { .method = "PUT",
                .account = "myaccount",
                .path = "/mycontainer/hello.txt",
                .headers = headers,
                .header_count = COUNT(headers),
                .content_length = 11 };

        check_text(&what, "PUT\n\n\n11\n\ntext/plain; charset=UTF-8\n\n\n\n*\n\n\n"
                          "x-ms-blob-type:BlockBlob\nx-ms-date:Sun, 11 Oct 2009 21:49:13 GMT\n"
                          "x-ms-meta-m1:v1\nx-ms-meta-m2:v2\n/myaccount/mycontainer/hello.txt");
}

TEST(each_standard_header_has_its_line)
{
        static const struct store_pair headers[] = {
                { "range", "bytes=0-9", NULL },
                { "date", "D", NULL },
                { "content-md5", "M", NULL },
                { "content-language", "L", NULL },
                { "content-encoding", "E", NULL },
                { "if-match", "\"a\"", NULL },
                { "if-modified-since", "S", NULL },
                { "if-unmodified-since", "U", NULL },
        };
        struct azure_signed what = { .method = "GET",
                .account = "a",
                .path = "",
                .headers = headers,
                .header_count = COUNT(headers) };

        check_text(&what, "GET\nE\nL\n\nM\n\nD\nS\n\"a\"\n\nU\nbytes=0-9\n/a/");
}

TEST(with_an_emulator_the_account_stands_twice)
{
        static const struct store_pair query[] = { { "prefix", " a b/ ", NULL } };
        struct azure_signed what = { .method = "DELETE",
                .account = "devstoreaccount1",
                .path = "/devstoreaccount1/c/a%20b",
                .query = query,
                .query_count = 1 };

        /* A parameter is signed as it is, white space and all. */
        check_text(&what, "DELETE\n\n\n\n\n\n\n\n\n\n\n\n"
                          "/devstoreaccount1/devstoreaccount1/c/a%20b\nprefix: a b/ ");
}

/* The key of every emulator; the signature was computed with openssl dgst. */
static const char known_key[] =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

static int
sign(void *arg, struct err *err)
{
        static const struct store_pair query[] = { { "restype", "container", NULL },
                { "comp", "list", NULL } };
        static const struct store_pair headers[] = {
                { "x-ms-date", "Sat, 21 Nov 2026 02:00:00 GMT", NULL },
                { "x-ms-version", AZURE_VERSION, NULL },
        };
        struct azure_signed what = { .method = "GET",
                .account = "devstoreaccount1",
                .path = "/devstoreaccount1/backups",
                .query = query,
                .query_count = COUNT(query),
                .headers = headers,
                .header_count = COUNT(headers) };
        struct buf key, out;
        int rc = -1;

        buf_init(&key, 1024);
        buf_init(&out, 1024);
        if (base64_decode(known_key, strlen(known_key), &key, err) < 0)
                goto done;
        struct secret *secret = secret_new(key.data, key.len, err);
        if (secret != NULL && azure_sign(&what, secret, &out, err) == 0) {
                CHECK_STR(out.data, arg);
                rc = 0;
        }
        secret_unref(secret);
done:
        buf_free(&key);
        buf_free(&out);
        return rc;
}

TEST(a_signature_is_the_one_that_others_compute)
{
        static char want[] = "devstoreaccount1:M+UDLmjeC1XT0/ffRZg5SU+sKFGCaQRwZ3gb1QhhAWk=";

        test_each_allocation(sign, want);
}

TEST(too_many_headers_are_an_error)
{
        static struct store_pair headers[300];
        struct azure_signed what = { .method = "GET",
                .account = "a",
                .path = "/",
                .headers = headers,
                .header_count = COUNT(headers) };
        struct buf out;
        struct err err;

        for (size_t idx = 0; idx < COUNT(headers); idx++)
                headers[idx] = (struct store_pair){ "x-ms-a", "1", NULL };
        err_init(&err);
        buf_init(&out, AZURE_SIGNED_MAX);
        CHECK_ERR(
            azure_string_to_sign(&what, &out, &err) < 0, err, ERR_TOO_BIG, "more than 256 headers");
        buf_free(&out);
}
