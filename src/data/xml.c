#include "xml_internal.h"

#include <stdio.h>
#include <string.h>

#include "moonkeep/mem.h"

void
xml_free(struct xml *root)
{
        if (root == NULL)
                return;
        xml_block_free_all((struct xml_document *)root);
        mem_free(root);
}

const char *
xml_name(const struct xml *element)
{
        return element != NULL ? element->name : NULL;
}

const char *
xml_text(const struct xml *element)
{
        return element != NULL ? element->text : "";
}

/* element, or its next sibling of that name (len bytes; NULL: of any). */
static const struct xml *
find(const struct xml *element, const char *name, size_t len)
{
        while (element != NULL && name != NULL &&
               (strncmp(element->name, name, len) != 0 || element->name[len] != '\0'))
                element = element->next;
        return element;
}

const struct xml *
xml_first(const struct xml *parent, const char *name)
{
        return parent != NULL ? find(parent->first, name, name != NULL ? strlen(name) : 0) : NULL;
}

const struct xml *
xml_next(const struct xml *element, const char *name)
{
        return element != NULL ? find(element->next, name, name != NULL ? strlen(name) : 0) : NULL;
}

const struct xml *
xml_at(const struct xml *element, const char *path)
{
        while (element != NULL && *path != '\0') {
                size_t len = strcspn(path, "/");
                element = find(element->first, path, len);
                path += len;
                path += *path == '/';
        }
        return element;
}

const char *
xml_text_at(const struct xml *element, const char *path)
{
        const struct xml *found = xml_at(element, path);

        return found != NULL ? found->text : NULL;
}

/* The escape of a character that cannot stand for itself, in out; NULL when it can. */
static const char *
escape(char at, char out[8])
{
        switch (at) {
        case '&':
                return "&amp;";
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '"':
                return "&quot;";
        case '\'':
                return "&apos;";
        default:
                break;
        }
        if ((unsigned char)at >= ' ' && at != 127)
                return NULL;
        snprintf(out, 8, "&#x%X;", (unsigned)(unsigned char)at);
        return out;
}

int
xml_escape(const char *text, size_t len, struct buf *out, struct err *err)
{
        size_t from = 0, before = out->len;

        if (len != 0 && memchr(text, '\0', len) != NULL)
                return err_set(err, ERR_INVALID, "cannot write a NUL in XML");
        for (size_t at = 0; at < len; at++) {
                char hex[8];
                const char *escaped = escape(text[at], hex);
                if (escaped == NULL)
                        continue;
                if (buf_add(out, text + from, at - from, err) < 0 ||
                    buf_addstr(out, escaped, err) < 0)
                        goto fail;
                from = at + 1;
        }
        if (len > from && buf_add(out, text + from, len - from, err) < 0)
                goto fail;
        return 0;
fail:
        /* As after any failure, nothing was added. */
        out->len = before;
        if (out->data != NULL)
                out->data[before] = '\0';
        return -1;
}
