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

/* Bounds: nesting, and nodes after the expansion of aliases. */
#define YAML_DEPTH_MAX 512
#define YAML_NODES_MAX 2000000

/*
 * yaml_parse: all documents of the text, as a JSON array of them (to be freed);
 * empty documents are left out, JSON is YAML.  ERR_INVALID with line and column:
 * what is no YAML, duplicate keys, keys that are no scalars, tags other than
 * the core ones (!!binary is decoded only to a base64 string), NaN and infinities,
 * strings that are no UTF-8.  ERR_TOO_BIG: past the bounds.
 */
struct json *yaml_parse(const char *text, size_t len, struct err *err);

/*
 * yaml_dump: append value as one document in block style, keys sorted, with
 * "---\n" in front if marker.  What it writes, yaml_parse reads as the same value,
 * and so does kubectl.
 */
int yaml_dump(const struct json *value, bool marker, struct buf *out, struct err *err);

#endif
