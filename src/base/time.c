#include "moonkeep/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The first and the last millisecond with a year of four digits. */
#define UNIX_MS_MIN (-INT64_C(62167219200000))
#define UNIX_MS_MAX INT64_C(253402300799999)

static int64_t
now_ms(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
time_now_ms(void)
{
        return now_ms(CLOCK_REALTIME);
}

int64_t
time_mono_ms(void)
{
        return now_ms(CLOCK_MONOTONIC);
}

/* Break a time into fields; returns its milliseconds.  Years outside 0..9999 are clamped. */
static unsigned
split(int64_t unix_ms, struct tm *tm)
{
        if (unix_ms < UNIX_MS_MIN)
                unix_ms = UNIX_MS_MIN;
        if (unix_ms > UNIX_MS_MAX)
                unix_ms = UNIX_MS_MAX;

        int64_t ms = unix_ms % 1000;
        if (ms < 0)
                ms += 1000;
        time_t seconds = (time_t)((unix_ms - ms) / 1000);
        gmtime_r(&seconds, tm);
        return (unsigned)ms;
}

/* Write count decimal digits of value at out; returns the place behind them. */
static char *
put(char *out, int value, int count)
{
        for (int idx = count - 1; idx >= 0; idx--) {
                out[idx] = (char)('0' + value % 10);
                value /= 10;
        }
        return out + count;
}

void
time_compact(int64_t unix_ms, char out[TIME_COMPACT_SIZE])
{
        struct tm tm;

        split(unix_ms, &tm);
        out = put(out, tm.tm_year + 1900, 4);
        out = put(out, tm.tm_mon + 1, 2);
        out = put(out, tm.tm_mday, 2);
        *out++ = 'T';
        out = put(out, tm.tm_hour, 2);
        out = put(out, tm.tm_min, 2);
        out = put(out, tm.tm_sec, 2);
        *out++ = 'Z';
        *out = '\0';
}

void
time_iso(int64_t unix_ms, char out[TIME_ISO_SIZE])
{
        struct tm tm;
        unsigned ms = split(unix_ms, &tm);

        out = put(out, tm.tm_year + 1900, 4);
        *out++ = '-';
        out = put(out, tm.tm_mon + 1, 2);
        *out++ = '-';
        out = put(out, tm.tm_mday, 2);
        *out++ = 'T';
        out = put(out, tm.tm_hour, 2);
        *out++ = ':';
        out = put(out, tm.tm_min, 2);
        *out++ = ':';
        out = put(out, tm.tm_sec, 2);
        *out++ = '.';
        out = put(out, (int)ms, 3);
        *out++ = 'Z';
        *out = '\0';
}

/* Read exactly count digits at *at; moves *at.  False, too, when the value is not in min..max. */
static bool
take(const char **at, int count, int min, int max, int *value)
{
        int sum = 0;

        for (int idx = 0; idx < count; idx++) {
                char digit = (*at)[idx];
                if (digit < '0' || digit > '9')
                        return false;
                sum = sum * 10 + (digit - '0');
        }
        *at += count;
        *value = sum;
        return sum >= min && sum <= max;
}

/* Skip the character wanted; false when something else is there. */
static bool
skip(const char **at, char wanted)
{
        if (**at != wanted)
                return false;
        ++*at;
        return true;
}

/* Digits after the point, of which the first three count. */
static bool
take_fraction(const char **at, int *ms)
{
        int count = 0, sum = 0;

        for (; **at >= '0' && **at <= '9'; ++*at, count++) {
                if (count < 3)
                        sum = sum * 10 + (**at - '0');
        }
        for (int digit = count; digit < 3; digit++)
                sum *= 10;
        *ms = sum;
        return count > 0;
}

/* "Z" or an offset such as "+01:00", in minutes. */
static bool
take_zone(const char **at, int *minutes)
{
        int hour, minute;

        if (skip(at, 'Z')) {
                *minutes = 0;
                return true;
        }
        int sign = **at == '-' ? -1 : 1;
        if (!skip(at, '-') && !skip(at, '+'))
                return false;
        if (!take(at, 2, 0, 23, &hour) || !skip(at, ':') || !take(at, 2, 0, 59, &minute))
                return false;
        *minutes = sign * (hour * 60 + minute);
        return true;
}

static bool
parse(const char *at, int64_t *unix_ms)
{
        struct tm tm = { 0 };
        int year, month, ms = 0, zone = 0;

        if (!take(&at, 4, 0, 9999, &year))
                return false;
        bool extended = skip(&at, '-');
        if (!take(&at, 2, 1, 12, &month) || (extended && !skip(&at, '-')) ||
            !take(&at, 2, 1, 31, &tm.tm_mday) || !skip(&at, 'T') ||
            !take(&at, 2, 0, 23, &tm.tm_hour) || (extended && !skip(&at, ':')) ||
            !take(&at, 2, 0, 59, &tm.tm_min) || (extended && !skip(&at, ':')) ||
            !take(&at, 2, 0, 59, &tm.tm_sec))
                return false;
        if (extended) {
                if (skip(&at, '.') && !take_fraction(&at, &ms))
                        return false;
                if (!take_zone(&at, &zone))
                        return false;
        } else if (!skip(&at, 'Z')) {
                return false;
        }
        if (*at != '\0')
                return false;

        /* timegm turns the 31st of April into the 1st of May: no such day, no such time. */
        tm.tm_year = year - 1900;
        tm.tm_mon = month - 1;
        int day = tm.tm_mday;
        int64_t seconds = timegm(&tm);
        if (tm.tm_mday != day)
                return false;
        *unix_ms = (seconds - (int64_t)zone * 60) * 1000 + ms;
        return true;
}

int
time_parse(const char *text, int64_t *unix_ms, struct err *err)
{
        if (!parse(text, unix_ms))
                return err_set(err, ERR_INVALID,
                    "\"%.64s\" is no time such as 2026-11-21T02:00:00Z or 20261121T020000Z", text);
        return 0;
}
