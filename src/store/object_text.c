#include "object_text.h"

#include <ctype.h>
#include <string.h>

#include "moonkeep/secret.h"

/* As much of a text as is looked at. */
#define TEXT_MAX ((size_t)4096)

void
object_one_line(const char *text, size_t len, bool drop_tags, char *out, size_t size)
{
        char line[TEXT_MAX];
        bool in_tag = false;
        size_t used = 0;

        for (size_t idx = 0; idx < len && used + 1 < sizeof(line); idx++) {
                char at = text[idx];
                if (drop_tags && (at == '<' || in_tag)) {
                        in_tag = at != '>';
                        at = ' ';
                }
                if (iscntrl((unsigned char)at))
                        at = ' ';
                if (at == ' ' && (used == 0 || line[used - 1] == ' '))
                        continue;
                line[used++] = at;
        }
        while (used > 0 && line[used - 1] == ' ')
                used--;
        /* Before it is cut: half a secret would not be found. */
        secret_redact(line, used);
        line[used] = '\0';
        if (used >= size) {
                used = size - 1;
                while (used > 0 && ((unsigned char)line[used] & 0xc0) == 0x80)
                        used--;
        }
        memcpy(out, line, used);
        out[used] = '\0';
}
