/* What an answer says is wrong. */
#include <ctype.h>
#include <string.h>

#include "s3.h"

/* As much of a text as is looked at. */
#define TEXT_MAX ((size_t)4096)

/*
 * Text of a server in one line, without what must not be told.  Redacted
 * before it is cut: half a secret would not be found.
 */
static void
copy_text(const char *text, size_t len, bool drop_tags, char *out, size_t size)
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
        line[used] = '\0';
        secret_redact(line, used);
        if (used >= size) {
                used = size - 1;
                /* Not in the middle of a character. */
                while (used > 0 && ((unsigned char)line[used] & 0xc0) == 0x80)
                        used--;
        }
        memcpy(out, line, used);
        out[used] = '\0';
}

/* Where the bucket is: the region itself, or in the name of the host to go to. */
static void
find_region(const struct http_answer *answer, const struct xml *root, struct s3_error *out)
{
        const char *location = http_answer_header(answer, "location");
        const char *regions[] = { http_answer_header(answer, "x-amz-bucket-region"),
                xml_text_at(root, "Region") };
        const char *hosts[] = { xml_text_at(root, "Endpoint"),
                location != NULL && strstr(location, "://") != NULL ? strstr(location, "://") + 3
                                                                    : NULL };
        char host[256];

        for (size_t idx = 0; idx < 2; idx++) {
                if (regions[idx] != NULL && s3_region_is_good(regions[idx], strlen(regions[idx]))) {
                        memcpy(out->region, regions[idx], strlen(regions[idx]) + 1);
                        return;
                }
        }
        for (size_t idx = 0; idx < 2; idx++) {
                size_t len = hosts[idx] != NULL ? strcspn(hosts[idx], ":/?") : sizeof(host);
                if (len >= sizeof(host))
                        continue;
                memcpy(host, hosts[idx], len);
                host[len] = '\0';
                if (s3_endpoint_region(host, out->region))
                        return;
        }
}

static void
read_document(const struct xml *root, struct s3_error *out)
{
        const char *code = xml_text_at(root, "Code");
        const char *message = xml_text_at(root, "Message");

        if (code != NULL)
                copy_text(code, strlen(code), false, out->code, sizeof(out->code));
        if (message != NULL)
                copy_text(message, strlen(message), false, out->message, sizeof(out->message));
}

bool
s3_error_read(const struct http_answer *answer, struct s3_error *out)
{
        const char *text = answer->body.data;
        size_t len = answer->body.len;
        struct err why;
        bool found;

        memset(out, 0, sizeof(*out));
        /* Servers that think long before they answer send spaces meanwhile. */
        while (len > 0 && isspace((unsigned char)*text)) {
                text++;
                len--;
        }
        struct xml *root = len > 0 && *text == '<' ? xml_parse(text, len, &why) : NULL;
        found = root != NULL && strcmp(xml_name(root), "Error") == 0;
        if (found)
                read_document(root, out);
        else if (len > 0)
                copy_text(text, len, true, out->message, 100);
        find_region(answer, found ? root : NULL, out);
        xml_free(root);
        return found;
}
