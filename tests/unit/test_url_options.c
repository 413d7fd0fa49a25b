#include "harness/test.h"

#include "../../src/store/url_options.h"
#include "moonkeep/mem.h"

struct fixture {
        struct url url;
        struct url_option options[5];
        struct err err;
};

static int
parse(struct fixture *it, const char *query)
{
        static const struct url_option list[] = { { "endpoint", NULL }, { "region", NULL },
                { "connections", NULL }, { "class", NULL }, { NULL, NULL } };

        memcpy(it->options, list, sizeof(list));
        err_init(&it->err);
        it->url = (struct url){ .query = (char *)(uintptr_t)query };
        return url_options_parse(it->options, &it->url, &it->err);
}

TEST(options_are_read_and_written_in_one_order)
{
        struct fixture it;
        struct buf out;
        uint64_t number = 4;

        CHECK_OK(
            parse(&it, "connections=16&endpoint=http%3a//127.0.0.1:9000&class=A%20%26b"), it.err);
        CHECK_STR(url_options_get(it.options, "endpoint"), "http://127.0.0.1:9000");
        CHECK_STR(url_options_get(it.options, "class"), "A &b");
        CHECK(url_options_get(it.options, "region") == NULL);
        CHECK_OK(url_options_number(it.options, "connections", 1, 32, &number, &it.err), it.err);
        CHECK_INT(number, 16);
        CHECK_OK(url_options_set(it.options, "region", "eu-west-1", &it.err), it.err);
        buf_init(&out, 1000);
        CHECK_OK(url_options_write(it.options, &out, &it.err), it.err);
        CHECK_STR(out.data,
            "?endpoint=http://127.0.0.1:9000&region=eu-west-1&connections=16&class=A%20%26b");
        buf_free(&out);
        url_options_clear(it.options);

        CHECK_OK(parse(&it, NULL), it.err);
        number = 4;
        CHECK_OK(url_options_number(it.options, "connections", 1, 32, &number, &it.err), it.err);
        CHECK_INT(number, 4);
        CHECK_OK(url_options_write(it.options, &out, &it.err), it.err);
        CHECK_INT(out.len, 0);
        buf_free(&out);
        url_options_clear(it.options);
        CHECK_OK(parse(&it, ""), it.err);
}

TEST(what_is_no_option_is_explained)
{
        static const char *const bad[][2] = {
                { "regoin=x", "unknown option \"regoin\"" },
                { "x=1", "unknown option \"x\"" },
                { "=1", "unknown option \"\"" },
                { "&", "unknown option \"\"" },
                { "secret=hunter2", "unknown option \"secret\"" },
                { "region", "\"region\" of its URL has no value" },
                { "region=", "\"region\" of its URL has no value" },
                { "region=a&region=a", "\"region\" more than once" },
                { "region=a%0ab", "control character" },
                { "region=a%00b", "control character" },
                { "region=%zz", "broken % escape" },
        };
        struct fixture it;

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                CHECK_ERR(parse(&it, bad[idx][0]) < 0, it.err, ERR_USAGE, bad[idx][1]);
                CHECK(strstr(it.err.msg, "hunter2") == NULL);
                url_options_clear(it.options);
        }
        CHECK(parse(&it, "regoin=x") < 0);
        CHECK_STR(it.err.hint, "did you mean \"region\"?");
        CHECK(parse(&it, "sse=x") < 0);
        CHECK_STR(it.err.hint, "there are: endpoint, region, connections, class");
        CHECK(parse(&it, "averyveryveryveryveryveryveryverylongname=x") < 0);
        CHECK_STR(it.err.hint, "there are: endpoint, region, connections, class");
}

TEST(numbers_have_bounds)
{
        static const char *const bad[] = { "0", "33", "-1", "+1", "1x", "99999999999999999999" };
        struct fixture it;
        uint64_t number = 7;

        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++) {
                CHECK_OK(parse(&it, NULL), it.err);
                CHECK_OK(url_options_set(it.options, "connections", bad[idx], &it.err), it.err);
                CHECK_ERR(
                    url_options_number(it.options, "connections", 1, 32, &number, &it.err) < 0,
                    it.err, ERR_USAGE, "\"connections\" of its URL is no number from 1 to 32");
                CHECK_INT(number, 7);
                url_options_clear(it.options);
        }
}

static int
parse_and_write(void *arg, struct err *err)
{
        struct fixture it;
        struct buf out;

        (void)arg;
        buf_init(&out, 1000);
        int rc = parse(&it, "region=a%20b&class=%25");
        if (rc == 0)
                rc = url_options_write(it.options, &out, err);
        else
                *err = it.err;
        buf_free(&out);
        url_options_clear(it.options);
        return rc;
}

TEST(survives_the_failure_of_each_allocation)
{
        test_each_allocation(parse_and_write, NULL);
}
