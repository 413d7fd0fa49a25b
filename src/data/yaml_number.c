#include "yaml_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Numbers as the library of kubectl reads them: Go's integers in any base with
 * YAML 1.1's underscores, and decimal floats.  Each surprise below was seen
 * there; tests/data/yaml/scalars.tsv has them all.
 */

enum parsed {
        PARSED,
        NO_NUMBER,
        OUT_OF_RANGE
};

static int
digit_of(char at)
{
        if (at >= '0' && at <= '9')
                return at - '0';
        if (at >= 'a' && at <= 'f')
                return at - 'a' + 10;
        if (at >= 'A' && at <= 'F')
                return at - 'A' + 10;
        return 99;
}

static enum parsed
parse_magnitude(const char *digits, int base, uint64_t *out)
{
        uint64_t value = 0;
        bool overflow = false;

        if (*digits == '\0')
                return NO_NUMBER;
        for (; *digits != '\0'; digits++) {
                int digit = digit_of(*digits);
                if (digit >= base)
                        return NO_NUMBER;
                overflow = overflow || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
                           __builtin_add_overflow(value, (uint64_t)digit, &value);
        }
        *out = value;
        return overflow ? OUT_OF_RANGE : PARSED;
}

/* The prefix says the base; a lone leading zero means octal. */
static const char *
skip_prefix(const char *text, int *base)
{
        *base = 10;
        if (text[0] != '0' || text[1] == '\0')
                return text;
        int letter = text[2] != '\0' ? text[1] | 0x20 : 0;
        *base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
        if (*base != 0)
                return text + 2;
        *base = 8;
        return text + 1;
}

static bool
set_integer(struct yaml_resolved *out, bool negative, uint64_t magnitude)
{
        if (magnitude > (uint64_t)INT64_MAX + negative)
                return false;
        out->kind = YAML_KIND_INT;
        out->integer = (int64_t)(negative ? 0 - magnitude : magnitude);
        return true;
}

static bool
resolve_integer(const char *text, struct yaml_resolved *out)
{
        bool sign = text[0] == '-' || text[0] == '+';
        uint64_t magnitude;
        int base;

        const char *digits = skip_prefix(text + sign, &base);
        if (parse_magnitude(digits, base, &magnitude) != PARSED)
                return false;
        if (set_integer(out, text[0] == '-', magnitude))
                return true;
        if (sign)
                return false;
        out->kind = YAML_KIND_WIDE;
        out->real = (double)magnitude;
        return true;
}

/* "0b-1" and "0b+1" are integers, too. */
static bool
resolve_binary_with_inner_sign(const char *text, struct yaml_resolved *out)
{
        uint64_t magnitude;

        if (strncmp(text, "0b", 2) != 0 || (text[2] != '-' && text[2] != '+'))
                return false;
        return parse_magnitude(text + 3, 2, &magnitude) == PARSED &&
               set_integer(out, text[2] == '-', magnitude);
}

static const char *
skip_digits(const char *text)
{
        return text + strspn(text, "0123456789");
}

/* [-+]?(.D+|D+(.D*)?)([eE][-+]?D+)? */
static bool
looks_like_float(const char *text)
{
        const char *at = text + (*text == '-' || *text == '+');
        const char *whole = at, *fraction;

        at = skip_digits(at);
        bool digits = at > whole;
        if (*at == '.') {
                fraction = at + 1;
                at = skip_digits(fraction);
                digits = digits || at > fraction;
        }
        if (!digits)
                return false;
        if (*at == 'e' || *at == 'E') {
                at += 1 + (at[1] == '-' || at[1] == '+');
                if (skip_digits(at) == at)
                        return false;
                at = skip_digits(at);
        }
        return *at == '\0';
}

/* What is too large for a double stays a string. */
static void
resolve_float(const char *text, struct yaml_resolved *out)
{
        double value = strtod(text, NULL);

        if (!looks_like_float(text) || isinf(value))
                return;
        out->kind = YAML_KIND_FLOAT;
        out->real = value;
}

