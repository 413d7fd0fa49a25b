#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "moonkeep/mem.h"
#include "moonkeep/url.h"

static struct url
parse(const char *text)
{
        struct url url;
        struct err err;

        err_init(&err);
        CHECK_OK(url_parse(text, &url, &err), err);
        return url;
}

/* "scheme|user|password?|host|port|path|query" */
static void
is(const char *text, const char *want)
{
        struct url url = parse(text);
        char got[2048];

        snprintf(got, sizeof(got), "%s|%s|%s|%s|%d|%s|%s", url.scheme,
            url.user != NULL ? url.user : "-", url.has_password ? "yes" : "no", url.host, url.port,
            url.path, url.query != NULL ? url.query : "-");
        CHECK_STR(got, want);
        url_clear(&url);
        CHECK(url.scheme == NULL && url.path == NULL);
}

TEST(a_url_is_split_into_its_parts)
{
        is("http://localhost:9090/api/v1?a=b&c", "http|-|no|localhost|9090|/api/v1|a=b&c");
        is("HTTPS://Example.ORG", "https|-|no|example.org|0||-");
        is("https://h/?", "https|-|no|h|0|/|");
        is("http://h:/x", "http|-|no|h|0|/x|-");
        is("http://h:65535/x", "http|-|no|h|65535|/x|-");
        is("http://[2001:DB8::1]:8080/x", "http|-|no|2001:db8::1|8080|/x|-");
        is("http://[::1]", "http|-|no|::1|0||-");
        is("s3://bucket/a/b%20c", "s3|-|no|bucket|0|/a/b c|-");
        is("sftp://me@host:22/~/x", "sftp|me|no|host|22|/~/x|-");
        is("pod://ns/sts/web?container=c&selector=a=b",
            "pod|-|no|ns|0|/sts/web|container=c&selector=a=b");
        is("pod://ns?selector=app%3Dx", "pod|-|no|ns|0||selector=app%3Dx");
        is("local:", "local|-|no||0||-");
        is("file:/a/b", "file|-|no||0|/a/b|-");
        is("file:///a//b/../c", "file|-|no||0|/a//b/../c|-");
        is("x+y-1.z:a:b@c", "x+y-1.z|-|no||0|a:b@c|-");
        is("http://h/a@b:c", "http|-|no|h|0|/a@b:c|-");
        is("http://h/\xc3\xa9", "http|-|no|h|0|/\xc3\xa9|-");
}

TEST(the_password_is_noticed_and_never_kept)
{
        is("http://me:hunter2@h/x", "http|me|yes|h|0|/x|-");
        is("http://me:@h/x", "http|me|yes|h|0|/x|-");
        is("http://:hunter2@h/x", "http||yes|h|0|/x|-");
        is("http://m%40e@h", "http|m@e|no|h|0||-");
        is("http://me:hun@ter2@h:1/x", "http|me|yes|h|1|/x|-");
}

TEST(what_is_no_url_is_refused_without_showing_it)
{
        static const char *const bad[] = { "", "hunter2", "/hunter2", "://hunter2", "1x:hunter2",
                "-x:hunter2", "hunter2/x:y", "http://me:hunter2@h:port/", "http://h:0/hunter2",
                "http://h:65536/hunter2", "http://h:-1/", "http://h:+1/", "http://h:000080/",
                "http://h:1:2/hunter2", "http://[::1/hunter2", "http://[::1]x/hunter2",
                "http://[hunter2]/", "http://[]/", "http://h\\hunter2/", "http://h%41/hunter2",
                "http://hunter2 x/", "http://h/hunter2 x", "http://h/hunter2\nx", "http://h/\x7f",
                "http://h/hunter2#x", "http://h/hunter2%0", "http://h/hunter2%zz",
                "http://h/hunter2%00", "http://%00@h/hunter2", "http://:1/hunter2",
                "http://h\xc3\xa9/hunter2" };

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                struct url url = { .port = 77 };
                struct err err;
                err_init(&err);
                if (url_parse(bad[idx], &url, &err) == 0)
                        fprintf(stderr, "  accepted: %s\n", bad[idx]);
                else
                        err.http = 1;
                CHECK_ERR(err.http == 1, err, ERR_INVALID, NULL);
                CHECK(strstr(err.msg, "hunter2") == NULL);
                CHECK_INT(url.port, 77);
        }
}

TEST(the_length_has_a_bound)
{
        struct url url;
        struct err err;
        char *text = malloc(URL_MAX + 2);

        CHECK(text != NULL);
        memset(text, 'a', URL_MAX + 1);
        text[URL_MAX + 1] = '\0';
        memcpy(text, "x:", 2);
        err_init(&err);
        CHECK_ERR(url_parse(text, &url, &err) < 0, err, ERR_INVALID, "longer than 8192 bytes");
        text[URL_MAX] = '\0';
        CHECK_OK(url_parse(text, &url, &err), err);
        CHECK_INT(strlen(url.path), URL_MAX - 2);
        url_clear(&url);
        free(text);
}

static void
param_is(const struct url *url, const char *name, const char *want)
{
        struct err err;

        err_init(&err);
        char *got = url_param(url, name, &err);
        if (want == NULL) {
                CHECK(got == NULL && err.code == ERR_NONE);
                return;
        }
        CHECK_PTR(got, err);
        CHECK_STR(got, want);
        mem_free(got);
}

TEST(parameters_are_found_and_decoded)
{
        struct url url = parse("x:?a=1&b=%26%3D+x&c&=e&%61b=2&a=3&d=&s=k=v");
        struct err err;

        param_is(&url, "a", "1");
        param_is(&url, "b", "&=+x");
        param_is(&url, "c", "");
        param_is(&url, "", "e");
        param_is(&url, "ab", "2");
        param_is(&url, "d", "");
        param_is(&url, "s", "k=v");
        param_is(&url, "z", NULL);
        url_clear(&url);

        url = parse("x:");
        param_is(&url, "a", NULL);
        url_clear(&url);

        url = parse("x:?a=%0&b=1");
        err_init(&err);
        CHECK_ERR(url_param(&url, "a", &err) == NULL, err, ERR_INVALID, "escape");
        url_clear(&url);
}

static int
use_url(void *arg, struct err *err)
{
        struct url url;

        if (url_parse(arg, &url, err) < 0)
                return -1;
        char *value = url_param(&url, "b", err);
        int rc = value != NULL ? 0 : -1;
        mem_free(value);
        url_clear(&url);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        static char text[] = "http://me@host:1/path%20x?a=1&b=2";

        test_each_allocation(use_url, text);
}
