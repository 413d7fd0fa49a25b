#include "harness/object_test.h"

#include <time.h>

#include "../../src/store/object_pool.h"

/* Read what there is into out; -1 and err on failure. */
static ssize_t
read_all(struct source *src, char *out, size_t cap, struct err *err)
{
        size_t len = 0;
        ssize_t got;

        /* An odd size, so that ends of reads and of ranges do not meet. */
        while ((got = source_read(src, out + len, cap - len < 9973 ? cap - len : 9973, err)) > 0)
                len += (size_t)got;
        return got < 0 ? -1 : (ssize_t)len;
}

#define OUT_MAX ((size_t)1024 * 1024)

/* Open and read it; -1 and err on failure of either. */
static ssize_t
fetch_object(uint64_t offset, uint64_t length, char *out, struct err *err)
{
        err_init(err);
        struct source *src = object_source(&object, "k", offset, length, NULL, err);
        if (src == NULL)
                return -1;
        ssize_t got = read_all(src, out, OUT_MAX, err);
        source_free(src);
        return got;
}

static void
is_pattern(uint64_t offset, uint64_t length, size_t want)
{
        char *out = mem_alloc(OUT_MAX, NULL);
        struct err err;

        ssize_t got = fetch_object(offset, length, out, &err);
        CHECK_OK(got < 0, err);
        CHECK_INT(got, want);
        for (size_t at = 0; at < want; at++)
                CHECK(out[at] == pattern((size_t)offset + at));
        mem_free(out);
}

static void
reads(const char *script, uint64_t offset, uint64_t length, size_t want)
{
        open_object_store(script);
        is_pattern(offset, length, want);
        close_object_store();
}

static void
cannot_read(
    const char *script, uint64_t offset, uint64_t length, enum err_code code, const char *text)
{
        char *out = mem_alloc(OUT_MAX, NULL);
        struct err err;

        open_object_store(script);
        CHECK_ERR(fetch_object(offset, length, out, &err) < 0, err, code, text);
        mem_free(out);
        close_object_store();
}

#define ALL UINT64_MAX

/* 200,000 bytes are four ranges. */
#define FIRST "expect GET /p/k\nexpect-header Range: bytes=0-65535\nheader ETag: v1\n"
#define REST                                                                                       \
        "anytime GET /p/k\nwhen-header Range: bytes=65536-131071\nheader ETag: v1\n"               \
        "answer-range 65536-131071/200000\n"                                                       \
        "anytime GET /p/k\nwhen-header Range: bytes=131072-196607\nheader ETag: v1\n"              \
        "answer-range 131072-196607/200000\n"                                                      \
        "anytime GET /p/k\nwhen-header Range: bytes=196608-199999\nheader ETag: v1\n"              \
        "answer-range 196608-199999/200000\n"

TEST(a_small_object_is_one_request)
{
        reads(FIRST "answer-range 0-99/100\n", 0, ALL, 100);
}

TEST(an_object_of_one_part_is_one_request)
{
        reads(FIRST "answer-range 0-65535/65536\n", 0, ALL, 65536);
}

TEST(a_large_object_is_read_in_ranges)
{
        reads(FIRST "answer-range 0-65535/200000\n" REST, 0, ALL, 200000);
}

TEST(ranges_that_come_in_another_order_are_delivered_in_theirs)
{
        reads(FIRST "answer-range 0-65535/200000\n"
                    "anytime GET /p/k\nwhen-header Range: bytes=65536-131071\nheader ETag: v1\n"
                    "stall 0.3\nanswer-range 65536-131071/200000\n"
                    "anytime GET /p/k\nwhen-header Range: bytes=131072-196607\nheader ETag: v1\n"
                    "answer-range 131072-196607/200000\n"
                    "anytime GET /p/k\nwhen-header Range: bytes=196608-199999\nheader ETag: v1\n"
                    "answer-range 196608-199999/200000\n",
            0, ALL, 200000);
}

