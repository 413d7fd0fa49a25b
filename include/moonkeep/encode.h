/*
 * Text forms of bytes: hexadecimal, base64, URL percent-encoding.
 */
#ifndef MOONKEEP_ENCODE_H
#define MOONKEEP_ENCODE_H

#include <stddef.h>

#include "moonkeep/buf.h"
#include "moonkeep/err.h"

/* hex_encode: 2 * len lower-case digits and a NUL. */
void hex_encode(const void *data, size_t len, char *out);

/* hex_decode: exactly 2 * out_len digits; ERR_INVALID otherwise. */
int hex_decode(const char *text, size_t len, unsigned char *out, size_t out_len, struct err *err);

/* base64_encode, base64_decode: RFC 4648 section 4, padded; appended to out. */
int base64_encode(const void *data, size_t len, struct buf *out, struct err *err);
int base64_decode(const char *text, size_t len, struct buf *out, struct err *err);

/* url_encode: all but A-Z a-z 0-9 - . _ ~ (and '/' if keep_slash) as %XX; appended to out. */
int url_encode(const char *data, size_t len, int keep_slash, struct buf *out, struct err *err);

/* url_decode: %XX back to bytes; a broken escape is ERR_INVALID. */
int url_decode(const char *text, size_t len, struct buf *out, struct err *err);

#endif
