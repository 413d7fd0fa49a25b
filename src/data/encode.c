#include "moonkeep/encode.h"

#include <stdint.h>
#include <string.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
hex_encode(const void *data, size_t len, char *out)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *bytes = data;

        for (size_t idx = 0; idx < len; idx++) {
                *out++ = digits[bytes[idx] >> 4];
                *out++ = digits[bytes[idx] & 15];
        }
        *out = '\0';
}

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(char digit)
{
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'a' && digit <= 'f')
                return digit - 'a' + 10;
        if (digit >= 'A' && digit <= 'F')
                return digit - 'A' + 10;
        return -1;
}

/* The byte that two digits stand for, or -1. */
static int
hex_pair(const char *text)
{
        int high = hex_value(text[0]);
        int low = high >= 0 ? hex_value(text[1]) : -1;

        return low >= 0 ? high * 16 + low : -1;
}

int
hex_decode(const char *text, size_t len, unsigned char *out, size_t out_len, struct err *err)
{
        if (len / 2 != out_len || len % 2 != 0)
                return err_set(err, ERR_INVALID, "%zu characters are not %zu bytes in hexadecimal",
                    len, out_len);
        /* All is looked at first: the output stays as it is when text is not good. */
        for (size_t idx = 0; idx < len; idx++) {
                if (hex_value(text[idx]) < 0)
                        return err_set(
                            err, ERR_INVALID, "not a hexadecimal digit at offset %zu", idx);
        }
        for (size_t idx = 0; idx < out_len; idx++)
                out[idx] = (unsigned char)hex_pair(text + 2 * idx);
        return 0;
}

int
base64_encode(const void *data, size_t len, struct buf *out, struct err *err)
{
        const unsigned char *bytes = data;
        size_t text_len = (len / 3 + (len % 3 != 0)) * 4;
        char *text = buf_reserve(out, text_len, err);

        if (text == NULL)
                return -1;
        for (; len > 0; bytes += 3) {
                uint32_t bits = (uint32_t)bytes[0] << 16;
                if (len > 1)
                        bits |= (uint32_t)bytes[1] << 8;
                if (len > 2)
                        bits |= bytes[2];
                *text++ = base64_digits[bits >> 18];
                *text++ = base64_digits[bits >> 12 & 63];
                *text++ = len > 1 ? base64_digits[bits >> 6 & 63] : '=';
                *text++ = len > 2 ? base64_digits[bits & 63] : '=';
                len -= len < 3 ? len : 3;
        }
        buf_commit(out, text_len);
        return 0;
}

/* The value of a base64 digit, or -1. */
static int
base64_value(char digit)
{
        if (digit >= 'A' && digit <= 'Z')
                return digit - 'A';
        if (digit >= 'a' && digit <= 'z')
                return digit - 'a' + 26;
        if (digit >= '0' && digit <= '9')
                return digit - '0' + 52;
        return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

int
base64_decode(const char *text, size_t len, struct buf *out, struct err *err)
{
        if (len % 4 != 0)
                return err_set(
                    err, ERR_INVALID, "base64 text has %zu characters: not a multiple of 4", len);

        size_t padding = 0;
        while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
                padding++;
        size_t digits = len - padding;
        size_t bytes_len = len / 4 * 3 - padding;
        char *bytes = buf_reserve(out, bytes_len, err);
        if (bytes == NULL)
                return -1;

        uint32_t bits = 0;
        for (size_t idx = 0; idx < digits; idx++) {
                int value = base64_value(text[idx]);
                if (value < 0)
                        return err_set(err, ERR_INVALID, "not a base64 digit at offset %zu", idx);
                bits = bits << 6 | (uint32_t)value;
                /* The first digit of four completes no byte, each other one does. */
                if (idx % 4 != 0)
                        *bytes++ = (char)(bits >> (6 - 2 * (idx % 4)) & 255);
        }
        /* Bits that are left over must be 0, so that equal bytes have one text only. */
        if ((padding == 1 && (bits & 3) != 0) || (padding == 2 && (bits & 15) != 0))
                return err_set(err, ERR_INVALID, "base64 text ends with stray bits");
        buf_commit(out, bytes_len);
        return 0;
}

static int
is_plain(char at, int keep_slash)
{
        return (at >= 'A' && at <= 'Z') || (at >= 'a' && at <= 'z') || (at >= '0' && at <= '9') ||
               at == '-' || at == '.' || at == '_' || at == '~' || (at == '/' && keep_slash);
}

int
url_encode(const char *data, size_t len, int keep_slash, struct buf *out, struct err *err)
{
        static const char digits[] = "0123456789ABCDEF";
        size_t text_len = len;

        for (size_t idx = 0; idx < len; idx++)
                text_len += is_plain(data[idx], keep_slash) ? 0 : 2;
        char *text = buf_reserve(out, text_len, err);
        if (text == NULL)
                return -1;
        for (size_t idx = 0; idx < len; idx++) {
                if (is_plain(data[idx], keep_slash)) {
                        *text++ = data[idx];
                } else {
                        *text++ = '%';
                        *text++ = digits[(unsigned char)data[idx] >> 4];
                        *text++ = digits[(unsigned char)data[idx] & 15];
                }
        }
        buf_commit(out, text_len);
        return 0;
}

int
url_decode(const char *text, size_t len, struct buf *out, struct err *err)
{
        /* The text is never shorter than its bytes. */
        char *start = buf_reserve(out, len, err);
        char *bytes = start;

        if (bytes == NULL)
                return -1;
        for (size_t idx = 0; idx < len; idx++) {
                if (text[idx] != '%') {
                        *bytes++ = text[idx];
                        continue;
                }
                int value = len - idx > 2 ? hex_pair(text + idx + 1) : -1;
                if (value < 0)
                        return err_set(err, ERR_INVALID, "broken %% escape at offset %zu", idx);
                *bytes++ = (char)value;
                idx += 2;
        }
        buf_commit(out, (size_t)(bytes - start));
        return 0;
}
