/* What an answer says is wrong. */
#include <ctype.h>
#include <string.h>

#include "object_text.h"
#include "s3.h"

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
                object_one_line(code, strlen(code), false, out->code, sizeof(out->code));
        if (message != NULL)
                object_one_line(
                    message, strlen(message), false, out->message, sizeof(out->message));
}

/* Servers that think long before they answer send spaces meanwhile. */
static const char *
skip_space(const char *text, size_t *len)
{
        while (*len > 0 && isspace((unsigned char)*text)) {
                text++;
                --*len;
        }
        return text;
}

bool
s3_error_hides(const struct http_answer *answer)
{
        size_t len = answer->body.len;
        const char *text = skip_space(answer->body.data, &len);

        if (len > 5 && memcmp(text, "<?xml", 5) == 0) {
                const char *end = memmem(text, len, "?>", 2);
                if (end == NULL)
                        return false;
                len -= (size_t)(end + 2 - text);
                text = skip_space(end + 2, &len);
        }
        return len > 6 && memcmp(text, "<Error", 6) == 0 && strchr(" >\t\r\n", text[6]) != NULL;
}

bool
s3_error_read(const struct http_answer *answer, struct s3_error *out)
{
        size_t len = answer->body.len;
        const char *text = skip_space(answer->body.data, &len);
        struct err why;
        bool found;

        memset(out, 0, sizeof(*out));
        struct xml *root = len > 0 && *text == '<' ? xml_parse(text, len, &why) : NULL;
        found = root != NULL && strcmp(xml_name(root), "Error") == 0;
        if (found)
                read_document(root, out);
        else if (len > 0)
                object_one_line(text, len, true, out->message, 100);
        find_region(answer, found ? root : NULL, out);
        xml_free(root);
        return found;
}
