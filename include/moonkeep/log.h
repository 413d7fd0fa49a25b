/*
 * Diagnostics on standard error, for -v.  Nothing below script/ logs above
 * debug: what a user must know is an error or a result, not a log line.
 * Lines are redacted (secret.h) and written with one write(2) each.
 */
#ifndef MOONKEEP_LOG_H
#define MOONKEEP_LOG_H

#include <stdbool.h>

enum log_level {
        LOG_ERROR,
        LOG_WARN,
        LOG_INFO,
        LOG_DEBUG
};

/* log_setup: show messages up to level, as text or as JSON lines. */
void log_setup(enum log_level level, bool json);

/* log_enabled: would a message of that level be shown? */
bool log_enabled(enum log_level level);

/* log_msg: one line.  Control characters in it are escaped. */
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * log_news: one line, unless it is one of the last few that were said so: what is asked again
 * and again while something is waited for is said when its answer changes.
 */
void log_news(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
