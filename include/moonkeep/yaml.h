/*
 * YAML, as the Kubernetes ecosystem reads and writes it: documents become JSON
 * values (json.h) and back.
 *
 * What a plain scalar means is decided here and not by libyaml: the resolution
 * of the library that kubectl uses (YAML 1.1 with its changes), so that a
 * manifest means the same to both.  Written strings are always double-quoted or
 * literal, so that no reader takes them for something else.
 */
#ifndef MOONKEEP_YAML_H
#define MOONKEEP_YAML_H

#include "moonkeep/buf.h"
#include "moonkeep/err.h"
#include "moonkeep/json.h"

/* Bounds: nesting, values and keys after the expansion of aliases, bytes of text and strings. */
#define YAML_DEPTH_MAX 512
#define YAML_NODES_MAX 2000000
#define YAML_TEXT_MAX ((size_t)64 * 1024 * 1024)

/*
 * yaml_parse: all documents of the text, as a JSON array of them (to be freed);
 * empty documents are left out.  JSON values, one behind the other, are read as
 * JSON.  Whole numbers are integers however they are written ("1e3", "1.0"), as in
 * the JSON that kubectl makes of them, unless tagged !!float; keys that are no
 * strings become the strings that they are there.  "<<" merges in the order of the
 * text: what it brings replaces keys in front of it.
 * ERR_INVALID with line and column: what is no YAML, duplicate keys, keys that are
 * no scalars or null, tags other than the core ones (!!binary is decoded, and has to
 * be UTF-8), NaN and infinities, text that is no UTF-8 (or UTF-16 behind a byte order
 * mark).  ERR_TOO_BIG: past the bounds.
 */
struct json *yaml_parse(const char *text, size_t len, struct err *err);

/*
 * yaml_dump: append value as one document in block style, keys sorted, with
 * "---\n" in front if marker.  What it writes, yaml_parse reads as the same value
 * (for that, a real that is a whole number is tagged !!float), and so does kubectl.
 * ERR_TOO_BIG: nested deeper than YAML_DEPTH_MAX, or out is full.
 */
int yaml_dump(const struct json *value, bool marker, struct buf *out, struct err *err);

#endif
