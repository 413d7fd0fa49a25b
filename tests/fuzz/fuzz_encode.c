/*
 * Any text: what base64 and hexadecimal accept is what they write for the
 * bytes; what is URL-decoded survives another round.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
        if (!ok)
                abort();
}

static void
try_hex(const char *text, size_t len)
{
        struct err err;
        unsigned char *bytes = malloc(len / 2 + 1);
        char *again = malloc(len + 2);

        check(bytes != NULL && again != NULL);
        if (hex_decode(text, len, bytes, len / 2, &err) == 0) {
                hex_encode(bytes, len / 2, again);
                for (size_t idx = 0; idx < len; idx++)
                        check(again[idx] == tolower((unsigned char)text[idx]));
                check(again[len] == '\0');
        } else {
                check(err.code == ERR_INVALID);
        }
        free(bytes);
        free(again);
}

static void
try_base64(const char *text, size_t len, struct buf *bytes, struct buf *again)
{
        struct err err;

        if (base64_decode(text, len, bytes, &err) == 0) {
                check(base64_encode(bytes->data, bytes->len, again, &err) == 0);
                check(again->len == len && (len == 0 || memcmp(again->data, text, len) == 0));
        } else {
                check(err.code == ERR_INVALID && bytes->len == 0);
        }
}

static void
try_url(const char *text, size_t len, struct buf *bytes, struct buf *again)
{
        struct err err;

        if (url_decode(text, len, bytes, &err) == 0) {
                check(url_encode(bytes->data, bytes->len, 0, again, &err) == 0);
                size_t decoded = bytes->len;
                check(url_decode(again->data, again->len, bytes, &err) == 0);
                check(bytes->len == 2 * decoded);
                check(memcmp(bytes->data, bytes->data + decoded, decoded) == 0);
        } else {
                check(err.code == ERR_INVALID && bytes->len == 0);
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf bytes, again;

        buf_init(&bytes, 8 * size + 8);
        buf_init(&again, 8 * size + 8);
        try_hex((const char *)data, size);
        try_base64((const char *)data, size, &bytes, &again);
        buf_clear(&bytes);
        buf_clear(&again);
        try_url((const char *)data, size, &bytes, &again);
        buf_free(&bytes);
        buf_free(&again);
        return 0;
}
