/*
 * What the files of the XML module share: the elements of a document, and the
 * memory that all of them lie in.
 */
#ifndef MOONKEEP_DATA_XML_INTERNAL_H
#define MOONKEEP_DATA_XML_INTERNAL_H

#include "moonkeep/xml.h"

struct xml {
        const char *name;
        const char *text;
        struct xml *first;
        struct xml *next;
};

struct xml_block;

/* The root is the document, so that it alone has to be kept. */
struct xml_document {
        struct xml root;
        struct xml_block *blocks; /* the newest is in front */
};

/*
 * xml_block_alloc: size bytes for something of the document, freed with it;
 * of any alignment that is asked for here (1, or that of a pointer).
 */
void *xml_block_alloc(
    struct xml_document *document, size_t size, size_t alignment, struct err *err);

/* xml_block_free_all: release all of them, wiped: keys come as XML, too. */
void xml_block_free_all(struct xml_document *document);

#endif
