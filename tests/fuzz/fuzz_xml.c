/*
 * Any text: it is refused with a reason of one line, or it is a tree within
 * the bounds, which is the same when it is written and read again.  And any
 * text that XML can hold comes back from its escaped form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_element(const struct xml *element, int depth, struct buf *out)
{
        struct err err;

        if (depth > XML_DEPTH_MAX)
                abort();
        if (buf_addf(out, &err, "<%s>", xml_name(element)) < 0 ||
            xml_escape(xml_text(element), strlen(xml_text(element)), out, &err) < 0)
                abort();
        for (const struct xml *child = xml_first(element, NULL); child != NULL;
             child = xml_next(child, NULL))
                write_element(child, depth + 1, out);
        if (buf_addf(out, &err, "</%s>", xml_name(element)) < 0)
                abort();
}

static void
check_same_again(const struct xml *root, size_t size)
{
        struct err err;
        struct buf first, second;

        buf_init(&first, 1024 + 64 * size);
        buf_init(&second, 1024 + 64 * size);
        write_element(root, 1, &first);
        struct xml *again = xml_parse(first.data, first.len, &err);
        if (again == NULL)
                abort();
        write_element(again, 1, &second);
        if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
                abort();
        xml_free(again);
        buf_free(&first);
        buf_free(&second);
}

static void
check_escape(const char *text, size_t len)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 16 + 6 * len);
        if (buf_addstr(&buf, "<a>", &err) < 0)
                abort();
        if (xml_escape(text, len, &buf, &err) == 0) {
                if (buf_addstr(&buf, "</a>", &err) < 0)
                        abort();
                struct xml *root = xml_parse(buf.data, buf.len, &err);
                if (root != NULL &&
                    (strlen(xml_text(root)) != len || memcmp(xml_text(root), text, len) != 0))
                        abort();
                xml_free(root);
        } else if (memchr(text, '\0', len) == NULL) {
                abort();
        }
        buf_free(&buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err;

        err_init(&err);
        struct xml *root = xml_parse((const char *)data, size, &err);
        if (root != NULL)
                check_same_again(root, size);
        else if ((err.code != ERR_INVALID && err.code != ERR_TOO_BIG) ||
                 strchr(err.msg, '\n') != NULL)
                abort();
        xml_free(root);
        if (size != 0)
                check_escape((const char *)data, size);
        return 0;
}