/* Behind a leading dot, underscores may stand only between digits. */
static bool
underscores_are_between_digits(const char *text, size_t len)
{
        for (size_t at = 0; at < len; at++) {
                if (text[at] == '_' && (at == 0 || digit_of(text[at - 1]) > 9 || at + 1 == len ||
                                           digit_of(text[at + 1]) > 9))
                        return false;
        }
        return true;
}

static int
without_underscores(const char *text, size_t len, struct buf *out, struct err *err)
{
        size_t count = 0;
        char *room = buf_reserve(out, len + 1, err);

        if (room == NULL)
                return -1;
        for (size_t at = 0; at < len; at++) {
                if (text[at] != '_')
                        room[count++] = text[at];
        }
        room[count] = '\0';
        buf_commit(out, count);
        return 0;
}

int
yaml_resolve_number(const char *text, size_t len, struct yaml_resolved *out, struct err *err)
{
        struct buf digits;

        out->kind = YAML_KIND_STRING;
        if (strspn(text, "0123456789+-._abcdefoxABCDEFOX") != len)
                return 0;
        if (text[0] == '.' && !underscores_are_between_digits(text, len))
                return 0;
        buf_init(&digits, len + 1);
        if (without_underscores(text, len, &digits, err) < 0) {
                buf_free(&digits);
                return -1;
        }
        if (!resolve_integer(digits.data, out)) {
                resolve_float(digits.data, out);
                if (out->kind == YAML_KIND_STRING)
                        resolve_binary_with_inner_sign(digits.data, out);
        }
        buf_free(&digits);
        return 0;
}

/* The fewest digits from which the same number is read, as D.DDDe+XX. */
static int
shortest(double value, int most, bool single, char out[YAML_NUMBER_SIZE])
{
        for (int digits = 1; digits <= most; digits++) {
                snprintf(out, YAML_NUMBER_SIZE, "%.*e", digits - 1, value);
                double back = single ? (double)strtof(out, NULL) : strtod(out, NULL);
                if (back == value)
                        return digits;
        }
        return most;
}

bool
yaml_float_is_integer(double value, int64_t *out)
{
        char text[YAML_NUMBER_SIZE], number[YAML_NUMBER_SIZE];

        if (!(fabs(value) < 1e19) || value != trunc(value))
                return false;
        /* JSON text has the shortest digits and then zeros, so 2^60 ends in 7000 there. */
        int digits = shortest(value, 17, false, text);
        int exponent = atoi(strchr(text, 'e') + 1);
        size_t len = 0;
        for (const char *at = text; *at != 'e'; at++) {
                if (*at != '.')
                        number[len++] = *at;
        }
        for (int zeros = exponent + 1 - digits; zeros > 0; zeros--)
                number[len++] = '0';
        number[len] = '\0';
        errno = 0;
        *out = strtoll(number, NULL, 10);
        return errno == 0;
}

void
yaml_float_key(double value, char out[YAML_NUMBER_SIZE])
{
        double single = (double)(float)value;

        /* The library writes keys with the precision of a float32. */
        if (!isfinite(single)) {
                snprintf(out, YAML_NUMBER_SIZE, "%s",
                    isnan(single) ? ".nan"
                    : single < 0  ? "-.inf"
                                  : ".inf");
                return;
        }
        int digits = shortest(single, 9, true, out);
        int exponent = atoi(strchr(out, 'e') + 1);
        if (exponent < -4 || exponent >= 6)
                return;
        int decimals = digits - 1 - exponent;
        snprintf(out, YAML_NUMBER_SIZE, "%.*f", decimals > 0 ? decimals : 0, single);
}

void
yaml_float_text(double value, char out[YAML_NUMBER_SIZE])
{
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(out, YAML_NUMBER_SIZE, "%.*g", digits, value);
                if (strtod(out, NULL) == value)
                        break;
        }
        if (strchr(out, '.') != NULL)
                return;
        /* YAML 1.1 knows no float without a dot. */
        char *exponent = strchr(out, 'e');
        if (exponent == NULL)
                exponent = out + strlen(out);
        memmove(exponent + 2, exponent, strlen(exponent) + 1);
        memcpy(exponent, ".0", 2);
}
