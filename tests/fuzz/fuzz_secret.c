/*
 * The first byte is the length of a secret, the secret follows, then text.
 * After redaction the text has nothing but '*' where it changed, and neither
 * the secret's bytes nor those of its escaped or base64 form, which are put
 * behind the text first.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/buf.h"
#include "moonkeep/encode.h"
#include "moonkeep/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
        if (!ok)
                abort();
}

static int
all_stars(const char *text, size_t len)
{
        return len != 0 && text[0] == '*' && (len == 1 || memcmp(text, text + 1, len - 1) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf before, after;

        if (size < 5 || data[0] < 4 || data[0] > size - 1)
                return 0;
        const char *bytes = (const char *)data + 1;
        size_t len = data[0];
        buf_init(&before, 10 * size + 1000);
        buf_init(&after, 10 * size + 1000);

        check(buf_add(&before, bytes + len, size - 1 - len, NULL) == 0);
        size_t raw = before.len;
        check(buf_add(&before, bytes, len, NULL) == 0);
        size_t url = before.len;
        check(url_encode(bytes, len, 0, &before, NULL) == 0);
        size_t base64 = before.len;
        check(base64_encode(bytes, len, &before, NULL) == 0);
        check(buf_add(&after, before.data, before.len, NULL) == 0);

        struct secret *secret = secret_new(bytes, len, NULL);
        check(secret != NULL);
        secret_redact(after.data, after.len);
        secret_unref(secret);

        for (size_t idx = 0; idx < after.len; idx++)
                check(after.data[idx] == before.data[idx] || after.data[idx] == '*');
        check(all_stars(after.data + raw, url - raw));
        check(all_stars(after.data + url, base64 - url));
        check(all_stars(after.data + base64, len * 8 / 6));
        buf_free(&before);
        buf_free(&after);
        return 0;
}
