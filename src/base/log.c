#include "moonkeep/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "moonkeep/secret.h"
#include "moonkeep/time.h"

/* Longest message; what is more is cut off. */
#define MESSAGE_MAX 4096
/* Each byte of a message becomes at most six. */
#define LINE_MAX_SIZE (6 * MESSAGE_MAX + 128)

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

void
log_msg(enum log_level level, const char *fmt, ...)
{
        int saved = errno;
        char message[MESSAGE_MAX];
        struct line line;
        va_list args;

        if (!log_enabled(level))
                return;
        va_start(args, fmt);
        int len = vsnprintf(message, sizeof(message), fmt, args);
        va_end(args);
        size_t message_len = len < 0                         ? 0
                             : (size_t)len < sizeof(message) ? (size_t)len
                                                             : sizeof(message) - 1;

        /* Before escapes could hide a secret from the search. */
        secret_redact(message, message_len);
        format_line(&line, level, message, message_len, atomic_load(&as_json));
        /* One write, so that lines of several threads and processes stay lines. */
        while (write(STDERR_FILENO, line.data, line.len) < 0 && errno == EINTR)
                continue;
        errno = saved;
}
