#include "moonkeep/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/secret.h"
#include "moonkeep/time.h"

/* Longest message; what is more is cut off. */
#define MESSAGE_MAX 4096
/* Each byte of a message becomes at most six. */
#define LINE_MAX_SIZE (6 * MESSAGE_MAX + 128)
/* How many lines log_news remembers: more than are asked in one turn of a wait. */
#define NEWS_KEPT 16

static atomic_int shown = LOG_WARN;
static atomic_bool as_json;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct line {
        char data[LINE_MAX_SIZE];
        size_t len;
};

void
log_setup(enum log_level level, bool json)
{
        atomic_store(&shown, (int)level);
        atomic_store(&as_json, json);
}

bool
log_enabled(enum log_level level)
{
        return (int)level <= atomic_load(&shown);
}

static void
add(struct line *line, const char *text, size_t len)
{
        memcpy(line->data + line->len, text, len);
        line->len += len;
}

static void
add_text(struct line *line, const char *text)
{
        add(line, text, strlen(text));
}

/*
 * How many bytes the printable UTF-8 character at text has; 0 when there is a
 * control character or no UTF-8.
 */
static size_t
printable(const char *text, size_t len)
{
        const unsigned char *at = (const unsigned char *)text;
        size_t want = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

        if (want == 1)
                return at[0] >= ' ' && at[0] != 127;
        if (want == 0 || want > len || at[0] > 0xf4)
                return 0;
        for (size_t idx = 1; idx < want; idx++) {
                if ((at[idx] & 0xc0) != 0x80)
                        return 0;
        }
        /* Too long a form, a surrogate, past the last code point; C1 controls. */
        if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
            (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f) ||
            (at[0] == 0xc2 && at[1] < 0xa0))
                return 0;
        return want;
}

/* Text with nothing in it that would end the line, steer a terminal or break the JSON. */
static void
add_escaped(struct line *line, const char *text, size_t len, bool json)
{
        char escape[8];

        for (size_t at = 0; at < len;) {
                size_t plain = printable(text + at, len - at);
                if (plain > 0 && !(json && (text[at] == '"' || text[at] == '\\'))) {
                        add(line, text + at, plain);
                        at += plain;
                        continue;
                }
                unsigned byte = (unsigned char)text[at++];
                if (byte == '"' || (json && byte == '\\'))
                        snprintf(escape, sizeof(escape), "\\%c", (char)byte);
                else if (byte == '\n')
                        snprintf(escape, sizeof(escape), "\\n");
                else if (!json)
                        snprintf(escape, sizeof(escape), "\\x%02x", byte);
                else if (byte < 0x80)
                        snprintf(escape, sizeof(escape), "\\u%04x", byte);
                else
                        snprintf(escape, sizeof(escape), "\\ufffd");
                add_text(line, escape);
        }
}

static void
format_line(struct line *line, enum log_level level, const char *message, size_t len, bool json)
{
        char now[TIME_ISO_SIZE];

        time_iso(time_now_ms(), now);
        line->len = 0;
        add_text(line, json ? "{\"level\":\"" : now);
        if (!json)
                add_text(line, " ");
        add_text(line, level_names[level]);
        add_text(line, json ? "\",\"message\":\"" : ": ");
        add_escaped(line, message, len, json);
        if (json) {
                add_text(line, "\",\"time\":\"");
                add_text(line, now);
                add_text(line, "\"}");
        }
        add_text(line, "\n");
}

/* The message, redacted: before escapes could hide a secret from the search. */
static size_t format_message(char message[MESSAGE_MAX], const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static size_t
format_message(char message[MESSAGE_MAX], const char *fmt, va_list args)
{
        int wanted = vsnprintf(message, MESSAGE_MAX, fmt, args);
        size_t len = wanted < 0                     ? 0
                     : (size_t)wanted < MESSAGE_MAX ? (size_t)wanted
                                                    : MESSAGE_MAX - 1;

        secret_redact(message, len);
        return len;
}

/* FNV-1a: enough to tell lines apart, of which one too few may be shown. */
static uint64_t
hash_of(const char *message, size_t len)
{
        uint64_t hash = 14695981039346656037U;

        for (size_t idx = 0; idx < len; idx++)
                hash = (hash ^ (unsigned char)message[idx]) * 1099511628211U;
        return hash;
}

/* Was it said lately?  If not, it is now. */
static bool
was_said(uint64_t hash)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static uint64_t said[NEWS_KEPT];
        static size_t next;
        bool found = false;

        pthread_mutex_lock(&lock);
        for (size_t idx = 0; idx < NEWS_KEPT; idx++)
                found = found || said[idx] == hash;
        if (!found) {
                said[next] = hash;
                next = (next + 1) % NEWS_KEPT;
        }
        pthread_mutex_unlock(&lock);
        return found;
}

static void say(enum log_level level, bool only_news, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
say(enum log_level level, bool only_news, const char *fmt, va_list args)
{
        int saved = errno;
        char message[MESSAGE_MAX];
        struct line line;
        size_t len = format_message(message, fmt, args);

        if (!only_news || !was_said(hash_of(message, len))) {
                format_line(&line, level, message, len, atomic_load(&as_json));
                /* One write, so that lines of several threads and processes stay lines. */
                while (write(STDERR_FILENO, line.data, line.len) < 0 && errno == EINTR)
                        continue;
        }
        errno = saved;
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
        va_list args;

        if (!log_enabled(level))
                return;
        va_start(args, fmt);
        say(level, false, fmt, args);
        va_end(args);
}

void
log_news(enum log_level level, const char *fmt, ...)
{
        va_list args;

        if (!log_enabled(level))
                return;
        va_start(args, fmt);
        say(level, true, fmt, args);
        va_end(args);
}