TEST(a_part_of_an_object_is_read)
{
        reads("expect GET /p/k\nexpect-header Range: bytes=100-149\nanswer-range 100-149/200000\n",
            100, 50, 50);
        reads("expect GET /p/k\nexpect-header Range: bytes=150000-215535\n"
              "answer-range 150000-199999/200000\n",
            150000, ALL, 50000);
        reads("expect GET /p/k\nexpect-header Range: bytes=1000-66535\nheader ETag: v\n"
              "answer-range 1000-66535/200000\n"
              "expect GET /p/k\nexpect-header Range: bytes=66536-70999\nheader ETag: v\n"
              "answer-range 66536-70999/200000\n",
            1000, 70000, 70000);
}

TEST(an_empty_part_is_there)
{
        reads("expect GET /p/k\nexpect-header Range: bytes=3-3\nanswer-range 3-3/10\n", 3, 0, 0);
        reads("expect GET /p/k\nanswer 416 text/plain\n"
              "expect HEAD /p/k\nanswer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: "
              "10\\r\\n\\r\\n\"\n",
            10, 0, 0);
}

TEST(an_empty_object_is_an_empty_stream)
{
        reads(FIRST "answer 416 text/plain\n", 0, ALL, 0);
        reads(FIRST "answer 200 text/plain\n", 0, ALL, 0);
        reads("expect GET /p/k\nexpect-header Range: bytes=0-0\nanswer 416 text/plain\n", 0, 0, 0);
}

TEST(the_end_of_an_object_is_an_empty_stream)
{
        reads("expect GET /p/k\nexpect-header Range: bytes=10-65545\nanswer 416 text/plain\n"
              "expect HEAD /p/k\nanswer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: "
              "10\\r\\n\\r\\n\"\n",
            10, ALL, 0);
}

TEST(what_is_behind_the_end_is_truncated)
{
        cannot_read("expect GET /p/k\nanswer 416 text/plain\n"
                    "expect HEAD /p/k\n"
                    "answer-raw \"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\n\"\n",
            11, ALL, ERR_TRUNCATED, "cannot read \"k\": it has 10 bytes");
        cannot_read("expect GET /p/k\nexpect-header Range: bytes=5-10\nanswer-range 5-9/10\n", 5, 6,
            ERR_TRUNCATED, "it has 10 bytes");
        cannot_read(
            "expect GET /p/k\nanswer 416 text/plain\n", 0, 1, ERR_TRUNCATED, "it has 0 bytes");
        struct err err;
        char byte;
        make_object_store();
        CHECK_ERR(fetch_object(0, UINT64_MAX - 1, &byte, &err) < 0, err, ERR_TRUNCATED,
            "no object is that large");
        object_store_clear(&object);
}

TEST(what_is_not_there_is_found_out_first)
{
        cannot_read("expect GET /p/k\nanswer 404 text/plain\n", 0, ALL, ERR_NOT_FOUND,
            "cannot read \"p/k\": HTTP status 404");
        cannot_read("expect GET /p/k\nanswer 403 text/plain\n", 0, ALL, ERR_PERMISSION, "");
}

/* Servers without ranges. */

TEST(a_server_without_ranges_is_read_as_it_is)
{
        struct err err;
        char out[64];

        open_object_store("expect GET /p/k\nheader ETag: v\nanswer 200 text/plain all of it\n");
        ssize_t got = fetch_object(0, ALL, out, &err);
        CHECK_OK(got < 0, err);
        CHECK(got == 9 && memcmp(out, "all of it", 9) == 0);
        close_object_store();

        open_object_store("expect GET /p/k\nheader ETag: v\nanswer 200 text/plain all of it\n");
        got = fetch_object(0, 3, out, &err);
        CHECK_OK(got < 0, err);
        CHECK(got == 3 && memcmp(out, "all", 3) == 0);
        close_object_store();

        open_object_store(
            "expect GET /p/k\n"
            "answer-raw \"HTTP/1.1 200 OK\\r\\nETag: v\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
            "3\\r\\nall\\r\\n3\\r\\n of\\r\\n0\\r\\n\\r\\n\"\n");
        got = fetch_object(0, ALL, out, &err);
        CHECK_OK(got < 0, err);
        CHECK(got == 6 && memcmp(out, "all of", 6) == 0);
        close_object_store();
}

