#include "moonkeep/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void
time_http(int64_t unix_ms, char out[TIME_HTTP_SIZE])
{
        char iso[TIME_ISO_SIZE];
        int64_t within = 0;
        struct err err;
        struct tm tm;

        /* The years that have four digits: as time_iso clamps them. */
        time_iso(unix_ms, iso);
        (void)time_parse(iso, &within, &err);
        time_t seconds = (time_t)((within - (within % 1000 + 1000) % 1000) / 1000);
        gmtime_r(&seconds, &tm);
        snprintf(out, TIME_HTTP_SIZE, "%.3s, %02u %.3s %.4s %.8s GMT", days + 3 * tm.tm_wday,
            (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon, iso, iso + strlen("2026-11-21T"));
}

/* The place of the three letters at text in names, or -1. */
static int
place_of(const char *text, const char *names)
{
        for (int idx = 0; names[3 * idx] != '\0'; idx++) {
                if (memcmp(text, names + 3 * idx, 3) == 0)
                        return idx;
        }
        return -1;
}

/* Does text look like form, where 0 is any digit and A any letter? */
static bool
has_form(const char *text, const char *form)
{
        for (; *form != '\0'; text++, form++) {
                char lower = (char)(*text | 0x20);
                bool fits = *form == '0'   ? *text >= '0' && *text <= '9'
                            : *form == 'A' ? lower >= 'a' && lower <= 'z'
                                           : *text == *form;
                if (!fits)
                        return false;
        }
        return *text == '\0';
}

int
time_http_parse(const char *text, int64_t *unix_ms, struct err *err)
{
        char iso[TIME_ISO_SIZE];

        if (has_form(text, "AAA, 00 AAA 0000 00:00:00 GMT") && place_of(text, days) >= 0) {
                int month = place_of(text + 8, months) + 1;
                snprintf(iso, sizeof(iso), "%.4s-%02u-%.2sT%.8sZ", text + 12, (unsigned)month % 100,
                    text + 5, text + 17);
                if (time_parse(iso, unix_ms, NULL) == 0)
                        return 0;
        }
        return err_set(
            err, ERR_INVALID, "\"%.64s\" is no time such as Sat, 21 Nov 2026 02:00:00 GMT", text);
}
