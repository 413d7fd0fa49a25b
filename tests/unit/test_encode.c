#include "harness/test.h"
#include "moonkeep/encode.h"

static void
check_base64(const char *bytes, size_t len, const char *text)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 1000);
        CHECK_OK(buf_addstr(&buf, ">", &err), err);
        CHECK_OK(base64_encode(bytes, len, &buf, &err), err);
        CHECK_STR(buf.data + 1, text);
        buf_clear(&buf);
        CHECK_OK(base64_decode(text, strlen(text), &buf, &err), err);
        CHECK_INT(buf.len, len);
        CHECK(len == 0 || memcmp(buf.data, bytes, len) == 0);
        buf_free(&buf);
}

static void
check_no_base64(const char *text)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 1000);
        CHECK_OK(buf_addstr(&buf, "kept", &err), err);
        CHECK_ERR(base64_decode(text, strlen(text), &buf, &err) < 0, err, ERR_INVALID, "base64");
        CHECK_INT(buf.len, 4);
        buf_free(&buf);
}

TEST(hex_goes_both_ways)
{
        struct err err;
        char text[9];
        unsigned char bytes[4];

        hex_encode("\x00\xff\x1a\xB2", 4, text);
        CHECK_STR(text, "00ff1ab2");
        CHECK_OK(hex_decode("00Ff1aB2", 8, bytes, 4, &err), err);
        CHECK(memcmp(bytes, "\x00\xff\x1a\xB2", 4) == 0);
        hex_encode("", 0, text);
        CHECK_STR(text, "");
        CHECK_OK(hex_decode("", 0, bytes, 0, &err), err);
}

TEST(hex_refuses_other_lengths_and_characters)
{
        struct err err;
        unsigned char bytes[2] = { 7, 7 };

        CHECK_ERR(hex_decode("00f", 3, bytes, 2, &err) < 0, err, ERR_INVALID, NULL);
        CHECK_ERR(hex_decode("00f", 3, bytes, 1, &err) < 0, err, ERR_INVALID, NULL);
        CHECK_ERR(hex_decode("00ff00", 6, bytes, 2, &err) < 0, err, ERR_INVALID, NULL);
        CHECK_ERR(hex_decode("00fg", 4, bytes, 2, &err) < 0, err, ERR_INVALID, "offset 3");
        CHECK_INT(bytes[0], 7);
}

TEST(base64_has_the_vectors_of_rfc_4648)
{
        check_base64("", 0, "");
        check_base64("f", 1, "Zg==");
        check_base64("fo", 2, "Zm8=");
        check_base64("foo", 3, "Zm9v");
        check_base64("foob", 4, "Zm9vYg==");
        check_base64("fooba", 5, "Zm9vYmE=");
        check_base64("foobar", 6, "Zm9vYmFy");
        check_base64("\xfb\xff\xbf\x00", 4, "+/+/AA==");
}

TEST(base64_refuses_what_it_would_not_write)
{
        static const char *const texts[] = { "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=",
                "Zg==Zg==", "Zh==", "Zm9=", "Zm9v\n", "Zm-_", "Zm 9", "Z=g=" };

        for (size_t idx = 0; idx < sizeof(texts) / sizeof(texts[0]); idx++)
                check_no_base64(texts[idx]);
}

TEST(each_byte_survives_each_form)
{
        struct err err;
        struct buf text, back;
        char bytes[256];

        for (int value = 0; value < 256; value++)
                bytes[value] = (char)value;
        buf_init(&text, 1000);
        buf_init(&back, 1000);
        for (size_t len = 0; len <= 256; len++) {
                CHECK_OK(base64_encode(bytes, len, &text, &err), err);
                CHECK_OK(base64_decode(text.data, text.len, &back, &err), err);
                CHECK(back.len == len && memcmp(back.data, bytes, len) == 0);
                buf_clear(&text);
                buf_clear(&back);
                CHECK_OK(url_encode(bytes, len, 0, &text, &err), err);
                CHECK_OK(url_decode(text.data, text.len, &back, &err), err);
                CHECK(back.len == len && memcmp(back.data, bytes, len) == 0);
                buf_clear(&text);
                buf_clear(&back);
        }
        buf_free(&text);
        buf_free(&back);
}

TEST(url_encode_keeps_unreserved_and_asked_slashes)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 1000);
        CHECK_OK(url_encode("aZ09-._~/ +\xc3\xa9", 13, 1, &buf, &err), err);
        CHECK_STR(buf.data, "aZ09-._~/%20%2B%C3%A9");
        buf_clear(&buf);
        CHECK_OK(url_encode("a/b", 3, 0, &buf, &err), err);
        CHECK_STR(buf.data, "a%2Fb");
        buf_free(&buf);
}

TEST(url_decode_refuses_broken_escapes)
{
        static const char *const texts[] = { "%", "a%", "%1", "a%1", "%1g", "%g1", "%%41" };
        struct err err;
        struct buf buf;

        buf_init(&buf, 1000);
        for (size_t idx = 0; idx < sizeof(texts) / sizeof(texts[0]); idx++)
                CHECK_ERR(url_decode(texts[idx], strlen(texts[idx]), &buf, &err) < 0, err,
                    ERR_INVALID, "broken % escape");
        CHECK_INT(buf.len, 0);
        CHECK_OK(url_decode("a%2fb%2F+%00", 12, &buf, &err), err);
        CHECK_INT(buf.len, 6);
        CHECK(memcmp(buf.data, "a/b/+\0", 6) == 0);
        buf_free(&buf);
}

TEST(the_bound_of_the_buffer_holds)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 7);
        CHECK_ERR(base64_encode("foobar", 6, &buf, &err) < 0, err, ERR_TOO_BIG, NULL);
        CHECK_ERR(url_encode("   ", 3, 0, &buf, &err) < 0, err, ERR_TOO_BIG, NULL);
        CHECK_INT(buf.len, 0);
        buf_free(&buf);
}

static int
encode_all(void *arg, struct err *err)
{
        struct buf buf;

        (void)arg;
        buf_init(&buf, 1000);
        int rc =
            base64_encode("foobar", 6, &buf, err) < 0 ||
                    base64_decode("Zm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9vZm9v", 40, &buf, err) < 0 ||
                    url_encode("                                        ", 40, 0, &buf, err) < 0 ||
                    url_decode("%20", 3, &buf, err) < 0
                ? -1
                : 0;
        buf_free(&buf);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(encode_all, NULL);
}