TEST(an_answer_without_a_length_that_is_too_short_is_told)
{
        cannot_read(
            "expect GET /p/k\n"
            "answer-raw \"HTTP/1.1 200 OK\\r\\nETag: v\\r\\nTransfer-Encoding: chunked\\r\\n"
            "\\r\\n3\\r\\nall\\r\\n0\\r\\n\\r\\n\"\n",
            0, 4, ERR_TRUNCATED, "it has 3 bytes, and 4 are wanted");
}

TEST(an_answer_without_a_version_is_of_no_object)
{
        cannot_read(
            "expect GET /p/k\nanswer 200 text/html welcome\n", 0, ALL, ERR_PROTOCOL, "no ETag");
}

TEST(a_server_without_ranges_is_resumed_from_the_start)
{
        struct err err;
        char out[64];

        open_object_store(
            "expect GET /p/k\n"
            "answer-raw \"HTTP/1.1 200 OK\\r\\nETag: v\\r\\nContent-Length: 9\\r\\n\\r\\nall\"\n"
            "close\n"
            "expect GET /p/k\nexpect-no-header Range\nheader ETag: v\n"
            "answer 200 text/plain all of it\n");
        ssize_t got = fetch_object(0, ALL, out, &err);
        CHECK_OK(got < 0, err);
        CHECK(got == 9 && memcmp(out, "all of it", 9) == 0);
        close_object_store();
}

TEST(a_server_without_ranges_cannot_start_in_the_middle)
{
        cannot_read("expect GET /p/k\nanswer 200 text/plain all of it\n", 1, ALL, ERR_UNSUPPORTED,
            "all of it");
}

/* Breaks. */

TEST(a_range_that_breaks_is_resumed_where_it_broke)
{
        reads(FIRST "answer-range 0-65535/65536 1000\nclose\n"
                    "expect GET /p/k\nexpect-header Range: bytes=1000-65535\nheader ETag: v1\n"
                    "answer-range 1000-65535/65536 40000\nclose\n"
                    "expect GET /p/k\nexpect-header Range: bytes=41000-65535\nheader ETag: v1\n"
                    "answer-range 41000-65535/65536\n",
            0, ALL, 65536);
}

TEST(a_later_range_that_breaks_is_resumed)
{
        reads(FIRST "answer-range 0-65535/131072\n"
                    "expect GET /p/k\nexpect-header Range: bytes=65536-131071\nheader ETag: v1\n"
                    "answer 500 text/plain\n"
                    "expect GET /p/k\nexpect-header Range: bytes=65536-131071\nheader ETag: v1\n"
                    "answer-range 65536-131071/131072 30000\nclose\n"
                    "expect GET /p/k\nexpect-header Range: bytes=95536-131071\nheader ETag: v1\n"
                    "answer-range 95536-131071/131072\n",
            0, ALL, 131072);
}

TEST(a_range_that_stalls_is_resumed)
{
        open_object_store(FIRST "answer-range 0-65535/65536 1000\nwait-close\n"
                                "expect GET /p/k\nexpect-header Range: bytes=1000-65535\n"
                                "header ETag: v1\nanswer-range 1000-65535/65536\n");
        object.patience.stall_ms = 200;
        is_pattern(0, ALL, 65536);
        close_object_store();
}

TEST(an_answer_that_is_shorter_than_its_range_is_completed)
{
        reads(FIRST "answer-range 0-999/65536\n"
                    "expect GET /p/k\nexpect-header Range: bytes=1000-65535\nheader ETag: v1\n"
                    "answer-range 1000-65535/65536\n",
            0, ALL, 65536);
}

TEST(a_server_that_breaks_each_time_gets_an_end)
{
        cannot_read(FIRST
            "answer-range 0-65535/65536 1000\nclose\n"
            "expect GET /p/k\nexpect-header Range: bytes=1000-65535\nheader ETag: v1\n"
            "answer-range 1000-65535/65536 1000\nclose\n"
            "expect GET /p/k\nexpect-header Range: bytes=2000-65535\nheader ETag: v1\n"
            "answer-range 2000-65535/65536 1000\nclose\n",
            0, ALL, ERR_TRUNCATED, "cannot read \"p/k\", tried 3 times");
}

