/*
 * Frames as bytes, and what they mean in any pieces.
 */
#include "../../src/net/ws_frame.h"

#include <stdio.h>

#include "../../src/net/ws_reader.h"
#include "harness/test.h"

static int
parse(const char *bytes, size_t len, struct ws_frame *frame, struct err *err)
{
        err_init(err);
        return ws_frame_parse((const unsigned char *)bytes, len, frame, err);
}

static void
parses(const char *bytes, size_t len, bool fin, int opcode, uint64_t payload)
{
        struct ws_frame frame;
        struct err err;

        for (size_t part = 0; part < len; part++)
                CHECK_INT(parse(bytes, part, &frame, &err), 0);
        CHECK_INT(parse(bytes, len, &frame, &err), 1);
        CHECK_INT(frame.header_len, len);
        CHECK(frame.fin == fin);
        CHECK_INT(frame.opcode, opcode);
        CHECK(frame.len == payload);
}

static void
refuses(const char *bytes, size_t len, const char *why)
{
        struct ws_frame frame;
        struct err err;

        CHECK_ERR(parse(bytes, len, &frame, &err) < 0, err, ERR_PROTOCOL, why);
}

TEST(headers_of_each_length_are_read)
{
        parses("\x82\x00", 2, true, WS_BINARY, 0);
        parses("\x01\x7d", 2, false, WS_TEXT, 125);
        parses("\x80\x7e\x00\x7e", 4, true, WS_CONTINUATION, 126);
        parses("\x82\x7e\xff\xff", 4, true, WS_BINARY, 65535);
        parses("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10, true, WS_BINARY, 65536);
        parses("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, true, WS_BINARY, INT64_MAX);
        parses("\x89\x7d", 2, true, WS_PING, 125);
}

TEST(what_the_protocol_forbids_is_refused_as_soon_as_it_shows)
{
        refuses("\xc2", 1, "reserved bits");
        refuses("\xa2", 1, "reserved bits");
        refuses("\x92", 1, "reserved bits");
        refuses("\x83", 1, "unknown kind");
        refuses("\x87", 1, "unknown kind");
        refuses("\x8b", 1, "unknown kind");
        refuses("\x8f", 1, "unknown kind");
        refuses("\x09", 1, "fragments");
        refuses("\x08", 1, "fragments");
        refuses("\x82\x80", 2, "masked");
        refuses("\x89\x7e", 2, "more than 125");
        refuses("\x88\x7f", 2, "more than 125");
        refuses("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10, "2^63");
        refuses("\x82\x7e\x00\x7d", 4, "written longer");
        refuses("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10, "written longer");
}

TEST(headers_are_built_and_payloads_masked_wherever_they_begin)
{
        static const unsigned char key[4] = { 0x11, 0x22, 0x33, 0x44 };
        unsigned char header[WS_HEADER_MAX], in[64], out[64], again[64];

        CHECK_INT(ws_frame_build(header, WS_BINARY, 5, key), 6);
        CHECK(memcmp(header, "\x82\x85\x11\x22\x33\x44", 6) == 0);
        CHECK_INT(ws_frame_build(header, WS_PONG, 0, key), 6);
        CHECK(memcmp(header, "\x8a\x80\x11\x22\x33\x44", 6) == 0);
        CHECK_INT(ws_frame_build(header, WS_BINARY, 126, key), 8);
        CHECK(memcmp(header, "\x82\xfe\x00\x7e\x11\x22\x33\x44", 8) == 0);
        CHECK_INT(ws_frame_build(header, WS_BINARY, 65536, key), 14);
        CHECK(memcmp(header, "\x82\xff\0\0\0\0\0\1\0\0\x11\x22\x33\x44", 14) == 0);

        for (unsigned idx = 0; idx < sizeof(in); idx++)
                in[idx] = (unsigned char)(idx * 7);
        for (size_t offset = 0; offset < 9; offset++) {
                for (size_t len = 0; len < sizeof(in) - 8; len++) {
                        memset(out, 0xee, sizeof(out));
                        ws_frame_mask(out, in, len, key, offset);
                        for (size_t idx = 0; idx < len; idx++)
                                CHECK_INT(out[idx], in[idx] ^ key[(offset + idx) % 4]);
                        CHECK_INT(out[len], 0xee);
                        memcpy(again, out, sizeof(again));
                        ws_frame_mask(again, again, len, key, offset);
                        CHECK(memcmp(again, in, len) == 0);
                }
        }
}

/* All that these bytes say, put in in pieces of that size, as text. */
static void
read_all(const char *bytes, size_t len, size_t piece, char *out, size_t size, struct err *err)
{
        struct ws_reader reader;
        struct ws_event event;
        size_t at = 0;
        int rc = 0;

        err_init(err);
        CHECK_OK(ws_reader_init(&reader, err), *err);
        *out = '\0';
        while (at < len || rc > 0) {
                size_t room;
                unsigned char *data = ws_reader_room(&reader, WS_HELD_MAX, &room, err);
                size_t part = len - at < piece ? len - at : piece;
                CHECK(data != NULL && room >= part);
                memcpy(data, bytes + at, part);
                ws_reader_took(&reader, part);
                at += part;
                while ((rc = ws_reader_next(&reader, &event, err)) > 0) {
                        size_t used = strlen(out);
                        if (event.kind == WS_CLOSED) {
                                snprintf(out + used, size - used, "closed %d %s", event.close_code,
                                    event.close_reason);
                                goto done;
                        }
                        CHECK(event.kind == WS_PIECE);
                        snprintf(out + used, size - used, "%s%s%.*s%s", event.first ? "[" : "",
                            event.first && !event.binary ? "t:" : "", (int)event.len,
                            (const char *)event.data, event.last ? "]" : "");
                }
                if (rc < 0)
                        break;
        }
done:
        ws_reader_free(&reader);
}

#define READS(bytes, want)                                                                         \
        do {                                                                                       \
                char got[512];                                                                     \
                struct err read_err;                                                               \
                for (size_t piece = 1; piece <= sizeof(bytes); piece++) {                          \
                        read_all(bytes, sizeof(bytes) - 1, piece, got, sizeof(got), &read_err);    \
                        CHECK_STR(read_err.msg, "");                                               \
                        CHECK_STR(got, want);                                                      \
                }                                                                                  \
        } while (0)

#define FORBIDS(bytes, before, why)                                                                \
        do {                                                                                       \
                char got[512];                                                                     \
                struct err read_err;                                                               \
                for (size_t piece = 1; piece <= sizeof(bytes); piece++) {                          \
                        read_all(bytes, sizeof(bytes) - 1, piece, got, sizeof(got), &read_err);    \
                        CHECK_ERR(read_err.code != ERR_NONE, read_err, ERR_PROTOCOL, why);         \
                        CHECK_STR(got, before);                                                    \
                }                                                                                  \
        } while (0)

TEST(messages_come_whole_however_their_bytes_are_cut)
{
        READS("\x82\x02hi\x82\x00\x81\x01x", "[hi][][t:x]");
        /* Fragments, with control frames between them. */
        READS("\x02\x02"
              "ab\x89\x01p\x00\x01"
              "c\x8a\x00\x00\x00\x80\x01"
              "d",
            "[abcd]");
        READS("\x01\x00\x80\x00\x82\x01x", "[t:][x]");
}

TEST(a_close_frame_ends_all_and_what_stands_behind_it_is_not_read)
{
        READS("\x82\x02hi\x88\x00\xff\xff", "[hi]closed 1005 ");
        READS("\x88\x06\x03\xe8"
              "done",
            "closed 1000 done");
        READS("\x02\x01"
              "a\x88\x05\x03\xf3"
              "a\nb",
            "[aclosed 1011 a?b");
}

TEST(fragments_that_do_not_fit_together_are_refused)
{
        FORBIDS("\x80\x01"
                "a",
            "", "a continuation of no message");
        FORBIDS("\x82\x01"
                "a\x00\x01"
                "b",
            "[a]", "a continuation of no message");
        FORBIDS("\x02\x01"
                "a\x82\x01"
                "b",
            "[a", "a message inside another one");
        FORBIDS("\x02\x01"
                "a\x89\x00\x01\x01"
                "b",
            "[a", "a message inside another one");
        FORBIDS("\x82\x01"
                "a\x88\x01"
                "b",
            "[a]", "half a code");
        FORBIDS("\x82\x01"
                "a\x82\x81",
            "[a]", "masked");
}

TEST(pings_and_ends_are_seen_before_messages_are_read)
{
        struct ws_reader reader;
        struct err err;
        size_t room;

        err_init(&err);
        CHECK_OK(ws_reader_init(&reader, &err), err);
        unsigned char *data = ws_reader_room(&reader, WS_HELD_MAX, &room, &err);
        memcpy(data,
            "\x82\x02hi\x89\x01"
            "a\x89\x02"
            "bc\x88\x00",
            13);
        ws_reader_took(&reader, 6);
        CHECK(!reader.pong_due);
        ws_reader_took(&reader, 1);
        CHECK(reader.pong_due && reader.ping_len == 1 && reader.ping[0] == 'a');
        ws_reader_took(&reader, 4);
        CHECK(reader.ping_len == 2 && memcmp(reader.ping, "bc", 2) == 0 && !reader.will_close);
        ws_reader_took(&reader, 2);
        CHECK(reader.will_close);
        ws_reader_free(&reader);
}

TEST(what_has_to_wait_grows_the_buffer_to_its_bound_and_no_further)
{
        struct ws_reader reader;
        struct ws_event event;
        struct err err;
        size_t room, total = 0, got = 0;

        err_init(&err);
        CHECK_OK(ws_reader_init(&reader, &err), err);
        for (;;) {
                unsigned char *data = ws_reader_room(&reader, WS_HELD_MAX, &room, &err);
                CHECK(data != NULL);
                if (room == 0)
                        break;
                memset(data, 'x', room);
                if (total == 0)
                        memcpy(data, "\x82\x7f\0\0\0\0\x7f\xff\xff\xff", 10);
                total += room;
                ws_reader_took(&reader, room);
        }
        CHECK_INT(total, WS_HELD_MAX);
        while (ws_reader_next(&reader, &event, &err) > 0)
                got += event.len;
        CHECK_INT(got, WS_HELD_MAX - 10);
        CHECK(ws_reader_room(&reader, WS_BUFFER_SIZE, &room, &err) != NULL);
        CHECK_INT(room, WS_BUFFER_SIZE);
        ws_reader_free(&reader);
}
