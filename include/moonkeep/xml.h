/*
 * XML as S3, STS and Azure speak it: elements and text, read into a tree.
 *
 * Attributes, comments, processing instructions and namespaces are dropped
 * (names are local ones).  A document type declaration is refused, so there
 * are no entities but XML's own five.
 */
#ifndef MOONKEEP_XML_H
#define MOONKEEP_XML_H

#include <stddef.h>

#include "moonkeep/buf.h"
#include "moonkeep/err.h"

#define XML_SIZE_MAX ((size_t)64 * 1024 * 1024)
#define XML_DEPTH_MAX 64
#define XML_ELEMENTS_MAX ((size_t)1000000)

struct xml; /* an element */

/*
 * xml_parse: the root of a whole document, in any encoding that XML has to
 * say (UTF-8, UTF-16, ISO-8859-1); all text of the tree is UTF-8 without NUL.
 * ERR_INVALID says the line; ERR_TOO_BIG past the bounds.
 */
struct xml *xml_parse(const char *text, size_t len, struct err *err);
/* xml_free: release a root and all below it, wiped.  NULL is fine. */
void xml_free(struct xml *root);

/* All of these are borrowed from the root, and accept NULL (then NULL, or ""). */
const char *xml_name(const struct xml *element);
/* xml_text: the text directly in it, joined, as it stands; "" when there is none. */
const char *xml_text(const struct xml *element);
/* xml_first: the first child (of that name, unless NULL); xml_next: its next sibling likewise. */
const struct xml *xml_first(const struct xml *parent, const char *name);
const struct xml *xml_next(const struct xml *element, const char *name);
/* xml_at: the element by a path of names below it: xml_at(root, "Error/Code"); NULL if absent. */
const struct xml *xml_at(const struct xml *element, const char *path);
/* xml_text_at: the text there, NULL if there is no such element. */
const char *xml_text_at(const struct xml *element, const char *path);

/*
 * xml_escape: text with & < > " ' and control characters escaped, appended to
 * out, which is as it was on failure.  NUL is ERR_INVALID.
 */
int xml_escape(const char *text, size_t len, struct buf *out, struct err *err);

#endif