TEST(what_came_before_a_break_is_delivered)
{
        struct err err;
        char *out = mem_alloc(OUT_MAX, NULL);

        err_init(&err);
        open_object_store(FIRST "answer-range 0-65535/131072\n"
                                "expect GET /p/k\nanswer 403 text/plain\n");
        struct source *src = object_source(&object, "k", 0, ALL, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_ERR(read_all(src, out, OUT_MAX, &err) < 0, err, ERR_PERMISSION, "p/k");
        CHECK_INT(source_bytes(src), 65536);
        source_free(src);
        mem_free(out);
        close_object_store();
}

/* Lies. */

TEST(an_object_that_is_replaced_is_noticed)
{
        cannot_read(FIRST "answer-range 0-65535/131072\n"
                          "expect GET /p/k\nheader ETag: v2\nanswer-range 65536-131071/131072\n",
            0, ALL, ERR_IO, "was replaced");
        cannot_read(FIRST "answer-range 0-65535/131072\n"
                          "expect GET /p/k\nheader ETag: v1\nanswer-range 65536-131071/131073\n",
            0, ALL, ERR_IO, "was replaced");
        cannot_read(FIRST "answer-range 0-65535/65536 1000\nclose\n"
                          "expect GET /p/k\nheader ETag: v2\nanswer-range 1000-65535/65536\n",
            0, ALL, ERR_IO, "was replaced");
}

TEST(ranges_of_versions_that_nobody_tells_apart_are_not_joined)
{
        cannot_read("expect GET /p/k\nanswer-range 0-65535/131072\n"
                    "expect GET /p/k\nanswer-range 65536-131071/131072\n",
            0, ALL, ERR_PROTOCOL, "which version of the object");
}

TEST(an_object_that_is_removed_meanwhile_is_no_missing_one)
{
        cannot_read(FIRST "answer-range 0-65535/131072\n"
                          "expect GET /p/k\nanswer 404 text/plain\n",
            0, ALL, ERR_IO, "404");
}

TEST(other_bytes_than_those_asked_for_are_refused)
{
        cannot_read(FIRST "answer-range 1-65536/200000\n", 0, ALL, ERR_PROTOCOL, "other bytes");
        cannot_read(FIRST "answer-range 0-65536/200000\n", 0, ALL, ERR_PROTOCOL, "other bytes");
        cannot_read(FIRST "answer-raw \"HTTP/1.1 206 OK\\r\\nContent-Length: 4\\r\\n\\r\\nfour\"\n",
            0, ALL, ERR_PROTOCOL, "which bytes");
        static const char *const ranges[] = { "bytes 0-3/*", "bytes 3-0/4", "bytes 0-3/3",
                "octets 0-3/4", "bytes 0-3/4 and more", "bytes 0-99999999999999999999999/4", "" };
        for (size_t idx = 0; idx < sizeof(ranges) / sizeof(ranges[0]); idx++) {
                char script[512];
                snprintf(script, sizeof(script),
                    "expect GET /p/k\nanswer-raw \"HTTP/1.1 206 OK\\r\\nContent-Range: %s\\r\\n"
                    "Content-Length: 4\\r\\n\\r\\nfour\"\n",
                    ranges[idx]);
                cannot_read(script, 0, ALL, ERR_PROTOCOL, "which bytes");
        }
}

TEST(more_bytes_than_the_range_are_refused)
{
        cannot_read(FIRST "answer-raw \"HTTP/1.1 206 OK\\r\\nContent-Range: bytes 0-3/4\\r\\n"
                          "Content-Length: 5\\r\\n\\r\\nfourX\"\n",
            0, ALL, ERR_PROTOCOL, "more bytes");
}

TEST(fewer_bytes_than_the_range_are_asked_for_again)
{
        char out[64];
        struct err err;

        open_object_store("expect GET /p/k\n"
                          "answer-raw \"HTTP/1.1 206 OK\\r\\nContent-Range: bytes 0-3/4\\r\\n"
                          "ETag: v\\r\\nContent-Length: 2\\r\\n\\r\\nfo\"\n"
                          "expect GET /p/k\nexpect-header Range: bytes=2-3\n"
                          "answer-raw \"HTTP/1.1 206 OK\\r\\nContent-Range: bytes 2-3/4\\r\\n"
                          "ETag: v\\r\\nContent-Length: 2\\r\\n\\r\\nur\"\n");
        ssize_t got = fetch_object(0, ALL, out, &err);
        CHECK_OK(got < 0, err);
        CHECK(got == 4 && memcmp(out, "four", 4) == 0);
        close_object_store();
}

/* Ends. */

TEST(a_source_that_is_dropped_leaves_nothing_under_way)
{
        struct err err;
        char byte;

        err_init(&err);
        open_object_store("always GET /p/k\nanswer-range 0-65535/2000000 70000\nwait-close\n");
        struct source *src = object_source(&object, "k", 0, ALL, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, &byte, 1, &err), 1);
        source_free(src);
        CHECK_INT(object.idle_count, 1);
        CHECK_INT(loop_pending(object_lane_loop(object.idle)), 0);
        drop_object_store();
}

