#include "xml_internal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <expat.h>

#include "moonkeep/mem.h"
#include "moonkeep/secret.h"

/* Names seen lately: most elements have one of them. */
#define NAMES 64

/* Stands between namespace and local name; no name has it. */
#define SEPARATOR ' '

/* What the text of the open elements may take at once without growing. */
#define TEXT_FIRST ((size_t)64 * 1024)

/* An element whose end has not come yet. */
struct open {
        struct xml *element;
        struct xml *last; /* child */
        size_t text_from; /* in parse.text */
};

struct parse {
        XML_Parser parser;
        struct xml_document *document;
        struct open open[XML_DEPTH_MAX];
        size_t depth;
        size_t elements;
        /*
         * The text of all open elements.  Only that of the innermost grows, and
         * it is taken off at its end, so one behind the other is enough.
         */
        struct buf text;
        const char *names[NAMES];
        struct err *err;
        bool failed; /* err is set */
};

static void *
allocate(size_t size)
{
        return mem_alloc(size, NULL);
}

static void *
reallocate(void *ptr, size_t size)
{
        return mem_realloc(ptr, size, NULL);
}

static const XML_Memory_Handling_Suite memory = { allocate, reallocate, mem_free };

/* A handler failed, and has set err. */
static void
stop(struct parse *parse)
{
        parse->failed = true;
        XML_StopParser(parse->parser, XML_FALSE);
}

static char *
keep(struct parse *parse, const char *text, size_t len)
{
        char *copy = xml_block_alloc(parse->document, len + 1, 1, parse->err);

        if (copy == NULL)
                return NULL;
        memcpy(copy, text, len);
        copy[len] = '\0';
        return copy;
}

static const char *
keep_name(struct parse *parse, const char *name)
{
        const char *separator = strrchr(name, SEPARATOR);
        size_t len, hash = 0;

        if (separator != NULL)
                name = separator + 1;
        for (len = 0; name[len] != '\0'; len++)
                hash = hash * 31 + (unsigned char)name[len];
        const char **kept = &parse->names[hash % NAMES];
        if (*kept != NULL && strcmp(*kept, name) == 0)
                return *kept;
        const char *copy = keep(parse, name, len);
        if (copy != NULL)
                *kept = copy;
        return copy;
}

static struct xml *
add_element(struct parse *parse)
{
        if (parse->depth == 0)
                return &parse->document->root;
        struct xml *element =
            xml_block_alloc(parse->document, sizeof(*element), _Alignof(struct xml), parse->err);
        if (element == NULL)
                return NULL;
        *element = (struct xml){ .text = "" };
        struct open *parent = &parse->open[parse->depth - 1];
        if (parent->last != NULL)
                parent->last->next = element;
        else
                parent->element->first = element;
        parent->last = element;
        return element;
}

static void
on_start(void *arg, const char *name, const char **attributes)
{
        struct parse *parse = arg;

        (void)attributes;
        if (parse->failed)
                return;
        if (parse->depth == XML_DEPTH_MAX) {
                err_set(parse->err, ERR_TOO_BIG, "XML is nested more than %d deep", XML_DEPTH_MAX);
                stop(parse);
                return;
        }
        if (parse->elements == XML_ELEMENTS_MAX) {
                err_set(
                    parse->err, ERR_TOO_BIG, "XML has more than %zu elements", XML_ELEMENTS_MAX);
                stop(parse);
                return;
        }
        const char *kept = keep_name(parse, name);
        struct xml *element = kept != NULL ? add_element(parse) : NULL;
        if (element == NULL) {
                stop(parse);
                return;
        }
        element->name = kept;
        parse->elements++;
        parse->open[parse->depth++] =
            (struct open){ .element = element, .text_from = parse->text.len };
}

