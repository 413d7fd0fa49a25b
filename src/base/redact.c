#include "redact.h"

#include <stdbool.h>
#include <string.h>

/* Fewer characters than this at the end of a cut text give nothing away. */
#define CUT_MIN 4
/* A shorter text is no contents of a full buffer. */
#define CUT_TEXT_MIN 512

/* "\\u0041" is the longest escape. */
#define ESCAPE_MAX 6

struct text {
        const char *data;
        size_t len;
};

/* What is looked for: its bytes, or the base64 digits that follow from them. */
struct want {
        const unsigned char *secret;
        size_t len;       /* of the secret, in bytes */
        size_t count;     /* of characters to be found */
        size_t skip_bits; /* base64: bits of the first byte that belong to the digit before */
        /* How many bytes of text at `at` stand for character idx; 0 when they do not. */
        size_t (*match)(const struct want *want, size_t idx, const struct text *text, size_t at);
};

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

/* Do the digits at `at` say byte? */
static bool
is_hex(const struct text *text, size_t at, size_t digits, unsigned char byte)
{
        unsigned value = 0;

        if (text->len < at || text->len - at < digits)
                return false;
        for (size_t idx = 0; idx < digits; idx++) {
                int digit = hex_value(text->data[at + idx]);
                if (digit < 0)
                        return false;
                value = value * 16 + (unsigned)digit;
        }
        return value == byte;
}

/* The length of an escape at `at` that stands for byte; 0 when there is none. */
static size_t
match_escape(const struct text *text, size_t at, unsigned char byte)
{
        static const char letters[] = "\"\"\\\\//n\nr\rt\tb\bf\f";
        char first = text->data[at];

        if (first == '%')
                return is_hex(text, at + 1, 2, byte) ? 3 : 0;
        if (first != '\\' || text->len - at < 2)
                return 0;
        char second = text->data[at + 1];
        if (second == 'u')
                return is_hex(text, at + 2, 4, byte) ? 6 : 0;
        if (second == 'x')
                return is_hex(text, at + 2, 2, byte) ? 4 : 0;
        for (const char *pair = letters; *pair != '\0'; pair += 2) {
                if (second == pair[0])
                        return (unsigned char)pair[1] == byte ? 2 : 0;
        }
        return 0;
}

static size_t
match_raw(const struct want *want, size_t idx, const struct text *text, size_t at)
{
        return (unsigned char)text->data[at] == want->secret[idx];
}

/* A byte as itself or escaped; an escape is tried first, for secrets with '%' or '\' in them. */
static size_t
match_escaped(const struct want *want, size_t idx, const struct text *text, size_t at)
{
        unsigned char byte = want->secret[idx];
        size_t len = match_escape(text, at, byte);

        if (len > 0)
                return len;
        /* A form's way to write a space. */
        if (text->data[at] == '+' && byte == ' ')
                return 1;
        return (unsigned char)text->data[at] == byte;
}

/* The value of the base64 digit idx of the secret. */
static unsigned
digit_of(const struct want *want, size_t idx)
{
        size_t bit = want->skip_bits + 6 * idx;
        size_t byte = bit / 8;
        unsigned two = (unsigned)want->secret[byte] << 8;

        if (byte + 1 < want->len)
                two |= want->secret[byte + 1];
        return two >> (10 - bit % 8) & 63;
}

static size_t
match_base64(const struct want *want, size_t idx, const struct text *text, size_t at)
{
        static const char digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t from = at;

        /* Long base64 text comes in lines. */
        while (idx > 0 && at < text->len && (text->data[at] == '\n' || text->data[at] == '\r'))
                at++;
        if (at == text->len)
                return 0;
        unsigned value = digit_of(want, idx);
        char digit = digits[value];
        size_t len = match_escape(text, at, (unsigned char)digit);
        if (len == 0) {
                char got = text->data[at];
                if (got != digit && !(got == '-' && value == 62) && !(got == '_' && value == 63))
                        return 0;
                len = 1;
        }
        return at - from + len;
}

/* Did the text end within what is wanted, perhaps in the middle of an escape? */
static bool
is_cut(const struct text *text, size_t at, size_t found)
{
        if (text->len < CUT_TEXT_MIN || found < CUT_MIN)
                return false;
        if (at == text->len)
                return true;
        return text->len - at < ESCAPE_MAX && (text->data[at] == '%' || text->data[at] == '\\');
}

/* Mark what begins at start, if it is what is wanted; returns its end, or start. */
static size_t
try_at(const struct want *want, const struct text *text, size_t start, unsigned char *mark)
{
        size_t at = start, idx = 0;

        while (idx < want->count && at < text->len) {
                size_t len = want->match(want, idx, text, at);
                if (len == 0)
                        break;
                at += len;
                idx++;
        }
        if (idx < want->count) {
                if (!is_cut(text, at, idx))
                        return start;
                at = text->len;
        }
        memset(mark + start, 1, at - start);
        return at;
}

static bool
is_base64_digit(char at)
{
        return (at >= 'A' && at <= 'Z') || (at >= 'a' && at <= 'z') || (at >= '0' && at <= '9') ||
               at == '+' || at == '/' || at == '-' || at == '_';
}

/*
 * The digits next to a found piece hold the remaining bits of the secret's
 * first and last byte.
 */
static void
try_base64_at(const struct want *want, const struct text *text, size_t start, unsigned char *mark)
{
        size_t end = try_at(want, text, start, mark);

        if (end == start)
                return;
        if (want->skip_bits != 0 && start > 0 && is_base64_digit(text->data[start - 1]))
                mark[start - 1] = 1;
        bool bits_left = want->skip_bits + 6 * want->count != 8 * want->len;
        if (bits_left && end < text->len && is_base64_digit(text->data[end]))
                mark[end] = 1;
}

void
redact_mark(const char *data, size_t len, const unsigned char *secret, size_t secret_len,
    unsigned char *mark)
{
        struct text text = { .data = data, .len = len };
        struct want raw = { secret, secret_len, secret_len, 0, match_raw };
        struct want escaped = { secret, secret_len, secret_len, 0, match_escaped };
        struct want base64[3];

        /* Behind 0, 1 or 2 other bytes, 0, 4 or 2 bits of the secret go into a digit with those. */
        for (size_t before = 0; before < 3; before++) {
                size_t skip_bits = before == 0 ? 0 : before == 1 ? 4 : 2;
                base64[before] = (struct want){ secret, secret_len,
                        (secret_len * 8 - skip_bits) / 6, skip_bits, match_base64 };
        }
        for (size_t start = 0; start < len; start++) {
                try_at(&raw, &text, start, mark);
                try_at(&escaped, &text, start, mark);
                for (size_t before = 0; before < 3; before++)
                        try_base64_at(&base64[before], &text, start, mark);
        }
}
