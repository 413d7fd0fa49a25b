#include "yaml_internal.h"

#include <string.h>

/* The character at text, of valid UTF-8; its length in len. */
static unsigned
character(const char *text, size_t *len)
{
        const unsigned char *at = (const unsigned char *)text;

        if (at[0] < 0x80) {
                *len = 1;
                return at[0];
        }
        *len = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
        unsigned code = at[0] & (0x7fU >> *len);
        for (size_t idx = 1; idx < *len; idx++)
                code = code << 6 | (at[idx] & 0x3fU);
        return code;
}

/*
 * May it stand for itself in any style?  Not what YAML does not allow, what breaks
 * lines, and what makes a line look like another one (blanks that are no spaces,
 * marks of direction, the byte order mark).
 */
static bool
is_printable(unsigned code)
{
        if (code < 0x7f)
                return code >= ' ';
        if (code < 0xa1 || code == 0xad || code == 0xfeff)
                return false;
        if (code >= 0x200b && code <= 0x200f)
                return false;
        if (code >= 0x2028 && code <= 0x202e)
                return false;
        if (code >= 0x2066 && code <= 0x2069)
                return false;
        return code < 0xfffe || code > 0xffff;
}

/*
 * A literal is for texts of several lines.  Blanks at the ends of lines would
 * survive as YAML, but not every editor that the file goes through, and
 * kubectl takes a tab in front of a line for a wrong indentation.
 */
static bool
suits_literal(const char *text, size_t len)
{
        size_t newlines = 0, char_len;

        for (size_t at = 0; at < len; at += char_len) {
                unsigned code = character(text + at, &char_len);
                bool starts = at == 0 || text[at - 1] == '\n';
                bool ends = at + 1 == len || text[at + 1] == '\n';
                newlines += code == '\n';
                if (code == '\n')
                        continue;
                if (code == '\t' ? starts || ends : !is_printable(code))
                        return false;
                if (code == ' ' && ends)
                        return false;
        }
        return newlines > 0 && newlines < len;
}

static size_t
newlines_at_end(const char *text, size_t len)
{
        size_t count = 0;

        while (count < len && text[len - 1 - count] == '\n')
                count++;
        return count;
}

static int
add_line(const char *line, size_t len, size_t column, struct buf *out, struct err *err)
{
        size_t indent = len > 0 ? column : 0;
        char *room = buf_reserve(out, indent + len + 1, err);

        if (room == NULL)
                return -1;
        memset(room, ' ', indent);
        memcpy(room + indent, line, len);
        room[indent + len] = '\n';
        buf_commit(out, indent + len + 1);
        return 0;
}

/* "|" and its lines; the last newline is that of the line. */
static int
dump_literal(const char *text, size_t len, size_t column, struct buf *out, struct err *err)
{
        size_t at_end = newlines_at_end(text, len);
        const char *indent = text[0] == ' ' || text[0] == '\n' ? "2" : "";
        const char *chomp = at_end == 0 ? "-" : at_end == 1 ? "" : "+";

        if (buf_addf(out, err, "|%s%s\n", indent, chomp) < 0)
                return -1;
        for (size_t at = 0; at < len;) {
                const char *newline = memchr(text + at, '\n', len - at);
                size_t line_len = newline != NULL ? (size_t)(newline - text) - at : len - at;
                if (add_line(text + at, line_len, column + 2, out, err) < 0)
                        return -1;
                at += line_len + 1;
        }
        return 0;
}

static const char *
short_escape(unsigned code)
{
        switch (code) {
        case '"':
                return "\\\"";
        case '\\':
                return "\\\\";
        case '\n':
                return "\\n";
        case '\r':
                return "\\r";
        case '\t':
                return "\\t";
        case 0:
                return "\\0";
        default:
                return NULL;
        }
}

static int
add_escape(unsigned code, struct buf *out, struct err *err)
{
        const char *escape = short_escape(code);

        if (escape != NULL)
                return buf_addstr(out, escape, err);
        if (code <= 0xff)
                return buf_addf(out, err, "\\x%02x", code);
        if (code <= 0xffff)
                return buf_addf(out, err, "\\u%04x", code);
        return buf_addf(out, err, "\\U%08x", code);
}

int
yaml_dump_quoted(const char *text, size_t len, struct buf *out, struct err *err)
{
        size_t from = 0, char_len;

        if (buf_add(out, "\"", 1, err) < 0)
                return -1;
        for (size_t at = 0; at < len; at += char_len) {
                unsigned code = character(text + at, &char_len);
                if (is_printable(code) && code != '"' && code != '\\')
                        continue;
                if (buf_add(out, text + from, at - from, err) < 0 || add_escape(code, out, err) < 0)
                        return -1;
                from = at + char_len;
        }
        if (buf_add(out, text + from, len - from, err) < 0)
                return -1;
        return buf_add(out, "\"", 1, err);
}

int
yaml_dump_string(const char *text, size_t len, size_t column, struct buf *out, struct err *err)
{
        if (suits_literal(text, len))
                return dump_literal(text, len, column, out, err);
        if (yaml_dump_quoted(text, len, out, err) < 0)
                return -1;
        return buf_add(out, "\n", 1, err);
}