TEST(a_cancel_ends_a_read)
{
        struct err err;
        char *out = mem_alloc(OUT_MAX, NULL);

        err_init(&err);
        struct cancel *cancel = cancel_new(NULL, &err);
        CHECK_PTR(cancel, err);
        open_object_store(
            FIRST "answer-range 0-65535/200000\nalways GET /p/k\nwait-close\nforever\n");
        struct source *src = object_source(&object, "k", 0, ALL, cancel, &err);
        CHECK_PTR(src, err);
        for (size_t got = 0; got < 65536;) {
                ssize_t len = source_read(src, out, 65536 - got, &err);
                CHECK(len > 0);
                got += (size_t)len;
        }
        cancel_trigger(cancel);
        CHECK_ERR(source_read(src, out, 1, &err) < 0, err, ERR_CANCELLED, "");
        source_free(src);
        CHECK(object_source(&object, "k", 0, ALL, cancel, &err) == NULL);
        CHECK_INT(err.code, ERR_CANCELLED);
        cancel_unref(cancel);
        mem_free(out);
        drop_object_store();
}

TEST(several_ranges_are_under_way_at_once)
{
        struct err err;
        char byte;

        err_init(&err);
        open_object_store(
            FIRST "answer-range 0-65535/1000000\nalways GET /p/k\nwait-close\nforever\n");
        object.connections = 5;
        struct source *src = object_source(&object, "k", 0, ALL, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, &byte, 1, &err), 1);
        /* The first one is there; the other places are taken, and signed for. */
        CHECK_INT(signed_count, 5);
        source_free(src);
        drop_object_store();
}

TEST(a_reader_that_takes_its_time_is_no_stall)
{
        struct timespec pause = { 0, 600000000 };
        char *out = mem_alloc(OUT_MAX, NULL);
        struct err err;

        err_init(&err);
        open_object_store(FIRST "answer-range 0-65535/131072\n"
                                "expect GET /p/k\nheader ETag: v1\nstall 0.3\n"
                                "answer-range 65536-131071/131072\n");
        object.patience.stall_ms = 400;
        object.patience.attempts = 1;
        struct source *src = object_source(&object, "k", 0, ALL, NULL, &err);
        CHECK_PTR(src, err);
        CHECK_INT(source_read(src, out, 1, &err), 1);
        /* Longer than a stall: nobody looks, and meanwhile the answer comes. */
        nanosleep(&pause, NULL);
        ssize_t got = read_all(src, out, OUT_MAX, &err);
        CHECK_OK(got < 0, err);
        CHECK_INT(got, 131071);
        source_free(src);
        mem_free(out);
        close_object_store();
}

static int
open_and_read(void *arg, struct err *err)
{
        object_store_clear(&object);
        object_pool_drain();
        make_object_store();
        object.patience.attempts = 1;
        return fetch_object(0, ALL, arg, err) < 0 ? -1 : 0;
}

TEST(survives_the_failure_of_each_allocation)
{
        char *out = mem_alloc(OUT_MAX, NULL);

        open_object_store("always GET /p/k\nwhen-header Range: bytes=0-65535\nheader ETag: v\n"
                          "answer-range 0-65535/131072\n"
                          "always GET /p/k\nwhen-header Range: bytes=65536-131071\nheader ETag: v\n"
                          "answer-range 65536-131071/131072\n");
        test_each_allocation(open_and_read, out);
        mem_free(out);
        drop_object_store();
}
