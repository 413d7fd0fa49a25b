#include "harness/test.h"
#include "moonkeep/time.h"

static const int64_t moment = INT64_C(1795226400123);

static void
check_parse(const char *text, int64_t want)
{
        struct err err;
        int64_t got;

        CHECK_OK(time_parse(text, &got, &err), err);
        CHECK_INT(got, want);
}

static void
check_no_time(const char *text)
{
        struct err err;
        int64_t got = 77;

        CHECK_ERR(time_parse(text, &got, &err) < 0, err, ERR_INVALID, "is no time");
        CHECK_INT(got, 77);
}

TEST(formats_both_forms)
{
        char compact[TIME_COMPACT_SIZE], iso[TIME_ISO_SIZE];

        time_compact(moment, compact);
        time_iso(moment, iso);
        CHECK_STR(compact, "20261121T020000Z");
        CHECK_STR(iso, "2026-11-21T02:00:00.123Z");
        time_iso(0, iso);
        CHECK_STR(iso, "1970-01-01T00:00:00.000Z");
        time_iso(-1, iso);
        CHECK_STR(iso, "1969-12-31T23:59:59.999Z");
        time_iso(INT64_C(951782400000), iso);
        CHECK_STR(iso, "2000-02-29T00:00:00.000Z");
}

TEST(times_out_of_range_are_clamped)
{
        char iso[TIME_ISO_SIZE];

        time_iso(INT64_MAX, iso);
        CHECK_STR(iso, "9999-12-31T23:59:59.999Z");
        time_iso(INT64_MIN, iso);
        CHECK_STR(iso, "0000-01-01T00:00:00.000Z");
}

TEST(parses_both_forms_fractions_and_offsets)
{
        check_parse("20261121T020000Z", moment - 123);
        check_parse("2026-11-21T02:00:00Z", moment - 123);
        check_parse("2026-11-21T02:00:00.123Z", moment);
        check_parse("2026-11-21T02:00:00.1239999999Z", moment);
        check_parse("2026-11-21T02:00:00.1Z", moment - 23);
        check_parse("2026-11-21T03:30:00.123+01:30", moment);
        check_parse("2026-11-20T21:00:00.123-05:00", moment);
        check_parse("2024-02-29T00:00:00Z", INT64_C(1709164800000));
        check_parse("1969-12-31T23:59:59.999Z", -1);
        check_parse("0000-01-01T00:00:00.000Z", -INT64_C(62167219200000));
        check_parse("9999-12-31T23:59:59.999Z", INT64_C(253402300799999));
}

TEST(refuses_what_is_no_time)
{
        static const char *const texts[] = { "", "x", "2026", "20261121T020000", "20261121T0200Z",
                "2026-11-21", "2026-11-21T02:00Z", "2026-11-21 02:00:00Z", "2026-11-21T02:00:00",
                "2026-11-21T02:00:00.Z", "2026-11-21T02:00:00Zx", "2026-11-21T02:00:00+0100",
                "2026-11-21T02:00:00+25:00", "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
                "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
                "2026-11-21T24:00:00Z", "2026-11-21T02:60:00Z", "2026-11-21T02:00:60Z",
                "-026-11-21T02:00:00Z", "2026-1121T020000Z", "20261121T02:00:00Z",
                "20261121T020000.5Z" };

        for (size_t idx = 0; idx < sizeof(texts) / sizeof(texts[0]); idx++)
                check_no_time(texts[idx]);
}

TEST(what_was_formatted_is_parsed)
{
        for (int64_t at = -INT64_C(62167219200000); at < INT64_C(253402300799999);
             at += INT64_C(98765432109)) {
                char iso[TIME_ISO_SIZE], compact[TIME_COMPACT_SIZE];
                time_iso(at, iso);
                check_parse(iso, at);
                time_compact(at, compact);
                int64_t ms = at % 1000;
                check_parse(compact, at - (ms < 0 ? ms + 1000 : ms));
        }
}

TEST(clocks_move_forward)
{
        int64_t before = time_mono_ms();

        CHECK(time_now_ms() > INT64_C(1600000000000));
        CHECK(time_mono_ms() >= before);
}

TEST(knows_the_dates_of_http)
{
        static const char *const bad[] = { "", "Sat, 21 Nov 2026 02:00:00", "21 Nov 2026",
                "Sat, 31 Nov 2026 02:00:00 GMT", "Sat, 21 Nov 2026 24:00:00 GMT",
                "Xyz, 21 Nov 2026 02:00:00 GMT", "Sat, 21 Xyz 2026 02:00:00 GMT",
                "Sat, 21 Nov 2026 02:00:00 GMT ", "Saturday, 21-Nov-26 02:00:00 GMT" };
        char text[TIME_HTTP_SIZE];
        struct err err;
        int64_t got = 77;

        time_http(moment, text);
        CHECK_STR(text, "Sat, 21 Nov 2026 02:00:00 GMT");
        time_http(-1, text);
        CHECK_STR(text, "Wed, 31 Dec 1969 23:59:59 GMT");
        time_http(INT64_MAX, text);
        CHECK_STR(text, "Fri, 31 Dec 9999 23:59:59 GMT");
        time_http(INT64_MIN, text);
        CHECK(strstr(text, " Jan 0000 00:00:00 GMT") != NULL);
        for (size_t idx = 0; idx < sizeof(bad) / sizeof(bad[0]); idx++)
                CHECK_ERR(
                    time_http_parse(bad[idx], &got, &err) < 0, err, ERR_INVALID, "is no time");
        CHECK_INT(got, 77);
        CHECK_OK(time_http_parse("Sat, 21 Nov 2026 02:00:00 GMT", &got, &err), err);
        CHECK_INT(got, moment - 123);
        CHECK_OK(time_http_parse("Thu, 29 Feb 2024 23:59:59 GMT", &got, &err), err);
        CHECK_INT(got, INT64_C(1709251199000));
}