static void
on_end(void *arg, const char *name)
{
        struct parse *parse = arg;

        (void)name;
        if (parse->failed)
                return;
        struct open *open = &parse->open[--parse->depth];
        size_t len = parse->text.len - open->text_from;
        if (len == 0)
                return;
        open->element->text = keep(parse, parse->text.data + open->text_from, len);
        if (open->element->text == NULL)
                stop(parse);
        parse->text.len = open->text_from;
}

static void
on_text(void *arg, const char *text, int len)
{
        struct parse *parse = arg;

        if (parse->failed)
                return;
        if (buf_add(&parse->text, text, (size_t)len, parse->err) < 0)
                stop(parse);
}

/* Only here could entities come from: without them a document is no larger than it looks. */
static void
on_doctype(
    void *arg, const char *name, const char *system_id, const char *public_id, int has_internal)
{
        struct parse *parse = arg;

        (void)name;
        (void)system_id;
        (void)public_id;
        (void)has_internal;
        if (parse->failed)
                return;
        err_set(parse->err, ERR_INVALID,
            "not XML as it is accepted: line %lu: a document type declaration",
            (unsigned long)XML_GetCurrentLineNumber(parse->parser));
        stop(parse);
}

static int
syntax_error(struct parse *parse, struct err *err)
{
        enum XML_Error error = XML_GetErrorCode(parse->parser);
        const char *why = XML_ErrorString(error);

        if (error == XML_ERROR_NO_MEMORY)
                return err_set(err, ERR_NOMEM, "cannot allocate memory for XML");
        if (error == XML_ERROR_NO_ELEMENTS || error == XML_ERROR_UNCLOSED_TOKEN ||
            error == XML_ERROR_PARTIAL_CHAR || error == XML_ERROR_UNCLOSED_CDATA_SECTION)
                why = "the document is truncated";
        return err_set(err, ERR_INVALID, "not XML: line %lu: %s",
            (unsigned long)XML_GetCurrentLineNumber(parse->parser), why);
}

static int
run(struct parse *parse, const char *text, size_t len, struct err *err)
{
        static const char separator[] = { SEPARATOR, '\0' };

        parse->parser = XML_ParserCreate_MM(NULL, &memory, separator);
        if (parse->parser == NULL)
                return err_set(err, ERR_NOMEM, "cannot allocate memory for XML");
        XML_SetUserData(parse->parser, parse);
        XML_SetElementHandler(parse->parser, on_start, on_end);
        XML_SetCharacterDataHandler(parse->parser, on_text);
        XML_SetStartDoctypeDeclHandler(parse->parser, on_doctype);
        int rc = 0;
        if (XML_Parse(parse->parser, len != 0 ? text : "", (int)len, XML_TRUE) != XML_STATUS_OK)
                rc = parse->failed ? -1 : syntax_error(parse, err);
        XML_ParserFree(parse->parser);
        return rc;
}

struct xml *
xml_parse(const char *text, size_t len, struct err *err)
{
        if (len > XML_SIZE_MAX) {
                err_set(err, ERR_TOO_BIG, "XML is larger than %zu bytes", XML_SIZE_MAX);
                return NULL;
        }
        struct parse *parse = mem_zalloc(sizeof(*parse), err);
        if (parse == NULL)
                return NULL;
        parse->err = err;
        /* In UTF-8 a text of one byte a character may take twice as many. */
        buf_init(&parse->text, 2 * len);
        parse->document = mem_zalloc(sizeof(*parse->document), err);
        if (parse->document == NULL)
                goto fail;
        parse->document->root.text = "";
        if (buf_reserve(&parse->text, len < TEXT_FIRST ? len : TEXT_FIRST, err) == NULL)
                goto fail;
        if (run(parse, text, len, err) < 0)
                goto fail;
        struct xml *root = &parse->document->root;
        secret_wipe(parse->text.data, parse->text.cap);
        buf_free(&parse->text);
        mem_free(parse);
        return root;
fail:
        if (parse->document != NULL)
                xml_free(&parse->document->root);
        secret_wipe(parse->text.data, parse->text.cap);
        buf_free(&parse->text);
        mem_free(parse);
        return NULL;
}
