/* What an answer says is wrong. */
#include <string.h>

#include "azure.h"
#include "object_text.h"

static void
read_document(const struct xml *root, struct azure_error *out)
{
        const char *code = xml_text_at(root, "Code");
        const char *message = xml_text_at(root, "Message");

        if (code != NULL && out->code[0] == '\0')
                object_one_line(code, strlen(code), false, out->code, sizeof(out->code));
        /* The first line is the message; ids and times of the request follow. */
        if (message != NULL)
                object_one_line(
                    message, strcspn(message, "\r\n"), false, out->message, sizeof(out->message));
}

void
azure_error_read(const struct http_answer *answer, struct azure_error *out)
{
        /* An answer to HEAD has no body, but this. */
        const char *code = http_answer_header(answer, "x-ms-error-code");
        const char *text = answer->body.data;
        size_t len = answer->body.len;
        static const char mark[] = "\xef\xbb\xbf";
        struct err why;

        memset(out, 0, sizeof(*out));
        if (code != NULL)
                object_one_line(code, strlen(code), false, out->code, sizeof(out->code));
        /* The mark of UTF-8, which the service puts in front. */
        if (len >= 3 && memcmp(text, mark, 3) == 0) {
                text += 3;
                len -= 3;
        }
        struct xml *root = len > 0 && *text == '<' ? xml_parse(text, len, &why) : NULL;
        if (root != NULL && strcmp(xml_name(root), "Error") == 0)
                read_document(root, out);
        else if (len > 0)
                object_one_line(text, len, true, out->message, 100);
        xml_free(root);
}
