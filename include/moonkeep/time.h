/*
 * Clocks and timestamps.  Wall-clock time is in milliseconds since 1970 UTC,
 * monotonic time in milliseconds since some fixed point.
 */
#ifndef MOONKEEP_TIME_H
#define MOONKEEP_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "moonkeep/err.h"

/* time_now_ms: the wall clock. */
int64_t time_now_ms(void);

/* time_mono_ms: the monotonic clock; for intervals and deadlines. */
int64_t time_mono_ms(void);

/* time_compact: "20261121T020000Z", the name of a backup's folder. */
#define TIME_COMPACT_SIZE 17
void time_compact(int64_t unix_ms, char out[TIME_COMPACT_SIZE]);

/* time_iso: "2026-11-21T02:00:00.123Z", for records. */
#define TIME_ISO_SIZE 25
void time_iso(int64_t unix_ms, char out[TIME_ISO_SIZE]);

/*
 * time_parse: read either form (fractions and an offset such as +01:00 are
 * accepted in the second one) into *unix_ms; ERR_INVALID when text is no time.
 */
int time_parse(const char *text, int64_t *unix_ms, struct err *err);

/* time_http: "Sat, 21 Nov 2026 02:00:00 GMT", the date of HTTP (RFC 9110, 5.6.7). */
#define TIME_HTTP_SIZE 30
void time_http(int64_t unix_ms, char out[TIME_HTTP_SIZE]);

/* time_http_parse: read that form (the obsolete ones are ERR_INVALID). */
int time_http_parse(const char *text, int64_t *unix_ms, struct err *err);

#endif
