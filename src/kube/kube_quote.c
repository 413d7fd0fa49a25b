#include "kube_quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/secret.h"

/* Beginning and end that are looked at. */
#define PART 1024

static size_t
one_line(const char *text, size_t len, char *out)
{
        size_t kept = 0;

        for (size_t idx = 0; idx < len; idx++) {
                bool blank = (unsigned char)text[idx] <= ' ' || text[idx] == 127;
                if (!blank)
                        out[kept++] = text[idx];
                else if (kept > 0 && out[kept - 1] != ' ')
                        out[kept++] = ' ';
        }
        while (kept > 0 && out[kept - 1] == ' ')
                kept--;
        return kept;
}

static bool
is_inside_character(char at)
{
        return ((unsigned char)at & 0xc0) == 0x80;
}

void
kube_quote(const char *text, size_t len, char out[KUBE_QUOTE_SIZE])
{
        const size_t half = (KUBE_QUOTE_SIZE - sizeof(" ... ")) / 2;
        char copy[2 * PART], line[2 * PART];

        if (len <= sizeof(copy)) {
                if (len > 0)
                        memcpy(copy, text, len);
        } else {
                memcpy(copy, text, PART);
                memcpy(copy + PART, text + len - PART, PART);
                len = sizeof(copy);
        }
        /* Before anything is cut off, or half a secret would be no secret. */
        secret_redact(copy, len);
        size_t kept = one_line(copy, len, line);
        if (kept < KUBE_QUOTE_SIZE) {
                memcpy(out, line, kept);
                out[kept] = '\0';
                return;
        }
        size_t head = half, tail = kept - half;
        while (head > 0 && is_inside_character(line[head]))
                head--;
        while (tail < kept && is_inside_character(line[tail]))
                tail++;
        snprintf(out, KUBE_QUOTE_SIZE, "%.*s ... %.*s", (int)head, line, (int)(kept - tail),
            line + tail);
}
